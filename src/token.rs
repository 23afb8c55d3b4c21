//! A proven token, and where a request keeps it.

use std::fmt;
use std::sync::Arc;

use http::Extensions;
use serde::de::DeserializeOwned;

use crate::claims::{Audience, ClaimSet};
use crate::clock::UnixTime;
use crate::error::{Error, Reason};
use crate::requirement::{Grant, Requirement};
use crate::scope::{Scope, Scopes};
use crate::typed::Typed;
use crate::verified::Verified;

/// The one who acts: a subject, or a client on its own behalf.
///
/// The two are different even if their identifiers are equal (RFC 9068 §5, RFC 9700 §4.15): a
/// client named `alice` is not the user `alice`. Compare principals, not texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Principal<'a> {
    /// Somebody the issuer names in `sub`.
    Subject(&'a str),
    /// A client without a user: there is no `sub`, or it equals the `client_id`.
    Client(&'a str),
    /// The issuer names nobody.
    Nobody,
}

impl fmt::Display for Principal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Subject(id) | Principal::Client(id) => f.write_str(id),
            Principal::Nobody => f.write_str("nobody"),
        }
    }
}

/// A proven access token: what handlers get. Cloning is cheap.
///
/// As an axum extractor it asks for a token of any kind; `Option<AccessToken>` is `None` only when
/// no credential was sent.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use portcullis::AccessToken;
///
/// async fn me(token: AccessToken) -> String {
///     format!("{} may {}", token.principal(), token.scopes())
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct AccessToken(Arc<Facts>);

struct Facts {
    verified: Verified,
    kind: Arc<str>,
    /// The end of the verdict: never past `exp` and its leeway, sooner if the verifier says so.
    good_until: UnixTime,
    typed: Typed,
}

impl AccessToken {
    pub(crate) fn new(verified: Verified, kind: Arc<str>, good_until: UnixTime) -> AccessToken {
        AccessToken(Arc::new(Facts {
            verified,
            kind,
            good_until,
            typed: Typed::default(),
        }))
    }

    /// The proven token of a request, once the layer or
    /// [`authenticate`](crate::ResourceServer::authenticate) has put it there.
    pub fn of(extensions: &Extensions) -> Option<&AccessToken> {
        extensions.get::<Presence>()?.token.as_ref()
    }

    /// `sub`: whom the token is about. An introspected client-credentials token may have none.
    pub fn subject(&self) -> Option<&str> {
        self.claims().subject()
    }

    /// `client_id`: the client the token was issued to.
    pub fn client_id(&self) -> Option<&str> {
        self.claims().client_id()
    }

