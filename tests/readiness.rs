//! The gate keeps tower's contract: who is called was asked before, and what was reserved while
//! asking is used or given back, on every way through the gate.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

mod watched;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::*;
use tokio::sync::watch;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

const AUDIENCE: &str = "https://api.example.com/";

scopes! {
    Read = "read:events";
    Write = "write:events";
}

/// Panics when it is called unready. Readiness belongs to one instance: clones have none.
#[derive(Default)]
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Strict {
        Strict {
            ready: false,
            calls: self.calls.clone(),
        }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(self.ready, "called without having been asked");
        self.ready = false;
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(Body::empty())))
    }
}

/// A store that answers once it is told to, and of some tokens says no once it is told to.
struct Slow(watch::Receiver<bool>, watch::Receiver<bool>);

impl Lookup for Slow {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        self.0.clone().wait_for(|open| *open).await?;
        // Not wherever it stands: a JWT may hold the word by chance.
        let bad = ["opaque-bad", "turns-bad"]
            .iter()
            .any(|name| token.starts_with(name));
        if bad && (!token.starts_with("turns") || *self.1.borrow()) {
            return Ok(None);
        }
        Ok(Some(ClaimSet::parse(r#"{"scope":"read:events"}"#)?))
    }
}

/// A gate with all ways through it.
struct Scene {
    issuer: AuthorizationServer,
    server: ResourceServer,
    store: watch::Sender<bool>,
    turns_bad: watch::Sender<bool>,
    calls: Arc<AtomicUsize>,
}

impl Scene {
    async fn new() -> Scene {
        // A clock that stands still, so that no deadline ever passes.
        let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
        let issuer = watched::builder().clock(clock).build();
        let (store, answers) = watch::channel(false);
        let (turns_bad, turned) = watch::channel(false);
        let lookup = LookupVerifier::builder(Slow(answers, turned))
            .build()
            .unwrap();
        let lookup = Arc::new(lookup);
        let jwt = issuer.jwt_verifier(AUDIENCE).confirmed_by(lookup.clone());
        let server = issuer
            .resource_server()
            .route(When::jwt(), jwt.build().unwrap())
            .verifier(lookup)
            .build()
            .unwrap();
        server.ready().await.unwrap();
        Scene {
            issuer,
            server,
            store,
            turns_bad,
            calls: Arc::default(),
        }
    }

    /// Of zero, it asks on each request.
    fn fresh(&self, within: Duration) -> FreshLayer {
        let fresh = self.server.fresh(Freshness::within(within));
        fresh.unwrap().layer()
    }

    /// A request that the gate has let in, for layers inside of it.
    async fn let_in(&self, token: &str) -> Request<Body> {
        let (mut parts, body) = request(Some(token)).into_parts();
        self.server.authenticate(&mut parts).await.unwrap();
        Request::from_parts(parts, body)
    }

    fn strict(&self) -> Strict {
        Strict {
            ready: false,
            calls: self.calls.clone(),
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Is let in at once: the keys are there.
    fn good(&self) -> Request<Body> {
        request(Some(&self.issuer.token().scope("read:events").mint()))
    }

    /// Is turned away at once.
    fn bad(&self) -> Request<Body> {
        request(Some(&self.issuer.token().expires_in(-3600).mint()))
    }
}

fn request(token: Option<&str>) -> Request<Body> {
    let mut request = Request::get("/");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}

/// A guard that lets tokens of this scope pass, so that one token passes one and not another.
fn guard(scope: &str) -> ResourceGuard {
    let guard = ResourceGuard::path("/").claim_is("/scope", scope);
    guard.build().unwrap()
}

/// Whether `service` is ready, without waiting for it.
fn is_ready<S: Service<Request<Body>>>(service: &mut S) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    service.poll_ready(&mut context).is_ready()
}

/// Lets the tasks of the runtime run, and the future up to where it waits.
async fn is_waiting<F: Future + Unpin>(future: &mut F) -> bool {
    for _ in 0..20 {
        tokio::task::yield_now().await;
        let poll =
            std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx)));
        if poll.await.is_ready() {
            return false;
        }
    }
    true
}

/// Sends one request after the other through one instance, in every order of three.
async fn all_orders<S>(scene: &Scene, mut service: S)
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Error: std::fmt::Debug,
{
    scene.store.send_replace(true);
    let mut number = 0;
    let mut let_in = 0;
    for order in 0..6_usize.pow(3) {
        for way in [order % 6, order / 6 % 6, order / 36] {
            number += 1;
            let (request, wanted) = match way {
                0 => (scene.good(), 200),
                1 => (scene.bad(), 401),
                2 => (request(None), 401),
                // A token never seen before, so that it has to be waited for.
                3 => (request(Some(&format!("opaque-{number}"))), 200),
                4 => (request(Some(&format!("opaque-bad-{number}"))), 401),
                _ => (request(Some("two, of them")), 400),
            };
            let service = service.ready().await.unwrap();
            let response = service.call(request).await.unwrap();
            let why = response.extensions().get::<portcullis::Error>();
            assert_eq!(
                response.status(),
                wanted,
                "order {order}, way {way}: {why:?}"
            );
            let_in += usize::from(wanted == 200);
        }
    }
    assert_eq!(scene.calls(), let_in);
}

