//! Counts the instructions of each way through the gate under callgrind, and holds them to
//! `benches/instructions.txt`: a regression shows without a clock.
//!
//! ```sh
//! cargo bench --bench instructions            # compares; fails if something grew beyond its tolerance
//! cargo bench --bench instructions -- --write # makes what was counted the new baseline
//! ```
//!
//! Each case runs twice in a process of its own, with few rounds and with more; the difference is what
//! a round costs, and what came before it costs nothing.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs
)]

mod stage;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use http::HeaderValue;
use portcullis::ResourceServer;

use stage::fixed::{self, Fixed};
use stage::gate::{self, Cold};
use stage::{hand, route, tokens};

/// What a case is compared to.
#[derive(Clone, Copy)]
enum Over {
    /// Nothing: it is a figure of its own.
    Nothing,
    /// Another case.
    Case(&'static str),
}

struct Case {
    name: &'static str,
    over: Over,
    /// What the crate promises, if it does.
    goal: Option<i64>,
    run: fn(u64),
}

const OPEN: &str = "unguarded route";

const fn case(name: &'static str, over: Over, goal: Option<i64>, run: fn(u64)) -> Case {
    Case {
        name,
        over,
        goal,
        run,
    }
}

const CASES: [Case; 21] = [
    case(OPEN, Over::Nothing, None, |rounds| {
        visits(rounds, route::unguarded())
    }),
    case("layer that does nothing", Over::Case(OPEN), None, |n| {
        visits(n, route::empty_layer())
    }),
    case("extractor", Over::Case(OPEN), Some(1_500), |rounds| {
        visits(rounds, route::extractor(&acquainted()))
    }),
    case(
        "extractor with scope and claims",
        Over::Case("extractor"),
        None,
        |rounds| visits(rounds, route::extractor_of_both(&acquainted())),
    ),
    case(
        "layer around the router",
        Over::Case(OPEN),
        Some(2_300),
        |rounds| visits(rounds, route::around(&acquainted())),
    ),
    case("Router::layer", Over::Case(OPEN), Some(3_500), |rounds| {
        visits(rounds, route::layer(&acquainted()))
    }),
    case(
        "scope and claims behind a layer",
        Over::Case("Router::layer"),
        None,
        |rounds| visits(rounds, route::layer_and_both(&acquainted())),
    ),
    case("hand-written, moka", Over::Case(OPEN), None, |rounds| {
        let token = fixed::of("ES256").token;
        let payload = portcullis_claims(token);
        visits(rounds, hand::with_moka([(token.to_owned(), payload)]));
    }),
    case("raw check, HS256", Over::Nothing, None, |rounds| {
        let key = tokens::signing_key("HS256");
        let token = tokens::token(&key, 1);
        raw(rounds, &key.raw_check(), &token);
    }),
    case("raw check, RS256", Over::Nothing, None, |rounds| {
        raw_fixed(rounds, "RS256")
    }),
    case("raw check, ES256", Over::Nothing, None, |rounds| {
        raw_fixed(rounds, "ES256")
    }),
    case("raw check, EdDSA", Over::Nothing, None, |rounds| {
        raw_fixed(rounds, "EdDSA")
    }),
    case(
        "cold without its signature, HS256",
        Over::Case("raw check, HS256"),
        None,
        |rounds| {
            let key = tokens::signing_key("HS256");
            let token = tokens::token(&key, 1);
            cold(rounds, &Cold::new(gate::verifier(&key)), &token);
        },
    ),
    case(
        "cold without its signature, RS256",
        Over::Case("raw check, RS256"),
        None,
        |rounds| cold_fixed(rounds, "RS256"),
    ),
    case(
        "cold without its signature, ES256",
        Over::Case("raw check, ES256"),
        None,
        |rounds| cold_fixed(rounds, "ES256"),
    ),
    case(
        "cold without its signature, EdDSA",
        Over::Case("raw check, EdDSA"),
        None,
        |rounds| cold_fixed(rounds, "EdDSA"),
    ),
    case("refused: rubbish", Over::Nothing, None, |rounds| {
        refusals(rounds, |n, _| format!("rubbish-{n:06}"))
    }),
    case("refused: unknown kid", Over::Nothing, None, |rounds| {
        refusals(rounds, |n, token| {
            let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"nobody-{n:06}"}}"#);
            tokens::under_header(token, &header)
        })
    }),
    case("refused: wrong algorithm", Over::Nothing, None, |rounds| {
        refusals(rounds, |n, token| {
            let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"nobody-{n:06}"}}"#);
            tokens::under_header(token, &header)
        })
    }),
    case("refused: expired", Over::Nothing, None, expired),
    case(
        "never seen, HS256, with its signature",
        Over::Case(OPEN),
        None,
        never_seen,
    ),
];

/// A gate that knows the fixed token by heart.
fn acquainted() -> ResourceServer {
    let server = gate::gate_for(fixed::of("ES256").verifier(), gate::CAPACITY);
    gate::acquaint(&server, &gate::bearer(fixed::of("ES256").token));
    server
}

fn portcullis_claims(token: &str) -> gate::Party {
    Cold::new(fixed::of("ES256").verifier()).party(token)
}

fn visits<S>(rounds: u64, mut service: S)
where
    S: tower::Service<http::Request<axum::body::Body>, Response = axum::response::Response>,
{
    let header = gate::bearer(fixed::of("ES256").token);
    for _ in 0..rounds {
        route::visit(&mut service, &header);
    }
}

fn raw_fixed(rounds: u64, alg: &str) {
    let Fixed { token, .. } = fixed::of(alg);
    raw(rounds, &fixed::of(alg).raw_check(), token);
}

