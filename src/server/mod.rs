//! The resource server: carriers, verifiers and answers under one roof. Knows traits, never a kind
//! of token.

mod builder;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::request::Parts;
use http::{Method, Response};

use crate::challenge::{Answers, Worded};
use crate::claims::ClaimSet;
use crate::clock::Clock;
use crate::credential::{Carrier, Credential};
use crate::error::{Error, Reason};
use crate::fetch::either;
use crate::kind::Kinds;
use crate::route::When;
use crate::token::{AccessToken, Presence};
use crate::verified::Verified;
use crate::verify::{ErasedVerifier, Moment, VerdictLifetime};

pub use builder::ResourceServerBuilder;

#[cfg(feature = "cache")]
use crate::verdict::Verdicts;

/// An OAuth resource server's gate: finds the credential of a request, proves it, and words the
/// refusals. Cloning is cheap; clones share keys and verdicts.
///
/// # Examples
///
/// ```no_run
/// # #[cfg(all(feature = "jwt", feature = "reqwest"))] {
/// use portcullis::{JwtVerifier, ResourceServer};
///
/// let jwt = JwtVerifier::builder("https://as.example", "https://api.example.com/").build()?;
/// let server = ResourceServer::builder().verifier(jwt).build()?;
/// let layer = server.layer(); // for a tower service or an axum router
/// # }
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ResourceServer(Arc<Inner>);

struct Inner {
    carriers: Vec<Carrier>,
    routes: Vec<(When, Box<dyn ErasedVerifier>)>,
    kinds: Option<Kinds>,
    default_kind: Arc<str>,
    clock: Arc<dyn Clock>,
    answers: Answers,
    limit: usize,
    preflight: bool,
    guard_caches: bool,
    #[cfg(feature = "cache")]
    verdicts: Arc<Verdicts>,
}

/// What is known about a request without waiting.
pub(crate) enum Seen {
    /// No credential was sent.
    Absent,
    Known(AccessToken),
    /// Somebody must be asked.
    Ask,
}

impl ResourceServer {
    /// Finds and proves the credential of a request, and leaves the token in its extensions for
    /// extractors and [`AccessToken::of`]. `Ok(None)` means that no credential was sent; whether
    /// that is enough is the caller's decision. The credential's header is marked sensitive.
    ///
    /// This is the heart: the layers and extractors call it, and so may a hyper service.
    ///
    /// # Errors
    ///
    /// [`Error`] of any kind but `InsufficientScope`, `Forbidden` and `MissingLayer`.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn serve(
    /// #     server: portcullis::ResourceServer,
    /// #     request: http::Request<String>,
    /// # ) -> http::Response<String> {
    /// let (mut parts, body) = request.into_parts();
    /// match server.authenticate(&mut parts).await {
    ///     Ok(Some(token)) => http::Response::new(format!("hello {}", token.principal())),
    ///     Ok(None) => http::Response::new("hello stranger".to_owned()),
    ///     Err(error) => server.answer(&error),
    /// }
    /// # }
    /// ```
    pub async fn authenticate(&self, parts: &mut Parts) -> Result<Option<AccessToken>, Error> {
        let proven = match self.see(parts) {
            Ok(Seen::Absent) => Ok(None),
            Ok(Seen::Known(token)) => Ok(Some(token)),
            Ok(Seen::Ask) => self.ask(parts).await,
            Err(error) => Err(error),
        };
        self.settle(parts, proven)
    }

    /// Everything that needs no waiting.
    pub(crate) fn see(&self, parts: &Parts) -> Result<Seen, Error> {
        let server = &*self.0;
        let Some(credential) = self.credential(parts)? else {
            return Ok(Seen::Absent);
        };
        let moment = Moment::of(&server.clock);
        #[cfg(feature = "cache")]
        let digest = Verdicts::digest(&credential);
        #[cfg(feature = "cache")]
        if let Some(outcome) = server.verdicts.recall(&digest, moment.now()) {
            return outcome.map(Seen::Known);
        }
        #[cfg(feature = "cache")]
        let memory = server.verdicts.memory(&digest);
        let verifier = server.verifier_for(&credential)?;
        let Some(verdict) = verifier.verify_now(&credential, &moment) else {
            return Ok(Seen::Ask);
        };
        let outcome = server.conclude(verdict, &credential, verifier, &moment);
        #[cfg(feature = "cache")]
        server
            .verdicts
            .keep(digest, &outcome, verifier.lifetime(), moment.now(), memory);
        outcome.map(Seen::Known)
    }

