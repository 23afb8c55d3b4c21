//! One engine at a time, that finds everything as the last one left it; so many waiting, and no more.

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use crate::finds;
use crate::places::{Places, Seat};
use crate::sync::Ordering;

/// What engines and requests write beside the seat; it orders nothing by itself.
struct Source {
    seat: Seat,
    engines: AtomicUsize,
    /// Keys out of a file, put there before the first engine starts.
    kept: AtomicUsize,
    /// What the last engine brought.
    rounds: AtomicUsize,
}

impl Source {
    fn new() -> Arc<Source> {
        Arc::new(Source {
            seat: Seat::new(),
            engines: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
        })
    }

    /// A request, which starts an engine unless one runs. What it finds in the file's place counts only
    /// if it has put nothing there itself.
    fn request(&self) -> bool {
        if self.seat.is_taken() {
            assert_eq!(
                self.kept.load(Ordering::Relaxed),
                1,
                "who finds an engine finds the keys"
            );
            return false;
        }
        self.kept.store(1, Ordering::Relaxed);
        self.seat.take()
    }

    fn engine(&self) {
        assert_eq!(
            self.engines.fetch_add(1, Ordering::Relaxed),
            0,
            "one engine at a time"
        );
        let rounds = self.rounds.load(Ordering::Relaxed);
        self.rounds.store(rounds + 1, Ordering::Relaxed);
        self.engines.fetch_sub(1, Ordering::Relaxed);
        self.seat.leave();
    }
}

#[test]
fn one_engine_runs_and_the_next_takes_up_where_it_ended() {
    loom::model(|| {
        let source = Source::new();
        let requests: Vec<_> = (0..2)
            .map(|_| {
                let source = source.clone();
                thread::spawn(move || {
                    let starts = source.request();
                    if starts {
                        source.engine();
                    }
                    usize::from(starts)
                })
            })
            .collect();
        let started: usize = requests
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert!(started >= 1, "somebody starts an engine");
        assert!(
            !source.seat.is_taken(),
            "and it leaves the seat to the next"
        );
        assert_eq!(
            source.rounds.load(Ordering::Relaxed),
            started,
            "no round is lost"
        );
    });
}

#[test]
fn an_engine_that_takes_no_seat_is_found_out() {
    let wrong = finds(|| {
        loom::model(|| {
            let source = Source::new();
            let other = source.clone();
            let thread = thread::spawn(move || other.engine());
            source.engine();
            thread.join().unwrap();
        });
    });
    assert!(wrong.is_some_and(|why| why.contains("one engine at a time")));
}

#[test]
fn no_more_wait_than_there_are_places_and_each_comes_back() {
    loom::model(|| {
        let places = Arc::new(Places::new(1));
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (places, inside) = (places.clone(), inside.clone());
                thread::spawn(move || {
                    let Some(place) = places.take() else {
                        return;
                    };
                    assert_eq!(
                        inside.fetch_add(1, Ordering::Relaxed),
                        0,
                        "one place, one who waits"
                    );
                    inside.fetch_sub(1, Ordering::Relaxed);
                    drop(place);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(places.take().is_some(), "every place came back");
    });
}
