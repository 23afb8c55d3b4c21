//! The one query parameter of a name.

use std::borrow::Cow;

use crate::percent::form;
use crate::text::quote;

/// The decoded value of the parameter `name`, which must be there exactly once: of two, one reader
/// takes the first and another the last. Names are compared decoded, since readers decode them.
pub(super) fn only<'a>(query: Option<&'a str>, name: &str) -> Result<Cow<'a, str>, String> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // What does not decode might be our parameter for a lenient reader.
        let key =
            form(key).ok_or("name of a query parameter is broken, wanted percent-encoded UTF-8")?;
        if key == name && found.replace(value).is_some() {
            return Err(format!(
                "query parameter {name} is there twice, wanted it once"
            ));
        }
    }
    let value = found.ok_or_else(|| format!("query parameter {name} is absent, wanted it once"))?;
    form(value).ok_or_else(|| {
        format!(
            "query parameter {name} is {}, wanted percent-encoded UTF-8",
            quote(value)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_is_found() {
        let only = |query| only(query, "x-id").map(Cow::into_owned);
        for (query, wanted) in [
            ("x-id=7", "7"),
            ("a=1&x-id=7&b", "7"),
            ("%78%2did=%37", "7"),
            ("x-id=a+b%2B", "a b+"),
            ("x-id=7=8", "7=8"),
            ("x-id", ""),
            ("X-ID=8&x-id=7&x-id%00=9", "7"),
        ] {
            assert_eq!(only(Some(query)).as_deref(), Ok(wanted), "{query}");
        }
        let absent = Err("query parameter x-id is absent, wanted it once".to_owned());
        for query in [None, Some(""), Some("a=x-id"), Some("x-id%20=7")] {
            assert_eq!(only(query), absent, "{query:?}");
        }
        let twice = Err("query parameter x-id is there twice, wanted it once".to_owned());
        for query in ["x-id=7&x-id=7", "x-id=7&x-id", "x-id=7&a=1&%78-id=8"] {
            assert_eq!(only(Some(query)), twice, "{query}");
        }
        let broken = "name of a query parameter is broken, wanted percent-encoded UTF-8";
        assert_eq!(only(Some("x-id=7&x-id%=8")), Err(broken.to_owned()));
        assert_eq!(
            only(Some("x-id=%ff")),
            Err(r#"query parameter x-id is "%ff", wanted percent-encoded UTF-8"#.to_owned())
        );
    }
}
