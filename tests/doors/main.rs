//! One table of requests through every door of the gate. Each row names the line of the standards
//! list it tests; `tests/data/requests` has a file for each section.
//!
//! At all doors the status, the challenge and the body must be the same; the credential never
//! comes back; refusals are worded by RFC 6750 §3; the operation behind the gate runs only if the
//! gate opens.
//!
//! `PORTCULLIS_ROW=unsecured cargo test --test doors -- --nocapture` runs the row of that name alone, and
//! shows each answer. (A row is no test, so `cargo test --test doors unsecured` would run nothing.)

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests say what must be there by taking it, and show it to who asks"
)]

mod challenge;
mod check;
mod door;
mod mint;
mod row;
mod setup;
#[path = "../watched/mod.rs"]
mod watched;
mod world;

use std::collections::BTreeSet;
use std::env;

use portcullis::{Algorithm, JwtVerifier, Reason};

/// Names the one row to run.
const ONE: &str = "PORTCULLIS_ROW";

async fn every_row_of(section: usize) {
    let mut rows = row::section(section);
    let mut told: fn(&str) = |_| ();
    if let Ok(name) = env::var(ONE) {
        assert!(
            all_rows().iter().any(|row| row.name == name),
            "{ONE} is {name:?}, wanted the name of a row in tests/data/requests"
        );
        rows.retain(|row| row.name == name);
        told = |line| println!("{line}");
    }
    let (mut faults, mut doors) = (Vec::new(), 0);
    for row in &rows {
        doors += check::doors_of(row).count();
        faults.extend(check::run(row, told).await);
    }
    let (file, count) = (row::SECTIONS[section].0, rows.len());
    println!("{file}: {count} rows, through {doors} doors together");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn all_rows() -> Vec<row::Row> {
    (0..row::SECTIONS.len()).flat_map(row::section).collect()
}

#[tokio::test]
async fn presenting_the_token() {
    every_row_of(0).await;
}

#[tokio::test]
async fn refusing() {
    every_row_of(1).await;
}

#[tokio::test]
async fn jwt() {
    every_row_of(2).await;
}

#[tokio::test]
async fn access_tokens() {
    every_row_of(3).await;
}

#[tokio::test]
async fn introspection() {
    every_row_of(4).await;
}

#[test]
fn the_table_is_whole() {
    let rows = all_rows();
    assert!(rows.len() >= 140, "there are {} rows", rows.len());

    let mut names = BTreeSet::new();
    for row in &rows {
        assert!(names.insert(&row.name), "{} is there twice", row.name);
        assert!(!row.why.is_empty(), "{} has no reason", row.name);
        // Whether there is such a line, `tests/standards` knows.
        assert!(row.line.iter().count() > 0, "{} has no line", row.name);
        let answers = [&row.expect].into_iter();
        for expect in answers.chain(row.then.iter().map(|step| &step.expect)) {
            let status = match expect.error.as_deref() {
                Some("invalid_request") => &[400][..],
                Some("invalid_token") => &[401],
                Some("insufficient_scope") => &[403],
                Some(other) => panic!("{}: there is no error {other}", row.name),
                None => &[200, 401, 403, 503],
            };
            assert!(status.contains(&expect.status), "{}", row.name);
            let refuses = expect.status != 200;
            assert!(!refuses || expect.reason.is_some(), "{}: why?", row.name);
        }
    }
}

/// The judge itself: a row that says something else than the gate does is noticed.
#[tokio::test]
async fn a_wrong_row_is_noticed() {
    let find = |section, name: &str| {
        let mut rows = row::section(section).into_iter();
        rows.find(|row| row.name == name).unwrap()
    };
    type Change = fn(&mut row::Expect);
    let changes: [(usize, &str, Change); 10] = [
        (0, "bearer", |expect| expect.status = 401),
        (0, "bearer", |expect| {
            expect.principal = Some("nobody".into())
        }),
        (0, "bearer", |expect| expect.stranger = true),
        (1, "nothing_sent", |expect| expect.realm = Some("x".into())),
        (1, "nothing_sent", |expect| {
            expect.error = Some("invalid_token".into())
        }),
        (1, "token_error_is_401", |expect| expect.error = None),
        (1, "token_error_is_401", |expect| {
            expect.reason = Some("expired".into())
        }),
        (1, "token_error_is_401", |expect| {
            expect.description = Some("x".into())
        }),
        (1, "scope_error_is_403", |expect| expect.scope = None),
        (1, "issuer_unreachable", |expect| {
            expect.retry_after = Some("900".into())
        }),
    ];
    for (section, name, change) in changes {
        let mut row = find(section, name);
        change(&mut row.expect);
        assert!(
            !check::run(&row, |_| ()).await.is_empty(),
            "{name}: {:?}",
            row.expect
        );
    }
}

/// A row pins the words of each refusal that a request can bring about.
#[test]
fn the_words_of_every_refusal_are_pinned() {
    let mut pinned = BTreeSet::new();
    let rows = all_rows();
    for row in &rows {
        if row.expect.description.is_some() {
            pinned.extend(row.expect.reason.as_deref());
        }
    }
    let mut unpinned: Vec<&str> = Reason::ALL.iter().map(|reason| reason.label()).collect();
    unpinned.retain(|label| !pinned.contains(label));
    // The first is for verifiers of one's own, the second for a layer that was forgotten.
    assert_eq!(
        unpinned,
        ["parameter", "refused", "hidden", "missing_layer"]
    );
}

/// RFC 7518 §3.2, line 28.
#[test]
fn a_short_secret_builds_no_verifier() {
    for (algorithm, bytes) in [
        (Algorithm::HS256, 32),
        (Algorithm::HS384, 48),
        (Algorithm::HS512, 64),
    ] {
        let build = |bytes| {
            JwtVerifier::builder("https://as.example", "https://api.example.com/")
                .hmac_secret(algorithm, vec![b'k'; bytes])
                .build()
        };
        assert!(build(bytes).is_ok());
        let error = build(bytes - 1).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "secret for {algorithm} has {} bytes, wanted at least {bytes}",
                bytes - 1
            )
        );
    }
    let issuer = watched::issuer();
    let keys = issuer.jwt_verifier("https://api.example.com/");
    assert!(keys.algorithms([Algorithm::HS256]).build().is_err());
}
