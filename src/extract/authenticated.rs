//! The gate as one extractor, for those who want no layer.

use std::fmt;
use std::ops::Deref;

use axum_core::extract::{FromRef, FromRequestParts};
use http::request::Parts;

use super::Rejection;
use crate::server::ResourceServer;
use crate::token::{AccessToken, FromToken};

/// Authenticates the request by itself, with the [`ResourceServer`] of the application's state,
/// and hands out `T`: an [`AccessToken`] unless you name another, `RequireScope<R>`, `Claims<C>`,
/// or a tuple of them.
///
/// It is the fastest way through the gate: axum charges for each layer, and nothing is left in the
/// request for others. So name all that the handler asks in one `Authenticated`; another extractor
/// beside it answers 500, as without any gate.
///
/// An extractor sees the request only: it cannot let a CORS preflight pass (tower-http's
/// `CorsLayer` answers those before any handler), and it adds no `Cache-Control` to the handler's
/// answer. A server that reads a carrier other than `Authorization` does better with the layer.
///
/// # Examples
///
/// ```
/// use axum::extract::FromRef;
/// use portcullis::{Authenticated, RequireScope, ResourceServer};
///
/// #[derive(Clone, FromRef)]
/// struct App { server: ResourceServer }
///
/// portcullis::scopes! {
///     /// See events.
///     pub EventsRead = "read:events";
/// }
///
/// async fn list(Authenticated(token): Authenticated<RequireScope<EventsRead>>) -> String {
///     format!("the events of {}", token.principal())
/// }
///
/// let router: axum::Router<App> = axum::Router::new().route("/", axum::routing::get(list));
/// ```
#[derive(Clone)]
pub struct Authenticated<T = AccessToken>(
    /// What was made of the token.
    pub T,
);

impl<S, T> FromRequestParts<S> for Authenticated<T>
where
    S: Send + Sync,
    ResourceServer: FromRef<S>,
    T: FromToken,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let server = ResourceServer::from_ref(state);
        match server.extract(parts).await {
            Ok(made) => Ok(Authenticated(made)),
            Err(error) => Err(Rejection::of(server, error)),
        }
    }
}

impl<T> Deref for Authenticated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Authenticated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authenticated").field(&self.0).finish()
    }
}
