//! Whose turn it is to call: so many calls at a time, and a line for the rest that does not grow
//! without end.

use std::future::Future;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::fetch::either;
use crate::places::Places;

/// Turns, first come, first served. Who leaves the line, or drops its turn, makes room at once.
pub(super) struct Turns {
    turns: Semaphore,
    most: usize,
    line: Places,
}

/// Why there is no turn.
#[derive(Debug, PartialEq)]
pub(super) enum NoTurn {
    /// The line is full.
    Full,
    /// It did not come in time.
    Late,
}

impl Turns {
    pub(super) fn new(most: usize, most_waiting: usize) -> Turns {
        let most = most.min(Semaphore::MAX_PERMITS);
        Turns {
            turns: Semaphore::new(most),
            most,
            line: Places::new(most_waiting),
        }
    }

    /// Waits for a turn while `patience` lasts; it is asked for only if there is a line.
    pub(super) async fn take<P: Future<Output = ()>>(
        &self,
        patience: impl FnOnce() -> P,
    ) -> Result<SemaphorePermit<'_>, NoTurn> {
        // A place that is free now is nobody's: those in line are given theirs directly.
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let _place = self.line.take().ok_or(NoTurn::Full)?;
        match either(self.turns.acquire(), patience()).await {
            Some(Ok(turn)) => Ok(turn),
            // Nobody closes the semaphore.
            Some(Err(_)) | None => Err(NoTurn::Late),
        }
    }

    /// Calls under way.
    pub(super) fn in_use(&self) -> usize {
        self.most - self.turns.available_permits()
    }

    /// How many stand in line.
    pub(super) fn waiting(&self) -> usize {
        self.line.taken()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_line_is_bounded_and_moves_in_order() {
        let turns = Turns::new(1, 2);
        let mut first = Box::pin(turns.take(pending::<()>));
        let Poll::Ready(Ok(turn)) = poll(first.as_mut()) else {
            panic!("the first has its turn at once");
        };
        let mut second = Box::pin(turns.take(pending::<()>));
        let mut third = Box::pin(turns.take(pending::<()>));
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());
        assert_eq!((turns.in_use(), turns.waiting()), (1, 2));
        let mut fourth = Box::pin(turns.take(pending::<()>));
        assert!(matches!(
            poll(fourth.as_mut()),
            Poll::Ready(Err(NoTurn::Full))
        ));
        drop(turn);
        assert!(poll(third.as_mut()).is_pending(), "nobody jumps the line");
        let Poll::Ready(Ok(turn)) = poll(second.as_mut()) else {
            panic!("the second is next");
        };
        assert_eq!((turns.in_use(), turns.waiting()), (1, 1));
        drop(turn);
        drop(third);
        assert_eq!((turns.in_use(), turns.waiting()), (0, 0));
    }

    #[test]
    fn who_leaves_makes_room() {
        let turns = Turns::new(1, 1);
        let mut first = Box::pin(turns.take(pending::<()>));
        let turn = poll(first.as_mut());
        let mut waits = Box::pin(turns.take(pending::<()>));
        assert!(poll(waits.as_mut()).is_pending());
        // Given its turn, it leaves without having seen it.
        drop(turn);
        drop(waits);
        assert_eq!((turns.in_use(), turns.waiting()), (0, 0));
        let mut next = Box::pin(turns.take(pending::<()>));
        assert!(matches!(poll(next.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn patience_ends() {
        let turns = Turns::new(1, 1);
        let mut first = Box::pin(turns.take(pending::<()>));
        let _turn = poll(first.as_mut());
        let mut late = Box::pin(turns.take(|| ready(())));
        assert!(matches!(
            poll(late.as_mut()),
            Poll::Ready(Err(NoTurn::Late))
        ));
        drop(late);
        assert_eq!(turns.waiting(), 0);
    }
}
