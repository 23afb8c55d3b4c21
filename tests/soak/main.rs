//! A soak: a gate on real sockets under mixed load, while its issuer rotates its keys and is in trouble
//! every so often. No answer may be wrong, and memory must stay flat.
//!
//! ```text
//! cargo test --release --test soak -- --ignored soak --nocapture
//! PORTCULLIS_SOAK_SECONDS=25 cargo test --test soak -- --ignored soak
//! ```
//!
//! It takes ten minutes unless `PORTCULLIS_SOAK_SECONDS` says otherwise. A short one rotates faster, so
//! that it sees a few rotations as well.
#![cfg(all(
    feature = "cache",
    feature = "introspection",
    feature = "jwt",
    feature = "reqwest"
))]
#![allow(clippy::print_stdout)] // What there was to see is for readers.

mod chance;
#[path = "../client/mod.rs"]
mod client;
mod memory;
mod traffic;
mod truth;
mod weather;

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use portcullis::testing::AuthorizationServer;
use portcullis::{
    Carrier, ClientAuth, ConfigError, IntrospectionVerifier, JwtVerifier, RemoteJwks,
    ResourceServer, When,
};
use tokio::net::TcpListener;
use tokio::time::sleep;

use chance::Chance;
use memory::Memory;
use traffic::{Tally, Traffic};
use truth::lock;
use weather::Weather;

const AUDIENCE: &str = "https://api.example.com/";
/// What the route behind the gate says.
const LET_IN: &str = "let in\n";
/// How many clients there are.
const CLIENTS: usize = 32;
/// By how much memory may grow after the first fifth, in bytes.
const GROWTH: u64 = 20_000_000;

/// How the gate is set up, and what follows from it.
struct Limits {
    /// How long keys are fresh.
    lifetime: Duration,
    /// When they are fetched anew at the latest: 80 % of that.
    refreshed: Duration,
    /// Between two fetches that waiting requests cause.
    interval: Duration,
    /// How long a request waits for keys at most.
    wait: Duration,
    /// Of one fetch of keys, and of all that it takes to have the issuer's word.
    deadline: Duration,
    /// How long an opaque token is remembered.
    remembered: Duration,
    /// What a slow machine may add.
    slack: Duration,
}

const LIMITS: Limits = Limits {
    lifetime: Duration::from_secs(10),
    refreshed: Duration::from_secs(8),
    interval: Duration::from_secs(1),
    wait: Duration::from_secs(2),
    deadline: Duration::from_secs(3),
    remembered: Duration::from_secs(4),
    slack: Duration::from_secs(3),
};

impl Limits {
    /// How long after an outage the gate may take to notice its end. Pauses double from a second on,
    /// each up to 20 % shorter by chance: the next is as long as all before it and a second. One attempt
    /// may still be under way.
    fn recovery(&self, outage: Duration) -> Duration {
        outage.div_f64(0.8) + Duration::from_secs(1) + self.deadline + self.slack
    }
}

fn gate(issuer: &AuthorizationServer) -> Result<ResourceServer, ConfigError> {
    let keys = RemoteJwks::discover(issuer.issuer())
        .lifetime(LIMITS.lifetime)
        .refresh_interval(LIMITS.interval)
        .wait_at_most(LIMITS.wait)
        .deadline(LIMITS.deadline)
        .build()?;
    let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE)
        .keys(keys)
        .build()?;
    let auth = ClientAuth::basic("gate", "gate-secret");
    let opaque = IntrospectionVerifier::builder(&issuer.introspection_endpoint(), auth, AUDIENCE)
        .issuer(issuer.issuer())
        .remember_accepted(LIMITS.remembered)
        .remember_refused(LIMITS.remembered / 2)
        .deadline(LIMITS.deadline)
        .build()?;
    ResourceServer::builder()
        .carrier(Carrier::bearer())
        .carrier(Carrier::header("App-Token")?)
        .route(When::jwt(), jwt)
        .route(When::opaque(), opaque)
        .build()
}

