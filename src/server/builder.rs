//! What may be said about a [`ResourceServer`].

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::ResourceServer;
use super::apart;
use super::check::{Check, ErasedCheck, Function};
use super::credential_slot::{CredentialSlot, check_carriers};
use super::proving::{Inner, PrincipalRule, Tie};
use crate::challenge::{Answers, Renderer};
use crate::claims::ClaimSet;
use crate::clock::{Clock, SystemClock};
use crate::credential::Carrier;
use crate::error::{ConfigError, Error};
use crate::hierarchy::ScopeHierarchy;
use crate::kind::{Kind, Kinds};
use crate::principal::PrincipalType;
use crate::route::When;
use crate::scope::Scope;
use crate::token::{AccessToken, GateId};
#[cfg(feature = "cache")]
use crate::verdict::Verdicts;
use crate::verify::Verifier;

/// Sets up a [`ResourceServer`].
#[must_use]
pub struct ResourceServerBuilder {
    first: CredentialSlot,
    /// Whether a carrier was named.
    carried: bool,
    second: Option<CredentialSlot>,
    tie: Option<Box<Tie>>,
    checks: Vec<Box<dyn ErasedCheck>>,
    principals: Option<Box<PrincipalRule>>,
    hierarchy: Option<Arc<ScopeHierarchy>>,
    clock: Arc<dyn Clock>,
    answers: Answers,
    limit: usize,
    preflight: bool,
    fault: Option<ConfigError>,
    #[cfg(feature = "cache")]
    capacity: usize,
    #[cfg(feature = "cache")]
    tokens_at_hand: bool,
}

impl ResourceServer {
    /// Begins a server.
    pub fn builder() -> ResourceServerBuilder {
        ResourceServerBuilder {
            first: CredentialSlot::new().required(),
            carried: false,
            second: None,
            tie: None,
            checks: Vec::new(),
            principals: None,
            hierarchy: None,
            clock: Arc::new(SystemClock),
            answers: Answers::default(),
            limit: 16 * 1024,
            preflight: false,
            fault: None,
            #[cfg(feature = "cache")]
            capacity: 10_000,
            #[cfg(feature = "cache")]
            tokens_at_hand: true,
        }
    }
}

impl ResourceServerBuilder {
    /// Adds a place where the credential may sit. Default, if none is added:
    /// [`Carrier::bearer`] alone.
    pub fn carrier(mut self, carrier: Carrier) -> ResourceServerBuilder {
        self.carried = true;
        self.first = self.first.carrier(carrier);
        self
    }

    /// Refuses a request (400) that has a credential and, beside it, the query parameter `name`
    /// (RFC 6750 §2: one method per request), such as `access_token`: its sender may think that it
    /// counts. It is never read as a credential. Default: the query is not looked at.
    pub fn not_beside_query(mut self, name: &str) -> ResourceServerBuilder {
        self.first = self.first.not_beside_query(name);
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
        self.first = self.first.route(when, verifier);
        self
    }

    /// The kinds of tokens this server tells apart, proven by the verifiers of its routes. Default:
    /// one kind, `access_token`.
    pub fn kinds(mut self, kinds: Kinds) -> ResourceServerBuilder {
        self.first = self.first.kinds(kinds);
        self
    }

    /// Adds a kind of token with a verifier of its own: its own keys, issuer, audience and leeway.
    /// A credential that no [`route`](Self::route) takes is shown to the verifier of each kind whose
    /// place fits, and must be of exactly one.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::{Algorithm, JwtVerifier, Kind, ResourceServer};
    ///
    /// let jwt = |secret: &str| {
    ///     JwtVerifier::builder("https://as.example", "https://api.example.com/")
    ///         .hmac_secret(Algorithm::HS256, secret)
    ///         .build()
    /// };
    /// let server = ResourceServer::builder()
    ///     .kind(Kind::named("user"), jwt("a secret of at least 32 bytes, for users")?)
    ///     .kind(Kind::named("machine"), jwt("a secret of at least 32 bytes, for machines")?)
    ///     .build()?;
    ///
    /// let alike = ResourceServer::builder()
    ///     .kind(Kind::named("user"), jwt("a secret of at least 32 bytes, for all")?)
    ///     .kind(Kind::named("machine"), jwt("a secret of at least 32 bytes, for all")?)
    ///     .build();
    /// assert_eq!(
    ///     alike.unwrap_err().to_string(),
    ///     "nothing tells the kinds user and machine apart, wanted a carrier, typ, audience, claim \
    ///      or key in which they differ"
    /// );
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    pub fn kind(mut self, kind: Kind, verifier: impl Verifier) -> ResourceServerBuilder {
        self.first = self.first.kind(kind, verifier);
        self
    }

    /// Adds a second credential that a request may carry beside the first: a `request_token` beside
    /// the Bearer token, an app's credential beside the user's. Each is proven by itself. Handlers
    /// get them by kind, with [`Token<K>`](crate::Token) or
    /// [`AccessToken::of_kind`](crate::AccessToken::of_kind); every other extractor is about the first.
    /// A refusal has the Bearer challenge whichever credential it is about, since HTTP knows no other
    /// for a header of one's own; a [`Renderer`] tells them apart by
    /// [`Error::carrier`](crate::Error::carrier). Default: none.
    pub fn second_slot(mut self, slot: CredentialSlot) -> ResourceServerBuilder {
        self.second = Some(slot);
        self
    }

