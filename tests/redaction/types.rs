//! Every public type that prints itself was formatted, with secrets in reach of it.

use std::collections::BTreeSet;

use crate::page::Page;
use crate::public::printables;
use crate::{answers, layers, rest, set_up, upstream};

/// The systems have a test of their own beside theirs: `tests/systems/redaction.rs`.
const ELSEWHERE: &str = "portcullis::profile::";

#[tokio::test]
async fn every_public_type_that_prints_was_formatted() {
    let mut all = Page::default();
    for page in [
        answers::answers().await,
        answers::errors().await,
        upstream::trouble().await,
        upstream::http_client().await,
        upstream::words_of_others().await,
        set_up::page().await,
        layers::page().await,
        rest::page().await,
    ] {
        all.add(page);
    }
    let known = printables();
    assert!(known.len() > 80, "found {} types", known.len());
    let missing: BTreeSet<_> = known
        .iter()
        .filter(|known| !known.name.starts_with(ELSEWHERE))
        .filter(|known| !all.types.contains(&*known.name))
        .collect();
    assert!(
        missing.is_empty(),
        "these types print, and no test here looks at what: {missing:#?}\nPlease format one that has \
         seen a secret, in tests/redaction/rest.rs."
    );
}
