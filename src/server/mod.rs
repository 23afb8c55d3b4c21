//! The resource server: carriers, verifiers and answers under one roof. Knows traits, never a kind
//! of token.

mod apart;
mod asking;
mod builder;
mod check;
mod credential_slot;
mod fresh;
mod one_of;
mod proving;
mod slot;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::request::Parts;
use http::{Method, Response};

use crate::challenge::Worded;
use crate::credential::{Carrier, Credential};
use crate::error::{Error, Reason};
use crate::fetch::either;
use crate::status::Status;
#[cfg(feature = "axum")]
use crate::token::FromToken;
use crate::token::{AccessToken, Presence};
use crate::verify::Moment;

use proving::Inner;

pub use self::builder::ResourceServerBuilder;
pub use self::check::Check;
pub use self::credential_slot::CredentialSlot;
pub use self::fresh::FreshGuard;
pub(crate) use self::proving::{Proven, Seen, Strangers};

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

impl ResourceServer {
    /// Finds and proves the credential of a request, and leaves the token in its extensions for
    /// extractors and [`AccessToken::of`]. `Ok(None)` means that no credential was sent; whether
    /// that is enough is the caller's decision, also of a [second slot](CredentialSlot::required); see
    /// [`AccessToken::of_kind`]. The credential's header is marked sensitive.
    ///
    /// This is the heart: the layers and extractors call it, and so may a hyper service. The answer is the
    /// caller's: if the credential sits elsewhere than in `Authorization`, caches do not know of it, and
    /// the answer needs a `Cache-Control: private` (RFC 6750 §2.3), which the layers add by themselves.
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
        let proven = self.prove(parts, Strangers::Pass).await;
        let first = proven.as_ref().map_or(None, |proven| proven.first.clone());
        self.settle(parts, proven)?;
        Ok(first)
    }

    async fn prove(&self, parts: &Parts, strangers: Strangers) -> Result<Proven, Error> {
        match self.0.see(parts, strangers)? {
            Seen::Known(proven) => Ok(proven),
            // Behind a pointer: what is seldom needed would make the future of every request large.
            Seen::Ask => Box::pin(self.0.ask(parts, strangers)).await,
        }
    }

    /// Proves the credential of a request for one extractor alone, and makes `T` of it. Nothing is left
    /// in the request, unless a gate outside has left something: then others find the tokens of this gate,
    /// the nearest.
    #[cfg(feature = "axum")]
    pub(crate) async fn extract<T: FromToken>(&self, parts: &mut Parts) -> Result<T, Error> {
        let proven = self.prove(parts, Strangers::AreRefused).await;
        if parts.extensions.get::<Presence>().is_some() {
            self.settle(parts, proven)?;
            let presence = Presence::expect(&parts.extensions, "Authenticated")?;
            let made = presence.make();
            return made.map_err(|error: Error| error.with_more_scopes(&presence.outer_scopes));
        }
        self.mark_sensitive(parts);
        self.presence(proven?).make()
    }

    /// What is known without waiting.
    pub(crate) fn see(&self, parts: &Parts, strangers: Strangers) -> Result<Seen, Error> {
        self.0.see(parts, strangers)
    }

    /// Asks whoever must be asked.
    pub(crate) async fn ask(&self, parts: &Parts, strangers: Strangers) -> Result<Proven, Error> {
        self.0.ask(parts, strangers).await
    }

    /// Leaves the outcome in the request.
    pub(crate) fn settle(
        &self,
        parts: &mut Parts,
        proven: Result<Proven, Error>,
    ) -> Result<(), Error> {
        self.mark_sensitive(parts);
        match proven {
            Ok(proven) => {
                self.presence(proven).enter(&mut parts.extensions);
                Ok(())
            }
            Err(error) => {
                // What a gate further outside has proven does not stand in for what this one
                // refuses.
                parts.extensions.remove::<Presence>();
                Err(error)
            }
        }
    }

    fn mark_sensitive(&self, parts: &mut Parts) {
        for slot in self.0.slots() {
            Carrier::mark_sensitive(&slot.carriers, &mut parts.headers);
        }
    }

    fn presence(&self, proven: Proven) -> Presence {
        let presence = Presence::new(proven.first, self.0.id);
        match &self.0.second {
            Some((facts, _)) => presence.with_second(proven.second, facts.clone()),
            None => presence,
        }
    }

    /// The credential of a request, unproven, for [`forget`](Self::forget).
    ///
    /// # Errors
    ///
    /// [`Error`] of kind `InvalidRequest` if there are several or one is malformed.
    pub fn credential<'a>(&'a self, parts: &'a Parts) -> Result<Option<Credential<'a>>, Error> {
        self.0.first.find(parts, self.0.limit)
    }

    /// As [`credential`](Self::credential), of the second slot, if this server has one.
    ///
    /// # Errors
    ///
    /// As [`credential`](Self::credential).
    pub fn second_credential<'a>(
        &'a self,
        parts: &'a Parts,
    ) -> Result<Option<Credential<'a>>, Error> {
        match &self.0.second {
            Some((_, slot)) => slot.find(parts, self.0.limit),
            None => Ok(None),
        }
    }

    /// Forgets what was proven about a credential; the next request that shows it is verified
    /// anew. For a logout or a revocation this server takes part in, once it is clear that the caller
    /// may log this token out. The same token in another carrier is another credential.
    pub fn forget(&self, credential: &Credential<'_>) {
        #[cfg(feature = "cache")]
        self.0.verdicts.forget(credential);
        #[cfg(not(feature = "cache"))]
        let _ = credential;
    }

    /// Forgets what was proven about every token whose `sub` is `subject`, of whichever issuer: the next
    /// request that shows one is verified anew. For a user who is banned or logs out everywhere, once
    /// whoever is asked knows of it. Tokens of another issuer's user of that name are asked about
    /// again, too, and pass.
    ///
    /// A JWT is proven anew by its signature, which is still good: it passes again until its `exp`, but
    /// where [freshness](Self::fresh) is demanded. To log JWTs out everywhere, let a
    /// [`Check`](crate::Check) know of it. Refusals stay remembered.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn log_out(server: portcullis::ResourceServer, token: portcullis::AccessToken) {
    /// // The sessions of this user are ended in the store that the gate asks; then:
    /// if let Some(subject) = token.subject() {
    ///     server.forget_subject(subject);
    /// }
    /// # }
    /// ```
    ///
    /// It looks at everything that is remembered, on the thread that calls.
    pub fn forget_subject(&self, subject: &str) {
        #[cfg(feature = "cache")]
        self.0.verdicts.forget_subject(subject);
        #[cfg(not(feature = "cache"))]
        let _ = subject;
    }

    /// Forgets what was proven or refused about any token: each is verified anew.
    pub fn forget_all(&self) {
        #[cfg(feature = "cache")]
        self.0.verdicts.forget_all();
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
        let mut outcome = Ok(());
        for (_, verifier) in self.0.slots().flat_map(|slot| &slot.routes) {
            outcome = outcome.and(verifier.ready(&moment).await);
        }
        outcome
    }

    /// As [`ready`](Self::ready), but gives an issuer that is down `patience` to come back: for a server
    /// that shall not start without its keys. Default: a server starts without.
    ///
    /// # Errors
    ///
    /// [`Error`] of kind `Unavailable`: what was still missing at the end.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn start(server: portcullis::ResourceServer) -> Result<(), portcullis::Error> {
    /// use std::time::Duration;
    ///
    /// server.ready_within(Duration::from_secs(30)).await?; // in `main`, before the first request
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ready_within(&self, patience: Duration) -> Result<(), Error> {
        let clock = &self.0.clock;
        let end = clock.now() + patience;
        let mut missing = None;
        loop {
            let left = end.since(clock.now());
            match either(self.ready(), clock.sleep(left)).await {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) if left.is_zero() => return Err(error),
                Some(Err(error)) => {
                    let pause = error.retry_after().unwrap_or_default();
                    missing = Some(error);
                    // At the end there is one last look.
                    let left = end.since(clock.now());
                    clock.sleep(pause.max(SHORTEST_PAUSE).min(left)).await;
                }
                None => {
                    let late = || Error::new(Reason::KeysUnavailable, "no keys came in time");
                    return Err(missing.unwrap_or_else(late));
                }
            }
        }
    }

    /// The state of everything this server depends on: how fresh the keys are, what the last error
    /// was, when the next fetch is due, which endpoints answer. Asks nobody. Key sets and endpoints that
    /// several verifiers share are named once for each.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn page(server: portcullis::ResourceServer) -> Option<String> {
    /// // On a page of your operators', never on the API itself.
    /// let status = server.status();
    /// for keys in &status.keys {
    ///     println!("{}: {:?} s old, {:?}", keys.source, keys.age_seconds, keys.last_error);
    /// }
    /// let json = serde_json::to_string(&status).ok()?;
    /// # Some(json)
    /// # }
    /// ```
    pub fn status(&self) -> Status {
        let moment = Moment::of(&self.0.clock);
        let mut status = Status::default();
        for (_, verifier) in self.0.slots().flat_map(|slot| &slot.routes) {
            status.extend(verifier.status(&moment));
        }
        status
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

    /// See `Inner::token_with`.
    #[cfg(feature = "testing")]
    pub(crate) fn token_with(
        &self,
        claims: crate::claims::ClaimSet,
    ) -> Result<AccessToken, String> {
        self.0.token_with(claims)
    }

    /// See `Inner::add_token`.
    #[cfg(feature = "testing")]
    pub(crate) fn add_token(
        &self,
        proven: &mut Proven,
        kind: &str,
        claims: crate::claims::ClaimSet,
    ) -> Result<(), String> {
        self.0.add_token(proven, kind, claims)
    }

    /// Whether some credential may sit where HTTP caches do not look for one.
    pub(crate) fn must_guard_caches(&self) -> bool {
        self.0.guard_caches
    }
}

/// Between two looks at whether the server is ready.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// One line per refusal. What the programmer must mend is louder than what a client did; an outage
/// was told already, once per attempt.
fn log(error: &Error) {
    let reason = error.reason().label();
    match error.reason() {
        Reason::MissingLayer => tracing::error!(reason, "{error}"),
        _ => tracing::debug!(reason, "{error}"),
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer")
            .field("carriers", &self.0.first.carriers)
            .field("verifiers", &self.0.first.routes.len())
            .field("answers", &self.0.answers)
            .finish_non_exhaustive()
    }
}
