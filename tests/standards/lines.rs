//! What the standards ask, line by line, and what is wrong with the list of who proves it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::named::Tests;

/// How many lines sections 1 to 5 of the list have.
pub(crate) const LINES: usize = 67;

/// What one line of the standards asks.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) line: usize,
    /// `M` for MUST, `S` for SHOULD, `b` for our own reading.
    pub(crate) level: String,
    /// The RFC, or draft, and its section.
    pub(crate) from: String,
    pub(crate) asks: Vec<Ask>,
}

/// One thing that a line asks.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) that: String,
    /// The tests that prove it.
    #[serde(default)]
    pub(crate) by: Vec<String>,
    /// Whether it is more than the standard asks.
    #[serde(default)]
    pub(crate) ours: bool,
    /// Whether it is not done: then `SECURITY.md` says why.
    #[serde(default)]
    pub(crate) excepted: bool,
}

/// How much of a line is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Done {
    Whole,
    InPart,
    Not,
}

impl Line {
    pub(crate) fn tag(&self) -> String {
        format!("std_{:03}", self.line)
    }

    pub(crate) fn done(&self) -> Done {
        let excepted = self.asks.iter().filter(|ask| ask.excepted).count();
        match excepted {
            0 => Done::Whole,
            all if all == self.asks.len() => Done::Not,
            _ => Done::InPart,
        }
    }
}

/// The list.
pub(crate) fn lines() -> Vec<Line> {
    serde_json::from_str(include_str!("../data/standards.json")).unwrap()
}

/// As it stands in `SECURITY.md`.
pub(crate) fn coverage(lines: &[Line]) -> String {
    let count = |done: Done| lines.iter().filter(|line| line.done() == done).count();
    let asks = || lines.iter().flat_map(|line| &line.asks);
    format!(
        "{} lines: {} whole, {} in part, {} not; {} demands, {} of them stricter than the standard",
        lines.len(),
        count(Done::Whole),
        count(Done::InPart),
        count(Done::Not),
        asks().count(),
        asks().filter(|ask| ask.ours).count()
    )
}

/// What is wrong with the list.
pub(crate) fn faults_of_lines(
    lines: &[Line],
    exceptions: &BTreeMap<usize, (Done, String)>,
    tests: &Tests,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |text: String| faults.push(text);
    let numbers: Vec<usize> = lines.iter().map(|line| line.line).collect();
    if numbers != (1..=LINES).collect::<Vec<_>>() {
        fault(format!("the lines are {numbers:?}"));
    }
    let mut named = BTreeSet::new();
    for line in lines {
        let tag = line.tag();
        if !["M", "S", "b"].contains(&&*line.level) || line.from.is_empty() {
            fault(format!("{tag} has no level or no source"));
        }
        if line.asks.is_empty() {
            fault(format!("{tag} asks nothing"));
        }
        for ask in &line.asks {
            let that = format!("{tag}: {:?}", ask.that);
            if ask.excepted != ask.by.is_empty() {
                let proven = if ask.excepted {
                    "is excepted, and"
                } else {
                    "nothing"
                };
                fault(format!("{that}: {proven} proves it: {:?}", ask.by));
            }
            for name in &ask.by {
                if let Some(why) = tests.fault_of(name) {
                    fault(format!("{that}: {why}"));
                }
                let test = name.split("::").last().unwrap_or_default();
                let tagged = match name.strip_prefix("row::").map(|row| tests.lines_of(row)) {
                    Some(Some(lines)) => lines.contains(&tag),
                    _ => !test.starts_with("std_") || test.starts_with(&tag),
                };
                if !tagged {
                    fault(format!("{that}: {name} does not name this line"));
                }
                named.insert(name.as_str());
            }
        }
        let why = exceptions
            .get(&line.line)
            .map(|(done, why)| (*done, why.len()));
        let wanted = (line.done() != Done::Whole).then(|| line.done());
        if why.map(|(done, _)| done) != wanted {
            fault(format!(
                "{tag} is done {:?}, SECURITY.md says {why:?}",
                line.done()
            ));
        }
        if why.is_some_and(|(_, length)| length < 40) {
            fault(format!("{tag} is excepted without a reason"));
        }
    }
    // What calls itself after a line is a test of a line that is there, and is done.
    let is_done = |tag: &str| {
        let line = lines.iter().find(|line| line.tag() == tag);
        line.is_some_and(|line| line.done() != Done::Not)
    };
    for (row, tags) in tests.rows() {
        for tag in tags.iter().filter(|tag| !is_done(tag)) {
            fault(format!(
                "row::{row} tests {tag}, which is no line that is done"
            ));
        }
    }
    for name in tests.beginning_with("std_") {
        if !named.contains(name.as_str()) {
            fault(format!("no line names {name}"));
        }
    }
    for line in exceptions.keys().filter(|line| !numbers.contains(line)) {
        fault(format!(
            "SECURITY.md excepts line {line}, which is not there"
        ));
    }
    faults
}
