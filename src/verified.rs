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
    lease: Option<Lease>,
    claims: ClaimSet,
    /// In milliseconds, which is as far as moments are told apart.
    leeway: u32,
    typ: Typ,
    /// Whether it may be remembered for the leeway, too; else somebody is asked again at its `exp`.
    remembered_past_exp: bool,
    /// Whether its scopes and permissions count.
    grants: bool,
    /// What a token that its signature has proven does not have: as much is remembered of each token.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    typ: Option<Box<str>>,
    issuer: Option<Box<str>>,
    /// If it is more than what has room.
    leeway: Option<Duration>,
    /// When whoever may revoke it was asked.
    confirmed: Option<UnixTime>,
    /// The end of the claims that were proven, if they have been put into other words.
    latest: Option<UnixTime>,
    /// The kind whose own verifier proved it.
    kind: Option<Arc<Kind>>,
}

/// The `typ` of the header, without a copy of what nearly every token says.
#[derive(Clone, Copy, Debug)]
enum Typ {
    None,
    /// One of [`COMMON`], by its place.
    Common(u8),
    Other,
}

/// As issuers spell it. What differs in case is another text, and is kept as it was sent.
const COMMON: [&str; 4] = ["at+jwt", "JWT", "application/at+jwt", "jwt"];

impl Verified {
    /// States that `claims` are true. Only a verifier that has proven them may.
    pub fn new(claims: ClaimSet) -> Verified {
        Verified {
            claims,
            lease: None,
            leeway: 0,
            typ: Typ::None,
            remembered_past_exp: true,
            grants: true,
            more: None,
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Notes the `typ` of the JWT's header, for [`Kinds`](crate::Kinds).
    #[must_use]
    pub fn with_typ(mut self, typ: &str) -> Verified {
        self.typ = match (0..).zip(COMMON).find(|(_, common)| *common == typ) {
            Some((place, _)) => Typ::Common(place),
            None => {
                self.more().typ = Some(typ.into());
                Typ::Other
            }
        };
        self
    }

    /// Notes who issued the token, for claims that do not say so themselves.
    #[must_use]
    pub fn with_issuer(mut self, issuer: &str) -> Verified {
        self.more().issuer = Some(issuer.into());
        self
    }

    /// Lets the token live `leeway` past its `exp`, to make up for clocks that differ.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Verified {
        match u32::try_from(leeway.as_millis()) {
            Ok(short) => {
                self.leeway = short;
                if let Some(more) = &mut self.more {
                    more.leeway = None;
                }
            }
            Err(_) => self.more().leeway = Some(leeway),
        }
        self
    }

    /// Notes when whoever may revoke the token was asked: the moment before asking began. Default:
    /// never, as for a signature, which nobody takes back.
    #[must_use]
    pub fn confirmed_at(mut self, asked: UnixTime) -> Verified {
        self.more().confirmed = Some(asked);
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
        self.grants = false;
        self
    }

    #[cfg_attr(not(feature = "jwt"), allow(dead_code))]
    pub(crate) fn leased(mut self, lease: Lease) -> Verified {
        self.lease = Some(lease);
        self
    }

    pub(crate) fn of_kind(mut self, kind: Arc<Kind>) -> Verified {
        self.more().kind = Some(kind);
        self
    }

    /// The same proof, with the claims in other words. They cannot make it last longer.
    pub(crate) fn reworded(mut self, claims: ClaimSet) -> Verified {
        self.more().latest = Some(self.ends());
        Verified {
            claims,
            grants: true,
            ..self
        }
    }

    pub(crate) fn kind(&self) -> Option<&Arc<Kind>> {
        self.more.as_ref()?.kind.as_ref()
    }

    pub(crate) fn leeway(&self) -> Duration {
        let long = self.more.as_ref().and_then(|more| more.leeway);
        long.unwrap_or(Duration::from_millis(self.leeway.into()))
    }

    /// The proven claims.
    pub fn claims(&self) -> &ClaimSet {
        &self.claims
    }

    pub(crate) fn scopes(&self) -> &Scopes {
        match self.grants {
            true => self.claims.granted_scopes(),
            false => Scopes::NONE,
        }
    }

    pub(crate) fn permissions(&self) -> &Scopes {
        match self.grants {
            true => self.claims.granted_permissions(),
            false => Scopes::NONE,
        }
    }

    /// Who issued it, as the claims or else the verifier say.
    pub(crate) fn issuer(&self) -> Option<&str> {
        let told = || self.more.as_ref()?.issuer.as_deref();
        self.claims.issuer().or_else(told)
    }

    /// Whether what proved it is still trusted.
    pub(crate) fn is_trusted(&self, now: UnixTime) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.holds(now))
    }

    pub(crate) fn confirmed(&self) -> Option<UnixTime> {
        self.more.as_ref()?.confirmed
    }

    pub(crate) fn typ(&self) -> Option<&str> {
        match self.typ {
            Typ::None => None,
            Typ::Common(place) => COMMON.get(usize::from(place)).copied(),
            Typ::Other => self.more.as_ref()?.typ.as_deref(),
        }
    }

    /// From when on the token is no longer good.
    pub(crate) fn ends(&self) -> UnixTime {
        let latest = self.more.as_ref().and_then(|more| more.latest);
        let latest = latest.unwrap_or(UnixTime::MAX);
        let exp = self.claims.expires_at();
        exp.map_or(latest, |exp| latest.min(exp + self.leeway()))
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
    fn what_is_remembered_of_each_token_is_small() {
        assert!(size_of::<ClaimSet>() <= 96, "{}", size_of::<ClaimSet>());
        assert!(size_of::<Verified>() <= 120, "{}", size_of::<Verified>());
    }

    #[test]
    fn whatever_is_noted_reads_back() {
        let verified = || Verified::new(ClaimSet::parse("{}").unwrap());
        assert_eq!(verified().typ(), None);
        for typ in ["at+jwt", "JWT", "jwt", "AT+JWT", "", "x"] {
            assert_eq!(verified().with_typ("first").with_typ(typ).typ(), Some(typ));
        }
        let year = Duration::from_secs(31_536_000);
        for leeway in [Duration::ZERO, Duration::from_millis(30_001), year] {
            assert_eq!(verified().with_leeway(leeway).leeway(), leeway);
            assert_eq!(
                verified().with_leeway(year).with_leeway(leeway).leeway(),
                leeway
            );
        }
        let granted =
            Verified::new(ClaimSet::parse(r#"{"scope":"a","permissions":["p"]}"#).unwrap());
        assert_eq!(
            (granted.scopes().len(), granted.permissions().len()),
            (1, 1)
        );
        let granted = granted.without_grants();
        assert!(granted.scopes().is_empty() && granted.permissions().is_empty());
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
