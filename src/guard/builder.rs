//! From the words of a policy to a guard, or to the word that makes no sense.

use std::sync::Arc;

use super::claim::Claim;
use super::pattern::Pattern;
use super::{Checks, ResourceGuard, Tie, host};
use crate::error::ConfigError;
use crate::text::quote;

/// Ties parts of the request to claims; begun by [`ResourceGuard::path`] and
/// [`ResourceGuard::anywhere`].
///
/// Claims are named by JSON pointers (RFC 6901): `/sub`, `/srv/interviewId`. Several are other
/// names of one claim: the first that is there counts, and two that differ are refused.
#[derive(Debug)]
#[must_use]
pub struct ResourceGuardBuilder {
    pattern: Option<Result<Pattern, ConfigError>>,
    path: Vec<Result<Tie, ConfigError>>,
    query: Vec<Result<Tie, ConfigError>>,
    subdomain: Vec<Result<Tie, ConfigError>>,
    fixed: Vec<(Result<Claim, ConfigError>, Box<str>)>,
    broad: Vec<Box<str>>,
    hiding: bool,
    kind: Option<Box<str>>,
}

impl ResourceGuardBuilder {
    pub(super) fn new(pattern: Option<&str>) -> ResourceGuardBuilder {
        ResourceGuardBuilder {
            pattern: pattern.map(Pattern::parse),
            path: Vec::new(),
            query: Vec::new(),
            subdomain: Vec::new(),
            fixed: Vec::new(),
            broad: Vec::new(),
            hiding: false,
            kind: None,
        }
    }

    /// Has the [layer](ResourceGuard::layer) check the token of the kind `name`, from whichever
    /// credential slot it is in; a request without one is refused (401, or 403 if another kind is
    /// there). Default: the token of the first slot. [`ResourceGuard::check`] takes the token it is
    /// given.
    pub fn token_of(mut self, name: &str) -> ResourceGuardBuilder {
        self.kind = Some(name.into());
        self
    }

    /// Demands that the path parameter `name`, percent-decoded, equals the claim.
    pub fn param_is<'a>(
        mut self,
        name: &str,
        pointers: impl IntoIterator<Item = &'a str>,
    ) -> ResourceGuardBuilder {
        self.path.push(tie("path parameter", name, pointers));
        self
    }

    /// Demands that the query parameter `name`, form-decoded, is there once and equals the claim.
    pub fn query_is<'a>(
        mut self,
        name: &str,
        pointers: impl IntoIterator<Item = &'a str>,
    ) -> ResourceGuardBuilder {
        self.query.push(tie("query parameter", name, pointers));
        self
    }

    /// Demands that the request's host is one label before `domain`, and the label the claim:
    /// `acme.example.org` for `example.org` and `acme`.
    ///
    /// The host is the authority of the request's target, as HTTP/2 has it, or else the header
    /// `Host`; two that differ are refused. Host names know no case: the label is read in lower
    /// case, so a claim with upper-case letters never equals it. `Forwarded` and its like are not
    /// read, since clients can write them; a proxy in front must keep the host.
    pub fn subdomain_is<'a>(
        mut self,
        domain: &str,
        pointers: impl IntoIterator<Item = &'a str>,
    ) -> ResourceGuardBuilder {
        let domain = host::domain(domain);
        self.subdomain
            .push(domain.and_then(|domain| tie("label before", &domain, pointers)));
        self
    }

    /// Demands that the claim at `pointer` is `value`, whatever the request names.
    pub fn claim_is(mut self, pointer: &str, value: &str) -> ResourceGuardBuilder {
        self.fixed.push((Claim::parse([pointer]), value.into()));
        self
    }

    /// Lets tokens of the kind `name` pass without any of the checks. Default: of no kind.
    ///
    /// For a route that general and scoped tokens share. The name is that of a
    /// [`Kind`](crate::Kind) of the server; without [`Kinds`](crate::Kinds) all tokens are of one.
    pub fn broad(mut self, name: &str) -> ResourceGuardBuilder {
        self.broad.push(name.into());
        self
    }

    /// Refuses with a 404 instead of a 403. Answer with [`Error::not_found`](crate::Error::not_found)
    /// for what really does not exist, and nobody can tell the two apart.
    pub fn hiding(mut self) -> ResourceGuardBuilder {
        self.hiding = true;
        self
    }

    /// Makes the guard.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the pattern does not begin with `/`, has a segment that is neither text
    /// nor a whole `{name}`, or names a parameter twice; a parameter is tied twice, is not in the
    /// pattern or is the rest of it, or is neither tied to a claim nor begins with an underscore; a
    /// claim is no JSON pointer, or a list of them is empty; a domain is no host name; a fixed
    /// value is empty; or there is no check at all.
    pub fn build(self) -> Result<ResourceGuard, ConfigError> {
        let pattern = self.pattern.transpose()?;
        let mut fixed: Vec<(Claim, Box<str>)> = Vec::new();
        for (claim, value) in self.fixed {
            let claim = claim?;
            if value.is_empty() {
                return Err(ConfigError::new(format!(
                    "value of claim {claim} is empty, wanted a text"
                )));
            }
            fixed.push((claim, value));
        }
        let mut subdomain = ties(self.subdomain)?;
        let checks = Checks {
            path: ties(self.path)?,
            query: ties(self.query)?,
            subdomain: subdomain.pop(),
            fixed,
            pattern,
            broad: self.broad,
            hiding: self.hiding,
            kind: self.kind,
        };
        if let (Some(one), Some(other)) = (subdomain.first(), &checks.subdomain) {
            return Err(ConfigError::new(format!(
                "domain is {} and {}, wanted one",
                quote(&one.name),
                quote(&other.name)
            )));
        }
        all_tied(checks.pattern.as_ref(), &checks.path)?;
        if checks.path.is_empty()
            && checks.query.is_empty()
            && checks.subdomain.is_none()
            && checks.fixed.is_empty()
        {
            return Err(ConfigError::new(
                "guard checks nothing, wanted at least one part of the request tied to a claim",
            ));
        }
        Ok(ResourceGuard(Arc::new(checks)))
    }
}