fn raw(rounds: u64, check: &tokens::RawCheck, token: &str) {
    let (message, signature) = tokens::taken_apart(token);
    for _ in 0..rounds {
        assert!(check.check(black_box(message.as_bytes()), &signature));
    }
}

fn cold_fixed(rounds: u64, alg: &str) {
    let fixed = fixed::of(alg);
    cold(rounds, &Cold::new(fixed.verifier()), fixed.token);
}

fn cold(rounds: u64, cold: &Cold<portcullis::JwtVerifier>, token: &str) {
    for _ in 0..rounds {
        black_box(cold.party(black_box(token)));
    }
}

/// Refusals at the heart of the gate, of tokens that are made from a good one.
fn refusals(rounds: u64, broken: fn(u64, &str) -> String) {
    let server = gate::gate_for(fixed::of("ES256").verifier(), gate::CAPACITY);
    let headers = (0..MOST).map(|n| gate::bearer(&broken(n, fixed::of("ES256").token)));
    refuse(rounds, &server, &headers.collect::<Vec<_>>());
}

fn expired(rounds: u64) {
    let key = tokens::signing_key("HS256");
    let headers = (0..MOST).map(|n| gate::bearer(&tokens::expired_token(&key, n)));
    let headers: Vec<HeaderValue> = headers.collect();
    refuse(rounds, &gate::gate(&key), &headers);
}

fn refuse(rounds: u64, server: &ResourceServer, headers: &[HeaderValue]) {
    let mut heads: Vec<_> = headers.iter().map(gate::head).collect();
    for head in &mut heads[..rounds as usize] {
        assert!(gate::ask(server, head).is_err());
    }
}

fn never_seen(rounds: u64) {
    let key = tokens::signing_key("HS256");
    let mut service = route::extractor_of_claims(&gate::gate(&key));
    let headers: Vec<_> = (0..MOST)
        .map(|n| gate::bearer(&tokens::token(&key, n)))
        .collect();
    for header in &headers[..rounds as usize] {
        route::visit(&mut service, header);
    }
}

/// How many rounds the two runs of a case have. What differs between them is whole rounds.
const FEW: u64 = 50;
const MOST: u64 = 550;

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
    let counts: BTreeMap<&str, i64> = CASES.iter().map(|case| (case.name, count(case))).collect();
    let counted: Vec<(&Case, i64)> = CASES
        .iter()
        .map(|case| match case.over {
            Over::Nothing => (case, counts[case.name]),
            Over::Case(other) => (case, counts[case.name] - counts[other]),
        })
        .collect();
    if plain {
        for (case, count) in counted {
            println!("{}\t{count}", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let baseline = Baseline::read();
    let (mut grown, mut shrunk) = (0, 0);
    println!(
        "{:<40} {:>9} {:>9} {:>8}  {:>7}",
        "instructions", "baseline", "counted", "change", "goal"
    );
    for (case, count) in &counted {
        let known = baseline.0.get(case.name);
        let change = known.map(|known| {
            // A small difference of two large figures is not known to the last instruction.
            let allowed = (known.count.abs() * known.tolerance / 100).max(20);
            let change = count - known.count;
            grown += u32::from(change > allowed);
            shrunk += u32::from(change < -allowed);
            let mark = match change {
                change if change > allowed => "  GREW",
                change if change < -allowed => "  shrank",
                _ => "",
            };
            let percent = 100.0 * change as f64 / known.count.max(1) as f64;
            (known.count, percent, mark)
        });
        let goal = case.goal.map_or_else(String::new, |goal| {
            let word = if *count <= goal { "ok" } else { "MISSED" };
            format!("{goal:>7} {word}")
        });
        match change {
            Some((known, percent, mark)) => println!(
                "{:<40} {known:>9} {count:>9} {percent:>+7.1}%  {goal}{mark}",
                case.name
            ),
            None => println!(
                "{:<40} {:>9} {count:>9} {:>8}  {goal}",
                case.name, "", "new"
            ),
        }
    }
    if write {
        baseline.write(&counted);
        println!("this is the baseline now: {}", path().display());
        return ExitCode::SUCCESS;
    }
    let again = "cargo bench --bench instructions -- --write";
    if shrunk > 0 {
        println!("{shrunk} shrank beyond their tolerance: make that the baseline with `{again}`");
    }
    if grown > 0 {
        println!("{grown} grew beyond their tolerance; where that is worth it, `{again}`");
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

/// The instructions of a whole process.
fn collected(case: &Case, rounds: u64) -> i64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
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

/// What was counted before.
#[derive(Default)]
struct Baseline(BTreeMap<String, Known>);

struct Known {
    count: i64,
    /// In percent.
    tolerance: i64,
}

/// Of a case that is new.
const TOLERANCE: i64 = 5;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

impl Baseline {
    fn read() -> Baseline {
        let text = fs::read_to_string(path()).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let known = lines.filter_map(|line| {
            let mut fields = line.split('\t');
            let (name, count) = (fields.next()?, fields.next()?.trim().parse().ok()?);
            let tolerance = fields.next()?.trim().parse().ok()?;
            Some((name.trim().to_owned(), Known { count, tolerance }))
        });
        Baseline(known.collect())
    }

    fn write(&self, counted: &[(&Case, i64)]) {
        let mut text = String::from(
            "# Instructions of one round under callgrind: name, count, tolerance in percent.\n\
             # Written by `cargo bench --bench instructions -- --write`; tolerances are set by hand.\n",
        );
        for (case, count) in counted {
            let known = self.0.get(case.name);
            let tolerance = known.map_or(TOLERANCE, |known| known.tolerance);
            text.push_str(&format!("{}\t{count}\t{tolerance}\n", case.name));
        }
        fs::write(path(), text).unwrap();
    }
}
