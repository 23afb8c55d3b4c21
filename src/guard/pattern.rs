//! The shape of a path: which of its segments are parameters.

use crate::error::ConfigError;
use crate::text::quote;

/// A path with parameters, such as `/interviews/{interviewId}/{*rest}`.
#[derive(Debug)]
pub(super) struct Pattern {
    text: Box<str>,
    segments: Vec<Segment>,
    /// The name of `{*rest}`, one or more further segments.
    rest: Option<Box<str>>,
}

#[derive(Debug)]
enum Segment {
    Literal(Box<str>),
    Parameter(Box<str>),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Pattern, ConfigError> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(ConfigError::new(format!(
                "pattern is {}, wanted a path that begins with `/`",
                quote(text)
            )));
        };
        let mut pattern = Pattern {
            text: text.into(),
            segments: Vec::new(),
            rest: None,
        };
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            pattern
                .add(segment, is_last)
                .map_err(|wanted| faulty(text, segment, wanted))?;
        }
        Ok(pattern)
    }

    /// Adds one segment, or says what was wanted instead of it.
    fn add(&mut self, segment: &str, is_last: bool) -> Result<(), &'static str> {
        if !segment.contains(['{', '}']) {
            // A slash at the end is a way to write a route; two in the middle are a slip.
            if segment.is_empty() && !is_last {
                return Err("text between slashes");
            }
            self.segments.push(Segment::Literal(segment.into()));
            return Ok(());
        }
        let inner = segment
            .strip_prefix('{')
            .and_then(|inner| inner.strip_suffix('}'))
            .ok_or("text, or a whole `{name}`")?;
        let name = inner.strip_prefix('*').unwrap_or(inner);
        if name.is_empty() || name.contains(['{', '}', '*']) {
            return Err("`{name}` or `{*name}`");
        }
        if self.names().any(|known| known == name) {
            return Err("another name, this one is taken");
        }
        if inner == name {
            self.segments.push(Segment::Parameter(name.into()));
        } else if is_last {
            self.rest = Some(name.into());
        } else {
            return Err("`{*name}` at the end only");
        }
        Ok(())
    }

    /// The parameters of one segment each.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The parameters of `path`, still encoded, each with its name; all segments of the rest have
    /// the same. `None` if the path has another shape.
    pub(super) fn parameters<'a>(
        &'a self,
        path: &'a str,
    ) -> Option<impl Iterator<Item = (&'a str, &'a str)>> {
        let path = path.strip_prefix('/')?;
        let mut found = path.split('/');
        for segment in &self.segments {
            let found = found.next()?;
            // Byte for byte, as routers do it: another spelling of the text is another path.
            if matches!(segment, Segment::Literal(text) if **text != *found) {
                return None;
            }
        }
        if found.next().is_some() != self.rest.is_some() {
            return None;
        }
        let names = self.segments.iter().map(Segment::name);
        let names = names.chain(std::iter::repeat(self.rest.as_deref()));
        Some(
            names
                .zip(path.split('/'))
                .filter_map(|(name, found)| Some((name?, found))),
        )
    }
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Segment::Literal(_) => None,
            Segment::Parameter(name) => Some(name),
        }
    }
}

fn faulty(pattern: &str, segment: &str, wanted: &str) -> ConfigError {
    ConfigError::new(format!(
        "segment of the pattern {} is {}, wanted {wanted}",
        quote(pattern),
        quote(segment)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_shape_or_not() {
        let read = |pattern: &str, path: &str| {
            let pattern = Pattern::parse(pattern).unwrap();
            let parameters = pattern.parameters(path)?;
            let pairs: Vec<String> = parameters.map(|(n, v)| format!("{n}={v}")).collect();
            Some(pairs.join(" "))
        };
        for (pattern, path, wanted) in [
            ("/", "/", Some("")),
            ("/", "/a", None),
            ("/", "", None),
            ("/a", "/a", Some("")),
            ("/a", "/a/", None),
            ("/a/", "/a/", Some("")),
            ("/a/", "/a", None),
            ("/a", "/A", None),
            ("/a", "/%61", None),
            ("/a", "//a", None),
            ("/a", "*", None),
            ("/a/{id}", "/a/7", Some("id=7")),
            ("/a/{id}", "/a/%37", Some("id=%37")),
            // The guard refuses an empty one in its own words.
            ("/a/{id}", "/a/", Some("id=")),
            ("/a/{id}", "/a", None),
            ("/a/{id}", "/a/7/", None),
            ("/a/{id}", "/a/7/8", None),
            ("/a/{id}/b", "/a/7/b", Some("id=7")),
            ("/a/{id}/b", "/a/7/c", None),
            ("/a/{id}/{*rest}", "/a/7", None),
            ("/a/{id}/{*rest}", "/a/7/", Some("id=7 rest=")),
            (
                "/a/{id}/{*rest}",
                "/a/7/b//c",
                Some("id=7 rest=b rest= rest=c"),
            ),
            ("/{*all}", "/a/b", Some("all=a all=b")),
        ] {
            assert_eq!(read(pattern, path).as_deref(), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn each_fault_of_a_pattern_is_told() {
        for (pattern, sentence) in [
            ("a", r#"pattern is "a", wanted a path that begins with `/`"#),
            ("", r#"pattern is "", wanted a path that begins with `/`"#),
            (
                "/{a",
                r#"segment of the pattern "/{a" is "{a", wanted text, or a whole `{name}`"#,
            ),
            (
                "/a}",
                r#"segment of the pattern "/a}" is "a}", wanted text, or a whole `{name}`"#,
            ),
            (
                "/{}",
                r#"segment of the pattern "/{}" is "{}", wanted `{name}` or `{*name}`"#,
            ),
            (
                "/{*}",
                r#"segment of the pattern "/{*}" is "{*}", wanted `{name}` or `{*name}`"#,
            ),
            (
                "/{a}{b}",
                r#"segment of the pattern "/{a}{b}" is "{a}{b}", wanted `{name}` or `{*name}`"#,
            ),
            (
                "/v{a}",
                r#"segment of the pattern "/v{a}" is "v{a}", wanted text, or a whole `{name}`"#,
            ),
            (
                "/{*a}/b",
                r#"segment of the pattern "/{*a}/b" is "{*a}", wanted `{*name}` at the end only"#,
            ),
            (
                "/{a}/{a}",
                r#"segment of the pattern "/{a}/{a}" is "{a}", wanted another name, this one is taken"#,
            ),
            (
                "/{a}/{*a}",
                r#"segment of the pattern "/{a}/{*a}" is "{*a}", wanted another name, this one is taken"#,
            ),
            (
                "/a//b",
                r#"segment of the pattern "/a//b" is "", wanted text between slashes"#,
            ),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }
}
