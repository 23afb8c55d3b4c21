//! What the layers inside of the gate share: a demand that each request meets before it goes in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::challenge::unworded;
use crate::error::Error;

/// A layer's demand of every request.
pub(crate) trait Demand {
    fn check(&self, parts: &mut Parts) -> Result<(), Error>;
}

/// A service whose requests must meet the demand of the layer `L`:
/// [`RequireScopeLayer`](crate::RequireScopeLayer) or
/// [`ResourceGuardLayer`](crate::ResourceGuardLayer).
///
/// The body type must be one that can be made from a `String`, as for
/// [`Authenticate`](crate::Authenticate).
#[derive(Clone, Debug)]
pub struct Guarded<S, L> {
    inner: S,
    layer: L,
}

impl<S, L> Guarded<S, L> {
    pub(super) fn new(inner: S, layer: L) -> Guarded<S, L> {
        Guarded { inner, layer }
    }
}

impl<S, L, B, T> Service<Request<B>> for Guarded<S, L>
where
    S: Service<Request<B>, Response = Response<T>> + Clone,
    L: Demand,
    T: From<String>,
{
    type Response = Response<T>;
    type Error = S::Error;
    type Future = GuardedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> GuardedFuture<S::Future> {
        let (mut parts, body) = request.into_parts();
        let progress = match self.layer.check(&mut parts) {
            Ok(()) => Progress::Inner {
                future: self.inner.call(Request::from_parts(parts, body)),
            },
            Err(error) => {
                // What `poll_ready` reserved is not used: give it back.
                let clone = self.inner.clone();
                drop(std::mem::replace(&mut self.inner, clone));
                Progress::Refused { error }
            }
        };
        GuardedFuture { progress }
    }
}

pin_project! {
    /// The future of [`Guarded`].
    pub struct GuardedFuture<F> {
        #[pin]
        progress: Progress<F>,
    }
}

pin_project! {
    #[project = Projection]
    enum Progress<F> {
        Inner {
            #[pin]
            future: F,
        },
        Refused {
            error: Error,
        },
    }
}

impl<F, T, E> Future for GuardedFuture<F>
where
    F: Future<Output = Result<Response<T>, E>>,
    T: From<String>,
{
    type Output = Result<Response<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().progress.project() {
            Projection::Inner { future } => future.poll(cx),
            // The gate outside words it anew; without a gate this is the answer.
            Projection::Refused { error } => Poll::Ready(Ok(unworded(error).map(T::from))),
        }
    }
}

impl<F> fmt::Debug for GuardedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFuture").finish_non_exhaustive()
    }
}
