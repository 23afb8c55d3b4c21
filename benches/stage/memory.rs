//! How much memory this process holds.

/// The resident bytes, as Linux counts them; `None` elsewhere.
pub fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    // The page's size is told in the same place for every process.
    let auxiliary = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let line = auxiliary
        .lines()
        .find_map(|line| line.strip_prefix("KernelPageSize:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(pages * kilobytes * 1_024)
}
