//! What the handles, the builders and the socket of one server share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::clients::Clients;
use super::desk::Handlers;
use super::endpoints;
use super::keys::{Key, KeyRing};
use super::opaque::Issued;
use super::site::{Place, Site};
use super::trouble::{Prepared, collect};
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::fetch::{Fetch, FetchError, either};

/// One server without its socket: dropping the last handle must close that, while a token builder
/// or an in-process fetcher may live on.
pub(super) struct Shared {
    pub(super) site: Site,
    pub(super) algorithm: Algorithm,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) oauth_metadata: bool,
    pub(super) openid_configuration: bool,
    /// False during an outage.
    pub(super) open: watch::Sender<bool>,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) keys: KeyRing,
    pub(super) clients: Clients,
    pub(super) tokens: HashMap<String, Issued>,
    /// JWTs are not remembered, only that they were revoked.
    pub(super) revoked: HashSet<String>,
    pub(super) jwks_cache_control: Option<HeaderValue>,
    pub(super) jwks_etag: bool,
    pub(super) handlers: Handlers,
    pub(super) troubles: HashMap<Place, Prepared>,
    pub(super) asked: HashMap<Place, usize>,
    pub(super) last: HashMap<Place, Request<Vec<u8>>>,
}

impl State {
    /// Tells something of a token: an opaque one that is remembered, or a JWT that a published key has
    /// signed; `None` if it was revoked or is none of ours.
    pub(super) fn of_issued<T>(&self, token: &str, tell: impl FnOnce(&Issued) -> T) -> Option<T> {
        if let Some(issued) = self.tokens.get(token) {
            return Some(tell(issued));
        }
        if self.revoked.contains(token) {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (_, payload) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !self.keys.has_signed(signed.as_bytes(), &signature) {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims = serde_json::from_slice(&payload).ok()?;
        Some(tell(&Issued::of_jwt(claims)))
    }

    /// Takes a token back. Returns whether it was one of ours until now.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        if self.tokens.remove(token).is_some() {
            return true;
        }
        let is_ours = self.of_issued(token, |_| ()).is_some();
        is_ours && self.revoked.insert(token.to_owned())
    }
}

impl Shared {
    /// The state is whole after each statement that changes it, so a panic of another test thread
    /// leaves nothing broken.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    pub(super) fn key(&self, algorithm: Algorithm) -> Key {
        self.state().keys.current(algorithm)
    }

    /// What introspection answers about a token.
    pub(super) fn introspected(&self, token: &str) -> Value {
        let now = self.clock.now();
        let answer = self
            .state()
            .of_issued(token, |issued| issued.introspected(now));
        answer.unwrap_or_else(|| json!({"active": false}))
    }

    /// The place a test means, once however it is spelled.
    ///
    /// # Panics
    ///
    /// If nobody answers there: a count of zero or a trouble would be about a slip of the pen.
    #[track_caller]
    pub(super) fn place(&self, place: Place) -> Place {
        let place = self.site.place(place);
        if let Some(path) = place.path() {
            let known = self.state().handlers.has(path);
            assert!(known, "nobody answers at {path:?}");
        }
        place
    }
}

/// Reaches a server without a network.
#[derive(Clone)]
pub(super) struct InProcess(pub(super) Arc<Shared>);

impl Fetch for InProcess {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let InProcess(server) = self;
        if !server.site.is_at(request.uri()) {
            let host = request.uri().host().unwrap_or_default();
            return Err(FetchError::new(format!(
                "dns error: no address for {}",
                crate::text::quote(host)
            )));
        }
        let mut open = server.open.subscribe();
        if !*open.borrow() {
            return Err(FetchError::new("connection refused"));
        }
        let delivery = endpoints::answer(server, request);
        let collected = collect(delivery, &server.clock, max_bytes);
        either(collected, outage(&mut open))
            .await
            .unwrap_or_else(|| Err(FetchError::new("connection reset")))
    }
}

/// Waits until the server is stopped.
pub(super) async fn outage(open: &mut watch::Receiver<bool>) {
    // An error says that the server is gone, which is an outage too.
    let _ = open.wait_for(|open| !open).await;
}
