//! Tells the program which compiler made it.

use std::process::Command;

fn main() {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(compiler).arg("--version").output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let told = told.unwrap_or_else(|_| "an unknown rustc".to_owned());
    // `rustc 1.90.0 (commit date)`: the number is enough.
    let told = told.split(" (").next().unwrap_or(&told);
    println!("cargo::rustc-env=COMPILER={told}");
    println!("cargo::rerun-if-changed=build.rs");
}
