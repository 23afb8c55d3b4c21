//! A calendar API behind the gate.
//!
//! ```text
//! cargo run --example calendar                                   with an issuer of its own
//! cargo run --example calendar -- --issuer https://as.example    with yours
//! cargo run --example calendar -- --help
//! cargo run --example issuer                                     an issuer to take down by hand
//! ```
//!
//! `gate.rs` is what you came for: how the gate is set up. `api.rs` shows what handlers ask of it,
//! `events.rs` who may see which event. The other files make a program of it.

// Nobody imports a program, so `pub` says no more than that the other files use it.
#![allow(unreachable_pub)]

mod api;
mod demo;
mod events;
mod gate;
mod issuer;
mod options;

use std::fmt::Display;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use portcullis::{ConfigError, ResourceServer};
use tokio::net::TcpListener;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use demo::Demo;
use events::Calendar;
use options::Options;

/// How long requests in flight may go on once the calendar is told to stop. Connections that wait
/// for nothing are closed at once; one that never sends a request must not hold us longer.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = options.check().map_err(Failure::Options).and_then(|()| {
        log_to_stderr(&options);
        let runtime = tokio::runtime::Runtime::new().map_err(Failure::run)?;
        let outcome = runtime.block_on(run(&options));
        // A name look-up that hangs in a thread of its own must not hold us, either.
        runtime.shutdown_background();
        outcome
    });
    let (code, sentence) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Options(sentence)) => (2, sentence),
        Err(Failure::Run(sentence)) => (1, sentence),
    };
    // Whoever closed our stderr does not want to hear it.
    let _ = writeln!(std::io::stderr(), "error: {sentence}");
    ExitCode::from(code)
}

async fn run(options: &Options) -> Result<(), Failure> {
    match &options.issuer {
        Some(issuer) => {
            let introspection = options.introspection().map_err(Failure::Options)?;
            let server = gate::gate(options, issuer, introspection)?;
            let listener = listen(options).await?;
            tell(&options.summary(&base_url(&listener)?));
            tokio::spawn(warm_up(server.clone()));
            serve(listener, api::router(&server, Calendar::default())).await
        }
        None => {
            let demo = Demo::start(options).await.map_err(Failure::run)?;
            let server = gate::gate(options, demo.issuer(), Some(demo.introspection()))?;
            let listener = listen(options).await?;
            let (calendar, events) = demo.calendar();
            tell(&demo.tour(&base_url(&listener)?, options, events));
            serve(listener, api::router(&server, calendar)).await
        }
    }
}

/// Why the program ends: what the user said, or what the machine did.
enum Failure {
    Options(String),
    Run(String),
}

impl Failure {
    fn run(why: impl Display) -> Failure {
        Failure::Run(why.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::Options(error.to_string())
    }
}

/// Fetches the issuer's keys before the first request needs them. While they cannot be had the
/// gate answers 503 with `Retry-After`; it recovers by itself, and this task only says so.
async fn warm_up(server: ResourceServer) {
    let mut down = false;
    while let Err(error) = server.ready().await {
        if !down {
            tracing::warn!("requests with a token are answered 503 until the issuer is back");
        }
        down = true;
        let pause = error.retry_after().unwrap_or_default();
        tokio::time::sleep(pause.max(Duration::from_secs(1))).await;
    }
    tracing::info!("the issuer's keys are here");
}

async fn listen(options: &Options) -> Result<TcpListener, Failure> {
    TcpListener::bind(&options.listen)
        .await
        .map_err(|error| Failure::Run(format!("cannot listen on {}: {error}", options.listen)))
}

/// Where a client on this machine finds us; port 0 has become a real one by now.
fn base_url(listener: &TcpListener) -> Result<String, Failure> {
    let mut address = listener.local_addr().map_err(Failure::run)?;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(format!("http://{address}"))
}

async fn serve(listener: TcpListener, router: Router) -> Result<(), Failure> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let signal = stop_signal()?;
    tokio::spawn(async move {
        signal.await;
        tracing::info!("stopping");
        stop.send_replace(true);
    });
    let told = |mut stopped: tokio::sync::watch::Receiver<bool>| async move {
        // An error means that nobody can tell any more; the runtime is ending.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(told(stopped.clone()));
    let out_of_patience = async {
        told(stopped).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served.map_err(Failure::run),
        () = out_of_patience => Ok(()),
    }
}

/// Completes on Ctrl-C, and on SIGTERM where there is such a thing.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    #[cfg(unix)]
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(Failure::run)?;
    Ok(async move {
        #[cfg(unix)]
        let terminated = terminated.recv();
        #[cfg(not(unix))]
        let terminated = std::future::pending::<Option<()>>();
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated => {}
        }
    })
}

/// Why a request was refused stands in the log, not in the answer; the log never holds a token.
fn log_to_stderr(options: &Options) {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(lines)
        .with(options.log.clone())
        .init();
}

/// Prints to stdout. A reader that went away (`| head`) is no reason to fail.
fn tell(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}
