//! What went wrong in other verifiers, played again before this one. `tests/data/lessons.json` lists the
//! lessons with their cases; a test here is named after its lesson, or after its line of
//! `tests/data/standards.json` where no row of the tables could show it.

#![allow(
    clippy::unwrap_used,
    reason = "tests say what must be there by taking it"
)]

mod algorithms;
mod bounds;
mod bytes;
mod certified;
mod issuers;
mod lines;
mod log;
mod memory;
mod places;
#[path = "../showing/mod.rs"]
mod showing;
mod spellings;
#[path = "../watched/mod.rs"]
mod watched;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    AccessToken, Error, Fetch, FetchError, JwtVerifier, JwtVerifierBuilder, Keys, RemoteJwks,
    ResourceServer, UnixTime,
};

pub(crate) const AUDIENCE: &str = "https://api.example.com/";

/// When every test begins.
pub(crate) const NOW: i64 = 1_795_262_400;

portcullis::scopes! {
    Read = "read:events";
    Write = "write:events";
}

/// An issuer, a clock that is turned by hand, and a record of who was asked.
pub(crate) struct World {
    pub(crate) issuer: AuthorizationServer,
    pub(crate) clock: ManualClock,
    asked: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub(crate) fn new() -> World {
        World::at("https://as.example")
    }

    pub(crate) fn at(origin: &str) -> World {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let issuer = watched::builder()
            .origin(origin)
            .clock(clock.clone())
            .build();
        World {
            issuer,
            clock,
            asked: Arc::default(),
        }
    }

    /// The issuer's keys, found through its metadata.
    pub(crate) fn keys(&self) -> Keys {
        let keys = RemoteJwks::discover(self.issuer.issuer()).fetch(self.fetcher());
        keys.build().unwrap().into()
    }

    pub(crate) fn jwt(&self) -> JwtVerifierBuilder {
        JwtVerifier::builder(self.issuer.issuer(), AUDIENCE).keys(self.keys())
    }

    /// A gate with nothing but what it must have.
    pub(crate) fn gate(&self) -> ResourceServer {
        self.gate_of(self.jwt())
    }

    pub(crate) fn gate_of(&self, jwt: JwtVerifierBuilder) -> ResourceServer {
        let server = self.issuer.resource_server();
        server.verifier(jwt.build().unwrap()).build().unwrap()
    }

    /// Reaches the issuer, and records whom a gate wanted to reach.
    pub(crate) fn fetcher(&self) -> impl Fetch + use<> {
        Watched(self.issuer.fetcher(), self.asked.clone())
    }

    /// The URLs that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Shows `token` and lets time pass for as long as the answer is waited for.
    pub(crate) async fn show(
        &self,
        gate: &ResourceServer,
        token: &str,
    ) -> Result<AccessToken, Error> {
        let (gate, token) = (gate.clone(), token.to_owned());
        let answer = tokio::spawn(async move { showing::show(&gate, &token).await });
        for _ in 0..40 {
            settle().await;
            if answer.is_finished() {
                break;
            }
            self.clock.advance(Duration::from_millis(250));
        }
        assert!(answer.is_finished(), "no answer came within ten seconds");
        answer.await.unwrap()
    }

    /// Lets time pass, and whoever waited for it act.
    pub(crate) async fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
        settle().await;
    }
}

pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

struct Watched<F>(F, Arc<Mutex<Vec<String>>>);

impl<F: Fetch> Fetch for Watched<F> {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        self.1.lock().unwrap().push(request.uri().to_string());
        self.0.fetch(request, max_bytes).await
    }
}

/// A request with these headers, without its body.
pub(crate) fn parts(headers: &[(&str, &str)]) -> http::request::Parts {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}
