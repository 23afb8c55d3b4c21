//! Which resource does a request name, and does the token say the same? Pure: no tower, no axum.

mod builder;
mod claim;
mod decode;
mod host;
mod pattern;
mod query;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

pub use self::builder::ResourceGuardBuilder;
use self::claim::Claim;
pub use self::decode::path_segments;
use self::pattern::Pattern;
use crate::claims::ClaimSet;
use crate::error::Error;
use crate::text::quote;
use crate::token::AccessToken;

/// Checks that the resource a request names is the one its token is for. Cloning is cheap.
///
/// Resources are named in the path, the query or the host; the token names its own in claims. The
/// guard compares the two, so that a token for interview `7` opens `/interviews/7` and no other.
/// It is the sibling of [`Permits`](crate::Permits) for tower, hyper and policies that are data;
/// axum handlers with typed claims may like `Permitted` better.
///
/// What is absent denies; what can be read in two ways is refused:
///
/// - Values compare byte for byte, decoded: `00001` is not `1`, `a` is not `A`. A claim is a string
///   or an integer, which compares by its digits; `null` and `""` count as absent.
/// - The path must have the shape of the pattern. No segment that a parameter stands for, in
///   `{*rest}` too, may be empty, a dot segment, broken percent-encoding or, decoded, hold a slash,
///   a backslash or a control character: proxies and routers disagree about these.
/// - The guard matches the path it is shown. Inside of `axum::Router::nest` that is the path
///   without the prefix, so leave it out of the pattern, too; a pattern with it denies.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use portcullis::{ResourceGuard, testing};
/// use serde_json::json;
///
/// let guard = ResourceGuard::path("/interviews/{interviewId}/{*rest}")
///     .param_is("interviewId", ["/srv/interviewId"])
///     .build()?;
///
/// let token = testing::access_token(json!({"srv": {"interviewId": "7"}}));
/// let (own, ()) = http::Request::get("/interviews/%37/answers").body(())?.into_parts();
/// assert!(guard.check(&own, &token).is_ok());
///
/// let (other, ()) = http::Request::get("/interviews/8/answers").body(())?.into_parts();
/// assert_eq!(
///     guard.check(&other, &token).unwrap_err().to_string(),
///     r#"path parameter interviewId is "8", wanted "7" as in claim /srv/interviewId"#
/// );
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ResourceGuard(Arc<Checks>);

#[derive(Debug)]
struct Checks {
    pattern: Option<Pattern>,
    path: Vec<Tie>,
    query: Vec<Tie>,
    /// Named by its domain.
    subdomain: Option<Tie>,
    fixed: Vec<(Claim, Box<str>)>,
    broad: Vec<Box<str>>,
    hiding: bool,
    /// The kind of the token that the layer checks.
    kind: Option<Box<str>>,
}

/// A part of the request, tied to a claim.
#[derive(Debug)]
struct Tie {
    part: &'static str,
    name: Box<str>,
    claim: Claim,
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.part, self.name)
    }
}

impl Tie {
    fn check(&self, claims: &ClaimSet, found: &str) -> Result<(), String> {
        self.claim.agrees(claims, self, found)
    }
}

impl ResourceGuard {
    /// Begins a guard of the paths that `pattern` describes: `{name}` stands for one segment,
    /// `{*rest}`, at the end only, for one or more. All other segments are text.
    ///
    /// Each `{name}` must be [tied](ResourceGuardBuilder::param_is) to a claim; one that may be
    /// anything says so by an underscore, as in `{_page}`. The segments of `{*rest}` lie below
    /// the resource and are always free.
    pub fn path(pattern: &str) -> ResourceGuardBuilder {
        ResourceGuardBuilder::new(Some(pattern))
    }

    /// Begins a guard that does not look at the path: for tenants in the host or in the query, and
    /// for claims that a whole service demands.
    pub fn anywhere() -> ResourceGuardBuilder {
        ResourceGuardBuilder::new(None)
    }

    /// Checks that `token` is for the resource that the request names.
    ///
    /// # Errors
    ///
    /// [`Reason::Denied`](crate::Reason::Denied) (403), or
    /// [`Reason::Hidden`](crate::Reason::Hidden) (404) of a guard that is
    /// [`hiding`](ResourceGuardBuilder::hiding), unless all checks pass or the token is of a
    /// [`broad`](ResourceGuardBuilder::broad) kind.
    pub fn check(&self, parts: &Parts, token: &AccessToken) -> Result<(), Error> {
        let checks = &*self.0;
        if checks.broad.iter().any(|kind| **kind == *token.kind()) {
            return Ok(());
        }
        let judged = checks.judge(parts, token.claims());
        judged.map_err(|sentence| match checks.hiding {
            true => Error::not_found(sentence),
            false => Error::forbidden(sentence),
        })
    }
}

