//! What a verifier established, and for how long it may be trusted.

use std::sync::Arc;
use std::time::Duration;

use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::kind::Kind;
use crate::lease::Lease;
use crate::scope::Scopes;

/// What a [`Verifier`](crate::Verifier) established: these claims are true.
///
/// There is one constructor, [`Verified::new`]; search for it to see who may say so.
#[derive(Clone, Debug)]
pub struct Verified {
    claims: ClaimSet,
    scopes: Scopes,
    permissions: Scopes,
    typ: Option<Box<str>>,
    issuer: Option<Box<str>>,
    leeway: Duration,
    /// Whether it may be remembered for the leeway, too; else somebody is asked again at its `exp`.
    remembered_past_exp: bool,
    lease: Option<Lease>,
    /// When whoever may revoke it was asked.
    confirmed: Option<UnixTime>,
    /// The end of the claims that were proven, if they have been put into other words.
    latest: UnixTime,
    /// The kind whose own verifier proved it.
    kind: Option<Arc<Kind>>,
}

impl Verified {
    /// States that `claims` are true. Only a verifier that has proven them may.
    pub fn new(claims: ClaimSet) -> Verified {
        Verified {
            scopes: claims.scopes(),
            permissions: claims.permissions(),
            claims,
            typ: None,
            issuer: None,
            leeway: Duration::ZERO,
            remembered_past_exp: true,
            lease: None,
            confirmed: None,
            latest: UnixTime::MAX,
            kind: None,
        }
    }

    /// Notes the `typ` of the JWT's header, for [`Kinds`](crate::Kinds).
    #[must_use]
    pub fn with_typ(mut self, typ: &str) -> Verified {
        self.typ = Some(typ.into());
        self
    }

    /// Notes who issued the token, for claims that do not say so themselves.
    #[must_use]
    pub fn with_issuer(mut self, issuer: &str) -> Verified {
        self.issuer = Some(issuer.into());
        self
    }

    /// Lets the token live `leeway` past its `exp`, to make up for clocks that differ.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Verified {
        self.leeway = leeway;
        self
    }

    /// Notes when whoever may revoke the token was asked: the moment before asking began. Default:
    /// never, as for a signature, which nobody takes back.
    #[must_use]
    pub fn confirmed_at(mut self, asked: UnixTime) -> Verified {
        self.confirmed = Some(asked);
        self
    }

    /// For answers of somebody who can be asked again: past its `exp` it still passes for the
    /// leeway, but is not remembered.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) fn asked_again_at_exp(mut self) -> Verified {
        self.remembered_past_exp = false;
        self
    }

    /// Takes away what it grants: scopes and permissions that nobody vouches for.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) fn without_grants(mut self) -> Verified {
        self.scopes = Scopes::default();
        self.permissions = Scopes::default();
        self
    }

    #[cfg_attr(not(feature = "jwt"), allow(dead_code))]
    pub(crate) fn leased(mut self, lease: Lease) -> Verified {
        self.lease = Some(lease);
        self
    }

    pub(crate) fn of_kind(mut self, kind: Arc<Kind>) -> Verified {
        self.kind = Some(kind);
        self
    }

    /// The same proof, with the claims in other words. They cannot make it last longer.
    pub(crate) fn reworded(self, claims: ClaimSet) -> Verified {
        Verified {
            scopes: claims.scopes(),
            permissions: claims.permissions(),
            latest: self.ends(),
            claims,
            ..self
        }
    }

    pub(crate) fn kind(&self) -> Option<&Arc<Kind>> {
        self.kind.as_ref()
    }

    pub(crate) fn leeway(&self) -> Duration {
        self.leeway
    }

    /// The proven claims.
    pub fn claims(&self) -> &ClaimSet {
        &self.claims
    }

    pub(crate) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    pub(crate) fn permissions(&self) -> &Scopes {
        &self.permissions
    }

    /// Who issued it, as the claims or else the verifier say.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.issuer().or(self.issuer.as_deref())
    }

    /// Whether what proved it is still trusted.
    pub(crate) fn is_trusted(&self, now: UnixTime) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.holds(now))
    }

    pub(crate) fn confirmed(&self) -> Option<UnixTime> {
        self.confirmed
    }

    pub(crate) fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// From when on the token is no longer good.
    pub(crate) fn ends(&self) -> UnixTime {
        let exp = self.claims.expires_at();
        exp.map_or(self.latest, |exp| self.latest.min(exp + self.leeway))
    }

    /// Until when it may be remembered.
    pub(crate) fn remembered_until(&self) -> UnixTime {
        match (self.remembered_past_exp, self.claims.expires_at()) {
            (false, Some(exp)) => self.ends().min(exp),
            _ => self.ends(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_and_is_withdrawn() {
        let lease = Lease::until(UnixTime::from_secs(10));
        assert!(lease.holds(UnixTime::from_secs(9)));
        assert!(!lease.holds(UnixTime::from_secs(10)));
        lease.extend(UnixTime::from_secs(20));
        assert!(lease.holds(UnixTime::from_secs(10)));
        lease.withdraw();
        assert!(!lease.holds(UnixTime::EPOCH));
    }

    #[test]
    fn other_words_change_what_is_granted_but_not_how_long() {
        let claims = |json: &str| ClaimSet::parse(json).unwrap();
        let verified = || {
            Verified::new(claims(r#"{"exp":100,"scope":"a b","iss":"i"}"#))
                .with_typ("JWT")
                .with_leeway(Duration::from_secs(5))
                .confirmed_at(UnixTime::from_secs(7))
                .leased(Lease::until(UnixTime::from_secs(50)))
        };
        for (json, ends) in [
            (r#"{"exp":100,"scope":"a"}"#, 105),
            (r#"{"exp":99,"scope":"a"}"#, 104),
            (r#"{"exp":1000,"scope":"a"}"#, 105),
            (r#"{"scope":"a"}"#, 105),
        ] {
            let reworded = verified().reworded(claims(json));
            assert_eq!(reworded.ends(), UnixTime::from_secs(ends), "{json}");
            assert_eq!(reworded.scopes().to_string(), "a");
            assert_eq!((reworded.typ(), reworded.issuer()), (Some("JWT"), None));
            assert!(!reworded.is_trusted(UnixTime::from_secs(50)));
            assert_eq!(reworded.confirmed(), Some(UnixTime::from_secs(7)));
        }
    }
}
