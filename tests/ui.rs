//! What must not compile, and how kindly the compiler says so.

use std::process::Command;

/// The compiler whose words `tests/ui/*.stderr` hold. Another one words things otherwise, so it is
/// not asked; `compile_fail` examples in the documentation hold for every compiler.
///
/// With a new one: `TRYBUILD=overwrite cargo test --test ui`, read what has changed, and write its
/// version here.
const COMPILER: &str = "1.95.0";

#[test]
fn mistakes_do_not_compile() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map_or_else(
        |error| format!("unknown ({error})"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    if version.split(' ').nth(1) != Some(COMPILER) {
        said(&format!(
            "SKIPPED tests/ui: they hold the words of rustc {COMPILER}, this is {version}"
        ));
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// Past the test runner, which would keep the line to itself.
fn said(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}
