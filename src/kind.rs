//! Kinds of tokens: named rule sets of which exactly one must match a proven token.
//!
//! RFC 8725 §3.12: the rules for different kinds of JWTs must be mutually exclusive. An API that
//! accepts an applicant's token and a client's token decides which one it has from proven data,
//! once, before any handler runs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::claims::ClaimSet;
use crate::credential::Carrier;

/// The kind of every token when a server declares none.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

/// One kind of token: a name and what tells it from the others. All its rules must match.
///
/// # Examples
///
/// ```
/// use portcullis::{Kind, Kinds};
///
/// let kinds = Kinds::new([
///     Kind::named("general").without_claim("srv"),
///     Kind::named("scoped").with_claim("srv"),
/// ])?;
/// # Ok::<(), portcullis::KindError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Kind {
    name: Arc<str>,
    carrier: Option<Box<str>>,
    typ: Option<Box<str>>,
    audience: Option<Box<str>>,
    with: Vec<Box<str>>,
    without: Vec<Box<str>>,
    values: Vec<(Box<str>, Value)>,
}

impl Kind {
    /// Begins a kind that matches every token; add rules.
    pub fn named(name: &str) -> Kind {
        Kind {
            name: name.into(),
            carrier: None,
            typ: None,
            audience: None,
            with: Vec::new(),
            without: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Only tokens that came in the header `name` (`Authorization` for Bearer tokens).
    pub fn in_header(mut self, name: &str) -> Kind {
        self.carrier = Some(name.into());
        self
    }

    /// Only JWTs of this header `typ`; case does not matter and `application/` may be left out
    /// (RFC 7515 §4.1.9). The verifier must admit that `typ`, too.
    pub fn typ(mut self, typ: &str) -> Kind {
        self.typ = Some(typ.into());
        self
    }

    /// Only tokens whose `aud` names `audience`.
    pub fn audience(mut self, audience: &str) -> Kind {
        self.audience = Some(audience.into());
        self
    }

    /// Only tokens that have the claim `name`, with any value but `null`.
    pub fn with_claim(mut self, name: &str) -> Kind {
        self.with.push(name.into());
        self
    }

    /// Only tokens that lack the claim `name` (or hold `null` there).
    pub fn without_claim(mut self, name: &str) -> Kind {
        self.without.push(name.into());
        self
    }

    /// Only tokens whose claim `name` equals `value`.
    pub fn claim_is(mut self, name: &str, value: impl Into<Value>) -> Kind {
        self.values.push((name.into(), value.into()));
        self
    }

    fn matches(&self, carrier: &Carrier, typ: Option<&str>, claims: &ClaimSet) -> bool {
        let has = |name: &str| claims.get(name).is_some_and(|value| !value.is_null());
        self.carrier
            .as_deref()
            .is_none_or(|name| carrier.is_header(name))
            && self.typ.as_deref().is_none_or(|wanted| {
                typ.is_some_and(|typ| media_type(typ).eq_ignore_ascii_case(media_type(wanted)))
            })
            && self
                .audience
                .as_deref()
                .is_none_or(|name| claims.audience().contains(name))
            && self.with.iter().all(|name| has(name))
            && !self.without.iter().any(|name| has(name))
            && self
                .values
                .iter()
                .all(|(name, value)| claims.get(name) == Some(value))
    }

    /// Whether some rule of the one makes the other impossible.
    fn excludes(&self, other: &Kind) -> bool {
        let differ = |a: &Option<Box<str>>, b: &Option<Box<str>>| match (a, b) {
            (Some(a), Some(b)) => !media_type(a).eq_ignore_ascii_case(media_type(b)),
            _ => false,
        };
        let forbids = |a: &Kind, b: &Kind| {
            a.without.iter().any(|name| {
                b.with.contains(name) || b.values.iter().any(|(n, v)| n == name && !v.is_null())
            })
        };
        differ(&self.carrier, &other.carrier)
            || differ(&self.typ, &other.typ)
            || forbids(self, other)
            || forbids(other, self)
            || self
                .values
                .iter()
                .any(|(name, value)| other.values.iter().any(|(n, v)| n == name && v != value))
    }
}

/// `application/at+jwt` and `at+jwt` are the same (RFC 7515 §4.1.9).
pub(crate) fn media_type(typ: &str) -> &str {
    match typ.get(..12) {
        Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &typ[12..],
        _ => typ,
    }
}

/// The kinds a server knows. Exactly one must match each token.
#[derive(Clone, Debug)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// Takes the kinds of a server.
    ///
    /// Kinds may overlap in `aud` alone, since a token may name several audiences; a token that
    /// then matches two is refused.
    ///
    /// # Errors
    ///
    /// [`KindError`] if there is none, a name is used twice, or nothing tells two of them apart.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Result<Kinds, KindError> {
        let kinds: Vec<Kind> = kinds.into_iter().collect();
        if kinds.is_empty() {
            return Err(KindError(
                "there is no kind, wanted at least one".to_owned(),
            ));
        }
        let mut names = HashSet::new();
        for kind in &kinds {
            if !names.insert(&*kind.name) {
                return Err(KindError(format!("kind {} is declared twice", kind.name)));
            }
        }
        for (place, one) in kinds.iter().enumerate() {
            for other in &kinds[..place] {
                let by_audience = matches!((&one.audience, &other.audience),
                    (Some(a), Some(b)) if a != b);
                if !one.excludes(other) && !by_audience {
                    return Err(KindError(format!(
                        "nothing tells the kinds {} and {} apart, wanted a carrier, typ, audience \
                         or claim in which they differ",
                        other.name, one.name
                    )));
                }
            }
        }
        Ok(Kinds(kinds))
    }

