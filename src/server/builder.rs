//! What may be said about a [`ResourceServer`].

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::{Inner, ResourceServer};
use crate::challenge::{Answers, Renderer};
use crate::clock::{Clock, SystemClock};
use crate::credential::Carrier;
use crate::error::ConfigError;
use crate::kind::{ACCESS_TOKEN, Kinds};
use crate::route::When;
use crate::scope::Scope;
#[cfg(feature = "cache")]
use crate::verdict::Verdicts;
use crate::verify::{ErasedVerifier, Verifier};

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
        if let Err(error) = self.answers.set_bare_scopes(scopes.into_iter().collect()) {
            self.fault.get_or_insert(error);
        }
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
    ///
    /// Anybody reaches what is behind the gate with `OPTIONS` and these two headers, so nothing
    /// there may act on `OPTIONS`: no `axum::routing::any`, no proxy.
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
    /// [`ConfigError`] if there is no verifier, one is hidden by a route before it, a route or kind names a
    /// header that is no carrier, two carriers read the same header, the realm is not printable
    /// ASCII, a challenge scope looks like another parameter, or the credential limit is zero.
    pub fn build(mut self) -> Result<ResourceServer, ConfigError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.carriers.is_empty() {
            self.carriers.push(Carrier::bearer());
        }
        let mut names = HashSet::new();
        for carrier in &self.carriers {
            for name in carrier.names() {
                if name == "?" {
                    return Err(ConfigError::new("query parameter has no name, wanted one"));
                }
                if names.contains(&name) {
                    return Err(ConfigError::new(format!(
                        "{carrier:?} reads {name}, which is read already"
                    )));
                }
                names.insert(name);
            }
        }
        if self.routes.is_empty() {
            return Err(ConfigError::new(
                "there is no verifier, wanted at least one",
            ));
        }
        // Wherever it was written, the verifier for all the rest comes last.
        self.routes.sort_by_key(|(when, _)| when.is_always());
        for (place, (when, _)) in self.routes.iter().enumerate() {
            let hidden = self.routes[..place]
                .iter()
                .any(|(earlier, _)| earlier.covers(when));
            if hidden || when.is_impossible() {
                return Err(ConfigError::new(format!(
                    "{when:?} never gets a credential, wanted a route that none before it covers"
                )));
            }
        }
        let kinds = self.kinds.iter().flat_map(Kinds::headers);
        let routes = self.routes.iter().flat_map(|(when, _)| when.headers());
        for name in routes.chain(kinds) {
            if !self.carriers.iter().any(|carrier| carrier.is_header(name)) {
                return Err(ConfigError::new(format!(
                    "a route or kind names the header {}, wanted one of {:?}",
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
