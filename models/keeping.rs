//! Nothing that was found out before it was forgotten is remembered after it.

use loom::sync::atomic::AtomicUsize;
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::finds;
use crate::forgetting::{Forgetting, Memory};
use crate::sync::{Ordering, without_fences};

/// Two counters show whatever 256 would.
type Counters = Forgetting<2>;

/// A place for one verdict.
trait Store: Send + Sync + 'static {
    fn new() -> Self;
    fn put(&self, verdict: usize);
    fn clear(&self);
    /// Once all threads have ended.
    fn verdict(&self) -> Option<usize>;
}

struct Locked(Mutex<Option<usize>>);

impl Store for Locked {
    fn new() -> Locked {
        Locked(Mutex::new(None))
    }

    fn put(&self, verdict: usize) {
        *self.0.lock().unwrap() = Some(verdict);
    }

    fn clear(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn verdict(&self) -> Option<usize> {
        *self.0.lock().unwrap()
    }
}

/// Orders nothing by itself, and takes out only what it sees: as weak as a table without locks may be.
struct Weak(AtomicUsize);

impl Store for Weak {
    fn new() -> Weak {
        Weak(AtomicUsize::new(0))
    }

    fn put(&self, verdict: usize) {
        self.0.store(verdict, Ordering::Relaxed);
    }

    fn clear(&self) {
        if self.0.load(Ordering::Relaxed) != 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }

    fn verdict(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|verdict| *verdict != 0)
    }
}

/// A verdict that was found out by asking when so often was forgotten.
const ACCEPTED: usize = 1;
const REFUSED: usize = 2;

/// What is found out is true until the moment of `revoked`.
struct World<S> {
    counters: Counters,
    store: S,
    revoked: AtomicUsize,
}

impl<S: Store> World<S> {
    fn new() -> Arc<World<S>> {
        Arc::new(World {
            counters: Counters::new(),
            store: S::new(),
            revoked: AtomicUsize::new(0),
        })
    }

    fn ask(&self) -> usize {
        match self.revoked.load(Ordering::Acquire) {
            0 => ACCEPTED,
            _ => REFUSED,
        }
    }

    /// A verification, as the server does it.
    fn verify(&self) {
        let memory = self.counters.memory(0);
        let verdict = self.ask();
        self.keep(memory, verdict);
    }

    fn keep(&self, memory: Memory, verdict: usize) {
        let clear = || self.store.clear();
        self.counters
            .keep(0, memory, || self.store.put(verdict), clear);
    }

    /// Somebody logs out: first the issuer knows, then we forget.
    fn log_out(&self, forget: impl FnOnce(&Counters, &S)) {
        self.revoked.store(1, Ordering::Release);
        forget(&self.counters, &self.store);
    }
}

fn forget_it<S: Store>(counters: &Counters, store: &S) {
    counters.forget(0, || store.clear());
}

fn forget_all<S: Store>(counters: &Counters, store: &S) {
    counters.forget_all(|| store.clear());
}

/// Clears before it counts.
fn forget_the_wrong_way_round<S: Store>(counters: &Counters, store: &S) {
    store.clear();
    counters.forget(0, || ());
}

/// A request verifies while somebody logs out.
fn logout<S: Store>(forget: fn(&Counters, &S)) {
    loom::model(move || {
        let world = World::<S>::new();
        let verifying = world.clone();
        let verifying = thread::spawn(move || verifying.verify());
        world.log_out(forget);
        verifying.join().unwrap();
        let left = world.store.verdict();
        assert_ne!(
            left,
            Some(ACCEPTED),
            "it is remembered after it was forgotten"
        );
    });
}

#[test]
fn nothing_found_out_before_a_logout_is_remembered_after_it() {
    logout::<Locked>(forget_it);
    logout::<Locked>(forget_all);
    logout::<Weak>(forget_it);
    logout::<Weak>(forget_all);
}

#[test]
fn that_needs_the_count_before_the_clearing() {
    let found = finds(|| logout::<Locked>(forget_the_wrong_way_round));
    assert!(
        found
            .unwrap()
            .contains("it is remembered after it was forgotten")
    );
}

