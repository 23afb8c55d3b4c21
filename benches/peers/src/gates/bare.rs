//! No gate at all, which everything is compared with, and a layer that does nothing.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::routing::get;
use tower::Service;
use tower::layer::layer_fn;

use crate::gate::{ANSWER, Axum, Entry, Gate, NO_GATE, OlderAxum, PATH};

pub const NONE: Entry = Entry {
    name: NO_GATE,
    package: Some("axum"),
    build: |_| {
        let router = Router::new().route(PATH, get(|| async { ANSWER }));
        Box::pin(async { Ok(Box::new(Axum(router)) as Box<dyn Gate>) })
    },
    ..Entry::PLAIN
};

pub const NONE_ON_OLDER_AXUM: Entry = Entry {
    name: "no gate, axum 0.7",
    note: "what a peer on axum 0.7 is compared with",
    build: |_| {
        let router = axum07::Router::new().route(PATH, axum07::routing::get(|| async { ANSWER }));
        Box::pin(async { Ok(Box::new(OlderAxum(router)) as Box<dyn Gate>) })
    },
    ..Entry::PLAIN
};

pub const IDLE: Entry = Entry {
    name: "a layer that does nothing",
    package: Some("axum"),
    note: "what axum itself charges for `Router::layer`",
    build: |_| {
        let router = Router::new()
            .route(PATH, get(|| async { ANSWER }))
            .layer(layer_fn(Idle));
        Box::pin(async { Ok(Box::new(Axum(router)) as Box<dyn Gate>) })
    },
    ..Entry::PLAIN
};

#[derive(Clone)]
struct Idle<S>(S);

impl<S, R> Service<R> for Idle<S>
where
    S: Service<R, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}
