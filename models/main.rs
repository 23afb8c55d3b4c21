//! The files that synchronise threads by themselves, in every order that threads can take: loom's
//! atomics stand in for those of the standard library, the files are those of `src/`.
//!
//! Each model is run a second time with the protocol weakened, and must then find what goes wrong: a
//! model that cannot fail proves nothing.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

#[allow(dead_code)] // What this model has no use for.
#[path = "../src/introspection/breaker.rs"]
mod breaker;
#[path = "../src/verdict/forgetting.rs"]
mod forgetting;
#[allow(dead_code)]
#[path = "../src/jitter.rs"]
mod jitter;
#[path = "../src/lease.rs"]
mod lease;
#[path = "../src/jwks/places.rs"]
mod places;

mod adopting;
mod keeping;
mod probing;
mod seating;

/// What `src/sync.rs` has, of loom; and fences that can be taken away.
mod sync {
    use std::cell::Cell;

    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

    thread_local! {
        /// loom runs all threads of a model on one.
        static FENCED: Cell<bool> = const { Cell::new(true) };
    }

    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;

    pub(crate) fn fence(order: Ordering) {
        if FENCED.get() {
            loom::sync::atomic::fence(order);
        }
    }

    pub(crate) fn without_fences<T>(run: impl FnOnce() -> T) -> T {
        FENCED.set(false);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        FENCED.set(true);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// `src/lease.rs` counts in it.
mod clock {
    pub(crate) use portcullis::UnixTime;
}

/// What a model says that finds something wrong; `None` if it finds nothing.
fn finds(model: impl FnOnce()) -> Option<String> {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(model)).err()?;
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    Some(
        text.or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default(),
    )
}
