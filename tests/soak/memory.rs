//! How much memory this process holds.

use std::time::{Duration, Instant};

/// Its resident size in bytes; `None` where the system does not say.
pub(crate) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Samples over a run.
pub(crate) struct Memory {
    begun: Instant,
    lasts: Duration,
    /// The most in the first fifth, and after it.
    pub(crate) first: u64,
    pub(crate) later: u64,
    pub(crate) last: u64,
}

impl Memory {
    pub(crate) fn over(lasts: Duration) -> Memory {
        Memory {
            begun: Instant::now(),
            lasts,
            first: 0,
            later: 0,
            last: 0,
        }
    }

    pub(crate) fn sample(&mut self) {
        let Some(resident) = resident() else { return };
        let most = match self.begun.elapsed() < self.lasts / 5 {
            true => &mut self.first,
            false => &mut self.later,
        };
        *most = resident.max(*most);
        self.last = resident;
    }

    /// How much more it was after the first fifth than in it; `None` if nobody knows.
    pub(crate) fn growth(&self) -> Option<u64> {
        (self.last > 0).then(|| self.later.saturating_sub(self.first))
    }
}
