//! What a gate writes into its log.

use crate::watched;

/// The log of one thread, from its beginning on, as programs usually show it: `INFO` and what is worse.
pub(crate) struct Log(());

impl Log {
    pub(crate) fn begin() -> Log {
        watched::listen();
        Log(())
    }

    /// How often it says `what`.
    pub(crate) fn says(&self, what: &str) -> usize {
        let Log(()) = self;
        let heard = watched::heard();
        let shown = heard.lines().filter(|line| {
            let level = line.split(' ').next();
            matches!(level, Some("INFO" | "WARN" | "ERROR"))
        });
        shown.map(|line| line.matches(what).count()).sum()
    }
}
