//! The resource server: carriers, verifiers and answers under one roof. Knows traits, never a kind
//! of token.

use std::fmt;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::request::Parts;
use http::{Method, Response};

use crate::challenge::{Answers, Renderer, Worded};
use crate::clock::{Clock, SystemClock};
use crate::credential::{Carrier, Credential};
use crate::error::{ConfigError, Error, Reason};
use crate::kind::{ACCESS_TOKEN, Kinds};
use crate::route::When;
use crate::scope::Scope;
use crate::token::{AccessToken, Presence, Verified};
use crate::verify::{ErasedVerifier, Moment, Verifier};

#[cfg(feature = "cache")]
use crate::verdict::Verdicts;
#[cfg(feature = "cache")]
use crate::verify::VerdictLifetime;

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
    /// Begins a server.
    pub fn builder() -> ResourceServerBuilder {
        ResourceServerBuilder {
            carriers: Vec::new(),
            routes: Vec::new(),
            kinds: None,
            clock: Arc::new(SystemClock),
            answers: Answers::default(),
            limit: 16 * 1024,
            preflight: false,
            fault: None,
            #[cfg(feature = "cache")]
            capacity: 10_000,
        }
    }

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
        let verifier = server.verifier_for(&credential)?;
        let Some(verdict) = verifier.verify_now(&credential, &moment) else {
            return Ok(Seen::Ask);
        };
        let outcome = server.conclude(verdict, &credential, verifier, &moment);
        #[cfg(feature = "cache")]
        server
            .verdicts
            .keep(digest, &outcome, verifier.lifetime(), moment.now());
        outcome.map(Seen::Known)
    }

    /// Asks whoever must be asked, once for all who ask the same at the same time.
    #[cfg(feature = "cache")]
    pub(crate) async fn ask(&self, parts: &Parts) -> Result<Option<AccessToken>, Error> {
        let Some(credential) = self.credential(parts)? else {
            return Ok(None);
        };
        let digest = Verdicts::digest(&credential);
        let outcome = self.0.verdicts.one_flight(digest, || {
            let server = self.0.clone();
            let token: Box<str> = credential.token().into();
            let carrier = credential.carrier().clone();
            async move {
                let credential = Credential::new(&token, &carrier);
                let outcome = server.prove(&credential).await;
                let lifetime = server.verifier_for(&credential).map_or_else(
                    |_| VerdictLifetime::default(),
                    |verifier| verifier.lifetime(),
                );
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
        self.0.prove(&credential).await.map(Some)
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
                parts.extensions.insert(Presence::new(token.clone()));
                Ok(token)
            }
            Err(error) => Err(error),
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
    /// anew. For a logout or a revocation this server takes part in. The same token in another
    /// carrier is another credential.
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

    /// Whether some credential may sit where HTTP caches do not look for one.
    pub(crate) fn must_guard_caches(&self) -> bool {
        self.0.guard_caches
    }
}

/// One line per refusal. What the operator must mend is louder than what a client did; that keys
/// cannot be had, the engine that fetches them has said already, once per attempt.
fn log(error: &Error) {
    let reason = error.reason().label();
    match error.reason() {
        Reason::MissingLayer => tracing::error!(reason, "{error}"),
        Reason::LookupUnavailable => tracing::warn!(reason, "{error}"),
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

    async fn prove(&self, credential: &Credential<'_>) -> Result<AccessToken, Error> {
        let verifier = self.verifier_for(credential)?;
        let moment = Moment::of(&self.clock);
        let verdict = verifier.verify(credential, &moment).await;
        // The answer may have taken seconds.
        let moment = Moment::of(&self.clock);
        self.conclude(verdict, credential, verifier, &moment)
    }

    /// Decides the kind and how long the verdict stands.
    fn conclude(
        &self,
        verdict: Result<Verified, Error>,
        credential: &Credential<'_>,
        verifier: &dyn ErasedVerifier,
        moment: &Moment<'_>,
    ) -> Result<AccessToken, Error> {
        let verified = verdict?;
        let kind = match &self.kinds {
            None => self.default_kind.clone(),
            Some(kinds) => kinds
                .classify(credential.carrier(), verified.typ(), verified.claims())
                .map_err(|why| Error::new(Reason::Kind, why))?,
        };
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

/// Sets up a [`ResourceServer`].
#[must_use]
pub struct ResourceServerBuilder {
    carriers: Vec<Carrier>,
    routes: Vec<(When, Box<dyn ErasedVerifier>)>,
    kinds: Option<Kinds>,
    clock: Arc<dyn Clock>,
    answers: Answers,
    limit: usize,
    preflight: bool,
    fault: Option<ConfigError>,
    #[cfg(feature = "cache")]
    capacity: u64,
}

impl ResourceServerBuilder {
    /// Adds a place where the credential may sit. Default, if none is added:
    /// [`Carrier::bearer`] alone.
    pub fn carrier(mut self, carrier: Carrier) -> ResourceServerBuilder {
        self.carriers.push(carrier);
        self
    }

    /// Sends every credential that no [`route`](Self::route) takes to `verifier`.
    pub fn verifier(self, verifier: impl Verifier) -> ResourceServerBuilder {
        self.route(When::always(), verifier)
    }

    /// Sends the credentials that fit `when` to `verifier`. Routes are tried in the order they
    /// were added; the first that fits takes the credential, before any network call.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(all(feature = "jwt", feature = "introspection"))]
    /// # fn set_up(
    /// #     jwt: portcullis::JwtVerifier,
    /// #     introspection: portcullis::IntrospectionVerifier,
    /// # ) -> Result<portcullis::ResourceServer, portcullis::ConfigError> {
    /// use portcullis::{ResourceServer, When};
    ///
    /// ResourceServer::builder()
    ///     .route(When::jwt(), jwt)
    ///     .route(When::opaque(), introspection)
    ///     .build()
    /// # }
    /// ```
    pub fn route(mut self, when: When, verifier: impl Verifier) -> ResourceServerBuilder {
        self.routes.push((when, Box::new(verifier)));
        self
    }

    /// The kinds of tokens this server tells apart. Default: one kind, `access_token`.
    pub fn kinds(mut self, kinds: Kinds) -> ResourceServerBuilder {
        self.kinds = Some(kinds);
        self
    }

    /// The clock all times are judged by. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> ResourceServerBuilder {
        self.clock = Arc::new(clock);
        self
    }

    /// The `realm` of challenges (RFC 9110 §11.5): printable ASCII. Default: `api`.
    pub fn realm(mut self, realm: &str) -> ResourceServerBuilder {
        if let Err(error) = self.answers.set_realm(realm) {
            self.fault.get_or_insert(error);
        }
        self
    }

    /// Names these scopes in the challenge of a request without credentials, too. Default: none,
    /// because a client that registers itself would register for exactly them, and could not step
    /// up later. The challenge of a 403 always names all scopes of the operation.
    pub fn challenge_scopes(
        mut self,
        scopes: impl IntoIterator<Item = Scope>,
    ) -> ResourceServerBuilder {
        self.answers.set_bare_scopes(scopes.into_iter().collect());
        self
    }

    /// Gives refusals another shape. Default: `application/problem+json` (RFC 9457).
    pub fn renderer(mut self, renderer: impl Renderer) -> ResourceServerBuilder {
        self.answers.set_renderer(Arc::new(renderer));
        self
    }

    /// How many bytes a token may have. Longer ones are refused unparsed. Default: 16,384.
    pub fn credential_limit(mut self, bytes: usize) -> ResourceServerBuilder {
        self.limit = bytes;
        self
    }

    /// Lets CORS preflights through without a credential: `OPTIONS` with `Origin` and
    /// `Access-Control-Request-Method`. Default: they are refused like everything else. Better
    /// put tower-http's `CorsLayer` *outside* of this gate, where it answers preflights itself and
    /// gives refusals their CORS headers; this option is for services that answer them inside.
    pub fn allow_preflight(mut self) -> ResourceServerBuilder {
        self.preflight = true;
        self
    }

    /// How many verdicts are remembered, and a tenth of that of refusals. Default: 10,000, about
    /// 20 MB with tokens of a kilobyte.
    #[cfg(feature = "cache")]
    pub fn verdict_capacity(mut self, verdicts: u64) -> ResourceServerBuilder {
        self.capacity = verdicts;
        self
    }

    /// Makes the server.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no verifier, one can never be reached, a route names a header
    /// that is no carrier, a carrier is added twice, the realm is not printable ASCII, or the
    /// credential limit is zero.
    pub fn build(mut self) -> Result<ResourceServer, ConfigError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.carriers.is_empty() {
            self.carriers.push(Carrier::bearer());
        }
        for (place, carrier) in self.carriers.iter().enumerate() {
            if self.carriers[..place].contains(carrier) {
                return Err(ConfigError::new(format!("{carrier:?} is added twice")));
            }
        }
        if self.routes.is_empty() {
            return Err(ConfigError::new(
                "there is no verifier, wanted at least one",
            ));
        }
        // Wherever it was written, the verifier for all the rest comes last.
        self.routes.sort_by_key(|(when, _)| when.is_always());
        if self
            .routes
            .iter()
            .filter(|(when, _)| when.is_always())
            .count()
            > 1
        {
            return Err(ConfigError::new(
                "there are two verifiers for every credential, wanted route for one of them",
            ));
        }
        for name in self.routes.iter().flat_map(|(when, _)| when.headers()) {
            if !self.carriers.iter().any(|carrier| carrier.is_header(name)) {
                return Err(ConfigError::new(format!(
                    "route names the header {}, wanted one of {:?}",
                    crate::text::quote(name),
                    self.carriers
                )));
            }
        }
        if self.limit == 0 {
            return Err(ConfigError::new(
                "credential limit is 0, wanted at least 1 byte",
            ));
        }
        let guard_caches = self
            .carriers
            .iter()
            .any(|carrier| *carrier != Carrier::bearer());
        Ok(ResourceServer(Arc::new(Inner {
            guard_caches,
            carriers: self.carriers,
            routes: self.routes,
            kinds: self.kinds,
            default_kind: ACCESS_TOKEN.into(),
            clock: self.clock,
            answers: self.answers,
            limit: self.limit,
            preflight: self.preflight,
            #[cfg(feature = "cache")]
            verdicts: Arc::new(Verdicts::new(self.capacity)),
        })))
    }
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder")
            .field("carriers", &self.carriers)
            .field("verifiers", &self.routes.len())
            .finish_non_exhaustive()
    }
}
