//! A proven token: what handlers get, where a request keeps it, and what may be asked of it.

#[cfg(feature = "cache")]
mod kept;
mod policy;
mod presence;

use std::fmt;
use std::sync::Arc;

use http::Extensions;
use serde::de::DeserializeOwned;

use crate::claims::{Audience, ClaimSet};
use crate::clock::UnixTime;
use crate::error::{Error, Reason};
use crate::hierarchy::ScopeHierarchy;
use crate::kind::TokenKind;
use crate::principal::{Principal, PrincipalType};
use crate::requirement::{Grant, Requirement};
use crate::scope::Scopes;
use crate::typed::Typed;
use crate::verified::Verified;

#[cfg(feature = "cache")]
pub(crate) use self::kept::Kept;
pub(crate) use self::policy::ask;
#[cfg(feature = "axum")]
pub(crate) use self::policy::refusal;
pub use self::policy::{Permits, Policy};
pub use presence::FromToken;
#[cfg(feature = "axum")]
pub(crate) use presence::Tokens;
pub(crate) use presence::{GateId, Presence, SecondSlot};

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

/// What [`AccessToken`]s of one verdict share.
// In this order: what every request looks at lies together, in memory that it may have to wait for.
#[repr(C)]
pub(crate) struct Facts {
    #[cfg(feature = "cache")]
    kept: Kept,
    term: Term,
    verified: Verified,
    typed: Typed,
    kind: Arc<str>,
    hierarchy: Option<Arc<ScopeHierarchy>>,
    principal: PrincipalType,
}

/// How long a verdict stands.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    /// Never past `exp` and its leeway, sooner if the verifier says so.
    pub(crate) good_until: UnixTime,
    /// The end of the time in which it serves while its verifier cannot be asked. Not sooner than
    /// the other; never past `exp` if it is later.
    pub(crate) in_need_until: UnixTime,
}

impl Term {
    /// Of a verdict that nobody needs after its end.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn until(end: UnixTime) -> Term {
        Term {
            good_until: end,
            in_need_until: end,
        }
    }
}

