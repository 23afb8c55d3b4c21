//! Scopes around a route.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::challenge::Answers;
use crate::error::Error;
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

impl<R: Requirement> RequireScopeLayer<R> {
    /// Makes the layer.
    pub const fn new() -> RequireScopeLayer<R> {
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
    type Service = RequireScope<S, R>;

    fn layer(&self, inner: S) -> RequireScope<S, R> {
        RequireScope {
            inner,
            requirement: PhantomData,
        }
    }
}

/// A service whose requests must meet `R`; made by [`RequireScopeLayer`].
pub struct RequireScope<S, R> {
    inner: S,
    requirement: PhantomData<fn() -> R>,
}

impl<S: Clone, R> Clone for RequireScope<S, R> {
    fn clone(&self) -> RequireScope<S, R> {
        RequireScope {
            inner: self.inner.clone(),
            requirement: PhantomData,
        }
    }
}

impl<S: fmt::Debug, R> fmt::Debug for RequireScope<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScope")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, R, B, T> Service<Request<B>> for RequireScope<S, R>
where
    S: Service<Request<B>, Response = Response<T>>,
    R: Requirement,
    T: From<String>,
{
    type Response = Response<T>;
    type Error = S::Error;
    type Future = RequireScopeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> RequireScopeFuture<S::Future> {
        match demand::<R>(request.extensions_mut()) {
            Ok(()) => RequireScopeFuture::Inner {
                future: self.inner.call(request),
            },
            Err(error) => RequireScopeFuture::Refused { error },
        }
    }
}

fn demand<R: Requirement>(extensions: &mut http::Extensions) -> Result<(), Error> {
    let outcome =
        Presence::demand(extensions, "RequireScopeLayer").and_then(|token| token.require::<R>());
    let Some(presence) = extensions.get_mut::<Presence>() else {
        return outcome;
    };
    outcome.map_err(|error| error.with_more_scopes(&presence.outer_scopes))?;
    R::name_scopes(&mut presence.outer_scopes);
    Ok(())
}

pin_project! {
    /// The future of a service behind [`RequireScopeLayer`].
    #[project = Projection]
    pub enum RequireScopeFuture<F> {
        #[doc(hidden)]
        Inner {
            #[pin]
            future: F,
        },
        #[doc(hidden)]
        Refused {
            error: Error,
        },
    }
}

impl<F, T, E> Future for RequireScopeFuture<F>
where
    F: Future<Output = Result<Response<T>, E>>,
    T: From<String>,
{
    type Output = Result<Response<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projection::Inner { future } => future.poll(cx),
            // The gate outside words it anew; without a gate this is the answer.
            Projection::Refused { error } => {
                Poll::Ready(Ok(Answers::default().answer(error).map(T::from)))
            }
        }
    }
}

impl<F> fmt::Debug for RequireScopeFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScopeFuture").finish_non_exhaustive()
    }
}
