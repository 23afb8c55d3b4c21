//! What the layers inside of the gate share: a demand that each request meets before it goes in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::passage::{Admitted, Passage, Passed};
use crate::challenge::unworded;
use crate::error::Error;

/// A layer's demand of every request.
pub(crate) trait Demand {
    fn admit(&self, parts: Parts) -> Admitted;
}

impl Admitted {
    /// What can be said at once.
    pub(super) fn at_once(
        mut parts: Parts,
        check: impl FnOnce(&mut Parts) -> Result<(), Error>,
    ) -> Admitted {
        match check(&mut parts) {
            Ok(()) => Admitted::Yes(parts),
            Err(error) => Admitted::No(error),
        }
    }
}

/// A service whose requests must meet the demand of the layer `L`:
/// [`RequireScopeLayer`](crate::RequireScopeLayer),
/// [`ResourceGuardLayer`](crate::ResourceGuardLayer) or [`FreshLayer`](crate::FreshLayer).
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
    type Future = GuardedFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> GuardedFuture<S, B> {
        let (parts, body) = request.into_parts();
        let admitted = self.layer.admit(parts);
        GuardedFuture {
            passage: Passage::begin(&mut self.inner, admitted, body),
        }
    }
}

pin_project! {
    /// The future of [`Guarded`]. Nothing is boxed unless somebody must be asked.
    pub struct GuardedFuture<S: Service<Request<B>>, B> {
        #[pin]
        passage: Passage<S, S::Future, B>,
    }
}

impl<S, B, T> Future for GuardedFuture<S, B>
where
    S: Service<Request<B>, Response = Response<T>>,
    T: From<String>,
{
    type Output = Result<Response<T>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match ready!(self.project().passage.poll(cx))? {
            Passed::Response(response) => response,
            // The gate outside words it anew; without a gate this is the answer.
            Passed::Refused(error) => unworded(&error).map(T::from),
        }))
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for GuardedFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFuture").finish_non_exhaustive()
    }
}
