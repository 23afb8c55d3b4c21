//! What a schedule did, line by line, and what all of them have seen.

use std::fmt;

use crate::clocks::Time;

/// What became of a schedule.
pub(crate) struct Played {
    pub(crate) trace: Trace,
    pub(crate) seen: Seen,
    /// Which promise was not kept, and how.
    pub(crate) broken: Option<String>,
}

/// What happened, a line each. The same seed gives the same lines, so no token stands here.
#[derive(Default)]
pub(crate) struct Trace(Vec<String>);

impl Trace {
    pub(crate) fn note(&mut self, time: Time, what: fmt::Arguments<'_>) {
        self.0
            .push(format!("{:>10}.{:03} {what}", time / 1_000, time % 1_000));
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.0
    }

    /// What happened last.
    pub(crate) fn tail(&self) -> String {
        let from = self.0.len().saturating_sub(TAIL);
        self.0[from..].join("\n")
    }
}

const TAIL: usize = 60;

macro_rules! seen {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often things came to pass: a simulation in which nothing happens proves nothing.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub(crate) struct Seen {
            $($(#[$doc])* pub(crate) $name: usize,)*
        }

        impl Seen {
            pub(crate) fn add(&mut self, other: &Seen) {
                $(self.$name += other.$name;)*
            }

            /// What never happened.
            pub(crate) fn missing(&self) -> Vec<&'static str> {
                let all = [$((stringify!($name), self.$name)),*];
                all.iter().filter(|(_, times)| *times == 0).map(|(name, _)| *name).collect()
            }
        }
    };
}

seen! {
    requests,
    accepted,
    /// A new key was waited for, and came.
    accepted_after_waiting,
    accepted_in_outage,
    /// Accepted when it came back after `Retry-After`.
    returned,
    unavailable,
    /// 401 for a token whose key was withdrawn, or is not published yet.
    withdrawn_refused,
    forged_refused,
    /// 401 for a made-up name.
    unknown_refused,
    hung_up,
    fetches,
    failed_fetches,
    recoveries,
    /// Keys that a new set lacked.
    withdrawals,
    not_modified,
    clock_shifts,
    freezes,
    restarts,
    /// Restarts after which keys out of the file served.
    kept_used,
    /// 401 for a published key whose name was asked for before it was published.
    asked_for_too_early,
    /// Requests that shared a look-up with another, and calls that were made again.
    shared,
    repeated,
    /// 503 without a call.
    turned_away,
    /// A token that was revoked, on the word of before.
    passed_revoked,
}
