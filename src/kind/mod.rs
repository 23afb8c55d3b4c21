//! Kinds of tokens: named rule sets of which exactly one must match a proven token.
//!
//! RFC 8725 §3.12: the rules for different kinds of JWTs must be mutually exclusive. An API that
//! accepts an applicant's token and a client's token decides which one it has from proven data,
//! once, before any handler runs.

mod limits;
mod marker;
mod set;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::credential::Carrier;
use crate::json::is_pointer;
use crate::text::quote;

pub use self::marker::TokenKind;
use limits::Limits;
pub(crate) use limits::{Breach, Judged};
pub(crate) use set::exactly_one;
pub use set::{KindError, Kinds};

/// The kind of every token when a server declares none.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

/// One kind of token: a name, what tells it from the others, and what else is demanded of it.
///
/// Its *marks* (carrier, `typ`, audience, claims) decide whether a token is of this kind: all must
/// match. Its *demands* (ages, ends, checks) are judged after that: a token of this kind that does
/// not meet them is refused. A claim is named by its name, or a part of it by a JSON pointer
/// (RFC 6901) such as `/srv/upid`.
///
/// # Examples
///
/// ```
/// use portcullis::{Kind, Kinds};
/// use std::time::Duration;
///
/// let kinds = Kinds::new([
///     Kind::named("general").without_claim("srv").max_lifetime(Duration::from_secs(36_000)),
///     Kind::named("scoped").with_object("srv").also_ends_at("/srv/expirationTime"),
/// ])?;
/// # Ok::<(), portcullis::KindError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Kind {
    name: Arc<str>,
    carrier: Option<Box<str>>,
    typ: Option<Box<str>>,
    audience: Option<Box<str>>,
    claims: Vec<(Box<str>, Mark)>,
    limits: Limits,
    checks: Vec<Arc<ClaimCheck>>,
}

type ClaimCheck = dyn Fn(&ClaimSet) -> Result<(), Breach> + Send + Sync;

/// What a claim must be for a token to be of a kind. `null` reads as absent.
#[derive(Clone, Debug)]
enum Mark {
    Present,
    Absent,
    Object,
    OneOf(Vec<Value>),
}

impl Mark {
    fn fits(&self, value: Option<&Value>) -> bool {
        let value = value.filter(|value| !value.is_null());
        match self {
            Mark::Present => value.is_some(),
            Mark::Absent => value.is_none(),
            Mark::Object => value.is_some_and(Value::is_object),
            Mark::OneOf(values) => value.is_some_and(|value| values.contains(value)),
        }
    }

    /// Whether no value fits both.
    fn excludes(&self, other: &Mark) -> bool {
        match (self, other) {
            (Mark::Absent, Mark::Absent) => false,
            (Mark::Absent, _) | (_, Mark::Absent) => true,
            (Mark::OneOf(ours), theirs) | (theirs, Mark::OneOf(ours)) => {
                !ours.iter().any(|value| theirs.fits(Some(value)))
            }
            _ => false,
        }
    }
}

impl Kind {
    /// Begins a kind that matches every token; add marks.
    pub fn named(name: &str) -> Kind {
        Kind {
            name: name.into(),
            carrier: None,
            typ: None,
            audience: None,
            claims: Vec::new(),
            limits: Limits::default(),
            checks: Vec::new(),
        }
    }

    /// Begins the kind that handlers name by the type `K`, so that its name is written once.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::{Kind, TokenKind};
    ///
    /// struct Applicant;
    /// impl TokenKind for Applicant {
    ///     const NAME: &'static str = "applicant";
    /// }
    ///
    /// assert_eq!(Kind::of::<Applicant>().name(), "applicant");
    /// ```
    pub fn of<K: TokenKind>() -> Kind {
        Kind::named(K::NAME)
    }

    /// Only tokens that came in the header `name` (`Authorization` for Bearer tokens). Where a token
    /// sits is its sender's choice, so this alone tells no two kinds apart that the same keys prove.
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
    pub fn with_claim(self, name: &str) -> Kind {
        self.mark(name, Mark::Present)
    }

