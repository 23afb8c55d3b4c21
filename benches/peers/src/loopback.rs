//! Measures one gate over loopback: a child serves it, this process sends requests and reads what CPU
//! time the child has used.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::gate::{Entry, Gate};
use crate::gates;
use crate::in_process::{checked, runtime};
use crate::load::{Answered, Client, Until, request};
use crate::report::{Load, Loopback};
use crate::stage::{Stage, Tokens};

/// How thoroughly it is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    pub window: Duration,
}

/// Serves a gate until its parent closes standard input, or dies. Tells its address on standard output.
pub fn serve(entry: &Entry, stage: &Stage) -> Result<(), String> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
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
    let requests: Vec<Vec<u8>> = tokens.good.iter().map(|token| request(token)).collect();
    let one: Rc<[Vec<u8>]> = requests[..1].into();
    let all: Rc<[Vec<u8>]> = requests.into();
    let runtime = runtime()?;
    let start = |entry: &Entry| Server::start(entry, stage, &runtime);
    let mut none = start(gates::find(entry.baseline)?)?;
    let mut gate = start(entry)?;
    let mut found = Loopback::default();
    let window = Until::Elapsed(effort.window);
    let once = Until::Sent(all.len());
    for (cell, requests) in [(&mut found.one, &one), (&mut found.ring, &all)] {
        // Each token once, so that who remembers has seen it.
        none.turn(requests, once)?;
        gate.turn(requests, once)?;
        let turns = (0..effort.rounds)
            .map(|_| Ok((none.turn(requests, window)?, gate.turn(requests, window)?)));
        *cell = Some(summary(&turns.collect::<Result<Vec<_>, String>>()?));
    }
    if entry.remembers {
        // One that has seen no token, in each round; each token is sent once.
        let turns = (0..effort.rounds.div_ceil(2)).map(|_| {
            let mut gate = start(entry)?;
            Ok((none.turn(&all, once)?, gate.turn(&all, once)?))
        });
        found.distinct = Some(summary(&turns.collect::<Result<Vec<_>, String>>()?));
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

/// A child that serves a gate, ended when it is dropped, and the connections to it.
struct Server<'a> {
    child: Child,
    client: Client,
    runtime: &'a Runtime,
}

impl Server<'_> {
    fn start<'a>(entry: &Entry, stage: &Path, runtime: &'a Runtime) -> Result<Server<'a>, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(this)
            .args(["serve", "--gate", entry.name, "--stage"])
            .arg(stage)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            // What the child says later goes nowhere: it says nothing.
            let _ = BufReader::new(output).read_line(&mut line);
        }
        let connected = match line.trim().parse() {
            Ok(address) => runtime.block_on(Client::new(address)),
            Err(_) => Err("it cannot be served".to_owned()),
        };
        match connected {
            Ok(client) => Ok(Server {
                child,
                client,
                runtime,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn turn(&mut self, requests: &Rc<[Vec<u8>]>, until: Until) -> Result<Turn, String> {
        let before = self.cpu()?;
        let answered = self.runtime.block_on(self.client.send(requests, until))?;
        let used = self.cpu()?.saturating_sub(before);
        Ok(Turn::new(answered, used))
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

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
