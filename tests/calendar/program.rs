//! The calendar as a program: started, listened to, stopped.

use std::process::{ExitStatus, Output, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::built::{self, PATIENCE};

/// A running calendar. It is killed when this is dropped.
pub struct Program {
    child: Child,
    log: UnboundedReceiver<String>,
    /// The log as far as it was read.
    pub heard: String,
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
        let child = command.args(["--listen", "127.0.0.1:0"]).spawn();
        let mut child = child.expect("the calendar starts");
        let mut printed = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let mut told: Vec<String> = Vec::new();
        let is_last = |line: &String| line.contains("grant_type=") || line.contains("$TOKEN");
        while !told.last().is_some_and(is_last) {
            let line = timeout(PATIENCE, printed.recv()).await;
            let line = line.expect("it prints in time");
            told.push(line.unwrap_or_else(|| panic!("it ended after {told:?}")));
        }
        let begin = "The calendar listens on ";
        let base = told[0].strip_prefix(begin).expect("it says where");
        let base = base.split(' ').next().unwrap_or_default().to_owned();
        let heard = String::new();
        Program {
            child,
            log,
            heard,
            told,
            base,
        }
    }

    /// Waits until the log holds a line with this text.
    pub async fn hear(&mut self, text: &str) {
        loop {
            let line = timeout(PATIENCE, self.log.recv()).await;
            let line = line.unwrap_or_else(|_| panic!("no {text:?} in {}", self.heard));
            let line = line.unwrap_or_else(|| panic!("no {text:?} in {}", self.heard));
            self.heard.push_str(&line);
            self.heard.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }

    /// Sends a signal and waits for the end.
    #[cfg(unix)]
    pub async fn end_by(mut self, signal: &str) -> (ExitStatus, String) {
        let pid = self.child.id().expect("it runs").to_string();
        // `kill` is built into every shell, and nothing else of the standard library sends signals.
        let mut shell = Command::new("sh");
        let sent = shell
            .args(["-c", &format!("kill -{signal} {pid}")])
            .status();
        assert!(sent.await.unwrap().success());
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("it ends in time").unwrap();
        while let Some(line) = self.log.recv().await {
            self.heard.push_str(&line);
            self.heard.push('\n');
        }
        (status, self.heard)
    }
}

/// Runs the calendar to its end, with options it refuses or `--help`.
pub async fn run(options: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command(options);
    let output = command.envs(variables.iter().copied()).output();
    timeout(PATIENCE, output).await.expect("it ends").unwrap()
}

fn command(options: &[&str]) -> Command {
    let mut command = Command::new(built::path("calendar"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CALENDAR_")) {
        command.env_remove(name);
    }
    command
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The lines of a stream, which is read to its end whether anybody listens or not.
fn lines(stream: impl AsyncRead + Send + Unpin + 'static) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    let mut lines = BufReader::new(stream).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = sender.send(line);
        }
    });
    receiver
}
