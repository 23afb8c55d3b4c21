//! Runs what is asynchronous until nothing can run any more before time passes.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use tokio::runtime::{Builder, Handle, Runtime};

/// Wakes who waits for all others to wait: a runtime parks its thread when no task can run. So no
/// number of turns is guessed, and none is too few.
#[derive(Clone, Default)]
pub(crate) struct Rest(Arc<Mutex<Option<Waker>>>);

impl Rest {
    /// A runtime of one thread, in which [`reach`](Self::reach) can be awaited.
    pub(crate) fn runtime(&self) -> Runtime {
        let parked = self.clone();
        Builder::new_current_thread()
            .on_thread_park(move || parked.reached())
            .build()
            .unwrap()
    }

    /// Completes once nothing can run any more.
    pub(crate) async fn reach(&self) {
        let mut waits = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut waits, true) {
                return Poll::Ready(());
            }
            *self.0.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn reached(&self) {
        let waker = self.0.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// How many tasks there are.
pub(crate) fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}
