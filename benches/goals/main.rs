//! The goals of the crate, each with what this machine measures beside it: `cargo bench --bench goals`.
//!
//! ```sh
//! cargo bench --bench goals -- --quick            # fewer rounds, nothing of a million tokens
//! cargo bench --bench goals -- --only ring        # one row
//! cargo bench --bench goals -- --json goals.json  # for a script
//! ```
//!
//! Both sides of a ratio run in turn in this process. Allocations and instructions are exact; they
//! come from `--bench allocations` and `--bench instructions`, in processes of their own.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub
)]

#[path = "../stage/mod.rs"]
mod stage;

mod cold;
mod counted;
mod growth;
mod hot;
mod opaque;
mod route_time;
mod table;
mod threads;

use std::process::ExitCode;

use counted::Counted;
use table::Figure;

/// How a run is done.
pub struct Run {
    /// Pairs of batches.
    pub rounds: usize,
    /// Whether what takes minutes is left out.
    pub quick: bool,
    /// What other processes count.
    pub counted: Counted,
}

/// A row of the table, by its name on the command line.
type Row = (&'static str, fn(&Run) -> Vec<Figure>);

const ROWS: [Row; 14] = [
    ("extractor", hot::extractor),
    ("around", hot::around),
    ("layer", hot::layer),
    ("on-top", hot::on_top),
    ("ring", hot::ring),
    ("cold", cold::cold),
    ("miss", cold::miss),
    ("refusals", cold::refusals),
    ("threads", threads::threads),
    ("memory", growth::memory),
    ("keys", growth::keys),
    ("remembered", growth::remembered),
    ("scopes", growth::scopes),
    ("opaque", opaque::opaque),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    // A process of its own, whose memory nobody else has used.
    if let Some(form) = after("--hold") {
        growth::hold(&form, after("--tokens").unwrap().parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let run = Run {
        rounds: if quick { 31 } else { 301 },
        quick,
        counted: Counted::default(),
    };
    let only = after("--only");
    let mut rows: Vec<Row> = ROWS.to_vec();
    if let Some(only) = &only {
        rows.retain(|(name, _)| name == only);
        if rows.is_empty() {
            let names: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
            eprintln!("there is no row {only}, wanted one of {names:?}");
            return ExitCode::FAILURE;
        }
    }
    let mut figures = Vec::new();
    for (name, measure) in rows {
        eprintln!("measuring {name}");
        figures.extend(measure(&run));
    }
    println!("{}", table::text(&figures));
    println!(
        "Nanoseconds of goals are told as if the route without a gate took 520, as where the goals were \
         set; times in brackets are this machine's."
    );
    if only.is_none() {
        println!("Loopback, and every peer: `cargo run --release` in `benches/peers`.");
    }
    if let Some(path) = after("--json") {
        std::fs::write(path, table::json(&figures).to_string()).unwrap();
    }
    ExitCode::SUCCESS
}
