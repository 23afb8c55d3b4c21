//! The kinds of one server: each told from every other.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::Kind;
use crate::claims::ClaimSet;
use crate::credential::Carrier;

/// The kinds a server knows. Exactly one must match each token.
#[derive(Clone, Debug)]
pub struct Kinds(Vec<Arc<Kind>>);

impl Kinds {
    /// Takes the kinds of a server.
    ///
    /// Kinds may overlap in `aud` alone, since a token may name several audiences; a token that
    /// then matches two is refused. Whether two that differ in their header alone are told apart
    /// is judged when the server is built, by who proves them.
    ///
    /// # Errors
    ///
    /// [`KindError`] if there is none, a name is used twice, nothing tells two of them apart, or a
    /// JSON pointer is none.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Result<Kinds, KindError> {
        let kinds = Kinds(kinds.into_iter().map(Arc::new).collect());
        kinds.check(|one, other| kinds.0[one].sits_elsewhere(&kinds.0[other]))?;
        Ok(kinds)
    }

    /// Checks that each kind is told from every other: by what it says, or by what `apart` knows of
    /// their places.
    pub(crate) fn check(&self, apart: impl Fn(usize, usize) -> bool) -> Result<(), KindError> {
        if self.0.is_empty() {
            return Err(KindError(
                "there is no kind, wanted at least one".to_owned(),
            ));
        }
        let mut names = HashSet::new();
        for (place, one) in self.0.iter().enumerate() {
            one.check_words().map_err(KindError)?;
            if !names.insert(one.name()) {
                return Err(KindError::twice(one));
            }
            for (before, other) in self.0[..place].iter().enumerate() {
                let told = one.excludes(other) || one.differs_in_audience(other);
                if !told && !apart(before, place) {
                    return Err(KindError(format!(
                        "nothing tells the kinds {} and {} apart, wanted a carrier, typ, audience, \
                         claim or key in which they differ",
                        other.name(),
                        one.name()
                    )));
                }
            }
        }
        Ok(())
    }

    /// The same kinds, each bound to its carrier by the carrier's own name.
    pub(crate) fn bound_to(&self, carriers: &[Carrier]) -> Kinds {
        let kinds = self.0.iter();
        Kinds(
            kinds
                .map(|kind| Arc::new(Kind::clone(kind).bound_to(carriers)))
                .collect(),
        )
    }

    pub(crate) fn of(kinds: Vec<Arc<Kind>>) -> Kinds {
        Kinds(kinds)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.0.iter()
    }

    /// The one kind that matches, or the sentence that says why there is none.
    pub(crate) fn classify(
        &self,
        carrier: &Carrier,
        typ: Option<&str>,
        claims: &ClaimSet,
    ) -> Result<Arc<Kind>, String> {
        let kinds = self.0.iter();
        exactly_one(kinds.filter(|kind| kind.matches(carrier, typ, claims)))
    }
}

/// The one kind that is left, or the sentence that says why there is none.
pub(crate) fn exactly_one<'a>(
    mut matching: impl Iterator<Item = &'a Arc<Kind>>,
) -> Result<Arc<Kind>, String> {
    match (matching.next(), matching.next()) {
        (Some(kind), None) => Ok(kind.clone()),
        (Some(one), Some(other)) => Err(format!(
            "token is of kind {} and of kind {}, wanted exactly one",
            one.name(),
            other.name()
        )),
        (None, _) => Err("token is of no kind this server knows".to_owned()),
    }
}

/// Says why [`Kinds`] cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError(String);

impl KindError {
    pub(crate) fn twice(kind: &Kind) -> KindError {
        KindError(format!("kind {} is declared twice", kind.name()))
    }
}

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
            .map(|kind| kind.name().to_owned())
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
            "nothing tells the kinds a and b apart, wanted a carrier, typ, audience, claim or key in \
             which they differ"
        );
        assert!(
            built(
                Kind::named("a").without_claim("x"),
                Kind::named("b").with_claim("x")
            )
            .is_ok()
        );
        assert!(
            built(
                Kind::named("a").without_claim("x"),
                Kind::named("b").without_claim("x")
            )
            .is_err()
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
        assert_eq!(
            Kinds::new([Kind::named("a").also_ends_at("srv.end")])
                .unwrap_err()
                .to_string(),
            "kind a ends at \"srv.end\", wanted a JSON pointer such as \"/session/end\""
        );
    }
}
