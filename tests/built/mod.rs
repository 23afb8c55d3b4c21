//! Finds the examples that cargo has built, for tests that run them as programs.

use std::path::PathBuf;
use std::time::Duration;

/// Long enough for the slowest machine; nothing waits that long if all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Cargo builds the examples of a package before it runs the package's tests, and puts them beside
/// those: `target/debug/deps/calendar-…` is a test, `target/debug/examples/calendar` the program.
pub(crate) fn path(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let name = format!("{example}{}", std::env::consts::EXE_SUFFIX);
    let path = profile.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --example {example}` first (in the same profile), or \
         `cargo test` without `--test`, which builds it",
        path.display()
    );
    path
}
