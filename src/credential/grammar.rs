//! How each carrier spells a credential. Pure: headers in, one token out.

use http::header::{AUTHORIZATION, HeaderName, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use super::CredentialError;
use crate::percent::form;

/// The only value of `name`, if there is one.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, CredentialError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(CredentialError::Two(format!(
            "header {name} is repeated, wanted it once"
        )));
    }
    Ok(first)
}

pub(super) fn bearer(headers: &HeaderMap, limit: usize) -> Result<Option<&str>, CredentialError> {
    let Some(credentials) = after_bearer(headers)? else {
        return Ok(None);
    };
    b64token(credentials, limit).map(Some)
}

/// What follows the scheme `Bearer` and its blank, as [`after_bearer`] would find it; `None` if that takes
/// a closer look.
pub(super) fn bearer_at_a_glance(headers: &HeaderMap) -> Option<Option<&[u8]>> {
    let value = match headers.len() == headers.keys_len() {
        true => headers.get(AUTHORIZATION),
        // Some header is repeated, perhaps this one.
        false => single(headers, &AUTHORIZATION).ok()?,
    };
    let Some(value) = value else {
        return Some(None);
    };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.starts_with(b" ")).then_some(Some(token))
}

/// What follows the scheme `Bearer` and its blanks; `None` for no credential of ours.
fn after_bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, CredentialError> {
    let Some(value) = single(headers, &AUTHORIZATION)? else {
        return Ok(None);
    };
    let value = value.as_bytes();
    let scheme_ends = value.iter().position(|byte| *byte == b' ');
    let (scheme, rest) = value.split_at(scheme_ends.unwrap_or(value.len()));
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        // `Bearer\ttoken` is no other scheme, it is a Bearer credential gone wrong.
        let looks_bearer = value
            .get(..7)
            .is_some_and(|start| start[..6].eq_ignore_ascii_case(b"bearer") && start[6] == b'\t')
            || value
                .first()
                .is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        return if looks_bearer {
            Err(malformed("Authorization", "one space after the scheme"))
        } else {
            Ok(None)
        };
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    Ok(Some(&rest[spaces..]))
}

fn b64token(token: &[u8], limit: usize) -> Result<&str, CredentialError> {
    check_length("Authorization", token, limit)?;
    let text = std::str::from_utf8(token).ok();
    text.filter(|_| is_b64token(token))
        .ok_or_else(|| malformed("Authorization", "`Bearer` and one b64token (RFC 6750 2.1)"))
}

/// More than anybody has to say beside a token.
const MOST_PARAMETERS: usize = 16;

/// Parameters as they came: names and values, proven by nobody.
pub(super) type Parameters = Vec<(String, String)>;

/// `Bearer b64token *( OWS "," OWS name "=" quoted-string )`: against RFC 6750, and as some clients
/// send it.
pub(super) fn bearer_with_parameters(
    headers: &HeaderMap,
    limit: usize,
) -> Result<Option<(&str, Parameters)>, CredentialError> {
    let Some(credentials) = after_bearer(headers)? else {
        return Ok(None);
    };
    let comma = credentials.iter().position(|byte| *byte == b',');
    let (token, rest) = credentials.split_at(comma.unwrap_or(credentials.len()));
    let token = b64token(token.trim_ascii_end(), limit)?;
    check_length("Authorization", rest, limit)?;
    let outside = || {
        malformed(
            "Authorization",
            "at most 16 of `, name=\"value\"` after the token, each name once",
        )
    };
    let mut rest = std::str::from_utf8(rest).map_err(|_| outside())?;
    let mut parameters = Parameters::new();
    while !rest.is_empty() {
        let (name, value, after) = parameter(rest).ok_or_else(outside)?;
        // RFC 9110 §11.2: names know no case. Each is looked for among those before it, so a header
        // full of them must not be read to its end.
        let known = parameters
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name));
        if known || parameters.len() >= MOST_PARAMETERS {
            return Err(outside());
        }
        parameters.push((name.to_owned(), value));
        rest = after;
    }
    Ok(Some((token, parameters)))
}

/// One `, name="value"`, and what follows it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let blanks = [' ', '\t'];
    let text = text.strip_prefix(',')?.trim_start_matches(blanks);
    let (name, quoted) = text.split_once("=\"")?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(is_name) {
        return None;
    }
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => {
                let after = quoted[at + 1..].trim_start_matches(blanks);
                return Some((name, value, after));
            }
            (_, '\\') => value.push(characters.next()?.1),
            (_, other) => value.push(other),
        }
    }
}

/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 6750 §2.1).
fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &token[..token.len() - padding];
    !body.is_empty() && all(body, is_b64)
}

