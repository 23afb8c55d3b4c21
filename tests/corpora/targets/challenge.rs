//! Challenges: what we write, a strict reader of RFC 9110 §11.6.1 reads back, equal.

use std::cell::RefCell;

use http::header::WWW_AUTHENTICATE;
use portcullis::testing::access_token;
use portcullis::{Error, ErrorKind, Grant, Refuse, Requirement, ResourceServer, Scope};
use serde_json::json;

use super::bounds::Bound;
use super::stage;

/// Each scope is listed, 16 bytes for two of text, joined to the others, and escaped into a challenge that
/// doubles as it grows and is copied into a header.
const WORDING: Bound = Bound {
    fixed: 4_096,
    per_byte: 32,
};

/// What clients search for in a header that they do not parse.
const SEARCHED_FOR: [&str; 3] = ["scope=", "error=", "resource_metadata="];

thread_local! {
    static WANTED: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

/// Asks for whatever scopes the input names.
struct Wanted;

impl Requirement for Wanted {
    fn met_by(_: &Grant<'_>) -> bool {
        false
    }

    fn name_scopes(named: &mut Vec<Scope>) {
        WANTED.with_borrow(|wanted| named.extend(wanted.iter().cloned()));
    }
}

/// The input is a realm in its first line, scopes of the bare challenge in the second, scopes of an operation
/// in the third, and a sentence for the log.
pub fn challenge(data: &[u8]) {
    let Some(lines) = stage::lines(data, 4) else {
        return;
    };
    let [realm, bare, wanted, sentence @ ..] = &lines[..] else {
        return;
    };
    let sentence = sentence.first().copied().unwrap_or_default().to_owned();
    let bare: Vec<Scope> = scopes(bare);
    let server = ResourceServer::builder()
        .clock(stage::clock())
        .realm(realm)
        .challenge_scopes(bare.clone())
        .verifier(Refuse::because("nobody comes in"));
    #[cfg(feature = "cache")]
    let server = server.verdict_capacity(0);
    let printable = realm.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let good = printable && !realm.is_empty() && !searched(realm);
    let good = good && !bare.iter().any(|scope| searched(scope.as_str()));
    let server = match server.build() {
        Ok(server) => {
            assert!(good, "{realm:?} {bare:?}");
            server
        }
        Err(error) => {
            assert!(!good, "{error}");
            return;
        }
    };
    WANTED.set(scopes(wanted));
    let token = access_token(json!({"sub": "alice"}));
    let lacking = token.require::<Wanted>().expect_err("it is never met");
    for error in [
        Error::missing_credential(),
        Error::invalid_request(sentence.clone()),
        Error::invalid_token(sentence.clone()),
        Error::forbidden(sentence.clone()),
        Error::not_found(sentence.clone()),
        Error::unavailable(std::time::Duration::from_secs(7), sentence),
        lacking,
    ] {
        let answer = WORDING.hold(data.len(), || server.answer(&error));
        let found = answer.headers().get(WWW_AUTHENTICATE);
        let found = found.map(|value| value.to_str().expect("it is visible ASCII"));
        let wanted = parameters(realm, &bare, &error);
        match (found, &wanted) {
            (None, None) => {}
            (Some(found), Some(wanted)) => {
                let read = parse(found).unwrap_or_else(|| panic!("{found} is no challenge"));
                let (scheme, parameters) = &read;
                assert_eq!(scheme, "Bearer");
                assert_eq!(parameters, wanted);
                let found = found.to_ascii_lowercase();
                for word in SEARCHED_FOR {
                    let name = word.trim_end_matches('=');
                    let times = wanted.iter().filter(|(known, _)| known == name).count();
                    assert_eq!(found.matches(word).count(), times, "{found}");
                }
            }
            (found, wanted) => panic!("{found:?} for {wanted:?}"),
        }
    }
}

/// Whether a client that searches the whole header finds a parameter in a text; names have no case.
fn searched(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SEARCHED_FOR.iter().any(|word| text.contains(word))
}

fn scopes(list: &str) -> Vec<Scope> {
    let words = list.split(' ').map(str::to_owned);
    words.filter_map(|word| Scope::new(word).ok()).collect()
}

/// What RFC 6750 §3 wants to stand in the challenge; `None` where there is to be none.
fn parameters(realm: &str, bare: &[Scope], error: &Error) -> Option<Vec<(String, String)>> {
    let (code, scopes) = match error.kind() {
        ErrorKind::MissingCredential => (None, bare),
        ErrorKind::InvalidRequest => (Some("invalid_request"), &[][..]),
        ErrorKind::InvalidToken => (Some("invalid_token"), &[][..]),
        ErrorKind::InsufficientScope => (Some("insufficient_scope"), error.scopes()),
        _ => return None,
    };
    let mut wanted = vec![("realm", realm.to_owned())];
    if let Some(code) = code {
        wanted.push(("error", code.to_owned()));
        wanted.push(("error_description", error.reason().description().to_owned()));
    }
    // An application's own scope may look like a parameter; then the client is told none.
    if !scopes.is_empty() && !scopes.iter().any(|scope| searched(scope.as_str())) {
        let words: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
        wanted.push(("scope", words.join(" ")));
    }
    let wanted = wanted.into_iter();
    Some(
        wanted
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// A scheme, and its parameters.
type Challenge = (String, Vec<(String, String)>);

/// Reads one challenge: `auth-scheme 1*SP auth-param *( OWS "," OWS auth-param )`, each parameter once
/// (RFC 9110 §11.2, §11.3), and nothing behind it.
fn parse(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.split_once(' ')?;
    if !is_token(scheme) {
        return None;
    }
    let mut rest = rest.trim_start_matches(' ');
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        let (name, value) = rest.split_once('=')?;
        let (value, after) = value_of(value)?;
        let known = parameters
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !is_token(name) || known {
            return None;
        }
        parameters.push((name.to_owned(), value));
        if after.is_empty() {
            return Some((scheme.to_owned(), parameters));
        }
        let blanks = [' ', '\t'];
        let after = after.trim_start_matches(blanks).strip_prefix(',')?;
        rest = after.trim_start_matches(blanks);
    }
}

/// A token or a quoted string (RFC 9110 §5.6.2, §5.6.4), and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (token, after) = text.split_at(end);
        return is_token(token).then(|| (token.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[place + 1..])),
            '\\' => value.push(characters.next()?.1),
            '\t' | ' '..='~' => value.push(character),
            _ => return None,
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}
