//! Measures one gate in this process, against no gate. The parent runs it in a child of its own: what
//! is installed per process, and the heap, is then the gate's alone.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use tokio::runtime::Runtime;

use crate::gate::{Entry, Gate};
use crate::paired::{Figures, compare};
use crate::report::{Answers, InProcess, Row, Time};
use crate::stage::{Source, Stage, Tokens};
use crate::{gates, row};

/// How long a gate may take to fetch its keys.
const PATIENCE: u32 = 250;

/// Over how many requests allocations are counted: enough for what happens only now and then.
const COUNTED: u32 = 512;

/// Measures it in so many pairs of batches.
pub fn measure(entry: &Entry, stage: &Stage, rounds: usize) -> Result<Row, String> {
    let runtime = runtime()?;
    let mut found = InProcess::default();
    let mut answers = None;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        if entry.lacks.contains(&algorithm) {
            continue;
        }
        let (source, tokens) = stage.of(algorithm)?;
        let pair = Pair::new(entry, source, &runtime)?;
        let told = checked(entry, pair.gate.as_ref(), tokens, &runtime)?;
        let (none, gate) = (pair.none.as_ref(), pair.gate.as_ref());
        let good = credentials(tokens)?;
        // Background tasks stand still from here on: the runtime runs in `block_on` alone.
        let _context = runtime.enter();
        let one = time(compare(
            rounds,
            calls(none, &good[..1]),
            calls(gate, &good[..1]),
        ));
        match algorithm {
            "ES256" => found.es256_one = Some(one),
            "EdDSA" => found.eddsa_one = Some(one),
            _ => {
                answers = Some(told);
                found.rs256_one = Some(one);
                let over = allocations(gate, &good[0]) - allocations(none, &good[0]);
                found.allocations = Some(over);
                // Each token once, so that who remembers has seen it.
                let mut side = calls(gate, &good);
                good.iter().for_each(|_| side());
                let ring = compare(rounds, calls(none, &good), side);
                found.rs256_ring = Some(time(ring));
                if entry.remembers {
                    found.rs256_distinct = Some(distinct(entry, source, &good, rounds, &runtime)?);
                }
            }
        }
    }
    let mut row = row::of(entry);
    row.answers = answers;
    row.in_process = found;
    Ok(row)
}

/// The runtime of one thread that every gate is built on.
pub fn runtime() -> Result<Runtime, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| error.to_string())
}

/// Nobody is measured failing: a good token passes, a broken one and none do not.
pub fn checked(
    entry: &Entry,
    gate: &dyn Gate,
    tokens: &Tokens,
    runtime: &Runtime,
) -> Result<Answers, String> {
    let ask = |token: Option<&str>| {
        let credential = token.map(credential).transpose()?;
        Ok::<_, String>(runtime.block_on(gate.ask(credential.as_ref())))
    };
    // Some gates are built before their keys have come.
    let mut good = ask(Some(&tokens.good[0]))?;
    for _ in 0..PATIENCE {
        if good == StatusCode::OK {
            break;
        }
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        good = ask(Some(&tokens.good[0]))?;
    }
    let forged = ask(Some(&tokens.forged))?;
    let none = ask(None)?;
    let told = Answers {
        good: good.as_u16(),
        forged: forged.as_u16(),
        none: none.as_u16(),
    };
    let stands = forged != StatusCode::OK && none != StatusCode::OK;
    if good != StatusCode::OK || stands != entry.guards() {
        return Err(format!("its answers make no sense: {told:?}"));
    }
    Ok(told)
}

/// A gate, and what it is compared with.
struct Pair {
    none: Box<dyn Gate>,
    gate: Box<dyn Gate>,
}

impl Pair {
    fn new(entry: &Entry, source: &Source, runtime: &Runtime) -> Result<Pair, String> {
        let baseline = gates::find(entry.baseline)?;
        let none = runtime.block_on((baseline.build)(source.clone()))?;
        let gate = runtime.block_on((entry.build)(source.clone()))?;
        Ok(Pair { none, gate })
    }
}

/// Tokens none of which was ever seen: each pass through them meets a new gate. The pass is so much
/// longer than a batch that the making of a gate falls into few of them, which the median leaves out.
fn distinct(
    entry: &Entry,
    source: &Source,
    good: &[HeaderValue],
    rounds: usize,
    runtime: &Runtime,
) -> Result<Time, String> {
    let Pair { none, mut gate } = Pair::new(entry, source, runtime)?;
    let mut next = 0;
    let side = || {
        if next == good.len() {
            next = 0;
            let built = runtime.block_on((entry.build)(source.clone()));
            gate = built.expect("it was built before");
        }
        assert_eq!(gate.call(Some(&good[next])), StatusCode::OK);
        next += 1;
    };
    Ok(time(compare(rounds, calls(none.as_ref(), good), side)))
}

/// Calls with these credentials in turn.
fn calls(gate: &dyn Gate, credentials: &[HeaderValue]) -> impl FnMut() {
    let mut next = 0;
    move || {
        assert_eq!(gate.call(Some(&credentials[next])), StatusCode::OK);
        next += 1;
        if next == credentials.len() {
            next = 0;
        }
    }
}

fn allocations(gate: &dyn Gate, credential: &HeaderValue) -> f64 {
    let counted = allocation_counter::measure(|| {
        for _ in 0..COUNTED {
            gate.call(Some(credential));
        }
    });
    counted.count_total as f64 / f64::from(COUNTED)
}

fn credentials(tokens: &Tokens) -> Result<Vec<HeaderValue>, String> {
    let values = tokens.good.iter().map(|token| credential(token));
    let values: Vec<HeaderValue> = values.collect::<Result<_, _>>()?;
    // A value that is cloned for the first time moves its bytes behind a counter.
    drop(values.clone());
    Ok(values)
}

fn credential(token: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| error.to_string())
}

fn time(figures: Figures) -> Time {
    Time {
        ratio: figures.ratio,
        quartiles: figures.quartiles,
        nanoseconds: figures.nanoseconds,
    }
}