    /// Ties the two credentials of a request together, if both are there: the same client, the same
    /// app. Asked after both are proven, on each request. Default: they have nothing to do with
    /// each other.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::{AccessToken, Error};
    ///
    /// fn same_app(user: &AccessToken, app: &AccessToken) -> Result<(), Error> {
    ///     match (user.client_id(), app.client_id()) {
    ///         (Some(one), Some(other)) if one == other => Ok(()),
    ///         _ => Err(Error::forbidden("the two tokens are of different apps")),
    ///     }
    /// }
    /// # let builder = portcullis::ResourceServer::builder();
    /// let builder = builder.tie(same_app);
    /// ```
    pub fn tie(
        mut self,
        tie: impl Fn(&AccessToken, &AccessToken) -> Result<(), Error> + Send + Sync + 'static,
    ) -> ResourceServerBuilder {
        self.tie = Some(Box::new(tie));
        self
    }

    /// Asks `check` about every proven token of every request, after its proof and before any
    /// handler. Call it again for another; the first refusal counts.
    pub fn check(mut self, check: impl Check) -> ResourceServerBuilder {
        self.checks.push(Box::new(check));
        self
    }

    /// As [`check`](Self::check), for a function that needs no waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::Error;
    ///
    /// # let builder = portcullis::ResourceServer::builder();
    /// let builder = builder.check_with(|token, parts| match token.subject() {
    ///     Some("mallory") => Err(Error::forbidden("this user is banned")),
    ///     _ => Ok(()),
    /// });
    /// ```
    pub fn check_with(
        self,
        check: impl Fn(&AccessToken, &Parts) -> Result<(), Error> + Send + Sync + 'static,
    ) -> ResourceServerBuilder {
        self.check(Function(check))
    }

    /// Says who acts, for issuers that say it otherwise than with `sub` and `client_id`. Asked once
    /// per verification. Default: [`PrincipalType::of`].
    pub fn principals(
        mut self,
        rule: impl Fn(&ClaimSet) -> PrincipalType + Send + Sync + 'static,
    ) -> ResourceServerBuilder {
        self.principals = Some(Box::new(rule));
        self
    }

    /// Lets broader scopes imply narrower ones. Default: scopes are exact words.
    pub fn scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> ResourceServerBuilder {
        self.hierarchy = Some(Arc::new(hierarchy));
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

    /// How many verdicts are remembered, and a tenth of that of refusals; zero: no verdict is. Default:
    /// 10,000, which takes about 10 MB. The chapter [`performance`](crate::performance) tells how to
    /// choose.
    #[cfg(feature = "cache")]
    pub fn verdict_capacity(mut self, verdicts: u64) -> ResourceServerBuilder {
        self.capacity = usize::try_from(verdicts).unwrap_or(usize::MAX);
        self
    }

    /// Keeps no token in memory for longer than it takes to answer its request, or to find out about it.
    /// Default: each thread keeps the text of up to 64 tokens that it is shown again and again, since
    /// comparing it is faster than anything else, until others take their places, also past a
    /// [`forget`](ResourceServer::forget). All others are remembered by a name of which nobody can make the
    /// token; what the claims say is remembered in any case. For who must assume that somebody reads the
    /// memory of the process. It costs about 0.2 microseconds for each request.
    #[cfg(feature = "cache")]
    pub fn keep_no_tokens(mut self) -> ResourceServerBuilder {
        self.tokens_at_hand = false;
        self
    }

    /// Makes the server.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no verifier, one is hidden by a route before it, a route or kind
    /// names a header that is no carrier, two carriers read the same header, nothing tells two kinds
    /// apart, two kinds have one name, a JSON pointer of a kind is none, there are kinds without a
    /// verifier, there is a tie without a second slot or a second slot without a carrier or a kind,
    /// a query parameter has no name, the realm is not printable ASCII, a challenge scope looks like another parameter,
    /// the credential limit is zero, more than 16,777,216 verdicts are to be remembered, or the operating
    /// system gives no random numbers.
    pub fn build(mut self) -> Result<ResourceServer, ConfigError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if !self.carried {
            self.first = self.first.carrier(Carrier::bearer());
        }
        let (first, kinds) = self.first.build()?;
        let mut kinds = vec![kinds];
        let mut second = None;
        if let Some(slot) = self.second {
            let (slot, its_kinds) = slot.build()?;
            kinds.push(its_kinds);
            second = Some((Arc::new(slot.as_second()?), slot));
        }
        let second_carriers = second.iter().flat_map(|(_, slot)| &slot.carriers);
        let carriers: Vec<&Carrier> = first.carriers.iter().chain(second_carriers).collect();
        check_carriers(&carriers)?;
        apart::check(&kinds)?;
        if self.limit == 0 {
            return Err(ConfigError::new(
                "credential limit is 0, wanted at least 1 byte",
            ));
        }
        if self.tie.is_some() && second.is_none() {
            return Err(ConfigError::new(
                "there is a tie and one credential slot, wanted a second",
            ));
        }
        let mut elsewhere = carriers
            .iter()
            .map(|carrier| !carrier.is_header("authorization"));
        Ok(ResourceServer(Arc::new(Inner {
            id: GateId::new(),
            guard_caches: elsewhere.any(|elsewhere| elsewhere),
            second,
            first,
            tie: self.tie,
            checks: self.checks,
            principals: self.principals,
            hierarchy: self.hierarchy,
            clock: self.clock,
            answers: self.answers,
            limit: self.limit,
            preflight: self.preflight,
            #[cfg(feature = "cache")]
            verdicts: Arc::new(Verdicts::new(self.capacity, self.tokens_at_hand)?),
            #[cfg(feature = "cache")]
            in_need: Default::default(),
        })))
    }
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder")
            .field("first", &self.first)
            .field("second", &self.second)
            .finish_non_exhaustive()
    }
}
