//! What was counted before: `benches/instructions.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cases::{CASES, Case};

/// The file.
pub struct Baseline {
    pub known: BTreeMap<String, Known>,
    /// Another one makes other code.
    pub compiler: String,
}

pub struct Known {
    pub count: i64,
    /// In percent.
    pub tolerance: i64,
}

/// Of a case that is new.
const TOLERANCE: i64 = 5;

const BY: &str = "# By ";

pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

pub fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    told.unwrap_or_else(|_| "a compiler that is not here".to_owned())
}

impl Baseline {
    pub fn read() -> Baseline {
        let text = fs::read_to_string(path()).unwrap_or_default();
        let known = text.lines().filter_map(|line| {
            let mut fields = line.split('\t');
            let (name, count) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
            let tolerance = fields.next()?.parse().ok()?;
            Some((name, Known { count, tolerance }))
        });
        let compiler = text.lines().find_map(|line| line.strip_prefix(BY));
        Baseline {
            known: known.collect(),
            compiler: compiler.unwrap_or_default().to_owned(),
        }
    }

    pub fn write(&self, count: impl Fn(&Case) -> i64) {
        let mut text = format!(
            "# Instructions of one round under callgrind: name, count, tolerance in percent.\n\
             # Written by `cargo bench --bench instructions -- --write`; tolerances are set by hand.\n\
             {BY}{}\n",
            compiler()
        );
        for case in &CASES {
            let known = self.known.get(case.name);
            let tolerance = known.map_or(TOLERANCE, |known| known.tolerance);
            text.push_str(&format!("{}\t{}\t{tolerance}\n", case.name, count(case)));
        }
        fs::write(path(), text).unwrap();
    }
}
