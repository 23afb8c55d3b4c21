//! What a trouble did to the gate, as a line of a Markdown table.

use std::time::Duration;

/// One line.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) trouble: String,
    /// Requests a second, before and during trouble.
    pub(crate) pace: (f64, f64),
    pub(crate) made: u64,
    pub(crate) failed: usize,
    pub(crate) slowest: Duration,
    /// The slowest answer to a token that needs the issuer.
    pub(crate) unknown: Option<(u16, Option<u64>, Duration)>,
    pub(crate) made_up: u64,
    /// `None` if nobody knows.
    pub(crate) asked: Option<u64>,
    pub(crate) lasted: Duration,
    /// `None` if trouble did not end, or was none.
    pub(crate) recovered: Option<Duration>,
    /// What was not as it should be.
    pub(crate) faults: Vec<String>,
}

impl Row {
    pub(crate) fn demand(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn print(&self) {
        let (before, during) = self.pace;
        let unknown = self
            .unknown
            .map_or("none".to_owned(), |(status, after, took)| {
                let after =
                    after.map_or(String::new(), |after| format!(", `Retry-After: {after}`"));
                format!("{status}{after}, {} ms", took.as_millis())
            });
        let recovered = self.recovered.map_or("-".to_owned(), |recovered| {
            format!("{:.1} s", recovered.as_secs_f64())
        });
        println!(
            "| {} | {during:.0} of {before:.0} | {} | {} | {} ms | {unknown} | {} in {:.0} s | {} | \
             {recovered} |",
            self.trouble,
            self.made,
            self.failed,
            self.slowest.as_millis(),
            self.asked.map_or("?".to_owned(), |asked| asked.to_string()),
            self.lasted.as_secs_f64(),
            self.made_up,
        );
    }
}

/// Prints the table, and fails if anything was not as it should be.
pub(crate) fn settle(known: &str, unknown: &str, asked: &str, rows: &[Row]) {
    println!(
        "\n| trouble | load held: requests/s, {known} | made | failed | slowest | answer to {unknown} | \
         {asked} | made-up ones shown | recovered after |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    rows.iter().for_each(Row::print);
    println!();
    let faults = rows.iter().flat_map(|row| {
        let said = |fault| format!("{}: {fault}", row.trouble);
        row.faults.iter().map(said)
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{:#?}", faults);
}