#[tokio::test]
async fn nobody_is_called_unready() {
    let scene = Scene::new().await;
    all_orders(&scene, scene.server.layer().layer(scene.strict())).await;
}

#[tokio::test]
async fn nobody_is_called_unready_behind_all_layers() {
    let scene = Scene::new().await;
    let service = ServiceBuilder::new()
        .layer(scene.server.layer())
        .layer(scene.fresh(Duration::ZERO))
        .layer(RequireScopeLayer::<Read>::new())
        .layer(guard("read:events").layer())
        .layer(scene.fresh(Duration::from_secs(5)))
        .layer(scene.server.optional_layer())
        .service(scene.strict());
    all_orders(&scene, service).await;
}

#[tokio::test]
async fn nobody_is_called_unready_behind_a_limit() {
    let scene = Scene::new().await;
    let limited = ConcurrencyLimit::new(scene.strict(), 1);
    all_orders(&scene, scene.server.layer().layer(limited)).await;
}

#[tokio::test]
async fn nobody_is_called_unready_behind_a_buffer() {
    let scene = Scene::new().await;
    let buffered = Buffer::new(scene.strict(), 1);
    all_orders(&scene, scene.server.layer().layer(buffered)).await;
}

#[tokio::test]
async fn the_gate_itself_works_in_a_buffer() {
    let scene = Scene::new().await;
    let gate = scene.server.layer().layer(scene.strict());
    all_orders(&scene, Buffer::new(gate, 1)).await;
}

#[tokio::test]
async fn a_permit_is_used_when_the_request_passes_at_once() {
    let scene = Scene::new().await;
    let mut gate = scene
        .server
        .layer()
        .layer(ConcurrencyLimit::new(scene.strict(), 1));
    let mut other = gate.clone();

    assert!(is_ready(&mut gate));
    assert!(!is_ready(&mut other));
    let future = gate.call(scene.good());
    assert!(!is_ready(&mut other), "the permit belongs to the call");
    assert_eq!(future.await.unwrap().status(), 200);
    assert!(is_ready(&mut other), "the call is over");
}

#[tokio::test]
async fn a_refusal_gives_the_permit_back() {
    let scene = Scene::new().await;
    let mut gate = scene
        .server
        .layer()
        .layer(ConcurrencyLimit::new(scene.strict(), 1));
    let mut other = gate.clone();

    for refused in [scene.bad(), request(None)] {
        assert!(is_ready(&mut gate));
        assert_eq!(gate.call(refused).await.unwrap().status(), 401);
    }
    assert_eq!(scene.calls(), 0);
    assert!(is_ready(&mut other), "bad tokens hold no permits");
    assert_eq!(other.call(scene.good()).await.unwrap().status(), 200);
    drop(other);

    // As axum does it: one clone for each request.
    assert!(is_ready(&mut gate));
    let refused = gate.clone();
    assert_eq!(gate.call(scene.bad()).await.unwrap().status(), 401);
    drop(gate);
    let passed = refused.oneshot(scene.good());
    assert_eq!(passed.await.unwrap().status(), 200);
}

/// Layers inside of the gate refuse what the gate let in; with no gate around them, everything.
#[tokio::test]
async fn a_refusal_further_inside_gives_the_permit_back() {
    async fn refuses<L>(scene: &Scene, layer: L, gated: bool)
    where
        L: Layer<ConcurrencyLimit<Strict>>,
        L::Service: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
    {
        let mut service = layer.layer(ConcurrencyLimit::new(scene.strict(), 1));
        let mut other = service.clone();
        for _ in 0..2 {
            assert!(is_ready(&mut service));
            assert!(!is_ready(&mut other));
            let (mut parts, body) = scene.good().into_parts();
            if gated {
                scene.server.authenticate(&mut parts).await.unwrap();
            }
            let future = service.call(Request::from_parts(parts, body));
            assert!(is_ready(&mut other), "a refusal holds no permit");
            other = other.clone();
            let wanted = if gated { 403 } else { 500 };
            assert_eq!(future.await.unwrap().status(), wanted);
        }
        assert_eq!(scene.calls(), 0);
    }
    let scene = Scene::new().await;
    for gated in [true, false] {
        refuses(&scene, RequireScopeLayer::<Write>::new(), gated).await;
        refuses(&scene, guard("write:events").layer(), gated).await;
    }
}