#[test]
fn that_needs_the_fences() {
    // A store with locks orders enough by itself.
    without_fences(|| logout::<Locked>(forget_it));
    for forget in [forget_it::<Weak>, forget_all::<Weak>] {
        let found = without_fences(|| finds(|| logout::<Weak>(forget)));
        assert!(
            found
                .unwrap()
                .contains("it is remembered after it was forgotten")
        );
    }
}

/// Of three threads, with all orders in which they interrupt each other at most twice: of more there
/// are too many.
fn in_threes(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

#[test]
fn two_who_verify_do_not_cover_for_each_other() {
    in_threes(|| {
        let world = World::<Weak>::new();
        let (one, other) = (world.clone(), world.clone());
        let one = thread::spawn(move || one.verify());
        let other = thread::spawn(move || other.verify());
        world.log_out(forget_it);
        one.join().unwrap();
        other.join().unwrap();
        assert_ne!(world.store.verdict(), Some(ACCEPTED));
    });
}

#[test]
fn two_who_forget_do_not_cover_for_each_other() {
    in_threes(|| {
        let world = World::<Weak>::new();
        let (verifying, other) = (world.clone(), world.clone());
        let verifying = thread::spawn(move || verifying.verify());
        let other = thread::spawn(move || other.log_out(forget_all));
        world.log_out(forget_it);
        verifying.join().unwrap();
        other.join().unwrap();
        assert_ne!(world.store.verdict(), Some(ACCEPTED));
    });
}

/// An early verification finds the token good and is slow to say so; a later one finds it revoked.
fn overruled<S: Store>(refuse: fn(&World<S>, Memory)) {
    loom::model(move || {
        let world = World::<S>::new();
        // Both have begun.
        let (early, late) = (world.counters.memory(0), world.counters.memory(0));
        let slow = world.clone();
        let slow = thread::spawn(move || slow.keep(early, ACCEPTED));
        refuse(&world, late);
        slow.join().unwrap();
        assert_ne!(world.store.verdict(), Some(ACCEPTED), "it passes again");
    });
}

fn replace<S: Store>(world: &World<S>, memory: Memory) {
    let put = || world.store.put(REFUSED);
    world
        .counters
        .replace(0, memory, put, || world.store.clear());
}

#[test]
fn a_refusal_stands_against_what_was_found_out_before() {
    overruled::<Locked>(replace);
    overruled::<Weak>(replace);
    // As an ordinary refusal, of which nothing was accepted yet, it would not.
    let found = finds(|| overruled::<Locked>(|world, memory| world.keep(memory, REFUSED)));
    assert!(found.unwrap().contains("it passes again"));
}

/// A refusal is put in the place of an acceptance while somebody logs out.
#[test]
fn a_refusal_from_before_a_logout_is_not_remembered_after_it() {
    loom::model(|| {
        let world = World::<Weak>::new();
        let memory = world.counters.memory(0);
        let refusing = world.clone();
        let refusing = thread::spawn(move || replace(&refusing, memory));
        forget_it(&world.counters, &world.store);
        refusing.join().unwrap();
        assert_eq!(world.store.verdict(), None);
    });
}

/// Who forgets, forgets at once: no request that begins later is served what was there, unless one is
/// putting it in at that very moment.
#[test]
fn what_was_remembered_is_gone_when_forgetting_returns() {
    loom::model(|| {
        let world = World::<Weak>::new();
        world.verify();
        forget_all(&world.counters, &world.store);
        assert_eq!(world.store.verdict(), None);
    });
    // And that one is why the promise is about keepings that have ended.
    let found = finds(|| {
        loom::model(|| {
            let world = World::<Weak>::new();
            let verifying = world.clone();
            let verifying = thread::spawn(move || verifying.verify());
            world.log_out(forget_it);
            let seen = world.store.verdict();
            verifying.join().unwrap();
            assert_ne!(seen, Some(ACCEPTED), "for an instant it can be seen");
        });
    });
    assert!(found.unwrap().contains("for an instant it can be seen"));
}