fn tie<'a>(
    part: &'static str,
    name: &str,
    pointers: impl IntoIterator<Item = &'a str>,
) -> Result<Tie, ConfigError> {
    Ok(Tie {
        part,
        name: name.into(),
        claim: Claim::parse(pointers)?,
    })
}

fn ties(found: Vec<Result<Tie, ConfigError>>) -> Result<Vec<Tie>, ConfigError> {
    let mut ties: Vec<Tie> = Vec::new();
    for tie in found {
        let tie = tie?;
        if ties.iter().any(|other| other.name == tie.name) {
            return Err(ConfigError::new(format!(
                "{} {} is tied twice, wanted one list of claims",
                tie.part,
                quote(&tie.name)
            )));
        }
        ties.push(tie);
    }
    Ok(ties)
}

/// Each parameter of the pattern is tied or free by its name, and each tie is in the pattern. A
/// parameter that somebody forgot would stand open, and look guarded.
fn all_tied(pattern: Option<&Pattern>, ties: &[Tie]) -> Result<(), ConfigError> {
    let names: Vec<&str> = pattern.into_iter().flat_map(Pattern::names).collect();
    let is_known = |tie: &&Tie| names.contains(&&*tie.name);
    if let Some(tie) = ties.iter().find(|tie| !is_known(tie)) {
        return Err(ConfigError::new(format!(
            "path parameter is {}, wanted a `{{name}}` of the pattern",
            quote(&tie.name)
        )));
    }
    let is_open =
        |name: &&str| !name.starts_with('_') && ties.iter().all(|tie| *tie.name != **name);
    if let Some(name) = names.into_iter().find(is_open) {
        return Err(ConfigError::new(format!(
            "path parameter {} is tied to no claim, wanted `param_is` for it, or a name that \
             begins with `_`",
            quote(name)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: ResourceGuardBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn guards_that_cannot_be() {
        let id = || ResourceGuard::path("/{id}").param_is("id", ["/id"]);
        for (builder, sentence) in [
            (
                ResourceGuard::path("x").claim_is("/a", "b"),
                r#"pattern is "x", wanted a path that begins with `/`"#,
            ),
            (
                ResourceGuard::path("/{id}/{page}").param_is("id", ["/id"]),
                "path parameter \"page\" is tied to no claim, wanted `param_is` for it, or a name \
                 that begins with `_`",
            ),
            (
                id().param_is("page", ["/page"]),
                r#"path parameter is "page", wanted a `{name}` of the pattern"#,
            ),
            (
                ResourceGuard::path("/a/{*rest}").param_is("rest", ["/id"]),
                r#"path parameter is "rest", wanted a `{name}` of the pattern"#,
            ),
            (
                ResourceGuard::anywhere().param_is("id", ["/id"]),
                r#"path parameter is "id", wanted a `{name}` of the pattern"#,
            ),
            (
                id().param_is("id", ["/other"]),
                r#"path parameter "id" is tied twice, wanted one list of claims"#,
            ),
            (
                id().query_is("q", ["/q"]).query_is("q", ["/q"]),
                r#"query parameter "q" is tied twice, wanted one list of claims"#,
            ),
            (
                id().subdomain_is("example.org", ["/a"])
                    .subdomain_is("Example.ORG", ["/a"]),
                r#"label before "example.org" is tied twice, wanted one list of claims"#,
            ),
            (
                id().subdomain_is("example.org", ["/a"])
                    .subdomain_is("example.com", ["/a"]),
                r#"domain is "example.org" and "example.com", wanted one"#,
            ),
            (
                id().subdomain_is("example.org:80", ["/a"]),
                "domain is \"example.org:80\", wanted a host name without port and without a dot \
                 at its ends",
            ),
            (
                id().query_is("q", []),
                "list of claims is empty, wanted at least one JSON pointer",
            ),
            (
                id().claim_is("a", "b"),
                r#"claim is "a", wanted a JSON pointer such as "/sub" or "/tenant/id""#,
            ),
            (
                id().claim_is("/a", ""),
                "value of claim /a is empty, wanted a text",
            ),
            (
                ResourceGuard::path("/a/{_page}/{*rest}")
                    .broad("general")
                    .hiding(),
                "guard checks nothing, wanted at least one part of the request tied to a claim",
            ),
        ] {
            assert_eq!(refused(builder), sentence);
        }
    }

    #[test]
    fn a_name_with_an_underscore_may_be_tied_all_the_same() {
        let guard = ResourceGuard::path("/{_id}/{_page}").param_is("_id", ["/id"]);
        assert!(guard.build().is_ok());
    }
}
