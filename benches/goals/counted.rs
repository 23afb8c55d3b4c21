//! What other processes count: this one shall have the allocator of every day, and no valgrind.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::process::Command;

/// The counts, asked for when the first is needed.
#[derive(Default)]
pub struct Counted {
    allocations: OnceCell<HashMap<String, f64>>,
    instructions: OnceCell<HashMap<String, f64>>,
}

impl Counted {
    /// The allocations of a row of `stage/allocations.rs`.
    pub fn allocations(&self, name: &str) -> Option<f64> {
        let counts = || of_bench("allocations");
        self.allocations.get_or_init(counts).get(name).copied()
    }

    /// The instructions of a case of `instructions.rs`; `None` where they cannot be counted.
    pub fn instructions(&self, name: &str) -> Option<f64> {
        let counts = || of_bench("instructions");
        self.instructions.get_or_init(counts).get(name).copied()
    }
}

/// Runs another benchmark of this package, which prints names and counts between tabs.
fn of_bench(name: &str) -> HashMap<String, f64> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // The features this one has for certain.
        .args(["bench", "--quiet", "--no-default-features"])
        .args(["--features", "axum,cache,introspection,jwt"])
        .args(["--bench", name, "--", "--plain"])
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            return HashMap::new();
        }
        Err(error) => {
            eprintln!("cargo cannot be run: {error}");
            return HashMap::new();
        }
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let counts = told.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        Some((name, fields.next()?.parse().ok()?))
    });
    counts.collect()
}
