//! An endpoint that does as each test says, a clock turned by hand, and a gate between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use portcullis::testing::ManualClock;
use portcullis::{
    AccessToken, ClientAuth, Clock, EndpointStatus, Error, Fetch, FetchError,
    IntrospectionVerifier, IntrospectionVerifierBuilder, ResourceServer, UnixTime,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::showing;

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_795_262_400);

/// What the endpoint does when it is called.
#[derive(Clone)]
pub(crate) enum Does {
    Answers(u16, &'static str),
    AnswersWith(u16, &'static str, &'static str),
    Brings(Vec<u8>),
    Fails(FetchError),
    Hangs,
    /// Answers that the token is active, this much later.
    Late(Duration),
    /// Answers that the token is active as soon as it may.
    Held,
}

pub(crate) const ACTIVE: &str = r#"{"active":true,"sub":"alice","aud":"https://api.example.com/"}"#;
pub(crate) const GOOD: Does = Does::Answers(200, ACTIVE);
pub(crate) const DOWN: Does = Does::Answers(500, "");

type Script = dyn Fn(&str) -> Does + Send + Sync;

/// The endpoint, reached without a network.
#[derive(Clone)]
pub(crate) struct Upstream {
    clock: ManualClock,
    script: Arc<Mutex<Arc<Script>>>,
    called: Arc<Mutex<Vec<String>>>,
    hold: Arc<Semaphore>,
}

impl Upstream {
    pub(crate) fn new(clock: &ManualClock) -> Upstream {
        Upstream {
            clock: clock.clone(),
            script: Arc::new(Mutex::new(Arc::new(|_| GOOD))),
            called: Arc::default(),
            hold: Arc::new(Semaphore::new(0)),
        }
    }

    /// Does `what` from now on, whatever it is asked.
    pub(crate) fn does(&self, what: Does) {
        self.decides(move |_| what.clone());
    }

    /// Does one after the other, then is well.
    pub(crate) fn does_in_turn(&self, steps: impl IntoIterator<Item = Does>) {
        let steps: Vec<Does> = steps.into_iter().collect();
        let steps = Mutex::new(steps.into_iter());
        self.decides(move |_| steps.lock().unwrap().next().unwrap_or(GOOD));
    }

    /// Does what the token makes it do.
    pub(crate) fn decides(&self, script: impl Fn(&str) -> Does + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// Lets so many held calls be answered.
    pub(crate) fn release(&self, calls: usize) {
        self.hold.add_permits(calls);
    }

    pub(crate) fn calls(&self) -> usize {
        self.called.lock().unwrap().len()
    }

    /// The tokens it was called about.
    pub(crate) fn called_about(&self) -> Vec<String> {
        self.called.lock().unwrap().clone()
    }

    async fn answer(&self, token: &str) -> Result<Response<Vec<u8>>, FetchError> {
        self.called.lock().unwrap().push(token.to_owned());
        let script = self.script.lock().unwrap().clone();
        match script(token) {
            Does::Answers(status, body) => Ok(answer(status, body)),
            Does::AnswersWith(status, name, value) => {
                let mut answer = answer(status, "");
                answer.headers_mut().insert(name, value.parse().unwrap());
                Ok(answer)
            }
            Does::Brings(body) => Ok(Response::new(body)),
            Does::Fails(error) => Err(error),
            Does::Hangs => std::future::pending().await,
            Does::Late(late) => {
                self.clock.sleep(late).await;
                Ok(answer(200, ACTIVE))
            }
            Does::Held => {
                self.hold.acquire().await.unwrap().forget();
                Ok(answer(200, ACTIVE))
            }
        }
    }
}

fn answer(status: u16, body: &str) -> Response<Vec<u8>> {
    let answer = Response::builder().status(status);
    answer.body(body.as_bytes().to_vec()).unwrap()
}

impl Fetch for Upstream {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let mut fields = form.split('&');
        let token = fields.find_map(|field| field.strip_prefix("token="));
        let bearer = request.headers().get("authorization");
        let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        self.answer(token.or(bearer).unwrap()).await
    }
}

pub(crate) fn introspection(upstream: &Upstream) -> IntrospectionVerifierBuilder {
    let auth = ClientAuth::basic("gate", "s3cret");
    let url = "https://as.example/introspect?key=k3y";
    IntrospectionVerifier::builder(url, auth, "https://api.example.com/").fetch(upstream.clone())
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) upstream: Upstream,
    pub(crate) server: ResourceServer,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|builder| builder)
    }

    pub(crate) fn with(
        set: impl FnOnce(IntrospectionVerifierBuilder) -> IntrospectionVerifierBuilder,
    ) -> World {
        let clock = ManualClock::at(NOW);
        let upstream = Upstream::new(&clock);
        let server = ResourceServer::builder().clock(clock.clone());
        let verifier = set(introspection(&upstream).jitter_seed(7))
            .build()
            .unwrap();
        World {
            server: server.verifier(verifier).build().unwrap(),
            clock,
            upstream,
        }
    }

    pub(crate) async fn show(&self, token: &str) -> Result<AccessToken, Error> {
        showing::show(&self.server, token).await
    }

    /// Shows a token and goes on.
    pub(crate) fn start(&self, token: impl Into<String>) -> JoinHandle<Result<AccessToken, Error>> {
        let (server, token) = (self.server.clone(), token.into());
        tokio::spawn(async move { showing::show(&server, &token).await })
    }

    /// Shows `tokens` different ones at the same time.
    pub(crate) fn start_many(
        &self,
        name: &str,
        tokens: usize,
    ) -> Vec<JoinHandle<Result<AccessToken, Error>>> {
        let tokens = 0..tokens;
        tokens.map(|n| self.start(format!("{name}-{n}"))).collect()
    }

    /// Turns the clock and lets everybody do what they can do then.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        settle().await;
    }

    pub(crate) fn status(&self) -> EndpointStatus {
        self.server.status().endpoints.remove(0)
    }

    /// Shows a new token each time, until the endpoint is left alone; how many it took.
    pub(crate) async fn exhaust(&self) -> usize {
        let before = self.upstream.calls();
        for n in 0..20 {
            if !self.status().available {
                break;
            }
            self.show(&format!("exhausting-{n}")).await.unwrap_err();
        }
        self.upstream.calls() - before
    }

    /// Lets the breaker's pause pass.
    pub(crate) async fn pause_is_over(&self) {
        let retry_at = self.status().retry_at.unwrap();
        self.pass(retry_at.since(self.clock.now())).await;
    }
}

/// Lets every task run until it waits for something that only the test brings about. Nothing here
/// does real I/O; in each round the runtime polls some sixty tasks.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// The sentence and the wait of an outage.
#[track_caller]
pub(crate) fn outage(outcome: Result<AccessToken, Error>) -> (String, Duration) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), portcullis::ErrorKind::Unavailable, "{error}");
    (error.to_string(), error.retry_after().unwrap())
}