#[tokio::test]
async fn a_request_that_is_asked_about_holds_no_permit_and_takes_one_to_go_in() {
    let scene = Scene::new().await;
    let mut gate = scene
        .server
        .layer()
        .layer(ConcurrencyLimit::new(scene.strict(), 1));
    for token in ["opaque", "opaque-bad"] {
        scene.store.send_replace(false);
        assert!(is_ready(&mut gate));
        let mut waiting = gate.call(request(Some(token)));
        assert!(is_waiting(&mut waiting).await);
        assert!(is_ready(&mut gate), "others go in meanwhile");

        // Somebody has the only permit now, so a good one has to wait for it.
        scene.store.send_replace(true);
        if token == "opaque" {
            assert!(is_waiting(&mut waiting).await);
            gate = gate.clone();
        }
        let status = waiting.await.unwrap().status();
        assert_eq!(status, if token == "opaque" { 200 } else { 401 });
        assert!(is_ready(&mut gate), "the permit is back after {token}");
        // Give it back for the next round.
        gate = gate.clone();
    }
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_gives_the_permit_back() {
    let scene = Scene::new().await;
    let mut gate = scene
        .server
        .layer()
        .layer(ConcurrencyLimit::new(scene.strict(), 1));

    // Before it was polled at all.
    assert!(is_ready(&mut gate));
    drop(gate.call(request(Some("opaque-1"))));
    assert!(is_ready(&mut gate));

    // While it waits.
    let mut waiting = gate.call(request(Some("opaque-2")));
    assert!(is_waiting(&mut waiting).await);
    drop(waiting);
    assert!(is_ready(&mut gate));

    // Who comes next with the same token is served: the look-up went on.
    let mut next = gate.call(request(Some("opaque-2")));
    assert!(is_waiting(&mut next).await);
    scene.store.send_replace(true);
    assert_eq!(next.await.unwrap().status(), 200);
    assert_eq!(scene.calls(), 1);
}

/// A layer inside of the gate that asks keeps the same rules.
#[tokio::test]
async fn a_guard_that_asks_takes_a_permit_only_to_go_in() {
    let scene = Scene::new().await;
    let good = scene.issuer.token().mint();
    let opaque = "opaque".to_owned();
    scene.store.send_replace(true);
    scene.let_in(&opaque).await;
    let on_each_request = scene.fresh(Duration::ZERO);
    let mut guard = on_each_request.layer(ConcurrencyLimit::new(scene.strict(), 1));
    for (number, token) in [good, opaque].iter().enumerate() {
        // It takes a permit when it goes in.
        let request = scene.let_in(token).await;
        scene.store.send_replace(false);
        assert!(is_ready(&mut guard));
        let mut waiting = guard.call(request);
        assert!(is_waiting(&mut waiting).await);
        assert!(is_ready(&mut guard), "others go in meanwhile");
        guard = guard.clone();
        scene.store.send_replace(true);
        assert_eq!(waiting.await.unwrap().status(), 200);
        assert_eq!(scene.calls(), number + 1);
        guard = guard.clone();

        // A client hangs up.
        let request = scene.let_in(token).await;
        scene.store.send_replace(false);
        assert!(is_ready(&mut guard));
        let mut waiting = guard.call(request);
        assert!(is_waiting(&mut waiting).await);
        drop(waiting);
        assert!(is_ready(&mut guard), "the permit is back");
        scene.store.send_replace(true);
        guard = guard.clone();
    }
}

#[tokio::test]
async fn a_guard_that_refuses_gives_the_permit_back() {
    let scene = Scene::new().await;
    scene.store.send_replace(true);
    let known = scene.fresh(Duration::from_secs(5));
    let mut guard = known.layer(ConcurrencyLimit::new(scene.strict(), 1));
    let mut other = guard.clone();
    // Passes at once: it was asked about when it was let in.
    assert!(is_ready(&mut guard));
    let passing = guard.call(scene.let_in("opaque").await);
    assert!(!is_ready(&mut other), "the permit belongs to the call");
    assert_eq!(passing.await.unwrap().status(), 200);
    // Who has asked in vain stands in the queue.
    other = other.clone();
    // Refused at once, with no gate outside; and after asking.
    assert!(is_ready(&mut guard));
    assert_eq!(guard.call(request(None)).await.unwrap().status(), 500);
    assert!(is_ready(&mut other), "a refusal holds no permit");
    other = other.clone();
    let mut guard = scene
        .fresh(Duration::ZERO)
        .layer(ConcurrencyLimit::new(scene.strict(), 1));
    let mut other_guard = guard.clone();
    let bad = scene.let_in("turns-bad").await;
    scene.turns_bad.send_replace(true);
    assert!(is_ready(&mut guard));
    assert_eq!(guard.call(bad).await.unwrap().status(), 401);
    assert!(is_ready(&mut other_guard) && is_ready(&mut other));
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn waiting_requests_do_not_wait_for_each_other() {
    let scene = Scene::new().await;
    let mut gate = scene
        .server
        .layer()
        .layer(ConcurrencyLimit::new(scene.strict(), 2));
    assert!(is_ready(&mut gate));
    let mut waiting = gate.call(request(Some("opaque")));
    assert!(is_waiting(&mut waiting).await);

    // The same instance serves others meanwhile.
    assert!(is_ready(&mut gate));
    assert_eq!(gate.call(scene.good()).await.unwrap().status(), 200);
    assert!(is_waiting(&mut waiting).await);
    scene.store.send_replace(true);
    assert_eq!(waiting.await.unwrap().status(), 200);
}

#[test]
fn the_strict_service_is_strict() {
    let called = std::panic::catch_unwind(|| {
        let mut asked = Strict::default();
        assert!(is_ready(&mut asked));
        drop(asked.clone().call(request(None)));
    });
    assert!(called.is_err());
}
