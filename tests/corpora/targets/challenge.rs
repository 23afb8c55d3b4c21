//! Challenges: what we write, a strict reader of RFC 9110 §11.6.1 reads back, equal.

#[path = "../../doors/challenge.rs"]
mod reader;

use std::cell::RefCell;

use http::header::WWW_AUTHENTICATE;
use portcullis::testing::access_token;
use portcullis::{Error, ErrorKind, Grant, Refuse, Requirement, Scope};
use serde_json::json;

use self::reader::{SEARCHED_FOR, is_searched_for, read};
use super::bounds::Bound;
use super::stage;

/// Each scope is listed, 16 bytes for two of text, joined to the others, and escaped into a challenge that
/// doubles as it grows and is copied into a header.
const WORDING: Bound = Bound {
    fixed: 4_096,
    per_byte: 32,
};

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
    let server = stage::forgetful()
        .realm(realm)
        .challenge_scopes(bare.clone())
        .verifier(Refuse::because("nobody comes in"));
    let printable = realm.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let good = printable && !realm.is_empty() && !is_searched_for(realm);
    let good = good && !bare.iter().any(|scope| is_searched_for(scope.as_str()));
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
                let parameters = read(found).unwrap_or_else(|why| panic!("{found}: {why}"));
                assert_eq!(&parameters, wanted);
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
    if !scopes.is_empty() && !scopes.iter().any(|scope| is_searched_for(scope.as_str())) {
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
