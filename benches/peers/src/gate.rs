//! One way to call and to serve whatever stands behind a gate, without a box on the way.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use tokio::net::TcpListener;
use tower::make::Shared;
use tower::{Service, ServiceExt};

use crate::stage::Source;
use crate::tokens::Claims;

/// The one route.
pub const PATH: &str = "/events";

/// What everything is compared with, unless it says otherwise.
pub const NO_GATE: &str = "no gate";

/// What its handler answers.
pub const ANSWER: &str = "no events";

pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A gate, once it has its keys.
pub type Built = Waiting<'static, Result<Box<dyn Gate>, String>>;

/// The route behind a gate.
pub trait Gate {
    /// One request, as the server of axum makes it: the service is cloned and called. Polled once, by
    /// hand: whoever has the keys needs to wait for nobody.
    fn call(&self, credential: Option<&HeaderValue>) -> StatusCode;

    /// The same, for gates that are still waiting for their keys.
    fn ask(&self, credential: Option<&HeaderValue>) -> Waiting<'_, StatusCode>;

    /// Serves it with axum's server until the process ends.
    fn serve(self: Box<Self>, listener: TcpListener) -> Waiting<'static, io::Result<()>>;
}

/// What is known of a gate before it is built.
pub struct Entry {
    /// What `--only` and the table call it.
    pub name: &'static str,
    /// The package whose version is told, as Cargo.lock has it.
    pub package: Option<&'static str>,
    /// Which library checks the signatures.
    pub crypto: &'static str,
    /// What a reader of the table should know.
    pub note: &'static str,
    /// Which claims it cannot do without.
    pub claims: Claims,
    /// Whether it remembers tokens, so that one never seen before differs from one seen.
    pub remembers: bool,
    /// Algorithms it does not know.
    pub lacks: &'static [&'static str],
    /// The gate it is compared with: none, on the same axum.
    pub baseline: &'static str,
    /// Configures it as its documentation shows.
    pub build: fn(Source) -> Built,
}

impl Entry {
    /// A gate of which nothing special is to be said.
    pub const PLAIN: Entry = Entry {
        name: "",
        package: None,
        crypto: "",
        note: "",
        claims: Claims::Standard,
        remembers: false,
        lacks: &[],
        baseline: NO_GATE,
        build: |_| Box::pin(async { Err("nothing to build".to_owned()) }),
    };

    /// Whether it checks anything.
    pub fn guards(&self) -> bool {
        !self.crypto.is_empty()
    }
}

/// A service made with axum 0.8.
pub struct Axum<S>(pub S);

impl<S> Gate for Axum<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    fn call(&self, credential: Option<&HeaderValue>) -> StatusCode {
        at_once(self.0.clone().oneshot(request(credential, Body::empty()))).status()
    }

    fn ask(&self, credential: Option<&HeaderValue>) -> Waiting<'_, StatusCode> {
        let answer = self.0.clone().oneshot(request(credential, Body::empty()));
        Box::pin(async { answer.await.unwrap_or_else(|never| match never {}).status() })
    }

    fn serve(self: Box<Self>, listener: TcpListener) -> Waiting<'static, io::Result<()>> {
        Box::pin(async move { axum::serve(listener, Shared::new(self.0)).await })
    }
}

/// A router of axum 0.7.
pub struct OlderAxum(pub axum07::Router);

impl Gate for OlderAxum {
    fn call(&self, credential: Option<&HeaderValue>) -> StatusCode {
        let request = request(credential, axum07::body::Body::empty());
        at_once(self.0.clone().oneshot(request)).status()
    }

    fn ask(&self, credential: Option<&HeaderValue>) -> Waiting<'_, StatusCode> {
        let request = request(credential, axum07::body::Body::empty());
        let answer = self.0.clone().oneshot(request);
        Box::pin(async { answer.await.unwrap_or_else(|never| match never {}).status() })
    }

    fn serve(self: Box<Self>, listener: TcpListener) -> Waiting<'static, io::Result<()>> {
        Box::pin(async move { axum07::serve(listener, Shared::new(self.0)).await })
    }
}

fn request<B>(credential: Option<&HeaderValue>, body: B) -> axum::http::Request<B> {
    let mut request = axum::http::Request::new(body);
    *request.uri_mut() = Uri::from_static(PATH);
    if let Some(credential) = credential {
        request
            .headers_mut()
            .insert(AUTHORIZATION, credential.clone());
    }
    request
}

fn at_once<T>(future: impl Future<Output = Result<T, Infallible>>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(answer)) => answer,
        Poll::Pending => panic!("the gate waits for somebody"),
    }
}
