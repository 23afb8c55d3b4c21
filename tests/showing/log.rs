//! What a gate writes into its log.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

/// The log of one thread, from its beginning on.
///
/// One subscriber listens for all threads and for good: subscribers that come and go make tracing think,
/// for a moment, that nobody listens to a line that another thread has just reached.
pub(crate) struct Log(());

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

static LISTENING: Once = Once::new();

struct Text;

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.with_borrow_mut(|text| text.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn begin() -> Log {
        LISTENING.call_once(|| {
            let lines = tracing_subscriber::fmt().with_ansi(false);
            let lines = lines.with_writer(|| Text).finish();
            tracing::subscriber::set_global_default(lines).unwrap();
        });
        tracing::callsite::rebuild_interest_cache();
        TEXT.with_borrow_mut(Vec::clear);
        Log(())
    }

    /// How often it says `what`.
    pub(crate) fn says(&self, what: &str) -> usize {
        let Log(()) = self;
        TEXT.with_borrow(|text| String::from_utf8_lossy(text).matches(what).count())
    }
}
