//! Measures one gate over loopback: a child serves it, this process sends requests and reads what CPU
//! time the child has used.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::gate::{Entry, Gate};
use crate::gates;
use crate::in_process::{checked, runtime};
use crate::load::{Answered, Until, send};
use crate::report::{Load, Loopback};
use crate::stage::{Stage, Tokens};

/// How thoroughly it is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    pub window: Duration,
}

/// Serves a gate until the process is ended. Tells its address on standard output.
pub fn serve(entry: &Entry, stage: &Stage) -> Result<(), String> {
    let runtime = runtime()?;
    let (source, tokens) = stage.of("RS256")?;
    let gate: Box<dyn Gate> = runtime.block_on((entry.build)(source.clone()))?;
    checked(entry, gate.as_ref(), tokens, &runtime)?;
    let served = async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        gate.serve(listener).await
    };
    runtime.block_on(served).map_err(|error| error.to_string())
}

/// Measures it in turns with no gate.
pub fn measure(
    entry: &Entry,
    stage: &Path,
    tokens: &Tokens,
    effort: Effort,
) -> Result<Loopback, String> {
    if !cfg!(target_os = "linux") {
        let skipped =
            Some("SKIPPED: the CPU time of another process is read from Linux".to_owned());
        return Ok(Loopback {
            skipped,
            ..Loopback::default()
        });
    }
    let requests: Vec<Vec<u8>> = tokens
        .good
        .iter()
        .map(|token| crate::load::request(token))
        .collect();
    let none = Server::start(gates::find(entry.baseline)?, stage)?;
    let gate = Server::start(entry, stage)?;
    let runtime = runtime()?;
    let run = |server: &Server, requests: &[Vec<u8>], until: Until| {
        let before = server.cpu()?;
        let answered = runtime.block_on(send(server.address, requests, until))?;
        let used = server.cpu()?.saturating_sub(before);
        Ok::<_, String>(Turn::new(answered, used))
    };
    let time = Until::Elapsed(effort.window);
    let mut found = Loopback::default();
    for (cell, requests) in [
        (&mut found.one, &requests[..1]),
        (&mut found.ring, &requests[..]),
    ] {
        // Each token once, so that who remembers has seen it.
        run(&none, requests, Until::Sent(requests.len()))?;
        run(&gate, requests, Until::Sent(requests.len()))?;
        let mut turns = Vec::new();
        for _ in 0..effort.rounds {
            turns.push((run(&none, requests, time)?, run(&gate, requests, time)?));
        }
        *cell = Some(summary(&turns));
    }
    if entry.remembers {
        let mut turns = Vec::new();
        for _ in 0..effort.rounds {
            // Who has seen no token; each is sent once.
            let gate = Server::start(entry, stage)?;
            let all = Until::Sent(requests.len());
            turns.push((run(&none, &requests, all)?, run(&gate, &requests, all)?));
        }
        found.distinct = Some(summary(&turns));
    }
    Ok(found)
}

/// What one side did in its turn.
struct Turn {
    /// Microseconds of the server's CPU per request.
    cost: f64,
    per_second: f64,
}

impl Turn {
    fn new(answered: Answered, used: Duration) -> Turn {
        let requests = answered.requests.max(1) as f64;
        Turn {
            cost: used.as_secs_f64() * 1e6 / requests,
            per_second: requests / answered.took.as_secs_f64(),
        }
    }
}

fn summary(turns: &[(Turn, Turn)]) -> Load {
    let sorted = |mut figures: Vec<f64>| {
        figures.sort_unstable_by(f64::total_cmp);
        figures
    };
    let median = |figures: &[f64]| figures[figures.len() / 2];
    let ratios = sorted(
        turns
            .iter()
            .map(|(none, gate)| gate.cost / none.cost)
            .collect(),
    );
    Load {
        ratio: median(&ratios),
        range: (ratios[0], ratios[ratios.len() - 1]),
        microseconds: median(&sorted(turns.iter().map(|(_, gate)| gate.cost).collect())),
        requests_per_second: median(&sorted(
            turns.iter().map(|(_, gate)| gate.per_second).collect(),
        )),
    }
}

/// A child that serves a gate, ended when it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(entry: &Entry, stage: &Path) -> Result<Server, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(this)
            .args(["serve", "--gate", entry.name, "--stage"])
            .arg(stage)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            // What the child says later goes nowhere: it says nothing.
            let _ = BufReader::new(output).read_line(&mut line);
        }
        match line.trim().parse() {
            Ok(address) => Ok(Server { child, address }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err("it cannot be served".to_owned())
            }
        }
    }

    /// The CPU time that its threads have used, in nanoseconds' resolution.
    fn cpu(&self) -> Result<Duration, String> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let read = |error: std::io::Error| format!("{tasks}: {error}");
        let mut used = Duration::ZERO;
        for task in std::fs::read_dir(&tasks).map_err(read)? {
            let path = task.map_err(read)?.path().join("schedstat");
            // A thread may end meanwhile.
            let Ok(text) = std::fs::read_to_string(path) else {
                continue;
            };
            let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
            used += Duration::from_nanos(nanoseconds.ok_or("a kernel without schedstat")?);
        }
        Ok(used)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
