//! How an authorization server is set up before it has an issuer.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::keys::KeyRing;
use super::listen::{Listening, Port};
use super::server::AuthorizationServer;
use super::site::{Site, is_absolute};
use super::state::{Shared, State};
use crate::algorithm::Algorithm;
use crate::clock::{Clock, SystemClock};

/// Sets up an [`AuthorizationServer`]. Ends with [`build`](Self::build) for one in this process,
/// or [`start`](Self::start) for one that listens.
///
/// # Examples
///
/// ```
/// use portcullis::UnixTime;
/// use portcullis::testing::{AuthorizationServer, ManualClock};
///
/// let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
/// let server = AuthorizationServer::builder()
///     .path("/tenant/a")
///     .clock(clock.clone())
///     .build();
/// assert_eq!(server.issuer(), "https://as.example/tenant/a");
/// ```
#[must_use]
pub struct AuthorizationServerBuilder {
    origin: String,
    path: String,
    port: u16,
    kid_prefix: String,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    oauth_metadata: bool,
    openid_configuration: bool,
}

impl AuthorizationServerBuilder {
    pub(super) fn new() -> AuthorizationServerBuilder {
        AuthorizationServerBuilder {
            origin: "https://as.example".to_owned(),
            path: String::new(),
            port: 0,
            kid_prefix: String::new(),
            algorithm: Algorithm::ES256,
            clock: Arc::new(SystemClock),
            oauth_metadata: true,
            openid_configuration: true,
        }
    }

    /// Sets scheme and authority of the issuer, for a second issuer in one test. Default:
    /// `https://as.example`. A server that listens has those of its socket instead.
    ///
    /// # Panics
    ///
    /// If `origin` is not of the form `https://as.example:8443`.
    #[track_caller]
    pub fn origin(mut self, origin: &str) -> Self {
        let is_origin = origin.parse::<http::Uri>().is_ok_and(|uri| {
            let parts = (uri.scheme_str(), uri.authority());
            matches!(parts, (Some(scheme), Some(authority))
                if origin == format!("{scheme}://{authority}"))
        });
        assert!(
            is_origin,
            "origin is {origin:?}, wanted scheme and authority only"
        );
        self.origin = origin.to_owned();
        self
    }

    /// Sets the issuer's path, so its metadata lies at `/.well-known/oauth-authorization-server`
    /// followed by it (RFC 8414 §3.1). Default: none. A slash at its end stays in the issuer.
    ///
    /// # Panics
    ///
    /// If `path` is no absolute path without query.
    #[track_caller]
    pub fn path(mut self, path: &str) -> Self {
        assert!(
            is_absolute(path),
            "path is {path:?}, wanted an absolute path"
        );
        self.path = path.to_owned();
        self
    }

    /// Sets the port [`start`](Self::start) listens on. Default: 0, any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the name of each key with this text. Default: nothing. For an issuer that comes back
    /// with other keys: a gate that knows a name takes it for the key it knows.
    pub fn kid_prefix(mut self, prefix: &str) -> Self {
        self.kid_prefix = prefix.to_owned();
        self
    }

    /// Sets the algorithm of tokens that name none. Default: ES256, whose keys are made quickly.
    ///
    /// # Panics
    ///
    /// If `algorithm` is symmetric.
    #[track_caller]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        assert!(
            !algorithm.is_symmetric(),
            "default algorithm is {algorithm}, wanted one with a public key"
        );
        self.algorithm = algorithm;
        self
    }

    /// Takes this clock for issuing, expiry and trouble. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Answers 404 for the metadata of RFC 8414, as servers do that know only OpenID Connect.
    pub fn without_oauth_metadata(mut self) -> Self {
        self.oauth_metadata = false;
        self
    }

    /// Answers 404 for the metadata of OpenID Connect Discovery.
    pub fn without_openid_configuration(mut self) -> Self {
        self.openid_configuration = false;
        self
    }

    /// Makes the server, without a socket.
    ///
    /// # Panics
    ///
    /// If the machine cannot make a key.
    #[track_caller]
    pub fn build(self) -> AuthorizationServer {
        let shared = self.shared();
        AuthorizationServer::from_parts(shared, None)
    }

    /// Makes the server and lets it listen on 127.0.0.1, on tasks of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If the port cannot be had.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O enabled, or if the machine cannot make a key.
    pub async fn start(mut self) -> io::Result<AuthorizationServer> {
        let port = Port::reserve(self.port)?;
        let number = port.number();
        self.origin = format!("http://127.0.0.1:{number}");
        let shared = self.shared();
        let listening = Listening::on(port, Arc::clone(&shared))?;
        Ok(AuthorizationServer::from_parts(
            shared,
            Some((number, listening)),
        ))
    }

    #[track_caller]
    fn shared(self) -> Arc<Shared> {
        let shared = Shared {
            site: Site::new(&self.origin, &self.path),
            algorithm: self.algorithm,
            clock: self.clock,
            oauth_metadata: self.oauth_metadata,
            openid_configuration: self.openid_configuration,
            open: watch::Sender::new(true),
            state: Mutex::new(State {
                keys: KeyRing::named(self.kid_prefix),
                ..State::default()
            }),
        };
        // A key set that is asked for before the first token must not be empty.
        shared.key(self.algorithm);
        Arc::new(shared)
    }
}

impl fmt::Debug for AuthorizationServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServerBuilder")
            .field("origin", &self.origin)
            .field("path", &self.path)
            .field("port", &self.port)
            .field("kid_prefix", &self.kid_prefix)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