impl AccessToken {
    /// Reads the principal as the standard claims say.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn new(verified: Verified, kind: Arc<str>, good_until: UnixTime) -> AccessToken {
        let principal = PrincipalType::of(verified.claims());
        let term = Term::until(good_until);
        AccessToken::with(verified, kind, term, principal, None)
    }

    pub(crate) fn with(
        verified: Verified,
        kind: Arc<str>,
        term: Term,
        principal: PrincipalType,
        hierarchy: Option<Arc<ScopeHierarchy>>,
    ) -> AccessToken {
        AccessToken(Arc::new(Facts {
            verified,
            kind,
            principal,
            hierarchy,
            term,
            typed: Typed::default(),
            #[cfg(feature = "cache")]
            kept: Kept::default(),
        }))
    }

    /// The same token, of which nothing is shared that two processors would write to.
    #[cfg(feature = "cache")]
    pub(crate) fn copy(&self) -> AccessToken {
        let facts = &self.0;
        let (verified, kind) = (facts.verified.clone(), (*facts.kind).into());
        let hierarchy = facts.hierarchy.clone();
        AccessToken::with(verified, kind, facts.term, facts.principal, hierarchy)
    }

    /// The proven token of a request, once the layer or
    /// [`authenticate`](crate::ResourceServer::authenticate) has put it there.
    pub fn of(extensions: &Extensions) -> Option<&AccessToken> {
        extensions.get::<Presence>()?.token.as_ref()
    }

    /// The proven token of the kind `K` of a request, from whichever credential slot it came: what
    /// [`Token<K>`](crate::Token) extracts, for callers without axum.
    ///
    /// # Errors
    ///
    /// [`Reason::NoCredential`] (401) if the slot whose kind `K` is holds no credential,
    /// [`Reason::OtherKind`] (403) if it holds another kind, [`Reason::MissingLayer`] (500) if no
    /// gate has seen the request.
    pub fn of_kind<K: TokenKind>(extensions: &Extensions) -> Result<&AccessToken, Error> {
        Presence::expect(extensions, "AccessToken::of_kind")?.of_kind(K::NAME)
    }

    /// `sub`: whom the token is about. An introspected client-credentials token may have none.
    pub fn subject(&self) -> Option<&str> {
        self.claims().subject()
    }

    /// `client_id`, else `azp`: the client the token was issued to.
    pub fn client_id(&self) -> Option<&str> {
        self.claims().client_id()
    }

    /// Who acts: the subject, or the client on its own behalf.
    pub fn principal(&self) -> Principal<'_> {
        self.0.principal.principal(self.claims())
    }

    /// What kind of principal acts.
    pub fn principal_type(&self) -> PrincipalType {
        self.0.principal
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

    /// When whoever may revoke the token was last asked about it: the moment before asking began.
    /// `None` if nobody was, as for a JWT that was proven by its signature alone; see
    /// [`ResourceServer::fresh`](crate::ResourceServer::fresh).
    pub fn confirmed_at(&self) -> Option<UnixTime> {
        self.0.verified.confirmed()
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
    /// the first one's value, also in later requests that show the same token. A thread that is shown it
    /// again and again has a copy of its own, for which they are read once more.
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
        Err(if named.iter().all(|scope| self.grant().has_scope(scope)) {
            let wanted = std::any::type_name::<R>();
            Error::forbidden(format!("token does not meet {wanted}"))
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
        Err(self.other_kind(K::NAME))
    }

    fn other_kind(&self, wanted: &str) -> Error {
        let found = self.kind();
        Error::new(
            Reason::OtherKind,
            format!("token is of kind {found}, wanted {wanted}"),
        )
    }

    /// Asks `policy` whether the token's holder may touch `resource`, and hands out what it answers.
    ///
    /// # Errors
    ///
    /// What the policy's [`Holder`](Policy::Holder) refuses; [`Reason::Denied`] (403), or
    /// [`Reason::Hidden`] (404) if the policy [hides](Policy::HIDES), if it says no; its own error if
    /// it cannot be asked.
    pub async fn permitted_by<P, Resource>(
        &self,
        policy: &P,
        resource: &Resource,
    ) -> Result<P::Answer, Error>
    where
        P: Policy<Resource>,
        Resource: Sync + ?Sized,
    {
        let holder = P::Holder::from_token(self)?;
        ask(policy, &holder, resource).await
    }

    fn grant(&self) -> Grant<'_> {
        Grant {
            scopes: self.scopes(),
            permissions: self.permissions(),
            claims: self.claims(),
            kind: self.kind(),
            principal: self.0.principal,
            hierarchy: self.0.hierarchy.as_deref(),
        }
    }

    #[cfg(feature = "cache")]
    pub(crate) fn of_facts(facts: &Arc<Facts>) -> AccessToken {
        AccessToken(facts.clone())
    }

    #[cfg(feature = "cache")]
    pub(crate) fn facts(&self) -> &Arc<Facts> {
        &self.0
    }
}

#[cfg_attr(not(feature = "cache"), allow(dead_code))]
impl Facts {
    /// Whether the verdict still stands: its time is not over and what proved it is still trusted.
    pub(crate) fn stands(&self, now: UnixTime) -> bool {
        now < self.term.good_until && self.verified.is_trusted(now)
    }

    /// Whether it may serve, if only while its verifier cannot be asked.
    pub(crate) fn serves_in_need(&self, now: UnixTime) -> bool {
        now < self.in_need_until() && self.verified.is_trusted(now)
    }

    /// The end of the time in which it serves while its verifier cannot be asked.
    pub(crate) fn in_need_until(&self) -> UnixTime {
        self.term.in_need_until
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        self.verified.claims().subject()
    }

    #[cfg(feature = "cache")]
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
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
