//! Which verifier a credential goes to, decided by its looks alone, before any network call.

use std::fmt;

use crate::credential::{Carrier, Credential};

/// A condition on a credential: where it sat, how it begins, what form it has.
///
/// # Examples
///
/// ```
/// use portcullis::When;
///
/// let session = When::header("App-Token");
/// let lookup = When::prefix("tk_").and(When::header("Authorization"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct When(Vec<Condition>);

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Header(Box<str>),
    Prefix(Box<str>),
    Jwt,
    Opaque,
}

impl When {
    /// The token has the form of a JWT: three (or, encrypted, five) base64url parts between dots.
    pub fn jwt() -> When {
        When(vec![Condition::Jwt])
    }

    /// The token has any other form.
    pub fn opaque() -> When {
        When(vec![Condition::Opaque])
    }

    /// The token begins with `prefix`, such as `tk_`. Case matters.
    pub fn prefix(prefix: &str) -> When {
        When(vec![Condition::Prefix(prefix.into())])
    }

    /// The token came in the header `name` or an alias of it; `Authorization` for Bearer tokens.
    pub fn header(name: &str) -> When {
        When(vec![Condition::Header(name.into())])
    }

    /// Both this condition and `other`.
    pub fn and(mut self, other: When) -> When {
        self.0.extend(other.0);
        self
    }

    /// Every credential.
    pub(crate) fn always() -> When {
        When(Vec::new())
    }

    pub(crate) fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers this condition names.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|condition| match condition {
            Condition::Header(name) => Some(&**name),
            _ => None,
        })
    }

    /// Whether some credential in `carrier` can fit, as far as the words tell.
    pub(crate) fn may_be_in(&self, carrier: &Carrier) -> bool {
        let mut headers = self.headers();
        !self.is_impossible() && headers.all(|name| carrier.is_header(name))
    }

    /// Whether every credential that fits `other` fits this, too, as far as their words tell.
    pub(crate) fn covers(&self, other: &When) -> bool {
        let covered = |condition: &Condition| {
            other.0.iter().any(|narrower| match (condition, narrower) {
                (Condition::Header(a), Condition::Header(b)) => a.eq_ignore_ascii_case(b),
                (Condition::Prefix(a), Condition::Prefix(b)) => b.starts_with(&**a),
                (a, b) => a == b,
            })
        };
        self.0.iter().all(covered)
    }

    /// Whether no credential can fit.
    pub(crate) fn is_impossible(&self) -> bool {
        self.0.contains(&Condition::Jwt) && self.0.contains(&Condition::Opaque)
    }

    pub(crate) fn matches(&self, credential: &Credential<'_>) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::Header(name) => credential.carrier().is_header(name),
            Condition::Prefix(prefix) => credential.token().starts_with(&**prefix),
            Condition::Jwt => credential.looks_like_jwt(),
            Condition::Opaque => !credential.looks_like_jwt(),
        })
    }
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => f.write_str("the verifier for every credential"),
            conditions => f.debug_tuple("When").field(&conditions).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_join() {
        let bearer = Carrier::bearer();
        let app = Carrier::header("App-Token").unwrap();
        let when = When::prefix("tk_")
            .and(When::header("app-token"))
            .and(When::opaque());
        assert!(when.matches(&Credential::new("tk_1", &app)));
        assert!(!when.matches(&Credential::new("tk_1", &bearer)));
        assert!(!when.matches(&Credential::new("TK_1", &app)));
        assert!(!when.matches(&Credential::new("tk_a.b.c", &app)));
        for jwt in ["a.b.c", "a.b.c=", "a.b.c.d.e=="] {
            assert!(When::jwt().matches(&Credential::new(jwt, &app)), "{jwt}");
        }
        for opaque in ["a", "a=", "a.b", "a=.b.c", "a.b.c.d"] {
            assert!(
                When::opaque().matches(&Credential::new(opaque, &app)),
                "{opaque}"
            );
        }
        assert!(When::always().matches(&Credential::new("a", &app)));
    }
}
