//! The calendar example as its users meet it: a program, real HTTP, an issuer that comes and goes.
#![cfg(all(
    feature = "axum",
    feature = "introspection",
    feature = "jwt",
    feature = "reqwest"
))]
// clippy knows a test by its attribute, not the helpers beside it; and nobody imports a test.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "../built/mod.rs"]
mod built;
mod curl;
mod events;
mod options;
#[path = "../built/process.rs"]
mod process;
mod program;
#[path = "../watched/mod.rs"]
mod watched;

use http::Request;

use curl::{ask, curl, send};
use program::Program;

/// The default of `--audience`.
const AUDIENCE: &str = "https://api.example.com/calendar/v1/";
const BOTH: &str = "read:calendar write:calendar";

#[tokio::test]
async fn every_printed_curl_line_gives_what_it_promises() {
    let program = Program::start(&["--app-token"]).await;
    let mut statuses = Vec::new();
    let mut last = None;
    for pair in program.told.windows(2) {
        let Some(promise) = pair[0].strip_prefix("# ") else {
            continue;
        };
        let answer = curl(&pair[1]).await;
        let (status, about) = promise.split_once(", ").expect("a status and words");
        assert_eq!(
            answer.status().to_string(),
            status,
            "{about}: {}",
            answer.body()
        );
        statuses.push(answer.status());
        if answer.status() == 201 {
            assert_eq!(answer.json()["title"], "untitled");
            assert_eq!(answer.header("location"), "/events/3");
        }
        last = Some((pair[1].clone(), answer));
    }
    let all = [
        200, 200, 200, 200, 201, 401, 401, 403, 403, 404, 200, 200, 200,
    ];
    assert_eq!(statuses, all);

    // The last line brings a fresh token, and does what its comment says.
    let (line, fresh) = last.unwrap();
    let opaque = curl(&format!("{line} -d token_format=opaque")).await;
    for answer in [fresh, opaque] {
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let me = ask(&program, "GET", "/me", &token, "").await;
        assert_eq!(me.status(), 200, "{}", me.body());
        assert_eq!(me.json()["client"], "curl");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_is_a_503_until_it_is_back() {
    let issuer = watched::started().await;
    let token = issuer.token().audience(AUDIENCE).scope(BOTH).mint();
    issuer.stop().await;

    let mut program = Program::start(&["--issuer", issuer.issuer()]).await;
    program.hear("answered 503 until the issuer is back").await;
    let answer = ask(&program, "GET", "/events", &token, "").await;
    assert_eq!(answer.status(), 503);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(answer.header("www-authenticate"), "");
    let healthz = send(
        Request::get(format!("{}/healthz", program.base))
            .body(String::new())
            .unwrap(),
    );
    assert_eq!(healthz.await.status(), 200);

    issuer.restart().await.unwrap();
    program.hear("the issuer's keys are here").await;
    assert_eq!(
        ask(&program, "GET", "/events", &token, "").await.status(),
        200
    );

    // Once here, the keys outlive their issuer.
    issuer.stop().await;
    let another = issuer.token().audience(AUDIENCE).scope(BOTH).mint();
    assert_eq!(
        ask(&program, "GET", "/events", &another, "").await.status(),
        200
    );
}

/// On Linux these two variables say where the machine's certificates are.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_issuer_on_loopback_needs_no_certificates_of_the_machine() {
    let nowhere = [
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_DIR", "/nonexistent"),
    ];
    let program = Program::start_in(&[], &nowhere).await;
    let me = program
        .told
        .iter()
        .find(|line| line.contains("/me -H"))
        .expect("a line for /me");
    assert_eq!(curl(me).await.status(), 200);
    let output = program::run(&["--issuer", "https://as.example"], &nowhere).await;
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("error: no HTTPS client can be made: "),
        "{said}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn signals_end_it_whatever_is_connected() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for signal in ["TERM", "INT"] {
        let program = Program::start(&[]).await;
        let authority = program.base.strip_prefix("http://").unwrap().to_owned();
        let connect = async || tokio::net::TcpStream::connect(&*authority).await.unwrap();
        let _silent = connect().await;
        let mut halfway = connect().await;
        halfway
            .write_all(b"GET /healthz HTTP/1.1\r\nHost:")
            .await
            .unwrap();
        let mut idle = connect().await;
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 12];
        idle.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");

        let (status, log) = program.end_by(signal).await;
        assert!(status.success(), "{signal}: {status}");
        assert!(log.contains("stopping"), "{log}");
    }
}
