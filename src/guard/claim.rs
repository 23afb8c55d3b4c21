//! A claim and its names: JSON pointers (RFC 6901), read as one text.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Number, Value};

use crate::claims::ClaimSet;
use crate::error::ConfigError;
use crate::json::is_pointer;
use crate::text::quote;

/// Where a value stands in the claims.
#[derive(Debug)]
pub(super) struct Pointer(Box<str>);

impl Pointer {
    pub(super) fn parse(text: &str) -> Result<Pointer, ConfigError> {
        if !is_pointer(text) {
            return Err(ConfigError::new(format!(
                "claim is {}, wanted a JSON pointer such as \"/sub\" or \"/tenant/id\"",
                quote(text)
            )));
        }
        Ok(Pointer(text.into()))
    }

    /// The value as text, `None` if nothing is there. Whatever is no identifier is refused.
    fn read<'a>(&self, claims: &'a ClaimSet) -> Result<Option<Cow<'a, str>>, String> {
        let found = match claims.at(&self.0) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => return Ok(Some(Cow::Borrowed(text))),
            Some(Value::Number(number)) => match digits(number) {
                Some(digits) => return Ok(Some(Cow::Owned(digits))),
                None => "a number with a fraction or too many digits",
            },
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Array(_)) => "an array",
            Some(Value::Object(_)) => "an object",
        };
        Err(format!(
            "claim {self} is {found}, wanted a string or an integer"
        ))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn digits(number: &Number) -> Option<String> {
    let unsigned = number.as_u64().map(|number| number.to_string());
    unsigned.or_else(|| number.as_i64().map(|number| number.to_string()))
}

/// One claim under all its names: issuers have called it so and so over the years.
#[derive(Debug)]
pub(super) struct Claim(Vec<Pointer>);