impl ResourceGuard {
    /// The kind of the token that the layer checks, if it was named.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.0.kind.as_deref()
    }
}

impl Checks {
    fn judge(&self, parts: &Parts, claims: &ClaimSet) -> Result<(), String> {
        if let Some(pattern) = &self.pattern {
            self.judge_path(pattern, parts.uri.path(), claims)?;
        }
        for tie in &self.query {
            tie.check(claims, &query::only(parts.uri.query(), &tie.name)?)?;
        }
        if let Some(tie) = &self.subdomain {
            tie.check(claims, &host::label(parts, &tie.name)?)?;
        }
        for (claim, wanted) in &self.fixed {
            claim.is(claims, wanted)?;
        }
        Ok(())
    }

    fn judge_path(&self, pattern: &Pattern, path: &str, claims: &ClaimSet) -> Result<(), String> {
        let parameters = pattern.parameters(path).ok_or_else(|| {
            format!(
                "path is {}, wanted {}",
                quote(path),
                quote(pattern.as_str())
            )
        })?;
        for (name, raw) in parameters {
            // Free ones are decoded, too: a dot segment below the resource may lead out of it.
            let found = decode::segment(raw).map_err(|wanted| {
                format!("path parameter {name} is {}, wanted {wanted}", quote(raw))
            })?;
            if let Some(tie) = self.path.iter().find(|tie| *tie.name == *name) {
                tie.check(claims, &found)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ResourceGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut guard = f.debug_struct("ResourceGuard");
        guard
            .field("path", &self.0.pattern.as_ref().map(Pattern::as_str))
            .field("broad", &self.0.broad)
            .field("hiding", &self.0.hiding)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::error::{ConfigError, Reason};
    use crate::verified::Verified;

    fn token(kind: &str, json: &str) -> AccessToken {
        let verified = Verified::new(ClaimSet::parse(json).unwrap());
        AccessToken::new(verified, kind.into(), UnixTime::MAX)
    }

    fn check(guard: &ResourceGuard, uri: &str, json: &str) -> Result<(), String> {
        let request = http::Request::get(uri).header("host", "acme.example.org");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let outcome = guard.check(&parts, &token("scoped", json));
        outcome.map_err(|error| format!("{}: {error}", error.reason().label()))
    }

    #[test]
    fn each_refusal_has_its_own_sentence() -> Result<(), ConfigError> {
        let guard = ResourceGuard::path("/interviews/{interviewId}/{_page}/{*rest}")
            .param_is("interviewId", ["/srv/interviewId"])
            .query_is("x-registryId", ["/institution", "/registry"])
            .subdomain_is("example.org", ["/tenant"])
            .claim_is("/srv/partnerId", "pond")
            .build()?;
        let claims =
            r#"{"srv":{"interviewId":"A 1","partnerId":"pond"},"registry":7,"tenant":"acme"}"#;
        let good = "/interviews/%41%201/3/answers?x-registryId=7";
        assert_eq!(check(&guard, good, claims), Ok(()));
        for (uri, sentence) in [
            (
                "/binders/A/3/answers",
                r#"path is "/binders/A/3/answers", wanted "/interviews/{interviewId}/{_page}/{*rest}""#,
            ),
            (
                "/interviews/B/3/answers",
                r#"path parameter interviewId is "B", wanted "A 1" as in claim /srv/interviewId"#,
            ),
            (
                "/interviews/%4/3/answers",
                r#"path parameter interviewId is "%4", wanted percent-encoded UTF-8"#,
            ),
            (
                "/interviews//3/answers",
                r#"path parameter interviewId is "", wanted at least one character"#,
            ),
            (
                "/interviews/A%201/%2E%2e/answers",
                r#"path parameter _page is "%2E%2e", wanted no dot segment"#,
            ),
            (
                "/interviews/A%201/3/answers/a%2Fb",
                r#"path parameter rest is "a%2Fb", wanted no slash, backslash or control character"#,
            ),
            (
                "/interviews/A%201/3/answers/",
                r#"path parameter rest is "", wanted at least one character"#,
            ),
            (
                "/interviews/A%201/3/answers",
                "query parameter x-registryId is absent, wanted it once",
            ),
            (
                "/interviews/A%201/3/answers?x-registryId=07",
                r#"query parameter x-registryId is "07", wanted "7" as in claim /registry"#,
            ),
            (
                "http://bcme.example.org/interviews/A%201/3/answers?x-registryId=7",
                r#"host is "acme.example.org", wanted "bcme.example.org" as in the target"#,
            ),
        ] {
            let denied = Err(format!("denied: {sentence}"));
            assert_eq!(check(&guard, uri, claims), denied, "{uri}");
        }
        for (from, to, sentence) in [
            (
                r#""interviewId":"A 1","#,
                "",
                "claim /srv/interviewId is absent, wanted it for path parameter interviewId",
            ),
            (
                r#""interviewId":"A 1""#,
                r#""interviewId":["A 1"]"#,
                "claim /srv/interviewId is an array, wanted a string or an integer",
            ),
            (
                r#""registry":7"#,
                r#""registry":null"#,
                "claim /institution or /registry is absent, wanted it for query parameter x-registryId",
            ),
            (
                r#""registry":7"#,
                r#""registry":7,"institution":"07""#,
                r#"claim /registry is "7", wanted "07" as in claim /institution"#,
            ),
            (
                r#""tenant":"acme""#,
                r#""tenant":"ACME""#,
                r#"label before example.org is "acme", wanted "ACME" as in claim /tenant"#,
            ),
            (
                r#""partnerId":"pond""#,
                r#""partnerId":"sea""#,
                r#"claim /srv/partnerId is "sea", wanted "pond""#,
            ),
            (
                r#","partnerId":"pond""#,
                "",
                r#"claim /srv/partnerId is absent, wanted "pond""#,
            ),
        ] {
            let changed = claims.replace(from, to);
            assert_ne!(changed, claims);
            let denied = Err(format!("denied: {sentence}"));
            assert_eq!(check(&guard, good, &changed), denied, "{changed}");
        }
        Ok(())
    }

    #[test]
    fn each_claim_that_is_demanded_is_judged() -> Result<(), ConfigError> {
        let guard = ResourceGuard::anywhere()
            .claim_is("/partnerId", "pond")
            .claim_is("/stage", "live")
            .build()?;
        let judged = |claims: &str| check(&guard, "/", claims);
        assert_eq!(judged(r#"{"partnerId":"pond","stage":"live"}"#), Ok(()));
        assert_eq!(
            judged(r#"{"partnerId":"pond","stage":"test"}"#),
            Err(r#"denied: claim /stage is "test", wanted "live""#.to_owned())
        );
        assert_eq!(
            judged(r#"{"partnerId":"sea","stage":"live"}"#),
            Err(r#"denied: claim /partnerId is "sea", wanted "pond""#.to_owned())
        );
        Ok(())
    }

    #[test]
    fn long_values_are_cut() -> Result<(), ConfigError> {
        let guard = ResourceGuard::path("/{id}")
            .param_is("id", ["/id"])
            .build()?;
        let long = "x".repeat(5_000);
        let claims = format!(r#"{{"id":"{long}y"}}"#);
        for path in [
            format!("/{long}"),
            format!("/{long}/{long}"),
            format!("/%00{long}"),
        ] {
            assert!(check(&guard, &path, &claims).unwrap_err().len() < 400);
        }
        Ok(())
    }

    #[test]
    fn a_hiding_guard_says_that_there_is_nothing() -> Result<(), ConfigError> {
        let guard = ResourceGuard::path("/{id}").param_is("id", ["/id"]);
        let guard = guard.hiding().build()?;
        assert_eq!(check(&guard, "/7", r#"{"id":"7"}"#), Ok(()));
        for (path, claims) in [
            ("/8", r#"{"id":"7"}"#),
            ("/7/8", r#"{"id":"7"}"#),
            ("/7", "{}"),
        ] {
            let refusal = check(&guard, path, claims).unwrap_err();
            assert!(refusal.starts_with("hidden: "), "{refusal}");
        }
        Ok(())
    }

    #[test]
    fn a_broad_kind_passes_and_no_other() -> Result<(), ConfigError> {
        let guard = ResourceGuard::path("/{id}").param_is("id", ["/id"]);
        let guard = guard.broad("general").broad("service").build()?;
        let (parts, ()) = http::Request::get("/7").body(()).unwrap().into_parts();
        for (kind, passes) in [
            ("general", true),
            ("service", true),
            ("General", false),
            ("scoped", false),
            ("", false),
        ] {
            let outcome = guard.check(&parts, &token(kind, "{}"));
            assert_eq!(outcome.is_ok(), passes, "{kind}");
        }
        Ok(())
    }

    #[test]
    fn a_guard_of_any_path_looks_at_the_rest() -> Result<(), ConfigError> {
        let guard = ResourceGuard::anywhere().subdomain_is("example.org", ["/tenant"]);
        let guard = guard.build()?;
        for path in ["/", "/a//b/../%zz", "*"] {
            assert_eq!(
                check(&guard, path, r#"{"tenant":"acme"}"#),
                Ok(()),
                "{path}"
            );
            assert!(check(&guard, path, r#"{"tenant":"bcme"}"#).is_err());
        }
        let (mut parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        let acme = token("scoped", r#"{"tenant":"acme"}"#);
        let error = guard.check(&parts, &acme).unwrap_err();
        assert_eq!(error.reason(), Reason::Denied);
        parts.uri = http::Uri::from_static("https://acme.example.org/");
        assert!(guard.check(&parts, &acme).is_ok());
        Ok(())
    }
}
