//! What the handles, the builders and the socket of one server share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    pub(super) jwks_cache_control: Option<HeaderValue>,
    pub(super) jwks_etag: bool,
    pub(super) handlers: Handlers,
    pub(super) troubles: HashMap<Place, Prepared>,
    pub(super) asked: HashMap<Place, usize>,
    pub(super) last: HashMap<Place, Request<Vec<u8>>>,
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

    /// What introspection answers about an opaque token.
    pub(super) fn introspected(&self, token: &str) -> Value {
        let state = self.state();
        let inactive = json!({"active": false});
        let issued = state.tokens.get(token);
        issued.map_or(inactive, |issued| issued.introspected(self.clock.now()))
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
