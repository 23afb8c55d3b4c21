//! The resource guard around a route.

use http::request::Parts;
use tower_layer::Layer;

use super::guarded::{Demand, Guarded};
use super::passage::Admitted;
use crate::guard::ResourceGuard;
use crate::token::Presence;

impl ResourceGuard {
    /// The guard as a layer. Belongs inside of
    /// [`ResourceServer::layer`](crate::ResourceServer::layer), which words its refusals.
    ///
    /// # Examples
    ///
    /// ```
    /// # use portcullis::{ResourceGuard, ResourceServer};
    /// # fn stack(server: ResourceServer) -> Result<(), portcullis::ConfigError> {
    /// let guard = ResourceGuard::path("/tenants/{tenant}")
    ///     .param_is("tenant", ["/tenant"])
    ///     .build()?;
    /// let layer = (server.layer(), guard.layer());
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer(&self) -> ResourceGuardLayer {
        ResourceGuardLayer {
            guard: self.clone(),
        }
    }
}

/// Puts a [`ResourceGuard`] around a service; made by [`ResourceGuard::layer`].
///
/// A request without a token is answered 401, and 500 if no gate stands outside of the guard.
#[derive(Clone, Debug)]
#[must_use]
pub struct ResourceGuardLayer {
    guard: ResourceGuard,
}

impl<S> Layer<S> for ResourceGuardLayer {
    type Service = Guarded<S, ResourceGuardLayer>;

    fn layer(&self, inner: S) -> Guarded<S, ResourceGuardLayer> {
        Guarded::new(inner, self.clone())
    }
}

impl Demand for ResourceGuardLayer {
    fn admit(&self, parts: Parts) -> Admitted {
        Admitted::at_once(parts, |parts| {
            let presence = Presence::expect(&parts.extensions, "ResourceGuardLayer")?;
            let token = match self.guard.kind() {
                None => presence.first(),
                Some(kind) => presence.of_kind(kind),
            }?;
            self.guard.check(parts, token)
        })
    }
}
