//! What is written into a challenge is what a strict reader reads there, and nothing else is written.

use portcullis::{Error, ResourceServer, Scope, StaticTokens};
use proptest::prelude::*;

use super::challenge::{is_searched_for, read};

/// Text that a careless administrator might write, at times with what clients search for.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ -~]{1,40}",
        1 => "[ -~]{0,8}\\PC[ -~]{0,8}",
        1 => "[a-z\", ]{0,6}(scope|Scope|error|ERROR|resource_metadata)[=, ][a-z\" ]{0,6}",
    ]
}

fn scope() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[!#-\\[\\]-~]{1,12}",
        1 => "(scope|ScopE|error|resource_metadata)=[a-z]{0,4}",
    ]
}

proptest! {
    #[test]
    fn a_challenge_reads_as_it_was_written(
        realm in text(),
        words in proptest::collection::vec(scope(), 0..5),
        sentence in text(),
    ) {
        let scopes: Vec<Scope> = words.iter().map(|word| Scope::new(word.clone()).unwrap()).collect();
        let server = ResourceServer::builder()
            .verifier(StaticTokens::new())
            .realm(&realm)
            .challenge_scopes(scopes)
            .build();
        let printable = realm.bytes().all(|byte| (0x20..=0x7E).contains(&byte));
        let fits = printable && !is_searched_for(&realm) && !words.iter().any(|word| is_searched_for(word));
        prop_assert_eq!(server.is_ok(), fits, "{}", realm);
        let Ok(server) = server else { return Ok(()) };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut bare = vec![pair("realm", &realm)];
        if !words.is_empty() {
            bare.push(pair("scope", &words.join(" ")));
        }
        for (error, code) in [
            (Error::missing_credential(), None),
            (Error::invalid_request(sentence.clone()), Some("invalid_request")),
            (Error::invalid_token(sentence.clone()), Some("invalid_token")),
        ] {
            let answer = server.answer(&error);
            let value = answer.headers()["www-authenticate"].to_str().unwrap();
            let parameters = read(value).map_err(TestCaseError::fail)?;
            match code {
                None => prop_assert_eq!(&parameters, &bare),
                Some(code) => {
                    let words = error.reason().description();
                    prop_assert_eq!(&parameters, &vec![
                        pair("realm", &realm),
                        pair("error", code),
                        pair("error_description", words),
                    ]);
                }
            }
        }
        for error in [Error::forbidden(sentence.clone()), Error::not_found(sentence)] {
            prop_assert!(server.answer(&error).headers().get("www-authenticate").is_none());
        }
    }
}
