//! A gate on real sockets while its issuer is in trouble of every sort: whoever needs nothing of the
//! issuer notices nothing, whoever does is told so in time, and nobody has to help the gate up again.
//!
//! ```text
//! cargo test --test trouble -- --nocapture    prints the tables
//! ```
#![cfg(all(
    unix,
    feature = "cache",
    feature = "introspection",
    feature = "jwt",
    feature = "reqwest"
))]
// clippy knows a test by its attribute, not the helpers beside it; and the tables are for readers.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../built/mod.rs"]
mod built;
mod certificates;
#[path = "../client/mod.rs"]
mod client;
mod gate;
#[path = "../built/issuer.rs"]
mod issuer;
mod load;
mod play;
#[path = "../built/process.rs"]
mod process;
mod relay;
mod table;
#[path = "../watched/mod.rs"]
mod watched;
mod world;

use std::process::Command;
use std::time::Duration;

use portcullis::testing::Trouble;

use certificates::Certificate;
use client::Client;
use play::{Case, until_known};
use relay::Manner;
use table::settle;
use world::{Needs, Sort, World};

#[test]
fn keys_that_are_known_serve_through_every_trouble_of_their_issuer() {
    let this = "keys_that_are_known_serve_through_every_trouble_of_their_issuer";
    if is_set_up(this) {
        let rows = play(Needs::Keys);
        settle("known key", "an unknown key", "fetches", &rows);
    }
}

#[test]
fn tokens_that_are_remembered_pass_through_every_trouble_of_their_issuer() {
    let this = "tokens_that_are_remembered_pass_through_every_trouble_of_their_issuer";
    if is_set_up(this) {
        let rows = play(Needs::Word);
        settle("remembered token", "a new token", "calls", &rows);
    }
}

/// What a fetch brings is as old as the question: that it lacks a key says nothing about one that was
/// made while the answer was on its way.
#[tokio::test]
async fn a_key_that_is_made_while_a_slow_fetch_is_under_way_is_not_refused() {
    let late = Trouble::Late(Duration::from_millis(1500));
    let deadline = Duration::from_secs(5);
    let mut world = World::of(Needs::Keys, &Sort::Answers(late), deadline).await;
    let mut client = Client::of(&world.gate.base);
    let (known, _) = world.known().await;
    let limit = Duration::from_secs(10);
    until_known(&mut client, &known[0], limit).await.unwrap();

    world.begin().await;
    let asked = world.asked();
    let made_up = world.made_up();
    let base = world.gate.base.clone();
    let rung = tokio::spawn(async move { Client::of(&base).show("/", &made_up).await });
    while world.asked() == asked {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let new = world.new_token().await;
    until_known(&mut client, &new, limit).await.unwrap();
    let status = rung.await.unwrap().unwrap().status;
    assert!([401, 503].contains(&status), "{status}");
}

/// All troubles at once: most of the time everybody waits.
fn play(needs: Needs) -> Vec<table::Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rows = runtime.block_on(async {
        let rows = cases(needs).into_iter();
        let mut rows: Vec<_> = rows.map(|case| tokio::spawn(case.play(needs))).collect();
        let mut done = Vec::new();
        for row in rows.drain(..) {
            done.push(row.await.expect("a row"));
        }
        done
    });
    // A resolver may take longer to give up than we do.
    runtime.shutdown_background();
    rows
}

fn cases(needs: Needs) -> Vec<Case> {
    let answers = |name, trouble| Case::of(name, Sort::Answers(trouble));
    let body = |text: &str| Trouble::Body(text.to_owned());
    let mut cases = vec![
        Case {
            // Longer than anybody may wait for it.
            deadline: Duration::from_secs(8),
            ..answers("hangs", Trouble::Hang)
        },
        answers("hangs up without a byte", Trouble::HangUp),
        Case::of("reset before a byte", Sort::Breaks(Manner::ResetBefore)),
        Case::of("reset inside the body", Sort::Breaks(Manner::ResetInside)),
        answers("half a body", Trouble::Reset),
        answers("slow drip", Trouble::Drip),
        answers("500", Trouble::Status(500)),
        answers(
            "429 with `Retry-After: 2`",
            Trouble::StatusWithRetryAfter(429, 2),
        ),
        answers("200 with an HTML page", Trouble::Garbage),
        answers("no JSON", body(r#"{"keys":[{"kty":"EC","#)),
        answers("100 MB body", Trouble::Huge(100_000_000)),
        Case::of("redirect to elsewhere", Sort::Redirects),
        Case::of("connection refused", Sort::Refuses),
        Case::of("process stopped", Sort::Signal("STOP")),
        Case::of("process killed", Sort::Signal("KILL")),
        Case {
            deadline: Duration::from_secs(8),
            is_harmless: true,
            ..answers(
                "right, but `text/plain`",
                Trouble::ContentType("text/plain".to_owned()),
            )
        },
    ];
    if needs == Needs::Keys {
        cases.push(answers("empty set", body(r#"{"keys":[]}"#)));
    }
    if certificates::are_trusted() {
        let shows = |name, certificate| Case::of(name, Sort::Shows(certificate));
        cases.extend([
            shows("certificate self-signed", Certificate::SelfSigned),
            shows("certificate expired", Certificate::Expired),
            shows("certificate of another host", Certificate::OtherHost),
            Case::of("name does not resolve", Sort::NoName),
        ]);
    }
    cases
}

/// Whether the gates of this process trust our authority, for the troubles with certificates. If not,
/// this runs the test again in a process whose gates do.
fn is_set_up(test: &str) -> bool {
    if certificates::are_trusted() {
        return true;
    }
    if cfg!(not(target_os = "linux")) {
        println!("skipped: troubles with certificates; this system takes no authority of ours");
        return true;
    }
    let mut again = Command::new(std::env::current_exe().expect("this test has a path"));
    let output = again
        .args(["--exact", test, "--nocapture"])
        .env(certificates::TRUSTED, certificates::authority())
        .env_remove("SSL_CERT_DIR")
        .output()
        .expect("this test runs again");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
    false
}
