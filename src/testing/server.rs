//! The authorization server as a test holds it: where it is, whether it is up.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::builder::AuthorizationServerBuilder;
use super::listen::{Listening, Port};
use super::site::{Endpoint, Place};
use super::state::{InProcess, Shared};
use crate::clock::Clock;
use crate::fetch::Fetch;

/// An authorization server that lives in the test process.
///
/// Without a socket ([`new`](Self::new)) it is reached through [`fetcher`](Self::fetcher); with one
/// ([`start`](Self::start)) over HTTP as well, and both ways give the same answers. Clones are
/// handles of one server.
///
/// # Examples
///
/// ```
/// use portcullis::Fetch;
/// use portcullis::testing::{AuthorizationServer, Endpoint, Trouble};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = AuthorizationServer::new();
/// server.trouble(Endpoint::Jwks, Trouble::Status(503));
/// let request = http::Request::get(server.jwks_uri()).body(Vec::new()).unwrap();
/// let answer = server.fetcher().fetch(request, 1024).await.unwrap();
/// assert_eq!(answer.status(), 503);
/// assert_eq!(server.asked(Endpoint::Jwks), 1);
/// # }
/// ```
#[derive(Clone)]
pub struct AuthorizationServer {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    /// `None` for a server without a socket.
    port: Option<u16>,
    socket: Mutex<Socket>,
}

enum Socket {
    None,
    Reserved(Port),
    Open(Listening),
}

impl AuthorizationServer {
    /// Makes a server without a socket. Its issuer is `https://as.example`.
    ///
    /// # Panics
    ///
    /// If the machine cannot make a key.
    #[allow(clippy::new_without_default)] // A default that makes keys would surprise.
    #[track_caller]
    pub fn new() -> AuthorizationServer {
        AuthorizationServer::builder().build()
    }

    /// Makes a server that listens on a free port of 127.0.0.1, on tasks of the current tokio
    /// runtime. Its issuer is `http://127.0.0.1:PORT`. It stops when the last handle is dropped.
    ///
    /// # Errors
    ///
    /// If there is no port to be had.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O enabled, or if the machine cannot make a key.
    pub async fn start() -> io::Result<AuthorizationServer> {
        AuthorizationServer::builder().start().await
    }

    /// Begins a server with another path, clock or algorithm.
    pub fn builder() -> AuthorizationServerBuilder {
        AuthorizationServerBuilder::new()
    }

    pub(super) fn from_parts(
        shared: Arc<Shared>,
        listening: Option<(u16, Listening)>,
    ) -> AuthorizationServer {
        let (port, socket) = match listening {
            None => (None, Socket::None),
            Some((port, listening)) => (Some(port), Socket::Open(listening)),
        };
        let socket = Mutex::new(socket);
        AuthorizationServer {
            handle: Arc::new(Handle {
                shared,
                port,
                socket,
            }),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The issuer identifier, exactly as in tokens and metadata.
    pub fn issuer(&self) -> &str {
        &self.shared().site.issuer
    }

    /// The URL of an endpoint or of any other path of this server.
    pub fn url(&self, place: impl Into<Place>) -> String {
        self.shared().site.url(place)
    }

    /// The URL of the key set.
    pub fn jwks_uri(&self) -> String {
        self.url(Endpoint::Jwks)
    }

    /// The URL of the introspection endpoint (RFC 7662).
    pub fn introspection_endpoint(&self) -> String {
        self.url(Endpoint::Introspection)
    }

    /// The URL of the token endpoint (RFC 6749 §3.2). It knows the grant `client_credentials`, and
    /// a parameter of our own: `token_format` is `jwt` (the default) or `opaque`. `resource` or
    /// `audience` sets the token's `aud`.
    pub fn token_endpoint(&self) -> String {
        self.url(Endpoint::Token)
    }

    /// The URL of the revocation endpoint (RFC 7009).
    pub fn revocation_endpoint(&self) -> String {
        self.url(Endpoint::Revocation)
    }

    /// The clock it issues, expires and delays by.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared().clock)
    }

    /// Reaches this server without a network; any other host fails like an unknown name.
    ///
    /// It keeps working after the last handle is dropped.
    pub fn fetcher(&self) -> impl Fetch + Clone + use<> {
        InProcess(Arc::clone(self.shared()))
    }

    /// Begins an outage: when it returns, the listener and all connections are closed, and new
    /// ones are refused, in process too. The port stays ours. Does nothing to a stopped server.
    pub async fn stop(&self) {
        let mut socket = self.handle.socket.lock().await;
        self.shared().open.send_replace(false);
        match std::mem::replace(&mut *socket, Socket::None) {
            Socket::Open(listening) => listening.closed().await,
            stopped => {
                *socket = stopped;
                return;
            }
        }
        // Losing the port in between is no error yet: it may be free again at the restart.
        if let Some(Ok(port)) = self.handle.port.map(Port::reserve) {
            *socket = Socket::Reserved(port);
        }
    }

    /// Ends an outage: listens on the same port again. Does nothing to a server that is up.
    ///
    /// # Errors
    ///
    /// If somebody else has taken the port; the server is then still stopped.
    ///
    /// # Panics
    ///
    /// If the server has a socket and this is no tokio runtime with I/O enabled.
    pub async fn restart(&self) -> io::Result<()> {
        let mut socket = self.handle.socket.lock().await;
        let open = &self.shared().open;
        let port = match (
            self.handle.port,
            std::mem::replace(&mut *socket, Socket::None),
        ) {
            (None, _) => {
                open.send_replace(true);
                return Ok(());
            }
            (_, up @ Socket::Open(_)) => {
                *socket = up;
                return Ok(());
            }
            (_, Socket::Reserved(port)) => port,
            (Some(number), Socket::None) => Port::reserve(number)?,
        };
        // Before the listener is there: its task would see the outage and end.
        open.send_replace(true);
        match Listening::on(port, Arc::clone(self.shared())) {
            Ok(listening) => {
                *socket = Socket::Open(listening);
                Ok(())
            }
            Err(error) => {
                open.send_replace(false);
                Err(error)
            }
        }
    }
}

impl fmt::Debug for AuthorizationServer {
    /// Prints where it is and whether it is up; no key, no secret, no token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServer")
            .field("issuer", &self.issuer())
            .field("open", &*self.shared().open.borrow())
            .finish_non_exhaustive()
    }
}
