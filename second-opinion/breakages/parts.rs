//! base64url, the three parts, and the token as a text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::draft::Breakage;
use crate::draft::Edit::{Parts, Signed, Token};

/// Sets a bit behind the last octet, which a strict reader minds: another text of the same octets. A part
/// without such bits stays as it is.
fn loose_end(part: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let Some(last) = part.bytes().last().filter(|_| part.len() % 4 > 1) else {
        return part.to_owned();
    };
    let place = LETTERS
        .iter()
        .position(|letter| *letter == last)
        .unwrap_or(0);
    let other = char::from(LETTERS[place ^ 1]);
    format!("{}{other}", &part[..part.len() - 1])
}

/// In the other alphabet, with padding.
fn standard(part: &str) -> String {
    let part = part.replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - part.len() % 4) % 4);
    part + &padding
}

/// Two octets more than a multiple of three, so that there are such bits.
fn spaced(part: &str) -> String {
    let mut octets = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    while octets.len() % 3 != 2 {
        octets.push(b' ');
    }
    URL_SAFE_NO_PAD.encode(octets)
}

fn split(part: &str, with: &str) -> String {
    let (first, second) = part.split_at(part.len() / 2);
    format!("{first}{with}{second}")
}

pub const ALL: &[Breakage] = &[
    Breakage(
        "signed header: padded",
        Signed(|[header, _]| *header = format!("{}=", spaced(header))),
    ),
    Breakage(
        "signed header: a loose end",
        Signed(|[header, _]| *header = loose_end(&spaced(header))),
    ),
    Breakage(
        "signed header: the other alphabet",
        Signed(|[header, _]| *header = standard(&spaced(header))),
    ),
    Breakage(
        "signed header: a space inside",
        Signed(|[header, _]| *header = split(header, " ")),
    ),
    Breakage(
        "signed header: a line break inside",
        Signed(|[header, _]| *header = split(header, "\n")),
    ),
    Breakage(
        "signed header: a letter more",
        Signed(|[header, _]| *header = format!("{}AA", spaced(header))),
    ),
    Breakage(
        "signed payload: padded",
        Signed(|[_, payload]| *payload = format!("{}=", spaced(payload))),
    ),
    Breakage(
        "signed payload: a loose end",
        Signed(|[_, payload]| *payload = loose_end(&spaced(payload))),
    ),
    Breakage(
        "signed payload: the other alphabet",
        Signed(|[_, payload]| *payload = standard(&spaced(payload))),
    ),
    Breakage(
        "signed payload: a space inside",
        Signed(|[_, payload]| *payload = split(payload, " ")),
    ),
    Breakage(
        "signed payload: a line break inside",
        Signed(|[_, payload]| *payload = split(payload, "\n")),
    ),
    Breakage(
        "signed payload: a letter more",
        Signed(|[_, payload]| *payload = format!("{}AA", spaced(payload))),
    ),
    Breakage(
        "signed payload: empty",
        Signed(|[_, payload]| payload.clear()),
    ),
    Breakage(
        "signed payload: twice encoded",
        Signed(|[_, payload]| *payload = URL_SAFE_NO_PAD.encode(&payload)),
    ),
    Breakage(
        "signature part: padded",
        Parts(|parts| parts[2] = format!("{}=", parts[2])),
    ),
    Breakage(
        "signature part: padded twice",
        Parts(|parts| parts[2] = format!("{}==", parts[2])),
    ),
    Breakage(
        "signature part: a loose end",
        Parts(|parts| parts[2] = loose_end(&parts[2])),
    ),
    Breakage(
        "signature part: the other alphabet",
        Parts(|parts| parts[2] = standard(&parts[2])),
    ),
    Breakage(
        "signature part: a space inside",
        Parts(|parts| parts[2] = split(&parts[2], " ")),
    ),
    Breakage(
        "signature part: a line break inside",
        Parts(|parts| parts[2] = split(&parts[2], "\n")),
    ),
    Breakage(
        "signature part: a letter more",
        Parts(|parts| parts[2].push('A')),
    ),
    Breakage(
        "signature part: a letter nobody has",
        Parts(|parts| parts[2] = split(&parts[2], "*")),
    ),
    Breakage(
        "parts: header and payload exchanged",
        Parts(|parts| parts.swap(0, 1)),
    ),
    Breakage(
        "parts: payload and signature exchanged",
        Parts(|parts| parts.swap(1, 2)),
    ),
    Breakage("parts: backwards", Parts(|parts| parts.reverse())),
    Breakage("parts: no header", Parts(|parts| parts[0].clear())),
    Breakage("parts: no payload", Parts(|parts| parts[1].clear())),
    Breakage("parts: two", Parts(|parts| parts.truncate(2))),
    Breakage("parts: one", Parts(|parts| parts.truncate(1))),
    Breakage("parts: four", Parts(|parts| parts.push("AAAA".to_owned()))),
    Breakage(
        "parts: five",
        Parts(|parts| parts.extend(["AAAA".to_owned(), "AAAA".to_owned()])),
    ),
    Breakage(
        "parts: another header",
        Parts(|parts| {
            parts[0] =
                URL_SAFE_NO_PAD.encode("{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}");
        }),
    ),
    Breakage(
        "parts: another payload",
        Parts(|parts| {
            let claims = URL_SAFE_NO_PAD.decode(&parts[1]).unwrap_or_default();
            let claims = String::from_utf8_lossy(&claims).replace("alice", "mallo");
            parts[1] = URL_SAFE_NO_PAD.encode(claims);
        }),
    ),
    Breakage(
        "parts: a character of the payload changed",
        Parts(|parts| {
            let place = parts[1].len() / 3;
            let (before, rest) = parts[1].split_at(place);
            let other = if rest.starts_with('A') { "B" } else { "A" };
            let behind = rest.get(1..).unwrap_or_default();
            parts[1] = format!("{before}{other}{behind}");
        }),
    ),
    Breakage("token: a dot behind", Token(|token| format!("{token}."))),
    Breakage("token: a dot before", Token(|token| format!(".{token}"))),
    Breakage(
        "token: two dots",
        Token(|token| token.replacen('.', "..", 1)),
    ),
    Breakage("token: a space behind", Token(|token| format!("{token} "))),
    Breakage("token: a space before", Token(|token| format!(" {token}"))),
    Breakage("token: a tab behind", Token(|token| format!("{token}\t"))),
    Breakage(
        "token: a line break behind",
        Token(|token| format!("{token}\n")),
    ),
    Breakage("token: a NUL behind", Token(|token| format!("{token}\0"))),
    Breakage("token: a comma behind", Token(|token| format!("{token},"))),
    Breakage("token: quoted", Token(|token| format!("\"{token}\""))),
    Breakage(
        "token: its scheme twice",
        Token(|token| format!("Bearer {token}")),
    ),
    Breakage(
        "token: another behind",
        Token(|token| format!("{token},{token}")),
    ),
    Breakage(
        "token: a percent sign for the dots",
        Token(|token| token.replace('.', "%2E")),
    ),
    Breakage(
        "token: in small letters",
        Token(|token| token.to_lowercase()),
    ),
    Breakage(
        "token: a letter outside of ASCII",
        Token(|token| format!("{token}\u{e4}")),
    ),
    Breakage(
        "token: an invisible letter",
        Token(|token| format!("\u{200b}{token}")),
    ),
    Breakage(
        "token: cut",
        Token(|token| {
            let half = token.chars().count() / 2;
            token.chars().take(half).collect()
        }),
    ),
    Breakage("token: empty", Token(|_| String::new())),
];