    /// Only tokens whose claim `name` is a JSON object.
    pub fn with_object(self, name: &str) -> Kind {
        self.mark(name, Mark::Object)
    }

    /// Only tokens that lack the claim `name` (or hold `null` there).
    pub fn without_claim(self, name: &str) -> Kind {
        self.mark(name, Mark::Absent)
    }

    /// Only tokens whose claim `name` equals `value`.
    pub fn claim_is(self, name: &str, value: impl Into<Value>) -> Kind {
        self.claim_in(name, [value])
    }

    /// Only tokens whose claim `name` equals one of `values`.
    pub fn claim_in(self, name: &str, values: impl IntoIterator<Item = impl Into<Value>>) -> Kind {
        let values = values.into_iter().map(Into::into).collect();
        self.mark(name, Mark::OneOf(values))
    }

    fn mark(mut self, name: &str, mark: Mark) -> Kind {
        self.claims.push((name.into(), mark));
        self
    }

    /// Refuses tokens of this kind from `age` after their `iat` on, whatever their `exp`; `iat` must
    /// be there. Default: `exp` alone counts.
    pub fn max_age(mut self, age: Duration) -> Kind {
        self.limits.max_age = Some(age);
        self
    }

    /// Refuses tokens of this kind that were made to live longer than `lifetime`, from `iat` to
    /// `exp`, at any time; tokens that lack one of the two pass. Default: any lifetime.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Kind {
        self.limits.max_lifetime = Some(lifetime);
        self
    }

    /// How far clocks may differ for tokens of this kind, if that is less than the verifier allows.
    /// Default: as much as the verifier allows.
    pub fn leeway(mut self, leeway: Duration) -> Kind {
        self.limits.leeway = Some(leeway);
        self
    }

    /// Takes the claim at this JSON pointer (RFC 6901) for a second `exp`: seconds since the epoch.
    /// A token that lacks it passes; one that holds something else there is refused, and so is a
    /// value above 10^11, which can only be milliseconds.
    pub fn also_ends_at(mut self, pointer: &str) -> Kind {
        self.limits.ends.push(pointer.into());
        self
    }

    /// Demands that `check` accepts the claims, once per verification. Its sentence goes to the log;
    /// the client is answered 401 `invalid_token`.
    pub fn check(
        mut self,
        check: impl Fn(&ClaimSet) -> Result<(), String> + Send + Sync + 'static,
    ) -> Kind {
        self.checks
            .push(Arc::new(move |claims| check(claims).map_err(Breach::Check)));
        self
    }

    /// Demands that the claims read as `T`, once per verification: what handlers then take as
    /// [`Claims<T>`](crate::Claims) is there. The client is answered 401 `invalid_token`; without
    /// this demand it is the 403 of the handler. Default: any claims.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::Kind;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Party { upid: String }
    ///
    /// let party = Kind::named("party").with_claim("upid").reads_as::<Party>();
    /// ```
    pub fn reads_as<T: DeserializeOwned + 'static>(mut self) -> Kind {
        self.checks
            .push(Arc::new(|claims| match claims.read::<T>() {
                Ok(_) => Ok(()),
                Err(error) => Err(Breach::Malformed(error.to_string())),
            }));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same kind, bound to its carrier by the carrier's own name instead of an alias.
    pub(crate) fn bound_to(mut self, carriers: &[Carrier]) -> Kind {
        let named = self.carrier.as_deref();
        let carrier =
            named.and_then(|name| carriers.iter().find(|carrier| carrier.is_header(name)));
        if let Some(carrier) = carrier {
            self.carrier = Some(carrier.name().into());
        }
        self
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// The header it is bound to, if it is.
    pub(crate) fn header(&self) -> Option<&str> {
        self.carrier.as_deref()
    }

    pub(crate) fn matches(&self, carrier: &Carrier, typ: Option<&str>, claims: &ClaimSet) -> bool {
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
            && self
                .claims
                .iter()
                .all(|(name, mark)| mark.fits(find(claims, name)))
    }

    /// Judges what is demanded of a token of this kind beyond what its verifier demands. `leeway` is
    /// the verifier's.
    pub(crate) fn judge(&self, claims: &ClaimSet, leeway: Duration, now: UnixTime) -> Judged {
        let end = self.limits.judge(claims, leeway, now)?;
        for check in &self.checks {
            check(claims)?;
        }
        Ok(end)
    }

    /// Checks what was said about the kind, apart from others.
    fn check_words(&self) -> Result<(), String> {
        // A pointer that leads nowhere would demand nothing, without a word.
        if let Some(end) = self.limits.ends.iter().find(|end| !is_pointer(end)) {
            return Err(format!(
                "kind {} ends at {}, wanted a JSON pointer such as \"/session/end\"",
                self.name,
                quote(end)
            ));
        }
        let mut names = self.claims.iter().map(|(name, _)| name);
        match names.find(|name| name.starts_with('/') && !is_pointer(name)) {
            None => Ok(()),
            Some(name) => Err(format!(
                "kind {} has a mark on {}, wanted a claim's name or a JSON pointer",
                self.name,
                quote(name)
            )),
        }
    }

    /// Whether they are bound to different headers. That is the sender's choice, so it tells kinds
    /// apart only together with who proves them.
    pub(crate) fn sits_elsewhere(&self, other: &Kind) -> bool {
        matches!((&self.carrier, &other.carrier), (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b))
    }

    /// Whether some mark on the token itself makes the other kind impossible.
    pub(crate) fn excludes(&self, other: &Kind) -> bool {
        let typ_differs = match (&self.typ, &other.typ) {
            (Some(a), Some(b)) => !media_type(a).eq_ignore_ascii_case(media_type(b)),
            _ => false,
        };
        let claims_exclude = self.claims.iter().any(|(name, mark)| {
            let mut theirs = other.claims.iter().filter(|(theirs, _)| theirs == name);
            theirs.any(|(_, theirs)| mark.excludes(theirs))
        });
        typ_differs || claims_exclude
    }

    /// Whether they ask for different audiences. A token may name both, and is then refused.
    pub(crate) fn differs_in_audience(&self, other: &Kind) -> bool {
        matches!((&self.audience, &other.audience), (Some(a), Some(b)) if a != b)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind")
            .field("name", &self.name)
            .field("carrier", &self.carrier)
            .field("typ", &self.typ)
            .field("audience", &self.audience)
            .field("claims", &self.claims)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A claim by its name, or a part of one by a JSON pointer.
fn find<'a>(claims: &'a ClaimSet, name: &str) -> Option<&'a Value> {
    match name.starts_with('/') {
        true => claims.at(name),
        false => claims.get(name),
    }
}

