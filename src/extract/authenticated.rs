//! The gate as one extractor, for those who want no layer.

use std::fmt;
use std::ops::Deref;

use axum_core::extract::{FromRef, FromRequestParts};
use http::request::Parts;

use super::Rejection;
use crate::error::Error;
use crate::server::{ResourceServer, Strangers};
use crate::token::{AccessToken, FromToken, Presence};

/// Authenticates the request by itself, with the [`ResourceServer`] of the application's state,
/// and hands out `T`: an [`AccessToken`] unless you name another, `RequireScope<R>`, `Claims<C>`,
/// or a tuple of them.
///
/// It is the fastest way through the gate, since axum charges for each layer. The other extractors
/// of the same handler work after it, too.
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
        let proven = server.authenticate_with(parts, Strangers::AreRefused).await;
        let made = proven.and_then(|_| {
            let presence = Presence::expect(&parts.extensions, "Authenticated")?;
            let made = presence.make();
            made.map_err(|error: Error| error.with_more_scopes(&presence.outer_scopes))
        });
        made.map(Authenticated)
            .map_err(|error| Rejection::of(server, error))
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