    /// Asks whoever must be asked, once for all who ask the same at the same time.
    #[cfg(feature = "cache")]
    pub(crate) async fn ask(&self, parts: &Parts) -> Result<Option<AccessToken>, Error> {
        let Some(credential) = self.credential(parts)? else {
            return Ok(None);
        };
        let digest = Verdicts::digest(&credential);
        let outcome = self.0.verdicts.one_flight(digest, self.0.clock.now(), || {
            let server = self.0.clone();
            let token: Box<str> = credential.token().into();
            let carrier = credential.carrier().clone();
            async move {
                let credential = Credential::new(&token, &carrier);
                let (outcome, lifetime) = server.prove(&credential).await;
                (outcome, lifetime, server.clock.now())
            }
        });
        outcome.await.map(Some)
    }

    #[cfg(not(feature = "cache"))]
    pub(crate) async fn ask(&self, parts: &Parts) -> Result<Option<AccessToken>, Error> {
        let Some(credential) = self.credential(parts)? else {
            return Ok(None);
        };
        let (outcome, _) = self.0.prove(&credential).await;
        outcome.map(Some)
    }

    /// Leaves the outcome in the request.
    pub(crate) fn settle(
        &self,
        parts: &mut Parts,
        proven: Result<Option<AccessToken>, Error>,
    ) -> Result<Option<AccessToken>, Error> {
        Carrier::mark_sensitive(&self.0.carriers, &mut parts.headers);
        match proven {
            Ok(token) => {
                Presence::new(token.clone()).enter(&mut parts.extensions);
                Ok(token)
            }
            Err(error) => {
                // What a gate further outside has proven does not stand in for what this one
                // refuses.
                parts.extensions.remove::<Presence>();
                Err(error)
            }
        }
    }

    /// The credential of a request, unproven, for [`forget`](Self::forget).
    ///
    /// # Errors
    ///
    /// [`Error`] of kind `InvalidRequest` if there are several or one is malformed.
    pub fn credential<'a>(&'a self, parts: &'a Parts) -> Result<Option<Credential<'a>>, Error> {
        Ok(Carrier::find(&self.0.carriers, parts, self.0.limit)?)
    }

    /// Forgets what was proven about a credential; the next request that shows it is verified
    /// anew. For a logout or a revocation this server takes part in, once it is clear that the caller
    /// may log this token out. The same token in another carrier is another credential.
    pub fn forget(&self, credential: &Credential<'_>) {
        #[cfg(feature = "cache")]
        self.0.verdicts.forget(&Verdicts::digest(credential));
        #[cfg(not(feature = "cache"))]
        let _ = credential;
    }

    /// Brings what the verifiers need beforehand, such as key sets: for a readiness probe, or to
    /// spare the first request the wait.
    ///
    /// # Errors
    ///
    /// [`Error`] of kind `Unavailable`. The server works on without: it answers 503 until the
    /// issuer is back, and recovers by itself.
    pub async fn ready(&self) -> Result<(), Error> {
        let moment = Moment::of(&self.0.clock);
        for (_, verifier) in &self.0.routes {
            verifier.ready(&moment).await?;
        }
        Ok(())
    }

    /// The whole answer to a refusal, worded as this server words it. The error is in its
    /// extensions.
    pub fn answer(&self, error: &Error) -> Response<String> {
        log(error);
        let mut response = self.0.answers.answer(error);
        response.extensions_mut().insert(Worded);
        response
    }