/// `application/at+jwt` and `at+jwt` are the same (RFC 7515 §4.1.9).
pub(crate) fn media_type(typ: &str) -> &str {
    match typ.get(..12) {
        Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &typ[12..],
        _ => typ,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_are_judged_in_their_order() {
        #[derive(serde::Deserialize)]
        struct Party {
            #[allow(dead_code)]
            upid: String,
        }
        let kind = Kind::named("party")
            .reads_as::<Party>()
            .check(|_| Err("party left".to_owned()));
        let judge = |json: &str| {
            let claims = ClaimSet::parse(json).unwrap();
            kind.judge(&claims, Duration::ZERO, UnixTime::from_secs(1_000))
        };
        let malformed = |why: &str| {
            let why = format!("claims have another shape: {why}");
            Err(Breach::Malformed(why))
        };
        assert_eq!(judge("{}"), malformed("missing field `upid`"));
        assert_eq!(
            judge(r#"{"upid":7}"#),
            malformed("another type at line 1 column 9")
        );
        let left = Breach::Check("party left".to_owned());
        assert_eq!(judge(r#"{"upid":"a"}"#), Err(left));
    }

    #[test]
    fn a_kind_shows_what_it_is_told_by() {
        let kind = Kind::named("party").typ("at+jwt").with_claim("upid");
        assert_eq!(
            format!("{kind:?}"),
            r#"Kind { name: "party", carrier: None, typ: Some("at+jwt"), audience: None, "#
                .to_owned()
                + r#"claims: [("upid", Present)], limits: Limits { leeway: None, max_age: None, "#
                + "max_lifetime: None, ends: [] }, .. }"
        );
    }
}
