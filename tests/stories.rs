//! The stories among the examples play themselves: each must end well, and show no whole token.
#![cfg(all(
    feature = "axum",
    feature = "cache",
    feature = "introspection",
    feature = "jwt",
    feature = "reqwest"
))]
// clippy knows a test by its attribute, not the helpers beside it.
#![allow(clippy::unwrap_used)]

mod built;
#[path = "../examples/stage/mod.rs"]
mod stage;

use std::process::{ExitCode, Stdio};

use stage::{Stage, short};
use tokio::process::Command;
use tokio::time::timeout;

/// The examples that are stories; none takes an argument.
const STORIES: [&str; 6] = [
    "auth0",
    "embloy",
    "issuing",
    "oclc",
    "respoke",
    "rocket_lawyer",
];

#[tokio::test]
async fn every_story_ends_well_and_shows_no_token() {
    for story in STORIES {
        let mut program = Command::new(built::path(story));
        let output = program.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(built::PATIENCE, output).await;
        let output = output
            .unwrap_or_else(|_| panic!("{story} does not end"))
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let logged = String::from_utf8_lossy(&output.stderr);
        let whole = format!("{story}, {}\n{told}\n{logged}", output.status);
        assert!(output.status.success(), "{whole}");
        assert!(told.contains("all as they should be"), "{whole}");
        assert_eq!(jwt(&whole), None, "{whole}");
    }
}

/// Its reader may go away at any time; that is no failure of the story.
#[tokio::test]
async fn a_story_nobody_listens_to_ends_well() {
    let mut program = Command::new(built::path(STORIES[0]));
    program.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut program = program
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    drop(program.stdout.take());
    let output = timeout(built::PATIENCE, program.wait_with_output()).await;
    let output = output.expect("it ends").unwrap();
    let logged = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {logged}", output.status);
    assert!(!logged.contains("panicked"), "{logged}");
}

/// Were the stage content with anything, every story would end well.
#[tokio::test]
async fn a_story_with_a_wrong_answer_fails() {
    let mut stage = Stage::begin("This story goes wrong on purpose.");
    let hello = axum::routing::get(async || "hello\n");
    let api = axum::Router::new().route("/hello", hello);
    let url = format!("{}/hello", stage.serve(api).await.unwrap());
    assert_eq!(
        stage.step("As it should be.").get(&url).play().await.status,
        200
    );
    assert!(stage.faults().is_empty());

    stage.step("Status.").post(&url).play().await;
    stage
        .step("Body.")
        .get(&url)
        .expect_body_contains("bye")
        .play()
        .await;
    let step = stage.step("Header.").get(&url);
    step.expect_header("content-type", "json").play().await;
    let judge = |_: &stage::Answer| Err("got this, wanted that".to_owned());
    stage
        .step("Judge.")
        .get(&url)
        .expect_that(judge)
        .play()
        .await;
    let nobody = stage.step("Nobody.").get("http://127.0.0.1:1/").play();
    assert_eq!(nobody.await.status, 0);
    stage.step("No URL.").play().await;
    let faults = stage.faults().join("\n");
    for (at, wanted) in [
        "2: got 405, wanted 200",
        "3: got this body, wanted \"bye\" in it",
        "4: got content-type \"text/plain; charset=utf-8\", wanted \"json\" in it",
        "5: got this, wanted that",
        "6: got no answer (",
        "7: got no answer (",
    ]
    .into_iter()
    .enumerate()
    {
        let line = faults.lines().nth(at).unwrap_or_default();
        assert!(line.starts_with(wanted), "{wanted}: {faults}");
    }
    let (end, failure) = (stage.end(), ExitCode::FAILURE);
    assert_eq!(format!("{end:?}"), format!("{failure:?}"));
}

#[test]
fn long_words_with_digits_are_shortened() {
    let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.wxyz", "Aa0-_".repeat(20));
    let short_token = "eyJhbGciOi…wxyz";
    for (text, shown) in [
        (format!("Bearer {token}"), format!("Bearer {short_token}")),
        (
            format!("http://127.0.0.1:1/a?token={token}#x"),
            format!("http://127.0.0.1:1/a?token={short_token}#x"),
        ),
        (
            format!("{{\"token\":\"{token}\",\"ö\":1}}"),
            format!("{{\"token\":\"{short_token}\",\"ö\":1}}"),
        ),
    ] {
        assert_eq!(short(&text), shown);
    }
    for whole in [
        "",
        "ö",
        "a_rather_long_error_code.without.any.digit",
        "tk_0123456789",
    ] {
        assert_eq!(short(whole), whole);
    }
}

/// The first JWT in a text that stands there with its signature in full.
fn jwt(text: &str) -> Option<&str> {
    let outside = |letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter);
    text.split(outside).find(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        // A JSON object begins with `{"`, or with `{` and a blank; 32 bytes are 43 letters.
        let is_jwt = |part: &[&str]| part[0].contains("ey") && part[2].len() >= 43;
        parts.windows(3).any(is_jwt)
    })
}

#[test]
fn the_reader_knows_a_token() {
    let signature = "x".repeat(43);
    let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.{signature}");
    for text in [
        token.clone(),
        format!("> Authorization: Bearer {token}\n"),
        format!("{{\"token\":\"{token}\"}}"),
        format!("/apply?request_token={token}&x=1"),
    ] {
        assert_eq!(jwt(&text), Some(&*token), "{text}");
    }
    for text in [
        "eyJhbGciOi…xxxx",
        "eyJhbGciOiJIUzI1NiJ9.e30.",
        "www.api.example",
    ] {
        assert_eq!(jwt(text), None, "{text}");
    }
}
