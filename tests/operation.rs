//! The chapter `operation` promises numbers: each names a test, and the test is there.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

#[path = "source/named.rs"]
mod named;
mod source;
#[path = "source/words.rs"]
mod words;

use named::{Tests, chapter, named_in, table_rows};

#[test]
fn every_test_that_the_chapter_names_exists() {
    let chapter = chapter("operation.rs");
    let names = named_in(&chapter);
    assert!(names.len() > 40, "{} tests are named", names.len());
    let tests = Tests::all();
    let missing: Vec<_> = names
        .into_iter()
        .filter_map(|name| tests.fault_of(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_number_names_a_test() {
    let chapter = chapter("operation.rs");
    let rows = table_rows(&chapter);
    let numbers: Vec<_> = rows.iter().filter(|cells| cells.len() == 4).collect();
    assert!(numbers.len() > 40, "{} rows have numbers", numbers.len());
    for cells in numbers {
        let proven_by = cells.last().unwrap();
        assert!(
            !named_in(proven_by).is_empty(),
            "nothing proves {:?}",
            cells[0]
        );
    }
}