/// Without a branch, so that the compiler may judge many bytes at once.
fn is_b64(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    let other = (byte == b'-') | (byte == b'_') | (byte == b'~') | (byte == b'+');
    // `.` and `/` are neighbours.
    letter | digit | other | (byte.wrapping_sub(b'.') < 2)
}

/// Whether all bytes are good: by the dozen, since most tokens are.
fn all(bytes: &[u8], is_good: impl Fn(u8) -> bool) -> bool {
    let mut chunks = bytes.chunks_exact(32);
    let all_of = |chunk: &[u8]| chunk.iter().fold(true, |good, byte| good & is_good(*byte));
    chunks.by_ref().all(all_of) && all_of(chunks.remainder())
}

/// What stands in the header of these names, without the blanks around it, and the name it used.
pub(super) fn header<'a, 'n>(
    headers: &'a HeaderMap,
    names: &'n [HeaderName],
) -> Result<Option<(&'n HeaderName, &'a [u8])>, CredentialError> {
    let mut found = None;
    for name in names {
        let Some(value) = single(headers, name)? else {
            continue;
        };
        if found.is_some() {
            return Err(CredentialError::Two(format!(
                "header {name} is another name of a header that is there too, wanted one"
            )));
        }
        found = Some((name, value.as_bytes().trim_ascii()));
    }
    Ok(found)
}

pub(super) fn raw<'a>(
    headers: &'a HeaderMap,
    names: &[HeaderName],
    limit: usize,
) -> Result<Option<&'a str>, CredentialError> {
    let Some((name, token)) = header(headers, names)? else {
        return Ok(None);
    };
    check_length(name.as_str(), token, limit)?;
    let visible = |byte: u8| (byte.wrapping_sub(0x21) <= 0x7E - 0x21) & (byte != b',');
    if token.is_empty() || !all(token, visible) {
        return Err(malformed(name.as_str(), "one token of visible ASCII"));
    }
    Ok(std::str::from_utf8(token).ok())
}

pub(super) fn query<'a>(
    parts: &'a Parts,
    parameter: &str,
    limit: usize,
) -> Result<Option<&'a str>, CredentialError> {
    let mut values = values_of(parts, parameter)?.into_iter();
    let Some(token) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(CredentialError::Two(format!(
            "query parameter {parameter} is repeated, wanted it once"
        )));
    }
    check_length(parameter, token.as_bytes(), limit)?;
    // No percent-decoding: every character of a b64token but `+`, `/` and `=` stands for itself
    // in a query, and those three have no place in a JWT or a sane opaque token.
    if !is_b64token(token.as_bytes()) {
        return Err(malformed(parameter, "one b64token (RFC 6750 2.1)"));
    }
    Ok(Some(token))
}

/// The values of a query parameter, as they stand. Names are compared decoded, since readers decode
/// them; one that does not decode might be ours for a lenient reader.
pub(super) fn values_of<'a>(
    parts: &'a Parts,
    parameter: &str,
) -> Result<Vec<&'a str>, CredentialError> {
    let mut values = Vec::new();
    for pair in parts.uri.query().unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = form(name).ok_or_else(|| {
            malformed(
                parameter,
                "query parameters with names in percent-encoded UTF-8",
            )
        })?;
        if name == parameter {
            values.push(value);
        }
    }
    Ok(values)
}

/// `GET` with `Upgrade: websocket` (RFC 6455 §4.1), or the extended CONNECT of HTTP/2 and later
/// (RFC 8441 §4).
pub(super) fn is_websocket_handshake(parts: &Parts) -> bool {
    let upgrades = parts.headers.get_all(UPGRADE).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    });
    let extended = parts.method == Method::CONNECT && parts.version > http::Version::HTTP_11;
    (parts.method == Method::GET && upgrades) || extended
}

fn check_length(place: &str, token: &[u8], limit: usize) -> Result<(), CredentialError> {
    if token.len() > limit {
        return Err(CredentialError::TooLong(format!(
            "credential in {place} has {} bytes, wanted at most {limit}",
            token.len()
        )));
    }
    Ok(())
}

fn malformed(place: &str, wanted: &str) -> CredentialError {
    CredentialError::Malformed(format!(
        "credential in {place} is outside its grammar, wanted {wanted}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_as_the_grammar_says() {
        for byte in 0..=u8::MAX {
            let good = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_b64(byte), good, "{byte:#04x}");
            // At every place, whether it is judged with others or by itself.
            for place in [0, 31, 32, 63, 64, 69] {
                let mut token = [b'a'; 70];
                token[place] = byte;
                let padding = byte == b'=' && place == 69;
                assert_eq!(
                    is_b64token(&token),
                    good || padding,
                    "{byte:#04x} at {place}"
                );
            }
        }
    }
}
