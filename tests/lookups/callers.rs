//! Callers that leave: nothing they held is lost, wherever they were. Without the verdict cache, whose
//! flights go on when their passengers leave.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use portcullis::testing::ManualClock;
use portcullis::{
    Carrier, Clock, Credential, EndpointStatus, Error, IntrospectionVerifier, Moment, Verified,
    Verifier,
};

use crate::world::{DOWN, Does, GOOD, NOW, Upstream, introspection};

struct Bare {
    clock: Arc<dyn Clock>,
    manual: ManualClock,
    upstream: Upstream,
    verifier: IntrospectionVerifier,
}

type Asking<'a> = Pin<Box<dyn Future<Output = Result<Verified, Error>> + 'a>>;

impl Bare {
    fn new(max_concurrent: usize, max_waiting: usize) -> Bare {
        let manual = ManualClock::at(NOW);
        let upstream = Upstream::new(&manual);
        let builder = introspection(&upstream)
            .max_concurrent(max_concurrent)
            .max_waiting(max_waiting);
        Bare {
            verifier: builder.build().unwrap(),
            clock: Arc::new(manual.clone()),
            manual,
            upstream,
        }
    }

    /// Asks, and goes as far as that goes without waiting.
    fn ask(&self) -> Asking<'_> {
        let mut asking: Asking<'_> = Box::pin(async {
            let carrier = Carrier::bearer();
            let credential = Credential::new("token", &carrier);
            let moment = Moment::of(&self.clock);
            self.verifier.verify(&credential, &moment).await
        });
        assert!(poll(&mut asking).is_pending());
        asking
    }

    fn status(&self) -> EndpointStatus {
        let moment = Moment::of(&self.clock);
        self.verifier.status(&moment).endpoints.remove(0)
    }

    fn in_use(&self) -> (usize, usize) {
        (self.status().in_flight, self.status().waiting)
    }
}

fn poll(asking: &mut Asking<'_>) -> Poll<Result<Verified, Error>> {
    let mut context = Context::from_waker(Waker::noop());
    asking.as_mut().poll(&mut context)
}

#[tokio::test]
async fn a_turn_comes_back_with_its_caller() {
    let bare = Bare::new(2, 10);
    bare.upstream.does(Does::Hangs);
    for _ in 0..100 {
        let (first, second) = (bare.ask(), bare.ask());
        assert_eq!(bare.in_use(), (2, 0));
        drop((first, second));
        assert_eq!(bare.in_use(), (0, 0));
    }
    assert_eq!(bare.manual.sleepers(), 0);
    let status = bare.status();
    assert_eq!((status.calls, status.failures), (200, 0));
    assert!(status.available, "who leaves has not been failed");
}

#[tokio::test]
async fn a_place_in_line_comes_back_with_its_caller() {
    let bare = Bare::new(1, 3);
    bare.upstream.does(Does::Held);
    let mut calls = bare.ask();
    for _ in 0..100 {
        let line = [bare.ask(), bare.ask(), bare.ask()];
        assert_eq!(bare.in_use(), (1, 3));
        drop(line);
        assert_eq!(bare.in_use(), (1, 0));
    }
    // Who leaves just when the turn has come passes it on.
    let (first, mut second) = (bare.ask(), bare.ask());
    bare.upstream.release(1);
    assert!(poll(&mut calls).is_ready());
    drop(first);
    assert!(poll(&mut second).is_pending());
    assert_eq!(bare.upstream.calls(), 2, "the second is calling");
    bare.upstream.release(1);
    assert!(matches!(poll(&mut second), Poll::Ready(Ok(_))));
    assert_eq!(bare.in_use(), (0, 0));
}

#[tokio::test]
async fn a_probe_makes_room_for_another_if_its_caller_leaves() {
    let bare = Bare::new(64, 1_000);
    bare.upstream.does(DOWN);
    let ask = async || {
        let carrier = Carrier::bearer();
        let credential = Credential::new("token", &carrier);
        let moment = Moment::of(&bare.clock);
        bare.verifier.verify(&credential, &moment).await
    };
    for _ in 0..5 {
        ask().await.unwrap_err();
    }
    bare.manual.advance(Duration::from_secs(1));
    bare.upstream.does(Does::Hangs);
    for calls in 6..106 {
        let probe = bare.ask();
        assert_eq!(bare.upstream.calls(), calls);
        assert!(!bare.status().available);
        let turned_away = ask().await.unwrap_err();
        assert_eq!(turned_away.retry_after(), Some(Duration::from_secs(1)));
        drop(probe);
        assert!(bare.status().available, "for the next probe");
    }
    bare.upstream.does(GOOD);
    ask().await.unwrap();
    assert_eq!(bare.in_use(), (0, 0));
    assert_eq!(bare.manual.sleepers(), 0);
}

/// A `Fetch` of somebody else's may panic; what it held is given back all the same.
#[tokio::test]
async fn a_panic_is_a_caller_that_leaves() {
    let bare = Bare::new(1, 0);
    bare.upstream.does(DOWN);
    let carrier = Carrier::bearer();
    let credential = Credential::new("token", &carrier);
    for _ in 0..5 {
        let moment = Moment::of(&bare.clock);
        bare.verifier
            .verify(&credential, &moment)
            .await
            .unwrap_err();
    }
    bare.manual.advance(Duration::from_secs(1));
    bare.upstream.decides(|_| panic!("a bug"));
    let bare = Arc::new(bare);
    let probe = tokio::spawn({
        let bare = bare.clone();
        async move {
            let carrier = Carrier::bearer();
            let credential = Credential::new("token", &carrier);
            let moment = Moment::of(&bare.clock);
            bare.verifier.verify(&credential, &moment).await
        }
    });
    assert!(probe.await.unwrap_err().is_panic());
    assert_eq!(bare.in_use(), (0, 0));
    bare.upstream.decides(|_| GOOD);
    let moment = Moment::of(&bare.clock);
    bare.verifier.verify(&credential, &moment).await.unwrap();
}
