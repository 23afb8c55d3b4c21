//! What it means to prove a credential: the trait, and its erased twin behind the door.

mod erased;
mod lifetime;
mod reworded;

use std::future::Future;
use std::sync::Arc;

use crate::clock::{Clock, UnixTime};
use crate::credential::Credential;
use crate::error::Error;
use crate::status::Status;
use crate::verified::Verified;

pub(crate) use self::erased::{Blind, ErasedVerifier};
pub use self::lifetime::VerdictLifetime;
pub use self::reworded::Reworded;

/// Proves credentials.
///
/// [`JwtVerifier`](crate::JwtVerifier), [`IntrospectionVerifier`](crate::IntrospectionVerifier) and
/// [`LookupVerifier`](crate::LookupVerifier) are the ones that come with the crate; implement it
/// for a token of your own.
///
/// # Examples
///
/// ```
/// # #[cfg(any(feature = "cache", feature = "introspection", feature = "jwt"))] {
/// use aws_lc_rs::constant_time::verify_slices_are_equal;
/// use portcullis::{ClaimSet, Credential, Error, Moment, Verified, Verifier};
///
/// /// Knows one token by heart.
/// struct One(&'static str);
///
/// impl Verifier for One {
///     async fn verify(
///         &self,
///         credential: &Credential<'_>,
///         _: &Moment<'_>,
///     ) -> Result<Verified, Error> {
///         // Not with `==`: how long that takes tells how much of a guess is right.
///         verify_slices_are_equal(credential.token().as_bytes(), self.0.as_bytes())
///             .map_err(|_| Error::invalid_token("token is not the one"))?;
///         let claims = ClaimSet::parse(r#"{"sub":"robot"}"#)
///             .map_err(|error| Error::invalid_token(error.to_string()))?;
///         Ok(Verified::new(claims))
///     }
/// }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` proves no credentials",
    label = "no verifier",
    note = "a builder becomes a verifier with `.build()?`, a `Lookup` with \
            `LookupVerifier::builder(..)`; for a token of your own implement `portcullis::Verifier`"
)]
pub trait Verifier: Send + Sync + 'static {
    /// Proves `credential`. What takes longer than 30 seconds is given up.
    ///
    /// # Errors
    ///
    /// [`Error::invalid_token`] if it is no good; [`Error::unavailable`] if that cannot be found
    /// out now. Never the former for an outage.
    fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> impl Future<Output = Result<Verified, Error>> + Send;

    /// Answers at once, if nothing has to be waited for; else `None`, and
    /// [`verify`](Self::verify) is asked. For one request it may be asked twice, so it must not use
    /// a credential up. Default: `None`.
    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        let _ = (credential, moment);
        None
    }

    /// Whether [`confirm`](Self::confirm) finds out that a token was revoked. Only then can a route
    /// demand [freshness](crate::ResourceServer::fresh). Say `true` only if `confirm` asks whoever may
    /// revoke the token, on each call; and note in every answer of theirs when that was, with
    /// [`Verified::confirmed_at`], or such routes ask again each time. Default: `false`.
    fn sees_revocation(&self) -> bool {
        false
    }

    /// Proves `credential` as [`verify`](Self::verify) does, and finds out whether it still stands: asks
    /// whoever may revoke it, now, and takes no answer of before. For routes that demand
    /// [freshness](crate::ResourceServer::fresh); asked only if
    /// [`sees_revocation`](Self::sees_revocation) is `true`. Default: `verify`.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    fn confirm(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> impl Future<Output = Result<Verified, Error>> + Send {
        self.verify(credential, moment)
    }

    /// How long answers may be remembered. Default: accepted ones 30 seconds and never past
    /// their [end](crate::Verified::with_leeway), refusals not at all.
    fn lifetime(&self) -> VerdictLifetime {
        VerdictLifetime::default()
    }

    /// Brings what it needs beforehand, such as a key set. Default: nothing to bring.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] if it cannot be had now.
    fn ready(&self, moment: &Moment<'_>) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = moment;
        async { Ok(()) }
    }

    /// The state of what it depends on, for [`ResourceServer::status`](crate::ResourceServer::status).
    /// Default: nothing.
    fn status(&self, moment: &Moment<'_>) -> Status {
        let _ = moment;
        Status::default()
    }

    /// What tells its tokens from those of other verifiers, for servers that give each kind of token
    /// a verifier of its own. Default: nothing is known.
    #[doc(hidden)]
    fn provenance(&self) -> Option<Provenance> {
        None
    }
}

