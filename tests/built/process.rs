//! An example as a program: started, listened to, sent signals.
#![allow(dead_code)] // No test needs all of it.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::built::PATIENCE;

/// A running program. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    printed: UnboundedReceiver<String>,
    log: UnboundedReceiver<String>,
    /// The log as far as it was read.
    heard: String,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Process {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let printed = lines(child.stdout.take().expect("a pipe"));
        let log = lines(child.stderr.take().expect("a pipe"));
        let heard = String::new();
        Process {
            child,
            printed,
            log,
            heard,
        }
    }

    /// What it prints, up to a line that is the last. If the program ends before, what it had printed
    /// by then.
    pub(crate) async fn told(&mut self, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut told: Vec<String> = Vec::new();
        while !told.last().is_some_and(|line| is_last(line)) {
            let line = timeout(PATIENCE, self.printed.recv()).await;
            match line.expect("it prints in time") {
                Some(line) => told.push(line),
                None => break,
            }
        }
        told
    }

    /// Waits until the log holds a line with this text.
    pub(crate) async fn hear(&mut self, text: &str) {
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

    /// The log until now.
    pub(crate) fn heard(&mut self) -> &str {
        while let Ok(line) = self.log.try_recv() {
            self.heard.push_str(&line);
            self.heard.push('\n');
        }
        &self.heard
    }

    /// Sends a signal, such as `STOP`.
    #[cfg(unix)]
    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        // `kill` is built into every shell, and nothing else of the standard library sends signals.
        let mut shell = Command::new("sh");
        let sent = shell
            .args(["-c", &format!("kill -{signal} {pid}")])
            .status();
        assert!(sent.await.expect("a shell").success());
        // Who is told to stop goes on until all its threads have heard of it.
        while signal == "STOP" && !has_stopped(&pid) {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for its end, and returns the whole log.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("it ends in time").expect("it had begun");
        while let Some(line) = self.log.recv().await {
            self.heard.push_str(&line);
            self.heard.push('\n');
        }
        (status, std::mem::take(&mut self.heard))
    }
}

/// Whether every thread of a process stands still. Where the system does not say it is assumed.
#[cfg(unix)]
fn has_stopped(pid: &str) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    let mut states = threads.flatten().filter_map(|thread| {
        // The state follows the name, which is in brackets and may hold any.
        let stat = std::fs::read_to_string(thread.path().join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    });
    states.all(|state| state == 'T')
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