    /// Whether this is a CORS preflight that needs no credential here: browsers never send one
    /// with it (Fetch standard, "CORS-preflight fetch").
    pub(crate) fn lets_pass(&self, parts: &Parts) -> bool {
        self.0.preflight
            && parts.method == Method::OPTIONS
            && parts.headers.contains_key(ORIGIN)
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The kind of a token with these claims, as if an `at+jwt` in the first carrier held them.
    #[cfg(feature = "testing")]
    pub(crate) fn kind_of(&self, claims: &ClaimSet) -> Result<Arc<str>, String> {
        let bearer = Carrier::bearer();
        let carrier = self.0.carriers.first().unwrap_or(&bearer);
        self.0.classify(carrier, Some("at+jwt"), claims)
    }

    /// Whether some credential may sit where HTTP caches do not look for one.
    pub(crate) fn must_guard_caches(&self) -> bool {
        self.0.guard_caches
    }
}

/// How long a verifier may take.
const LONGEST_VERIFICATION: Duration = Duration::from_secs(30);

/// One line per refusal. What the programmer must mend is louder than what a client did; an outage
/// was told already, once per attempt.
fn log(error: &Error) {
    let reason = error.reason().label();
    match error.reason() {
        Reason::MissingLayer => tracing::error!(reason, "{error}"),
        _ => tracing::debug!(reason, "{error}"),
    }
}

impl Inner {
    fn verifier_for(&self, credential: &Credential<'_>) -> Result<&dyn ErasedVerifier, Error> {
        let mut routes = self.routes.iter();
        match routes.find(|(when, _)| when.matches(credential)) {
            Some((_, verifier)) => Ok(&**verifier),
            None => Err(Error::new(
                Reason::Unrecognized,
                "no verifier of this server is for such a credential",
            )),
        }
    }

    /// Asks the verifier, and says how long its answer may be remembered.
    async fn prove(
        &self,
        credential: &Credential<'_>,
    ) -> (Result<AccessToken, Error>, VerdictLifetime) {
        let verifier = match self.verifier_for(credential) {
            Ok(verifier) => verifier,
            Err(error) => return (Err(error), VerdictLifetime::default()),
        };
        let moment = Moment::of(&self.clock);
        // The verifiers of this crate end sooner. One that never ends would hold its credential, and
        // whoever shows it, for good.
        let verdict = either(
            verifier.verify(credential, &moment),
            self.clock.sleep(LONGEST_VERIFICATION),
        );
        let verdict = verdict.await.unwrap_or_else(|| {
            Err(Error::unavailable(
                Duration::from_secs(5),
                format!("no verdict within {} s", LONGEST_VERIFICATION.as_secs()),
            ))
        });
        // The answer may have taken seconds.
        let moment = Moment::of(&self.clock);
        let outcome = self.conclude(verdict, credential, verifier, &moment);
        (outcome, verifier.lifetime())
    }

    fn classify(
        &self,
        carrier: &Carrier,
        typ: Option<&str>,
        claims: &ClaimSet,
    ) -> Result<Arc<str>, String> {
        match &self.kinds {
            None => Ok(self.default_kind.clone()),
            Some(kinds) => kinds.classify(carrier, typ, claims),
        }
    }

    /// Decides the kind and how long the verdict stands.
    fn conclude(
        &self,
        verdict: Result<Verified, Error>,
        credential: &Credential<'_>,
        verifier: &dyn ErasedVerifier,
        moment: &Moment<'_>,
    ) -> Result<AccessToken, Error> {
        let verified = verdict.inspect_err(|error| {
            if error.reason() == Reason::LookupUnavailable {
                tracing::warn!("{error}");
            }
        })?;
        let kind = self
            .classify(credential.carrier(), verified.typ(), verified.claims())
            .map_err(|why| Error::new(Reason::Kind, why))?;
        let cap = moment.now() + verifier.lifetime().of_accepted();
        let good_until = verified.ends().min(cap);
        Ok(AccessToken::new(verified, kind, good_until))
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer")
            .field("carriers", &self.0.carriers)
            .field("verifiers", &self.0.routes.len())
            .field("answers", &self.0.answers)
            .finish_non_exhaustive()
    }
}
