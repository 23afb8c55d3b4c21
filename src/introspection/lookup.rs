//! Opaque tokens that a store of your own knows.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::settings::{Settings, setters};
use super::unsaid::Unsaid;
use super::upstream::{Fault, Upstream, Words};
use crate::claims::ClaimSet;
use crate::credential::Credential;
use crate::error::{ConfigError, Error, Reason};
use crate::rules::{ClaimRules, MayLack};
use crate::status::Status;
use crate::verified::Verified;
use crate::verify::{Moment, VerdictLifetime, Verifier};

/// Looks a token up in a store of your own.
///
/// # Examples
///
/// ```
/// use portcullis::{ClaimSet, Lookup, LookupVerifier, Unavailable};
/// use serde_json::json;
/// use std::collections::HashMap;
///
/// /// Stands for a connection pool.
/// struct Sessions { rows: HashMap<String, String> }
///
/// impl Lookup for Sessions {
///     async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
///         let Some(user) = self.rows.get(token) else {
///             return Ok(None);
///         };
///         // An error of the store becomes `Unavailable` through `?`, and a 503.
///         Ok(Some(ClaimSet::from_serialize(&json!({"sub": user, "scope": "read:events"}))?))
///     }
/// }
///
/// let rows = HashMap::from([("7f3a9c".to_owned(), "alice".to_owned())]);
/// let verifier = LookupVerifier::builder(Sessions { rows }).build()?;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
pub trait Lookup: Send + Sync + 'static {
    /// The claims of `token`, or `None` if the store does not know it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the store cannot be asked.
    fn look_up(
        &self,
        token: &str,
    ) -> impl Future<Output = Result<Option<ClaimSet>, Unavailable>> + Send;
}

/// The store cannot be asked. Every `std::error::Error` becomes one through `?`; boxed errors and
/// those of `anyhow` through `.map_err(|error| Unavailable::new(error.to_string()))`.
///
/// Its text goes to the log. The token is cut out of it; keep other secrets, such as the store's
/// address with a password, out of it yourself.
///
/// It counts as a failure of the store, and after five in a row nobody is looked up for a while (see
/// [`LookupVerifier`]). What only one token causes, such as a row that cannot be read, says so with
/// [`for_this_token`](Self::for_this_token).
#[derive(Debug)]
pub struct Unavailable {
    why: String,
    retry_after: Duration,
    store_answers: bool,
}

impl Unavailable {
    /// Says why, in a sentence for the log.
    pub fn new(why: impl Into<String>) -> Unavailable {
        Unavailable {
            why: why.into(),
            retry_after: Duration::from_secs(5),
            store_answers: false,
        }
    }

    /// When it is worth trying again, for the client. Default: 5 seconds. How long the store itself is
    /// left alone does not depend on it.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Unavailable {
        self.retry_after = wait;
        self
    }

    /// Says that the store answers, and that only this token cannot be looked up. It is a 503 all the
    /// same, but no failure of the store: otherwise whoever holds such a token could keep all others
    /// from being looked up.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::{ClaimSet, Unavailable};
    ///
    /// fn read(row: &str) -> Result<ClaimSet, Unavailable> {
    ///     let claims = ClaimSet::parse(row);
    ///     claims.map_err(|error| Unavailable::new(error.to_string()).for_this_token())
    /// }
    /// # assert!(read("{").is_err());
    /// ```
    #[must_use]
    pub fn for_this_token(mut self) -> Unavailable {
        self.store_answers = true;
        self
    }
}

impl From<Unavailable> for Fault {
    fn from(unavailable: Unavailable) -> Fault {
        let fault = match unavailable.store_answers {
            true => Fault::of_this_call(unavailable.why),
            false => Fault::failure(unavailable.why),
        };
        fault.with_retry_after(unavailable.retry_after)
    }
}

impl<E: std::error::Error> From<E> for Unavailable {
    fn from(error: E) -> Unavailable {
        Unavailable::new(error.to_string())
    }
}

/// An `async fn(&str) -> Result<Option<ClaimSet>, Unavailable>`; every such function implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `async fn(&str) -> Result<Option<ClaimSet>, Unavailable>`",
    note = "a closure that captures something cannot be one: implement `portcullis::Lookup` on a \
            struct that holds what it needs, and pass that to `LookupVerifier::builder`"
)]
pub trait LookupFn<'a>: Send + Sync + 'static {
    /// What the function returns.
    type Answer: Future<Output = Result<Option<ClaimSet>, Unavailable>> + Send + 'a;

