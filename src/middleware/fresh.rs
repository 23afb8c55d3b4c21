//! Freshness around a route.

use http::request::Parts;
use tower_layer::Layer;

use super::guarded::{Demand, Guarded};
use super::passage::Admitted;
use crate::server::FreshGuard;

impl FreshGuard {
    /// The guard as a layer. Belongs next inside of
    /// [`ResourceServer::layer`](crate::ResourceServer::layer), which words its refusals: what stands
    /// between the two has judged the token as it was remembered, what stands further inside judges it
    /// as it was confirmed.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn stack(server: portcullis::ResourceServer) -> Result<(), portcullis::ConfigError> {
    /// use portcullis::Freshness;
    /// use std::time::Duration;
    ///
    /// let fresh = server.fresh(Freshness::within(Duration::from_secs(5)))?;
    /// let layer = (server.layer(), fresh.layer());
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer(&self) -> FreshLayer {
        FreshLayer {
            guard: self.clone(),
        }
    }
}

/// Puts a [`FreshGuard`] around a service; made by [`FreshGuard::layer`].
///
/// A request without a token is answered 401, and 500 if the guard's own server has no gate next
/// outside of it.
#[derive(Clone, Debug)]
#[must_use]
pub struct FreshLayer {
    guard: FreshGuard,
}

impl<S> Layer<S> for FreshLayer {
    type Service = Guarded<S, FreshLayer>;

    fn layer(&self, inner: S) -> Guarded<S, FreshLayer> {
        Guarded::new(inner, self.clone())
    }
}

impl Demand for FreshLayer {
    fn admit(&self, mut parts: Parts) -> Admitted {
        match self.guard.knows(&parts) {
            Ok(true) => Admitted::Yes(parts),
            Err(error) => Admitted::No(error),
            Ok(false) => {
                let guard = self.guard.clone();
                Admitted::Ask(Box::pin(async move {
                    guard.ask(&mut parts).await.map(|()| parts)
                }))
            }
        }
    }
}
