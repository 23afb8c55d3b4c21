//! Clients that notice nothing: they show tokens the gate can judge by itself, one after the other on
//! connections that are kept.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::client::Client;

/// How many clients there are, and how long each rests after an answer: all troubles share a machine.
pub(crate) const CLIENTS: usize = 4;
const REST: Duration = Duration::from_millis(40);

/// Every so many requests shows a token for the first time, as long as there are such.
const UNSEEN: u64 = 8;

/// A running load.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<usize>>,
}

struct Shared {
    stop: AtomicBool,
    made: AtomicU64,
    slowest: AtomicU64,
    failed: Mutex<Vec<String>>,
    known: Vec<String>,
    unseen: Mutex<Vec<String>>,
}

/// How it went.
pub(crate) struct Outcome {
    pub(crate) made: u64,
    /// What was no 200, in words.
    pub(crate) failed: Vec<String>,
    pub(crate) slowest: Duration,
    /// How many tokens were left that nobody had shown.
    pub(crate) unseen_left: usize,
    pub(crate) connections: usize,
}

impl Load {
    /// Shows `known` tokens in turn, and those of `unseen` in between.
    pub(crate) fn start(base: &str, known: Vec<String>, unseen: Vec<String>) -> Load {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            made: AtomicU64::new(0),
            slowest: AtomicU64::new(0),
            failed: Mutex::default(),
            known,
            unseen: Mutex::new(unseen),
        });
        let clients = (0..CLIENTS)
            .map(|place| tokio::spawn(drive(Client::of(base), place, Arc::clone(&shared))))
            .collect();
        Load { shared, clients }
    }

    /// How many requests were answered until now.
    pub(crate) fn made(&self) -> u64 {
        self.shared.made.load(Ordering::Relaxed)
    }

    pub(crate) async fn end(self) -> Outcome {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut connections = 0;
        for client in self.clients {
            connections += client.await.expect("a client ends");
        }
        let shared = self.shared;
        let failed = std::mem::take(&mut *shared.failed.lock().expect("whole"));
        let unseen_left = shared.unseen.lock().expect("whole").len();
        Outcome {
            made: shared.made.load(Ordering::Relaxed),
            failed,
            slowest: Duration::from_millis(shared.slowest.load(Ordering::Relaxed)),
            unseen_left,
            connections,
        }
    }
}

async fn drive(mut client: Client, place: usize, shared: Arc<Shared>) -> usize {
    for turn in place as u64.. {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let unseen = match turn % UNSEEN {
            0 => shared.unseen.lock().expect("whole").pop(),
            _ => None,
        };
        let known = &shared.known[turn as usize % shared.known.len()];
        let token = unseen.as_ref().unwrap_or(known);
        let fault = match client.show("/", token).await {
            Ok(answer) => {
                let took = answer.took.as_millis() as u64;
                shared.slowest.fetch_max(took, Ordering::Relaxed);
                (answer.status != 200).then(|| format!("{}: {}", answer.status, answer.body))
            }
            Err(why) => Some(why),
        };
        shared.made.fetch_add(1, Ordering::Relaxed);
        if let Some(fault) = fault {
            let sort = if unseen.is_some() { "unseen" } else { "known" };
            let mut failed = shared.failed.lock().expect("whole");
            failed.push(format!("{sort} token: {fault}"));
        }
        tokio::time::sleep(REST).await;
    }
    client.connections
}
