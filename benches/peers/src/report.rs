//! What one run found out, as `--json` writes it and the chart reads it.
//!
//! Ratios are to the same route without a gate, measured in turn with it. A figure that is missing
//! was not measured: the gate does not know the algorithm, or that half of the run was left out. A
//! gate that remembers nothing has no figures for `distinct`: each token of its `ring` is as new to it.

use serde::{Deserialize, Serialize};

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub machine: Machine,
    /// The command that was given, without paths.
    pub command: String,
    /// In the order of the table.
    pub gates: Vec<Row>,
}

/// Where it ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub system: String,
    pub rustc: String,
}

/// What is known of one gate.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub version: Option<String>,
    pub crypto: String,
    pub note: String,
    pub remembers: bool,
    /// Why there is nothing more.
    pub failed: Option<String>,
    pub answers: Option<Answers>,
    pub in_process: InProcess,
    pub loopback: Loopback,
}

/// The statuses with which it answered before it was measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Answers {
    /// To a good token.
    pub good: u16,
    /// To one with a broken signature.
    pub forged: u16,
    /// To none.
    pub none: u16,
}

/// One call of a clone of the service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct InProcess {
    pub rs256_one: Option<Time>,
    pub rs256_ring: Option<Time>,
    pub rs256_distinct: Option<Time>,
    pub es256_one: Option<Time>,
    pub eddsa_one: Option<Time>,
    /// Allocations of a request with a token seen before, over those of no gate.
    pub allocations: Option<f64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Time {
    /// The median.
    pub ratio: f64,
    /// The quartiles.
    pub quartiles: (f64, f64),
    /// The median time of a request, gate and route.
    pub nanoseconds: f64,
}

/// Requests over 32 connections that are kept, to a server with one thread; RS256.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Loopback {
    /// Why there are no figures.
    pub skipped: Option<String>,
    pub one: Option<Load>,
    pub ring: Option<Load>,
    pub distinct: Option<Load>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Load {
    /// The server's CPU time per request: the median of the ratios.
    pub ratio: f64,
    /// The least and the greatest of them.
    pub range: (f64, f64),
    /// The same in time, the median.
    pub microseconds: f64,
    /// The median. Where the client is the slower side, they are the client's.
    pub requests_per_second: f64,
}
