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

use crate::challenge::unworded;
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
    S: Service<Request<B>, Response = Response<T>> + Clone,
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
            Ok(()) => RequireScopeFuture {
                progress: Progress::Inner {
                    future: self.inner.call(request),
                },
            },
            Err(error) => {
                // What `poll_ready` reserved is not used: give it back.
                let clone = self.inner.clone();
                drop(std::mem::replace(&mut self.inner, clone));
                RequireScopeFuture {
                    progress: Progress::Refused { error },
                }
            }
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
    pub struct RequireScopeFuture<F> {
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

impl<F, T, E> Future for RequireScopeFuture<F>
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

impl<F> fmt::Debug for RequireScopeFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScopeFuture").finish_non_exhaustive()
    }
}