    /// Who acts: the subject, or the client on its own behalf.
    pub fn principal(&self) -> Principal<'_> {
        match (self.subject(), self.client_id()) {
            (Some(subject), client) if client != Some(subject) => Principal::Subject(subject),
            (_, Some(client)) => Principal::Client(client),
            _ => Principal::Nobody,
        }
    }

    /// `iss`: who issued the token. For an introspected token without `iss`, the issuer its
    /// verifier was told.
    pub fn issuer(&self) -> Option<&str> {
        self.0.verified.issuer()
    }

    /// `aud`: for whom the token is meant.
    pub fn audience(&self) -> Audience<'_> {
        self.claims().audience()
    }

    /// The token's scopes.
    pub fn scopes(&self) -> &Scopes {
        self.0.verified.scopes()
    }

    /// The token's permissions; they are not scopes.
    pub fn permissions(&self) -> &Scopes {
        self.0.verified.permissions()
    }

    /// `exp`: when the token ends, without leeway.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.claims().expires_at()
    }

    /// The name of the token's kind: `access_token` unless the server declares
    /// [`Kinds`](crate::Kinds).
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// All claims.
    pub fn claims(&self) -> &ClaimSet {
        self.0.verified.claims()
    }

    /// The claims as a type of your own, read once per token: later calls with the same `T` share
    /// the first one's value, also in later requests that show the same token.
    ///
    /// # Errors
    ///
    /// [`Reason::ClaimShape`] (403) if the claims do not have the shape of `T`. A new token from
    /// the same issuer would look the same, so a 401 would only send the client in circles.
    pub fn claims_as<T>(&self) -> Result<Arc<T>, Error>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        if let Some(value) = self.0.typed.find::<T>() {
            return Ok(value);
        }
        let value = self
            .claims()
            .read::<T>()
            .map_err(|error| Error::new(Reason::ClaimShape, error.to_string()))?;
        Ok(self.0.typed.keep(Arc::new(value)))
    }

    /// Checks that the token meets `R`.
    ///
    /// # Errors
    ///
    /// [`Reason::Scope`] (403) naming all scopes of `R`; [`Reason::Denied`] (403) if it is no
    /// scope that is missing.
    pub fn require<R: Requirement>(&self) -> Result<(), Error> {
        if R::met_by(&self.grant()) {
            return Ok(());
        }
        let mut named = Vec::new();
        R::name_scopes(&mut named);
        named.dedup();
        // A client told to bring scopes it has brought would come back with the same token for
        // ever: then something else is missing.
        Err(if named.iter().all(|scope| self.scopes().contains(scope)) {
            Error::new(
                Reason::Denied,
                "token does not meet the requirement of this operation",
            )
        } else {
            Error::insufficient_scope(named)
        })
    }

    /// Checks that the token is of the kind `K`.
    ///
    /// # Errors
    ///
    /// [`Reason::OtherKind`] (403).
    pub fn require_kind<K: TokenKind>(&self) -> Result<(), Error> {
        if self.kind() == K::NAME {
            return Ok(());
        }
        Err(Error::new(
            Reason::OtherKind,
            format!("token is of kind {}, wanted {}", self.kind(), K::NAME),
        ))
    }

    fn grant(&self) -> Grant<'_> {
        Grant {
            scopes: self.scopes(),
            permissions: self.permissions(),
            claims: self.claims(),
            kind: self.kind(),
        }
    }

    /// The end of the verdict.
    #[cfg_attr(not(feature = "cache"), allow(dead_code))]
    pub(crate) fn good_until(&self) -> UnixTime {
        self.0.good_until
    }

    /// Whether the verdict still stands: its time is not over and what proved it is still trusted.
    #[cfg_attr(not(feature = "cache"), allow(dead_code))]
    pub(crate) fn stands(&self, now: UnixTime) -> bool {
        now < self.0.good_until && self.0.verified.is_trusted(now)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("kind", &self.kind())
            .field("principal", &self.principal())
            .field("scopes", self.scopes())
            .field("claims", self.claims())
            .finish_non_exhaustive()
    }
}

/// The one slot in a request's extensions where layers and extractors meet. That it is there says
/// that the gate ran; without it every guard answers 500.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) token: Option<AccessToken>,
    /// What scope layers outside have already demanded.
    pub(crate) outer_scopes: Vec<Scope>,
}

impl Presence {
    pub(crate) fn new(token: Option<AccessToken>) -> Presence {
        Presence {
            token,
            outer_scopes: Vec::new(),
        }
    }

    /// Takes its place in a request. The gate nearest to the handler decides who asks; what scope
    /// layers further outside demand stays known.
    pub(crate) fn enter(mut self, extensions: &mut Extensions) {
        if let Some(outer) = extensions.remove::<Presence>() {
            self.outer_scopes = outer.outer_scopes;
        }
        extensions.insert(self);
    }

    /// The token of a request that a guard named `wanted` needs.
    pub(crate) fn demand<'a>(
        extensions: &'a Extensions,
        wanted: &str,
    ) -> Result<&'a AccessToken, Error> {
        let presence = extensions
            .get::<Presence>()
            .ok_or_else(|| Error::missing_layer(wanted))?;
        presence
            .token
            .as_ref()
            .ok_or_else(Error::missing_credential)
    }
}