    /// Calls the function.
    fn call(&self, token: &'a str) -> Self::Answer;
}

impl<'a, F, A> LookupFn<'a> for F
where
    F: Fn(&'a str) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<ClaimSet>, Unavailable>> + Send + 'a,
{
    type Answer = A;

    fn call(&self, token: &'a str) -> A {
        self(token)
    }
}

struct Function<F>(F);

impl<F: for<'a> LookupFn<'a>> Lookup for Function<F> {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        self.0.call(token).await
    }
}

/// Proves opaque tokens by looking them up in a store of your own, for systems without an
/// RFC 7662 endpoint.
///
/// Of the claims the store gives, `exp`, `nbf`, `iat`, `sub` and `cnf` are judged if they are
/// there, and `iss` and `aud` if the builder names them.
///
/// When the store fails, it is treated as
/// [an introspection endpoint](crate::IntrospectionVerifier#when-the-endpoint-fails) is, but nothing is
/// looked up twice: it knows better when that helps. A failure is an [`Unavailable`] that is not
/// [about this token alone](Unavailable::for_this_token), or no answer within the deadline.
pub struct LookupVerifier {
    lookup: Box<dyn ErasedLookup>,
    upstream: Upstream,
    rules: ClaimRules,
    lifetime: VerdictLifetime,
}

/// Sets up a [`LookupVerifier`].
#[must_use]
pub struct LookupVerifierBuilder {
    lookup: Box<dyn ErasedLookup>,
    rules: ClaimRules,
    settings: Settings,
}

impl LookupVerifier {
    /// Begins a verifier that asks `lookup`.
    pub fn builder(lookup: impl Lookup) -> LookupVerifierBuilder {
        LookupVerifierBuilder {
            lookup: Box::new(lookup),
            rules: ClaimRules::new(None, None, MayLack::ALL),
            settings: Settings::default(),
        }
    }

    /// Begins a verifier that asks a plain `async fn(&str)`. A function captures nothing; for a
    /// store behind a connection pool implement [`Lookup`] on a struct that holds the pool.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::{ClaimSet, LookupVerifier, Unavailable};
    ///
    /// async fn look_up(token: &str) -> Result<Option<ClaimSet>, Unavailable> {
    ///     Ok((token == "7f3a9c").then(|| ClaimSet::parse(r#"{"sub":"robot"}"#)).transpose()?)
    /// }
    ///
    /// let verifier = LookupVerifier::from_fn(look_up).build()?;
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    pub fn from_fn<F>(look_up: F) -> LookupVerifierBuilder
    where
        F: for<'a> LookupFn<'a>,
    {
        LookupVerifier::builder(Function(look_up))
    }
}

impl LookupVerifierBuilder {
    /// Demands an `aud` that names `audience`; call it again for another identifier. Default:
    /// `aud` is not looked at, since the store is your own.
    pub fn audience(mut self, audience: &str) -> LookupVerifierBuilder {
        self.rules.audiences.push(audience.into());
        self.rules.may_lack.aud = false;
        self
    }

    /// Demands an `iss` that is `issuer`. Default: not looked at.
    pub fn issuer(mut self, issuer: &str) -> LookupVerifierBuilder {
        self.rules.issuers = vec![issuer.into()];
        self.rules.may_lack.iss = false;
        self
    }

    /// Admits a `sub` that is a JSON number. It reads as its digits.
    pub fn numeric_subject(mut self) -> LookupVerifierBuilder {
        self.rules.numeric_subject = true;
        self
    }

    /// How far clocks may differ when `exp`, `nbf` and `iat` are judged. Default: 30 seconds; at
    /// most 5 minutes.
    pub fn leeway(mut self, leeway: Duration) -> LookupVerifierBuilder {
        self.rules.leeway = leeway;
        self
    }

    setters!(
        "How long an accepted token is remembered, never past its `exp`. It is how long a revoked \
         token still passes."
    );

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an issuer or audience is empty, the leeway is above 5 minutes, the
    /// deadline or the number of calls at a time is zero, or accepted tokens are trusted for more than
    /// an hour while the store is down.
    pub fn build(self) -> Result<LookupVerifier, ConfigError> {
        self.rules.check()?;
        self.settings.check()?;
        let words = Words {
            place: "look-up".to_owned(),
            name: "look-up".to_owned(),
            failed: "the look-up failed".to_owned(),
        };
        Ok(LookupVerifier {
            lookup: self.lookup,
            upstream: Upstream::new(words, &self.settings),
            rules: self.rules,
            lifetime: self.settings.lifetime()?,
        })
    }
}

impl LookupVerifier {
    async fn ask(
        &self,
        token: &str,
        unsaid: &Unsaid<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        // The store knows best when to ask again what it is made of: a broken connection is not
        // tried again here.
        let attempt = || async { self.lookup.look_up(token).await.map_err(Fault::from) };
        let claims = self.upstream.call(moment.clock(), unsaid, attempt).await?;
        let claims = claims
            .ok_or_else(|| Error::new(Reason::Inactive, "the store does not know the token"))?;
        self.rules.judge(&claims, moment.clock().now())?;
        let verified = Verified::new(claims).with_leeway(self.rules.leeway);
        Ok(verified.asked_again_at_exp().confirmed_at(moment.now()))
    }
}

impl Verifier for LookupVerifier {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let unsaid = Unsaid::new([credential.token()]);
        let verdict = self.ask(credential.token(), &unsaid, moment).await;
        // The sentence is not ours: a store may quote what it was asked for.
        verdict.map_err(|error| unsaid.withhold_from(error))
    }

    fn sees_revocation(&self) -> bool {
        true
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.lifetime
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        self.upstream.status(moment)
    }
}

type Answer<'a> = crate::clock::BoxFuture<'a, Result<Option<ClaimSet>, Unavailable>>;

/// [`Lookup`] behind a pointer.
trait ErasedLookup: Send + Sync {
    fn look_up<'a>(&'a self, token: &'a str) -> Answer<'a>;
}

impl<L: Lookup> ErasedLookup for L {
    fn look_up<'a>(&'a self, token: &'a str) -> Answer<'a> {
        Box::pin(Lookup::look_up(self, token))
    }
}

impl fmt::Debug for LookupVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupVerifier")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for LookupVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupVerifierBuilder")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
