//! The chapter `operation` promises numbers: each names a test, and the test is there.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The chapter without its comment marks.
fn chapter() -> String {
    let text = fs::read_to_string("src/operation.rs").unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.trim())).collect()
}

/// The cells of each row of each table, without heads and rules.
fn rows(chapter: &str) -> Vec<Vec<&str>> {
    fn cells(line: &str) -> Option<Vec<&str>> {
        let line = line.strip_prefix("| ")?.strip_suffix('|')?;
        Some(line.split('|').map(str::trim).collect())
    }
    let lines: Vec<&str> = chapter.lines().collect();
    let is_head = |at: usize| {
        lines
            .get(at + 1)
            .is_some_and(|next| next.starts_with("|---"))
    };
    let body = lines.iter().enumerate().filter(|(at, _)| !is_head(*at));
    body.filter_map(|(_, line)| cells(line)).collect()
}

/// The names in backticks that look like `binary::test`.
fn tests_named_in(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|name| name.split_once("::"))
        .filter(|(binary, test)| {
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            [binary, test]
                .iter()
                .all(|name| !name.is_empty() && name.chars().all(word))
        })
        .collect()
}

/// The functions of an integration test that are marked as tests.
fn tests_of(binary: &str) -> BTreeSet<String> {
    let mut files: Vec<PathBuf> = vec![Path::new("tests").join(format!("{binary}.rs"))];
    if let Ok(folder) = fs::read_dir(Path::new("tests").join(binary)) {
        files.extend(folder.map(|entry| entry.unwrap().path()));
    }
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let mut tests = BTreeSet::new();
    for text in texts {
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            is_test |= line.starts_with("#[test") || line.starts_with("#[tokio::test");
            let signature = line.strip_prefix("async ").unwrap_or(line);
            if let Some(name) = signature.strip_prefix("fn ") {
                if is_test {
                    tests.insert(name.split('(').next().unwrap().to_owned());
                }
                is_test = false;
            }
        }
    }
    tests
}

#[test]
fn every_test_that_the_chapter_names_exists() {
    let chapter = chapter();
    let named = tests_named_in(&chapter);
    assert!(named.len() > 40, "{} tests are named", named.len());
    let missing: Vec<_> = named
        .into_iter()
        .filter(|(binary, test)| !tests_of(binary).contains(*test))
        .collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:?}");
}

#[test]
fn every_number_names_a_test() {
    let chapter = chapter();
    let rows = rows(&chapter);
    let numbers: Vec<_> = rows.iter().filter(|cells| cells.len() == 4).collect();
    assert!(numbers.len() > 40, "{} rows have numbers", numbers.len());
    for cells in numbers {
        let proven_by = cells.last().unwrap();
        assert!(
            !tests_named_in(proven_by).is_empty(),
            "nothing proves {:?}",
            cells[0]
        );
    }
}

#[test]
fn the_reader_finds_a_test_and_misses_one() {
    assert!(tests_of("operation").contains("every_number_names_a_test"));
    assert!(
        !tests_of("operation").contains("chapter"),
        "a mere function"
    );
    assert_eq!(
        tests_named_in("`keys::a_test`, [`lifetime`](crate::A::b), `Cache-Control: max-age`"),
        [("keys", "a_test")]
    );
}