    /// The headers the kinds name.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|kind| kind.carrier.as_deref())
    }

    /// The one kind that matches, or the sentence that says why there is none.
    pub(crate) fn classify(
        &self,
        carrier: &Carrier,
        typ: Option<&str>,
        claims: &ClaimSet,
    ) -> Result<Arc<str>, String> {
        let mut matching = self
            .0
            .iter()
            .filter(|kind| kind.matches(carrier, typ, claims));
        match (matching.next(), matching.next()) {
            (Some(kind), None) => Ok(kind.name.clone()),
            (Some(one), Some(other)) => Err(format!(
                "token is of kind {} and of kind {}, wanted exactly one",
                one.name, other.name
            )),
            (None, _) => Err("token is of no kind this server knows".to_owned()),
        }
    }
}

/// Says why [`Kinds`] cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError(String);

impl fmt::Display for KindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KindError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(kinds: &Kinds, typ: Option<&str>, json: &str) -> Result<String, String> {
        let claims = ClaimSet::parse(json).unwrap();
        kinds
            .classify(&Carrier::bearer(), typ, &claims)
            .map(|name| name.to_string())
    }

    #[test]
    fn exactly_one_must_match() {
        let kinds = Kinds::new([
            Kind::named("access")
                .audience("a")
                .claim_is("use", "access"),
            Kind::named("client")
                .audience("c")
                .in_header("authorization"),
        ])
        .unwrap();
        assert_eq!(
            classify(&kinds, None, r#"{"aud":"a","use":"access"}"#),
            Ok("access".into())
        );
        assert_eq!(
            classify(&kinds, None, r#"{"aud":"c"}"#),
            Ok("client".into())
        );
        assert_eq!(
            classify(&kinds, None, r#"{"aud":["a","c"],"use":"access"}"#).unwrap_err(),
            "token is of kind access and of kind client, wanted exactly one"
        );
        assert_eq!(
            classify(&kinds, None, r#"{"aud":"a"}"#).unwrap_err(),
            "token is of no kind this server knows"
        );
    }

    #[test]
    fn typ_compares_as_a_media_type() {
        let kinds = Kinds::new([Kind::named("access").typ("at+jwt")]).unwrap();
        assert!(classify(&kinds, Some("Application/AT+JWT"), "{}").is_ok());
        assert!(classify(&kinds, Some("jwt"), "{}").is_err());
        assert!(classify(&kinds, None, "{}").is_err());
    }

    #[test]
    fn kinds_that_nothing_tells_apart_are_refused() {
        let built = |one, other| Kinds::new([one, other]).map(|_| ());
        assert_eq!(
            built(Kind::named("a"), Kind::named("b").with_claim("x"))
                .unwrap_err()
                .to_string(),
            "nothing tells the kinds a and b apart, wanted a carrier, typ, audience or claim in \
             which they differ"
        );
        assert!(
            built(
                Kind::named("a").without_claim("x"),
                Kind::named("b").with_claim("x")
            )
            .is_ok()
        );
        assert!(built(Kind::named("a").typ("JWT"), Kind::named("b").typ("at+jwt")).is_ok());
        assert!(built(Kind::named("a").typ("jwt"), Kind::named("b").typ("JWT")).is_err());
        assert_eq!(
            built(Kind::named("a"), Kind::named("a"))
                .unwrap_err()
                .to_string(),
            "kind a is declared twice"
        );
        assert!(Kinds::new([]).is_err());
    }
}
