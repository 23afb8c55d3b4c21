//! The gate around a tower service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, RETRY_AFTER, TRAILER,
    TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::passage::{Admitted, Passage, Passed};
use crate::challenge::Worded;
use crate::error::Error;
use crate::server::{Proven, ResourceServer, Seen, Strangers};
#[cfg(feature = "testing")]
use crate::token::Presence;

impl ResourceServer {
    /// The gate for a service all of whose requests need a token. A request without one is
    /// answered 401.
    ///
    /// Put it outside of [`RequireScopeLayer`](crate::RequireScopeLayer) and of the extractors,
    /// and inside of tower-http's `CorsLayer`: with `ServiceBuilder`, CORS comes first, then this.
    ///
    /// If a credential may sit elsewhere than in `Authorization`, where caches do not know of it, answers
    /// get a `Cache-Control: private` (RFC 6750 §2.3), unless they say `public`, `s-maxage`, `private` or
    /// `no-store` themselves.
    pub fn layer(&self) -> AuthenticateLayer {
        AuthenticateLayer::new(self, Admits::Proven)
    }

    /// The gate for a service that also serves strangers: a request without a credential passes,
    /// and `Option<AccessToken>` is `None`. A bad credential is refused all the same.
    pub fn optional_layer(&self) -> AuthenticateLayer {
        AuthenticateLayer::new(self, Admits::Strangers)
    }

    /// A gate that lets every request pass with these tokens, for tests of handlers.
    #[cfg(feature = "testing")]
    pub(crate) fn layer_with(&self, proven: Proven) -> AuthenticateLayer {
        AuthenticateLayer::new(self, Admits::As(proven))
    }
}

/// Puts [`Authenticate`] around a service; made by [`ResourceServer::layer`] and
/// [`ResourceServer::optional_layer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthenticateLayer {
    /// One for each layer that is made: of two stacks on two threads, neither writes to a count that the
    /// other one reads.
    gate: Arc<Gate>,
}

impl AuthenticateLayer {
    fn new(server: &ResourceServer, admits: Admits) -> AuthenticateLayer {
        AuthenticateLayer {
            gate: Arc::new(Gate {
                server: server.clone(),
                admits,
            }),
        }
    }
}

/// What a request is asked, and by whom.
#[derive(Debug)]
struct Gate {
    server: ResourceServer,
    admits: Admits,
}

/// Whom a gate lets pass.
#[derive(Debug)]
enum Admits {
    Proven,
    Strangers,
    #[cfg(feature = "testing")]
    As(Proven),
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate {
            inner,
            gate: self.gate.clone(),
        }
    }
}

/// A service behind the gate.
///
/// Its answers are the inner service's, or the gate's refusals. If the inner service answers with
/// an [`Error`] in the response's extensions (the extractors do), the gate words that refusal.
///
/// The body type must be one that can be made from a `String`, such as `axum::body::Body` or
/// `http_body_util::Full<Bytes>`; with another one call [`ResourceServer::authenticate`].
#[derive(Clone, Debug)]
pub struct Authenticate<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S, B, R> Service<Request<B>> for Authenticate<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<S, B> {
        let (parts, body) = request.into_parts();
        let admitted = self.gate.admit(parts);
        ResponseFuture {
            passage: Passage::begin(&mut self.inner, admitted, body),
            gate: self.gate.clone(),
        }
    }
}

