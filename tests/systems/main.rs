//! Five token systems that exist, statement by statement: each numbered statement about what their
//! resource servers must check is a test named after it.
#![cfg(all(
    feature = "axum",
    feature = "cache",
    feature = "introspection",
    feature = "jwt",
    feature = "reqwest"
))]
// clippy knows a test by its attribute, not the helpers beside it; and nobody imports a test.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod a0;
mod confusion;
mod em;
mod oc;
#[path = "../redaction/page.rs"]
mod page;
#[path = "../source/public.rs"]
mod public;
mod redaction;
mod rl;
mod rs;
#[path = "../redaction/secrets.rs"]
mod secrets;
mod service;
#[path = "../source/mod.rs"]
mod source;
#[path = "../watched/mod.rs"]
mod watched;

/// Each system's tests, and how many statements there are about it.
const STATEMENTS: [(&str, usize, &str); 5] = [
    ("rl", 16, include_str!("rl.rs")),
    ("a0", 17, include_str!("a0.rs")),
    ("rs", 18, include_str!("rs.rs")),
    ("oc", 16, include_str!("oc.rs")),
    ("em", 19, include_str!("em.rs")),
];

#[test]
fn no_statement_is_missing() {
    let mut missing = Vec::new();
    for (system, count, tests) in STATEMENTS {
        for number in 1..=count {
            let name = format!("fn {system}_{number:02}_");
            let tested = tests.match_indices(&name).any(|(at, _)| {
                let before = tests[..at].trim_end_matches("async ").trim_end();
                before.ends_with("#[test]") || before.ends_with("#[tokio::test]")
            });
            if !tested {
                missing.push(format!("{system}_{number:02}"));
            }
        }
    }
    assert!(missing.is_empty(), "no test for {missing:?}");
}
