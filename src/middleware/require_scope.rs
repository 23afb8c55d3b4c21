//! Scopes around a route.

use std::fmt;
use std::marker::PhantomData;

use http::request::Parts;
use tower_layer::Layer;

use super::guarded::{Demand, Guarded};
use super::passage::Admitted;
use crate::requirement::Requirement;
use crate::token::Presence;

/// Demands `R` of every request of a service. Belongs inside of
/// [`ResourceServer::layer`](crate::ResourceServer::layer), which words its refusals.
///
/// A scope the layer demands is also named when an extractor further inside finds another one
/// missing, so that a client can ask for all at once.
///
/// # Examples
///
/// ```
/// # use portcullis::{RequireScopeLayer, ResourceServer};
/// portcullis::scopes! {
///     /// See events.
///     pub EventsRead = "read:events";
/// }
///
/// # fn stack(server: ResourceServer) {
/// let layer = (server.layer(), RequireScopeLayer::<EventsRead>::new());
/// # }
/// ```
#[must_use]
pub struct RequireScopeLayer<R>(PhantomData<fn() -> R>);

impl<R> RequireScopeLayer<R> {
    /// Makes the layer.
    // The bound stands here and not at the `impl`, so that the compiler shows the trait's words.
    pub const fn new() -> RequireScopeLayer<R>
    where
        R: Requirement,
    {
        RequireScopeLayer(PhantomData)
    }
}

impl<R: Requirement> Default for RequireScopeLayer<R> {
    fn default() -> RequireScopeLayer<R> {
        RequireScopeLayer::new()
    }
}

impl<R> Clone for RequireScopeLayer<R> {
    fn clone(&self) -> RequireScopeLayer<R> {
        RequireScopeLayer(PhantomData)
    }
}

impl<R> fmt::Debug for RequireScopeLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequireScopeLayer<{}>", std::any::type_name::<R>())
    }
}

impl<S, R> Layer<S> for RequireScopeLayer<R> {
    type Service = Guarded<S, RequireScopeLayer<R>>;

    fn layer(&self, inner: S) -> Guarded<S, RequireScopeLayer<R>> {
        Guarded::new(inner, self.clone())
    }
}

impl<R: Requirement> Demand for RequireScopeLayer<R> {
    fn admit(&self, parts: Parts) -> Admitted {
        Admitted::at_once(parts, |parts| {
            let extensions = &mut parts.extensions;
            let outcome = Presence::demand(extensions, "RequireScopeLayer")
                .and_then(|token| token.require::<R>());
            let Some(presence) = extensions.get_mut::<Presence>() else {
                return outcome;
            };
            outcome.map_err(|error| error.with_more_scopes(&presence.outer_scopes))?;
            R::name_scopes(&mut presence.outer_scopes);
            Ok(())
        })
    }
}
