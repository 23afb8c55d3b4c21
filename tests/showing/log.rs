//! What a gate writes into its log.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;

/// The log of one thread, from its beginning to its end.
pub(crate) struct Log {
    text: Text,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn begin() -> Log {
        let text = Text::default();
        let writer = text.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false);
        let lines = lines.with_writer(move || writer.clone());
        let _guard = tracing::subscriber::set_default(lines.finish());
        // A line of code that another thread reached first, just when the subscriber came, may have
        // missed it.
        tracing::callsite::rebuild_interest_cache();
        Log { text, _guard }
    }

    /// How often it says `what`.
    pub(crate) fn says(&self, what: &str) -> usize {
        let text = self.text.0.lock().unwrap();
        String::from_utf8_lossy(&text).matches(what).count()
    }
}