/// Something made of a proven token. Extractors accept whatever implements it.
///
/// # Examples
///
/// ```
/// use portcullis::{AccessToken, Error, FromToken};
///
/// struct Tenant(String);
///
/// impl FromToken for Tenant {
///     fn from_token(token: &AccessToken) -> Result<Tenant, Error> {
///         let tenant = token.claims().get("tenant").and_then(|value| value.as_str());
///         tenant
///             .map(|name| Tenant(name.to_owned()))
///             .ok_or_else(|| Error::forbidden("token names no tenant"))
///     }
/// }
/// ```
pub trait FromToken: Sized {
    /// Makes it, or refuses.
    ///
    /// # Errors
    ///
    /// Whatever the token lacks.
    fn from_token(token: &AccessToken) -> Result<Self, Error>;
}

impl FromToken for AccessToken {
    fn from_token(token: &AccessToken) -> Result<AccessToken, Error> {
        Ok(token.clone())
    }
}

impl FromToken for Scopes {
    fn from_token(token: &AccessToken) -> Result<Scopes, Error> {
        Ok(token.scopes().clone())
    }
}

/// A kind of token a handler may demand with `Token<K>`; the name is that of a
/// [`Kind`](crate::Kind) of the server.
///
/// # Examples
///
/// ```
/// use portcullis::TokenKind;
///
/// struct Applicant;
///
/// impl TokenKind for Applicant {
///     const NAME: &'static str = "applicant";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no kind of token",
    label = "no kind of token",
    note = "give it a name: `impl portcullis::TokenKind for {Self} {{ const NAME: &'static str = \
            \"…\"; }}`, the one a `Kind` of the server has"
)]
pub trait TokenKind: 'static {
    /// The name as the server's kinds declare it.
    const NAME: &'static str;
}

/// A policy in one sentence: may this token's holder touch this resource?
///
/// # Examples
///
/// ```
/// use portcullis::Permits;
///
/// struct Party { upid: String }
/// struct InterviewPath { upid: String }
///
/// impl Permits<InterviewPath> for Party {
///     fn permits(&self, path: &InterviewPath) -> bool {
///         self.upid == path.upid
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no policy for `{Resource}`",
    label = "nobody says whether access is permitted",
    note = "write it down: `impl portcullis::Permits<{Resource}> for {Self}`"
)]
pub trait Permits<Resource: ?Sized> {
    /// Whether access is permitted. Absent data must deny.
    fn permits(&self, resource: &Resource) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    fn token(json: &str) -> AccessToken {
        let verified = Verified::new(ClaimSet::parse(json).unwrap());
        AccessToken::new(verified, "access_token".into(), UnixTime::MAX)
    }

    #[test]
    fn a_client_is_no_user_of_the_same_name() {
        let user = token(r#"{"sub":"alice","client_id":"web"}"#);
        let machine = token(r#"{"sub":"alice","client_id":"alice"}"#);
        let introspected = token(r#"{"client_id":"alice"}"#);
        assert_eq!(user.principal(), Principal::Subject("alice"));
        assert_eq!(machine.principal(), Principal::Client("alice"));
        assert_eq!(introspected.principal(), machine.principal());
        assert_ne!(user.principal(), machine.principal());
        assert_eq!(token("{}").principal(), Principal::Nobody);
    }

    #[test]
    fn claims_are_read_once_per_type() {
        #[derive(Deserialize)]
        struct A {
            sub: String,
        }
        #[derive(Deserialize)]
        struct B {
            exp: i64,
        }
        let token = token(r#"{"sub":"alice","exp":7}"#);
        let first = token.claims_as::<A>().unwrap();
        assert_eq!(first.sub, "alice");
        assert_eq!(token.claims_as::<B>().unwrap().exp, 7);
        assert!(Arc::ptr_eq(
            &first,
            &token.clone().claims_as::<A>().unwrap()
        ));
    }

    #[test]
    fn claims_of_another_shape_are_refused_as_403() {
        #[derive(Deserialize, Debug)]
        struct Party {
            #[allow(dead_code)]
            upid: String,
        }
        let error = token("{}").claims_as::<Party>().unwrap_err();
        assert_eq!(error.reason(), Reason::ClaimShape);
    }

    #[test]
    fn debug_holds_no_claim_values_beyond_the_principal() {
        let text = format!("{:?}", token(r#"{"sub":"alice","email":"a@example.org"}"#));
        assert!(!text.contains("a@example.org"), "{text}");
    }
}
