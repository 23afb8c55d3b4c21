//! The way of a request through a layer: in, out, or waiting until somebody was asked.
//!
//! What tower demands of readiness is kept here, for all layers: who is called was asked whether it is
//! ready, and what was reserved while asking is used or given back.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Request;
use http::request::Parts;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::clock::BoxFuture;
use crate::error::Error;

/// What a layer says of a request.
#[allow(clippy::large_enum_variant)] // A box would cost every request an allocation.
pub(crate) enum Admitted {
    Yes(Parts),
    No(Error),
    Ask(BoxFuture<'static, Result<Parts, Error>>),
}

pin_project! {
    /// The state of a request's future. Nothing is boxed unless somebody must be asked.
    #[project = Projection]
    pub(super) enum Passage<S, F, B> {
        Asking {
            asking: BoxFuture<'static, Result<Parts, Error>>,
            waiting: Option<(S, B)>,
        },
        /// Asked whether it is ready, now that it is known that the request goes in.
        Readying {
            inner: S,
            request: Option<Request<B>>,
        },
        Inner {
            #[pin]
            future: F,
        },
        Refused {
            error: Error,
        },
    }
}

/// What becomes of a request.
pub(super) enum Passed<T> {
    Response(T),
    Refused(Error),
}

impl<S: Service<Request<B>> + Clone, B> Passage<S, S::Future, B> {
    /// Begins the way of a request whose layer has `inner` inside, which is ready.
    pub(super) fn begin(inner: &mut S, admitted: Admitted, body: B) -> Passage<S, S::Future, B> {
        match admitted {
            Admitted::Yes(parts) => Passage::Inner {
                future: inner.call(Request::from_parts(parts, body)),
            },
            Admitted::No(error) => {
                give_back(inner);
                Passage::Refused { error }
            }
            Admitted::Ask(asking) => {
                give_back(inner);
                Passage::Asking {
                    asking,
                    waiting: Some((inner.clone(), body)),
                }
            }
        }
    }
}

/// Gives back what `poll_ready` reserved: a clone holds no permit, and the original gives its own up
/// here. Else whoever sends bad tokens, or tokens that somebody must be asked about, could hold them all.
fn give_back<S: Clone>(inner: &mut S) {
    let clone = inner.clone();
    drop(std::mem::replace(inner, clone));
}

impl<S: Service<Request<B>>, B> Passage<S, S::Future, B> {
    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Passed<S::Response>, S::Error>> {
        loop {
            let next = match self.as_mut().project() {
                Projection::Inner { future } => {
                    return future.poll(cx).map_ok(Passed::Response);
                }
                Projection::Refused { error } => {
                    return Poll::Ready(Ok(Passed::Refused(error.clone())));
                }
                Projection::Readying { inner, request } => {
                    ready!(inner.poll_ready(cx))?;
                    match request.take() {
                        Some(request) => Passage::Inner {
                            future: inner.call(request),
                        },
                        // Polled again after it was done.
                        None => return Poll::Pending,
                    }
                }
                Projection::Asking { asking, waiting } => {
                    match ready!(asking.as_mut().poll(cx)) {
                        Ok(parts) => match waiting.take() {
                            Some((inner, body)) => Passage::Readying {
                                inner,
                                request: Some(Request::from_parts(parts, body)),
                            },
                            // Polled again after it was done.
                            None => return Poll::Pending,
                        },
                        Err(error) => Passage::Refused { error },
                    }
                }
            };
            self.set(next);
        }
    }
}