/// Whose tokens a verifier accepts.
#[doc(hidden)]
#[derive(Clone)]
pub struct Provenance {
    pub(crate) issuers: Vec<Box<str>>,
    /// What stands for the shared secret, if it is one that signs.
    pub(crate) secret: Option<[u8; 32]>,
}

impl Provenance {
    /// Of a verifier that accepts nothing.
    pub(crate) fn nobody() -> Provenance {
        Provenance {
            issuers: Vec::new(),
            secret: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Whether no token can be accepted by both. Two sets of public keys may share a key, so they
    /// do not tell tokens apart; a secret does, from another secret and from any public key.
    pub(crate) fn excludes(&self, other: &Provenance) -> bool {
        let mut issuers = self.issuers.iter();
        let shared = issuers.any(|issuer| other.issuers.contains(issuer));
        !shared || self.secret != other.secret
    }
}

impl<V: Verifier> Verifier for Arc<V> {
    fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> impl Future<Output = Result<Verified, Error>> + Send {
        V::verify(self, credential, moment)
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        V::verify_now(self, credential, moment)
    }

    fn sees_revocation(&self) -> bool {
        V::sees_revocation(self)
    }

    fn confirm(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> impl Future<Output = Result<Verified, Error>> + Send {
        V::confirm(self, credential, moment)
    }

    fn lifetime(&self) -> VerdictLifetime {
        V::lifetime(self)
    }

    fn ready(&self, moment: &Moment<'_>) -> impl Future<Output = Result<(), Error>> + Send {
        V::ready(self, moment)
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        V::status(self, moment)
    }

    fn provenance(&self) -> Option<Provenance> {
        V::provenance(self)
    }
}

/// Refuses every credential, for looks that are never to be looked up: refresh tokens, authorization
/// codes.
///
/// # Examples
///
/// ```
/// use portcullis::{Refuse, ResourceServer, When};
///
/// # fn set_up(lookup: portcullis::LookupVerifier) -> Result<(), portcullis::ConfigError> {
/// let server = ResourceServer::builder()
///     .route(When::prefix("rt_"), Refuse::because("a refresh token is for the issuer alone"))
///     .verifier(lookup)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Refuse(&'static str);

impl Refuse {
    /// Refuses with this sentence in the log, and 401 `invalid_token` to the client.
    pub const fn because(sentence: &'static str) -> Refuse {
        Refuse(sentence)
    }
}

impl Verifier for Refuse {
    async fn verify(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        Err(Error::invalid_token(self.0))
    }

    fn verify_now(&self, _: &Credential<'_>, _: &Moment<'_>) -> Option<Result<Verified, Error>> {
        Some(Err(Error::invalid_token(self.0)))
    }

    /// What is never accepted is never accepted for too long.
    fn sees_revocation(&self) -> bool {
        true
    }

    fn provenance(&self) -> Option<Provenance> {
        Some(Provenance::nobody())
    }
}

/// The present, and the clock that says so.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    now: UnixTime,
    clock: &'a Arc<dyn Clock>,
}

impl<'a> Moment<'a> {
    /// Reads the clock.
    pub fn of(clock: &'a Arc<dyn Clock>) -> Moment<'a> {
        Moment {
            now: clock.now(),
            clock,
        }
    }

    /// The present moment. It stays the same for the whole verification.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// The clock, to wait on.
    pub fn clock(&self) -> &'a Arc<dyn Clock> {
        self.clock
    }
}

impl std::fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
