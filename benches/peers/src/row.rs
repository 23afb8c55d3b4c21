//! What is told of a gate before it is measured.

use crate::gate::Entry;
use crate::report::Row;

/// A row with its name, and the version that Cargo.lock has.
pub fn of(entry: &Entry) -> Row {
    Row {
        name: entry.name.to_owned(),
        version: entry.package.and_then(version),
        crypto: entry.crypto.to_owned(),
        note: entry.note.to_owned(),
        remembers: entry.remembers,
        ..Row::default()
    }
}

/// The newest version of the package in Cargo.lock.
fn version(package: &str) -> Option<String> {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let versions = lock
        .match_indices(&name)
        .filter_map(|(at, _)| lock[at + name.len()..].split('"').next());
    // Cargo.lock is sorted as text, by which 9 comes after 11.
    let newest = versions.max_by_key(|version| {
        let numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        numbers.collect::<Vec<u64>>()
    });
    newest.map(str::to_owned)
}
