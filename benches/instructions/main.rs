//! Counts the instructions of each way through the gate under callgrind, and holds them to
//! `benches/instructions.txt`: a regression shows without a clock.
//!
//! ```sh
//! cargo bench --bench instructions            # compares; fails if something grew beyond its tolerance
//! cargo bench --bench instructions -- --write # makes what was counted the new baseline
//! cargo bench --bench instructions -- --sign > benches/stage/fixed.txt # other tokens; then write anew
//! ```
//!
//! Each case runs twice in a process of its own, with few rounds and with more; the difference is what
//! a round costs, and what came before it costs nothing. Valgrind knows no SHA instructions: the
//! SHA-256 of a token is 30,000 instructions here, where the machine itself needs 500 ns.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub
)]

mod baseline;
mod cases;
#[path = "../stage/mod.rs"]
mod stage;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use baseline::Baseline;
use cases::{CASES, Case, FEW, MOST, Over};
use stage::fixed;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--case", name, rounds] => {
            let case = CASES.iter().find(|case| case.name == *name).unwrap();
            (case.run)(rounds.parse().unwrap());
            ExitCode::SUCCESS
        }
        ["--sign", ..] => {
            print!("{}", fixed::sign());
            ExitCode::SUCCESS
        }
        _ => compare(
            arguments.contains(&"--write"),
            arguments.contains(&"--plain"),
        ),
    }
}

/// Counts all cases and holds them to the baseline. Plain output is for the table of goals.
fn compare(write: bool, plain: bool) -> ExitCode {
    if let Some(why) = impossible() {
        println!("SKIPPED instruction counts: {why}");
        return ExitCode::SUCCESS;
    }
    let whole: BTreeMap<&str, i64> = CASES.iter().map(|case| (case.name, count(case))).collect();
    let over = |case: &Case| match case.over {
        Over::Nothing => whole[case.name],
        Over::Case(other) => whole[case.name] - whole[other],
    };
    let baseline = Baseline::read();
    if plain {
        for case in &CASES {
            println!("{}\t{}", case.name, over(case));
        }
        return ExitCode::SUCCESS;
    }
    println!("{:<40} {:>9} {:>9}", "instructions", "baseline", "counted");
    let (mut grown, mut shrunk) = (0, 0);
    for case in &CASES {
        let (count, known) = (over(case), baseline.known.get(case.name));
        let mut line = match known {
            Some(known) => {
                let percent = 100.0 * (count - known.count) as f64 / known.count.max(1) as f64;
                format!(
                    "{:<40} {:>9} {count:>9} {percent:>+7.1} %",
                    case.name, known.count
                )
            }
            None => format!("{:<40} {:>9} {count:>9}", case.name, "new"),
        };
        if let Some(goal) = case.goal {
            let word = if count <= goal { "ok" } else { "MISSED" };
            line.push_str(&format!("  goal {goal}: {word}"));
        }
        if let Some(known) = known.filter(|_| case.ours) {
            // Of two large figures a small difference is not known to the last instruction.
            let allowed = (known.count * known.tolerance / 100).max(whole[case.name] / 200);
            let change = count - known.count;
            grown += u32::from(change > allowed);
            shrunk += u32::from(change < -allowed);
            line.push_str(match change {
                change if change > allowed => "  GREW",
                change if change < -allowed => "  shrank",
                _ => "",
            });
        }
        println!("{line}");
    }
    if write {
        baseline.write(|case| over(case));
        println!("this is the baseline now: {}", baseline::path().display());
        return ExitCode::SUCCESS;
    }
    let again = "cargo bench --bench instructions -- --write";
    if shrunk > 0 {
        println!("{shrunk} shrank beyond their tolerance: make that the baseline with `{again}`");
    }
    if grown > 0 {
        println!(
            "{grown} grew beyond their tolerance; where that is worth it, `{again}`. The baseline is \
             of {}, this is {}",
            baseline.compiler,
            baseline::compiler()
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Why nothing can be counted here.
fn impossible() -> Option<String> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Some("the baseline is of x86-64 Linux".to_owned());
    }
    let valgrind = Command::new("valgrind").arg("--version").output();
    match valgrind {
        Ok(output) if output.status.success() => None,
        _ => Some("valgrind is not installed".to_owned()),
    }
}

/// The instructions of one round.
fn count(case: &Case) -> i64 {
    let (few, most) = (collected(case, FEW), collected(case, MOST));
    (most - few) / (MOST - FEW) as i64
}

/// The instructions of so many rounds.
fn collected(case: &Case, rounds: u64) -> i64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*counted_rounds*"])
        .arg(std::env::current_exe().unwrap())
        .args(["--case", case.name, &rounds.to_string()])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told.lines().find_map(|line| {
        let (_, count) = line.split_once("Collected :")?;
        count.trim().parse().ok()
    });
    match collected {
        Some(count) if output.status.success() => count,
        _ => panic!("{}, {rounds} rounds under valgrind:\n{told}", case.name),
    }
}
