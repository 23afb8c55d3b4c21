//! What people write themselves: a middleware function, and moka with the whole token as its key. Only
//! the way of a token that was seen before; for the others see the peers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::AUTHORIZATION;
use moka::sync::Cache;

use super::gate::Party;
use super::route;

type Seen = Cache<String, Arc<Party>>;

/// The route behind it, with these tokens seen before.
pub fn with_moka(seen: impl IntoIterator<Item = (String, Party)>) -> Router {
    let cache: Seen = Cache::new(20_000);
    for (token, party) in seen {
        cache.insert(token, Arc::new(party));
    }
    cache.run_pending_tasks();
    route::unguarded().layer(from_fn_with_state(cache, check))
}

async fn check(State(cache): State<Seen>, mut request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let party = token.and_then(|token| cache.get(token));
    match party.filter(|party| now < party.exp) {
        Some(party) => {
            request.extensions_mut().insert(party);
            next.run(request).await
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