#[test]
#[ignore = "takes ten minutes: cargo test --release --test soak -- --ignored soak --nocapture"]
fn soak() {
    let number = |name: &str, otherwise: u64| match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}, wanted a whole number")),
        Err(_) => otherwise,
    };
    let lasts = Duration::from_secs(number("PORTCULLIS_SOAK_SECONDS", 600));
    let seed = number("PORTCULLIS_SOAK_SEED", 1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let faults = runtime.block_on(run(lasts, seed));
    runtime.shutdown_background();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Runs it, prints what there was to see, and returns what was wrong.
async fn run(lasts: Duration, seed: u64) -> Vec<String> {
    let issuer = AuthorizationServer::start().await.expect("a free port");
    issuer.client("gate", "gate-secret");
    let server = gate(&issuer).expect("a gate");
    server.ready().await.expect("keys");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new()
        .route("/", get(async || LET_IN))
        .layer(server.layer());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let period = (lasts / 4).clamp(Duration::from_secs(5), Duration::from_secs(20));
    let weather = Weather::of(issuer.clone(), period);
    let tally = Mutex::new(Tally::default());
    let stranger = AuthorizationServer::new();
    let opaque = issuer.opaque().audience(AUDIENCE);
    let expired = opaque.clone().expires_in(-60).mint();
    let misdirected = opaque.audience("https://other.example/").mint();
    let traffic = Traffic {
        weather: &weather,
        server: &server,
        base: &base,
        stranger: &stranger,
        tally: &tally,
        expired: &expired,
        misdirected: &misdirected,
    };
    let mut memory = Memory::over(lasts);
    let begun = Instant::now();
    let watch = async {
        while begun.elapsed() < lasts {
            memory.sample();
            watch_keys(&weather, &server, &tally);
            sleep(Duration::from_millis(200)).await;
        }
        weather.over.store(true, Ordering::Relaxed);
    };
    let clients = async {
        let clients = (0..CLIENTS as u64).map(|client| {
            let chance = Chance::seeded(seed.wrapping_mul(1_000).wrapping_add(client));
            Box::pin(traffic.drive(chance))
        });
        client::join_all(clients).await;
    };
    let weather_goes_on = async {
        let rotations = weather.rotate(Chance::seeded(seed));
        tokio::join!(rotations, weather.storm(Chance::seeded(!seed)))
    };
    tokio::select! {
        _ = async { tokio::join!(watch, clients) } => {}
        _ = weather_goes_on => unreachable!("it ends with the clients"),
    }
    summary(lasts, seed, &weather, &server, &lock(&tally), &memory)
}

/// A key that was withdrawn is given up in time.
fn watch_keys(weather: &Weather, server: &ResourceServer, tally: &Mutex<Tally>) {
    let now = Instant::now();
    let status = server.status();
    for key in weather.truth.keys(true) {
        let is_known = status.keys.iter().any(|keys| keys.kids.contains(&key.kid));
        let Some(withdrawn) = key.withdrawn().at().filter(|_| is_known) else {
            continue;
        };
        if weather.truth.gone_by(withdrawn) < now {
            let (kid, since) = (&key.kid, now - withdrawn);
            let wrong = format!("{kid} is known {since:?} after it was withdrawn; {status:?}");
            lock(tally).wrong.push(wrong);
        }
    }
}

fn summary(
    lasts: Duration,
    seed: u64,
    weather: &Weather,
    server: &ResourceServer,
    tally: &Tally,
    memory: &Memory,
) -> Vec<String> {
    let mut faults = Vec::new();
    let told = lock(&weather.told);
    println!(
        "\nsoak of {} s, seed {seed}: {} rotations, {} outages ({})\n",
        lasts.as_secs(),
        told.rotations,
        told.outages.len(),
        told.outages.join(", "),
    );
    let statuses = [200, 400, 401, 503];
    println!(
        "| requests | number | 200 | 400 | 401 | 503 | slowest |\n|---|---|---|---|---|---|---|"
    );
    let mut all = 0;
    for (class, answers) in &tally.answers {
        let number: u64 = answers.values().sum();
        all += number;
        let count = |status| answers.get(&status).copied().unwrap_or(0).to_string();
        println!(
            "| {class:?} | {number} | {} | {} ms |",
            statuses.map(count).join(" | "),
            tally.slowest[class].as_millis(),
        );
    }
    println!("\nrequests: {all}, wrong answers: {}", tally.wrong.len());
    faults.extend(tally.wrong.iter().take(20).cloned());

    let status = server.status();
    let (fetches, failures) = (status.keys[0].fetches, status.keys[0].failures);
    println!("fetches of keys: {fetches}, of which {failures} brought nothing");
    // One for each interval, which a pause by chance makes 20 % shorter.
    let most = 2 + lasts.div_duration_f64(LIMITS.interval.mul_f64(0.8)) as u64;
    if fetches > most {
        faults.push(format!("{fetches} fetches, wanted at most {most}"));
    }
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    match memory.growth() {
        Some(growth) => {
            println!(
                "resident memory: at most {:.1} MB in the first fifth, {:.1} MB after it, {:.1} MB at \
                 the end",
                megabytes(memory.first),
                megabytes(memory.later),
                megabytes(memory.last),
            );
            if growth > GROWTH {
                let (growth, most) = (megabytes(growth), megabytes(GROWTH));
                faults.push(format!(
                    "memory grew by {growth:.1} MB, wanted {most:.1} MB"
                ));
            }
        }
        None => println!("resident memory: not measured, this system has no /proc/self/status"),
    }
    // Or nothing was tried.
    let enough = lasts.as_secs() / 25;
    let is_enough = told.rotations as u64 >= enough && told.outages.len() as u64 >= enough;
    if !is_enough || all < 100 {
        faults.push("there was too little of everything".to_owned());
    }
    faults
}
