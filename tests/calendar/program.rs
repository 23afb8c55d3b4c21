//! The calendar as a program: started, listened to, stopped.

use std::process::{ExitStatus, Output, Stdio};

use tokio::process::Command;
use tokio::time::timeout;

use super::built::{self, PATIENCE};
use super::process::Process;

/// A running calendar. It is killed when this is dropped.
pub struct Program {
    process: Process,
    /// What it printed, up to the last curl line.
    pub told: Vec<String>,
    /// `http://127.0.0.1:PORT`
    pub base: String,
}

impl Program {
    /// Starts the calendar on a free port and waits until it listens.
    pub async fn start(options: &[&str]) -> Program {
        Program::start_in(options, &[]).await
    }

    /// As [`start`](Self::start), with these environment variables.
    pub async fn start_in(options: &[&str], variables: &[(&str, &str)]) -> Program {
        let mut command = command(options);
        command.envs(variables.iter().copied());
        command.args(["--listen", "127.0.0.1:0"]);
        let mut process = Process::start(command);
        let is_last = |line: &str| line.contains("grant_type=") || line.contains("$TOKEN");
        let told = process.told(is_last).await;
        let last = told.last().map_or("", |line| line);
        assert!(is_last(last), "it ended after {told:?}");
        let begin = "The calendar listens on ";
        let base = told[0].strip_prefix(begin).expect("it says where");
        let base = base.split(' ').next().unwrap_or_default().to_owned();
        Program {
            process,
            told,
            base,
        }
    }

    /// Waits until the log holds a line with this text.
    pub async fn hear(&mut self, text: &str) {
        self.process.hear(text).await;
    }

    /// The log until now.
    pub fn heard(&mut self) -> &str {
        self.process.heard()
    }

    /// Sends a signal and waits for the end.
    #[cfg(unix)]
    pub async fn end_by(mut self, signal: &str) -> (ExitStatus, String) {
        self.process.signal(signal).await;
        self.process.ended().await
    }
}

/// Runs the calendar to its end, with options it refuses or `--help`.
pub async fn run(options: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command(options);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.envs(variables.iter().copied()).output();
    timeout(PATIENCE, output).await.expect("it ends").unwrap()
}

fn command(options: &[&str]) -> Command {
    let mut command = Command::new(built::path("calendar"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CALENDAR_")) {
        command.env_remove(name);
    }
    command.args(options);
    command
}