impl Claim {
    pub(super) fn parse<'a>(
        pointers: impl IntoIterator<Item = &'a str>,
    ) -> Result<Claim, ConfigError> {
        let pointers = pointers.into_iter().map(Pointer::parse);
        let pointers: Vec<Pointer> = pointers.collect::<Result<_, _>>()?;
        if pointers.is_empty() {
            return Err(ConfigError::new(
                "list of claims is empty, wanted at least one JSON pointer",
            ));
        }
        Ok(Claim(pointers))
    }

    /// Refuses unless the claim says `found`, byte for byte; `what` says where that was found.
    pub(super) fn agrees(
        &self,
        claims: &ClaimSet,
        what: &impl fmt::Display,
        found: &str,
    ) -> Result<(), String> {
        match self.read(claims)? {
            Some((_, wanted)) if wanted == found => Ok(()),
            Some((pointer, wanted)) => Err(format!(
                "{what} is {}, wanted {} as in claim {pointer}",
                quote(found),
                quote(&wanted)
            )),
            None => Err(format!("claim {self} is absent, wanted it for {what}")),
        }
    }

    /// Refuses unless the claim is `wanted`, byte for byte.
    pub(super) fn is(&self, claims: &ClaimSet, wanted: &str) -> Result<(), String> {
        match self.read(claims)? {
            Some((_, found)) if found == wanted => Ok(()),
            Some((pointer, found)) => Err(format!(
                "claim {pointer} is {}, wanted {}",
                quote(&found),
                quote(wanted)
            )),
            None => Err(format!("claim {self} is absent, wanted {}", quote(wanted))),
        }
    }

    /// The first of the names under which something is there. All that are there must say the
    /// same: of two owners none is the right one.
    fn read<'a>(&self, claims: &'a ClaimSet) -> Result<Option<(&Pointer, Cow<'a, str>)>, String> {
        let mut first: Option<(&Pointer, Cow<'a, str>)> = None;
        for pointer in &self.0 {
            let Some(value) = pointer.read(claims)? else {
                continue;
            };
            match &first {
                None => first = Some((pointer, value)),
                Some((_, found)) if *found == value => {}
                Some((other, found)) => {
                    return Err(format!(
                        "claim {pointer} is {}, wanted {} as in claim {other}",
                        quote(&value),
                        quote(found)
                    ));
                }
            }
        }
        Ok(first)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, pointer) in self.0.iter().enumerate() {
            let or = if place == 0 { "" } else { " or " };
            write!(f, "{or}{pointer}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pointers: &[&str], json: &str) -> Result<Option<String>, String> {
        let claims = ClaimSet::parse(json).unwrap();
        let claim = Claim::parse(pointers.iter().copied()).unwrap();
        let value = claim.read(&claims)?;
        Ok(value.map(|(_, value)| value.into_owned()))
    }

    #[test]
    fn a_pointer_leads_to_an_identifier() {
        for (pointer, json, wanted) in [
            ("/id", r#"{"id":"7"}"#, Some("7")),
            ("/id", r#"{"id":7}"#, Some("7")),
            ("/id", r#"{"id":-7}"#, Some("-7")),
            (
                "/id",
                r#"{"id":18446744073709551615}"#,
                Some("18446744073709551615"),
            ),
            ("/id", r#"{"id":"00007"}"#, Some("00007")),
            ("/a/b/c", r#"{"a":{"b":{"c":"x"}}}"#, Some("x")),
            ("/a~1b/~0c", r#"{"a/b":{"~c":"x"}}"#, Some("x")),
            ("/a~01", r#"{"a~1":"x"}"#, Some("x")),
            ("/a/1", r#"{"a":["x","y"]}"#, Some("y")),
            ("/a/01", r#"{"a":["x","y"]}"#, None),
            ("/a/+1", r#"{"a":["x","y"]}"#, None),
            ("/a/2", r#"{"a":["x","y"]}"#, None),
            ("/a/-", r#"{"a":["x","y"]}"#, None),
            ("/", r#"{"":"x"}"#, Some("x")),
            ("/a/b", r#"{"a":"b"}"#, None),
            ("/a/b", r#"{"a":null}"#, None),
            ("/id", r#"{"id":null}"#, None),
            ("/id", r#"{"id":""}"#, None),
            ("/id", "{}", None),
        ] {
            let found = read(&[pointer], json).unwrap();
            assert_eq!(found.as_deref(), wanted, "{pointer} of {json}");
        }
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for (json, found) in [
            (
                r#"{"id":1.0}"#,
                "a number with a fraction or too many digits",
            ),
            (
                r#"{"id":1e2}"#,
                "a number with a fraction or too many digits",
            ),
            (
                r#"{"id":18446744073709551616}"#,
                "a number with a fraction or too many digits",
            ),
            (r#"{"id":true}"#, "a boolean"),
            (r#"{"id":["7"]}"#, "an array"),
            (r#"{"id":{}}"#, "an object"),
        ] {
            let sentence = format!("claim /id is {found}, wanted a string or an integer");
            assert_eq!(read(&["/id"], json), Err(sentence.clone()));
            // Another name does not make up for it.
            let json = json.replacen('{', r#"{"upid":"7","#, 1);
            assert_eq!(read(&["/upid", "/id"], &json), Err(sentence), "{json}");
        }
    }

    #[test]
    fn the_first_name_that_is_there_counts_and_none_may_differ() {
        let read = |json| read(&["/upid", "/party/id", "/owner"], json);
        assert_eq!(read(r#"{"owner":"7"}"#), Ok(Some("7".to_owned())));
        assert_eq!(read(r#"{"upid":"","owner":7}"#), Ok(Some("7".to_owned())));
        assert_eq!(
            read(r#"{"upid":"7","party":{"id":7}}"#),
            Ok(Some("7".to_owned()))
        );
        assert_eq!(
            read(r#"{"upid":"7","owner":"8"}"#),
            Err(r#"claim /owner is "8", wanted "7" as in claim /upid"#.to_owned())
        );
        assert_eq!(read("{}"), Ok(None));
        assert!(read(r#"{"upid":"7","owner":[]}"#).is_err());
    }

    #[test]
    fn pointers_that_lead_nowhere_are_told() {
        for pointer in ["", "id", "#/id", "/~", "/a~2b", "/a/~é"] {
            let error = Claim::parse([pointer]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    r#"claim is {}, wanted a JSON pointer such as "/sub" or "/tenant/id""#,
                    quote(pointer)
                )
            );
        }
        assert_eq!(
            Claim::parse([]).unwrap_err().to_string(),
            "list of claims is empty, wanted at least one JSON pointer"
        );
    }
}
