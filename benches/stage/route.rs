//! One route of an API: open, and behind each form of the gate.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::Response;
use axum::routing::get;
use http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use portcullis::{Authenticate, Authenticated, Claims, RequireScope, ResourceServer};
use tower::{Layer, Service, ServiceExt};

use super::gate::{Party, ReadEvents};

/// What every handler answers.
pub const ANSWER: &str = "no events today";

/// Where it stands.
const PATH: &str = "/calendar/v1/events";

/// A route without a gate: what all are compared to.
pub fn unguarded() -> Router {
    Router::new().route(PATH, get(async || ANSWER))
}

/// A route behind a layer that does nothing: what axum charges for any.
pub fn empty_layer() -> Router {
    unguarded().layer(Nothing)
}

/// The gate in the handler's arguments alone.
pub fn extractor(server: &ResourceServer) -> Router {
    async fn list(_: Authenticated) -> &'static str {
        ANSWER
    }
    Router::new()
        .route(PATH, get(list))
        .with_state(server.clone())
}

/// The same, which also demands a scope and reads the claims.
pub fn extractor_of_both(server: &ResourceServer) -> Router {
    async fn list(_: Authenticated<(RequireScope<ReadEvents>, Claims<Party>)>) -> &'static str {
        ANSWER
    }
    Router::new()
        .route(PATH, get(list))
        .with_state(server.clone())
}

/// The same, which reads the claims alone.
pub fn extractor_of_claims(server: &ResourceServer) -> Router {
    async fn list(_: Authenticated<Claims<Party>>) -> &'static str {
        ANSWER
    }
    Router::new()
        .route(PATH, get(list))
        .with_state(server.clone())
}

/// The gate around the whole router.
pub fn around(server: &ResourceServer) -> Authenticate<Router> {
    server.layer().layer(unguarded())
}

/// The gate as a layer of axum's.
pub fn layer(server: &ResourceServer) -> Router {
    unguarded().layer(server.layer())
}

/// The gate as a layer of axum's, and a handler that demands a scope and reads the claims.
pub fn layer_and_both(server: &ResourceServer) -> Router {
    async fn list(_: RequireScope<ReadEvents>, _: Claims<Party>) -> &'static str {
        ANSWER
    }
    let router = Router::new().route(PATH, get(list));
    router.layer(server.layer())
}

/// The gate as a layer of axum's, and a handler whose two extractors do nothing: what axum charges for
/// any two.
pub fn layer_and_idle(server: &ResourceServer) -> Router {
    struct Idle;
    impl<S: Sync> FromRequestParts<S> for Idle {
        type Rejection = Infallible;

        async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Idle, Infallible> {
            Ok(Idle)
        }
    }
    async fn list(_: Idle, _: Idle) -> &'static str {
        ANSWER
    }
    let router = Router::new().route(PATH, get(list));
    router.layer(server.layer())
}

/// A request as a client sends it.
pub fn request(authorization: &HeaderValue) -> Request<Body> {
    Request::builder()
        .method(Method::GET)
        .uri(PATH)
        .header(HOST, "api.example.com")
        .header(USER_AGENT, "bench/1.0")
        .header(ACCEPT, "*/*")
        .header(AUTHORIZATION, authorization)
        .body(Body::empty())
        .unwrap()
}

/// What a route must be for its ways to be measured.
pub trait Route: Service<Request<Body>, Response = Response> + Clone {}

impl<S: Service<Request<Body>, Response = Response> + Clone> Route for S {}

/// Sends a request, which must be answered at once and well.
pub fn call(service: &impl Route, request: Request<Body>) {
    assert_eq!(status(service, request), 200);
}

/// Sends a new request, from its making to the end of its answer.
pub fn visit(service: &impl Route, authorization: &HeaderValue) {
    call(service, request(authorization));
}

/// Sends a new request, which must be refused at once.
pub fn refuse(service: &impl Route, authorization: &HeaderValue) {
    assert_eq!(status(service, request(authorization)), 401);
}

/// As a server does it: a service of its own for each request.
fn status(service: &impl Route, request: Request<Body>) -> StatusCode {
    match now_or_never(service.clone().oneshot(request)) {
        Some(Ok(response)) => response.status(),
        _ => panic!("a route of the stage waits or fails"),
    }
}

/// The outcome of what has nothing to wait for. No runtime stands between the clock and the call.
pub fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// A layer that does nothing.
#[derive(Clone)]
struct Nothing;

impl<S> Layer<S> for Nothing {
    type Service = Through<S>;

    fn layer(&self, inner: S) -> Through<S> {
        Through(inner)
    }
}

#[derive(Clone)]
struct Through<S>(S);

impl<S: Service<Request<Body>>> Service<Request<Body>> for Through<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}