impl Gate {
    fn admit(self: &Arc<Self>, mut parts: Parts) -> Admitted {
        let known = match &self.admits {
            #[cfg(feature = "testing")]
            Admits::As(proven) => Some(proven.clone()),
            _ if self.server.lets_pass(&parts) => Some(Proven::default()),
            _ => None,
        };
        let seen = match known {
            Some(proven) => Ok(Seen::Known(proven)),
            None => self.server.see(&parts, self.strangers()),
        };
        let proven = match seen {
            Ok(Seen::Known(proven)) => Ok(proven),
            Err(error) => Err(error),
            Ok(Seen::Ask) => {
                let gate = self.clone();
                return Admitted::Ask(Box::pin(async move {
                    let proven = gate.server.ask(&parts, gate.strangers()).await;
                    gate.server.settle(&mut parts, proven).map(|()| parts)
                }));
            }
        };
        match self.server.settle(&mut parts, proven) {
            Ok(()) => {
                #[cfg(feature = "testing")]
                if let Admits::As(_) = self.admits {
                    Presence::make_up(&mut parts.extensions);
                }
                Admitted::Yes(parts)
            }
            Err(error) => Admitted::No(error),
        }
    }

    fn strangers(&self) -> Strangers {
        match self.admits {
            Admits::Strangers => Strangers::Pass,
            _ => Strangers::AreRefused,
        }
    }
}

pin_project! {
    /// The future of [`Authenticate`]. Nothing is boxed unless somebody must be asked.
    pub struct ResponseFuture<S: Service<Request<B>>, B> {
        #[pin]
        passage: Passage<S, S::Future, B>,
        gate: Arc<Gate>,
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match ready!(this.passage.poll(cx))? {
            Passed::Response(response) => response,
            Passed::Refused(error) => {
                return Poll::Ready(Ok(this.gate.server.answer(&error).map(R::from)));
            }
        };
        // Decide anywhere, word it once: an extractor's refusal gets this server's realm and shape
        // here, unless a gate further inside has worded it already.
        let extensions = response.extensions_mut();
        if extensions.get::<Worded>().is_none()
            && let Some(error) = extensions.remove::<Error>()
        {
            response = reword(response, this.gate.server.answer(&error).map(R::from));
        }
        Poll::Ready(Ok(keep_private(&this.gate.server, response)))
    }
}

impl<S: Service<Request<B>>, B> std::fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// Headers that describe the body or are decided by a refusal's wording: the old ones go with it.
const WORDING: [HeaderName; 13] = [
    ACCEPT_RANGES,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    RETRY_AFTER,
    TRAILER,
    TRANSFER_ENCODING,
    WWW_AUTHENTICATE,
];

/// Replaces a refusal by a better worded one, and keeps what layers further inside have added,
/// such as CORS headers.
fn reword<R>(old: Response<R>, mut new: Response<R>) -> Response<R> {
    let (old, _) = old.into_parts();
    for (name, value) in &old.headers {
        if !WORDING.contains(name) {
            new.headers_mut().append(name, value.clone());
        }
    }
    let mut extensions = old.extensions;
    extensions.extend(std::mem::take(new.extensions_mut()));
    *new.extensions_mut() = extensions;
    new
}

/// Shared caches keep answers to requests with `Authorization` to themselves (RFC 9111 §3.5), and
/// know of no other credential: an answer to an `App-Token`, or to a token in the URL (RFC 6750
/// §2.3), must say so itself, whatever else a handler says about caching. Only who names the shared
/// caches knows what they do.
fn keep_private<R>(server: &ResourceServer, mut response: Response<R>) -> Response<R> {
    if server.must_guard_caches() && !names_caches(response.headers()) {
        let private = HeaderValue::from_static("private");
        response.headers_mut().append(CACHE_CONTROL, private);
    }
    response
}

/// Whether a response says which caches may keep it. `private="name"` is about one header alone.
fn names_caches(headers: &HeaderMap) -> bool {
    let names = |directive: &str| {
        let is = |name: &str| directive.eq_ignore_ascii_case(name);
        let shared = directive
            .get(..9)
            .is_some_and(|start| start.eq_ignore_ascii_case("s-maxage="));
        is("private") || is("no-store") || is("public") || shared
    };
    let mut values = headers.get_all(CACHE_CONTROL).iter();
    values.any(|value| {
        let mut directives = value.as_bytes().split(|byte| *byte == b',');
        directives.any(|one| str::from_utf8(one.trim_ascii()).is_ok_and(names))
    })
}
