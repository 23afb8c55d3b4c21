//! The same route behind every gate there is, measured in one run: `README.md` says how to read it.

#[path = "../../stage/paired.rs"]
mod paired;
#[allow(dead_code, clippy::unwrap_used)] // The stage has more than is needed here.
#[path = "../../stage/tokens.rs"]
mod signing;

mod gate;
mod gates;
mod in_process;
mod issuer;
mod load;
mod loopback;
mod machine;
mod report;
mod row;
mod stage;
mod table;
mod tokens;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::gate::Entry;
use crate::loopback::Effort;
use crate::report::{Report, Row};
use crate::stage::Stage;
use crate::tokens::Claims;

/// Measures the same route behind every gate, as ratios to no gate.
#[derive(Parser)]
struct Arguments {
    /// Fewer and shorter rounds: to see that it works, not for publishing.
    #[arg(long)]
    quick: bool,
    /// Writes what was found out into this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measures the gates alone whose names contain this; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Calls the services in process, and nothing else.
    #[arg(long, conflicts_with = "loopback")]
    in_process: bool,
    /// Sends requests over loopback, and nothing else.
    #[arg(long)]
    loopback: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

/// What children of a run are started for.
#[derive(Subcommand)]
enum Task {
    #[command(hide = true)]
    Measure {
        #[arg(long)]
        gate: String,
        #[arg(long)]
        stage: PathBuf,
        #[arg(long)]
        rounds: usize,
    },
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        gate: String,
        #[arg(long)]
        stage: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.task {
        None => run(&arguments),
        Some(Task::Serve { gate, stage }) => {
            gates::find(gate).and_then(|entry| loopback::serve(entry, &Stage::read(stage)?))
        }
        Some(Task::Measure {
            gate,
            stage,
            rounds,
        }) => gates::find(gate)
            .and_then(|entry| in_process::measure(entry, &Stage::read(stage)?, *rounds))
            .and_then(|row| serde_json::to_string(&row).map_err(|error| error.to_string()))
            .map(|row| println!("{row}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let wanted = |entry: &&Entry| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| entry.name.contains(name))
    };
    let entries: Vec<&Entry> = gates::ALL.iter().filter(wanted).collect();
    if entries.is_empty() {
        return Err(gates::find(&arguments.only.join(", "))
            .err()
            .unwrap_or_default());
    }
    eprintln!("signing {} tokens", stage::RING);
    let issuers = issuer::serve().map_err(|error| error.to_string())?;
    let stages = Stages::new();
    let mut gates = Vec::new();
    for entry in entries {
        eprintln!("{}", entry.name);
        let stage = stages.of(entry.claims, &issuers)?;
        let measured = measure(arguments, entry, &stage);
        gates.push(measured.unwrap_or_else(|failed| Row {
            failed: Some(failed),
            ..row::of(entry)
        }));
    }
    let report = Report {
        machine: machine::this(),
        command: command(arguments),
        gates,
    };
    println!("{}", table::text(&report));
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n")
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, entry: &Entry, stage: &Path) -> Result<Row, String> {
    let mut row = row::of(entry);
    if !arguments.loopback {
        row = in_child(entry, stage, if arguments.quick { 60 } else { 1000 })?;
    }
    if !arguments.in_process {
        let effort = match arguments.quick {
            true => Effort {
                rounds: 9,
                window: Duration::from_millis(100),
            },
            false => Effort {
                rounds: 25,
                window: Duration::from_millis(250),
            },
        };
        let whole = Stage::read(stage)?;
        let (_, tokens) = whole.of("RS256")?;
        row.loopback = loopback::measure(entry, stage, tokens, effort)?;
    }
    Ok(row)
}

/// Measures a gate in a process of its own.
fn in_child(entry: &Entry, stage: &Path, rounds: usize) -> Result<Row, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(this)
        .args([
            "measure",
            "--gate",
            entry.name,
            "--rounds",
            &rounds.to_string(),
            "--stage",
        ])
        .arg(stage)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(reason(&told));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// Why a child ended: what it panicked with, or the last it said.
fn reason(told: &str) -> String {
    let mut lines = told.lines().filter(|line| !line.trim().is_empty());
    let panicked = lines.clone().position(|line| line.contains("panicked at"));
    let line = match panicked {
        Some(line) => lines.nth(line + 1),
        None => lines.next_back(),
    };
    line.unwrap_or("it ended without a word").to_owned()
}

/// The files with the tokens, made when they are first asked for and removed with the run.
struct Stages {
    folder: PathBuf,
}

impl Stages {
    fn new() -> Stages {
        let name = format!("portcullis-peers-{}", std::process::id());
        Stages {
            folder: std::env::temp_dir().join(name),
        }
    }

    fn of(&self, claims: Claims, issuers: &[tokens::Issuer]) -> Result<PathBuf, String> {
        let path = self.folder.join(format!("{claims:?}.json"));
        if !path.exists() {
            std::fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
            Stage::new(issuers, claims).write(&path)?;
        }
        Ok(path)
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The command to tell beside the figures: without paths, which are this machine's affair.
fn command(arguments: &Arguments) -> String {
    let mut command = String::from("cargo run --release --manifest-path benches/peers/Cargo.toml");
    let mut words = Vec::new();
    for (given, word) in [
        (arguments.quick, "--quick"),
        (arguments.in_process, "--in-process"),
        (arguments.loopback, "--loopback"),
    ] {
        words.extend(given.then(|| word.to_owned()));
    }
    words.extend(arguments.only.iter().map(|name| format!("--only {name:?}")));
    if !words.is_empty() {
        command += &format!(" -- {}", words.join(" "));
    }
    command
}
