//! Where a run was made: figures without a machine say nothing.

use std::fs::read_to_string;

use crate::report::Machine;

/// This machine, as far as it tells.
pub fn this() -> Machine {
    let unknown = || "an unknown processor".to_owned();
    let told = read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let release = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What follows the numbers names a build.
    let release = release.trim().split('-').next().unwrap_or_default();
    Machine {
        processor: told.unwrap_or_else(unknown),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        system: format!("{} {release}", std::env::consts::OS)
            .trim()
            .to_owned(),
        rustc: env!("COMPILER").to_owned(),
    }
}
