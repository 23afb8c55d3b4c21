//! The example `issuer` as a program: an issuer that can be stopped and killed.
#![allow(dead_code)] // No test needs all of it.

use std::collections::HashMap;

use tokio::process::Command;

use super::built;
use super::client::Client;
use super::process::Process;

/// A running issuer. It is killed when this is dropped.
pub(crate) struct Issuer {
    process: Process,
    port: u16,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// The tokens it has printed, by the name of their variable.
    tokens: HashMap<String, String>,
}

impl Issuer {
    /// Starts one on a port that nobody gets by chance while the issuer is gone: systems hand out ports
    /// from 32768 (Linux) or 49152 on.
    pub(crate) async fn start() -> Issuer {
        let first = 20_000 + (std::process::id() % 10_000) as u16;
        for port in (first..first + 2_000).step_by(101) {
            if let Some(issuer) = Issuer::start_at(port).await {
                return issuer;
            }
        }
        panic!("no port is free from {first} on");
    }

    /// Starts one on this port; `None` if the port is taken.
    async fn start_at(port: u16) -> Option<Issuer> {
        let mut command = Command::new(built::path("issuer"));
        command.args(["--port", &port.to_string()]);
        let mut process = Process::start(command);
        let told = process.told(|line| line.starts_with("kill -9")).await;
        let tokens = told.iter().filter_map(|line| {
            let (name, token) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), token.to_owned()))
        });
        let tokens: HashMap<String, String> = tokens.collect();
        let url = told.first()?.strip_prefix("The issuer listens on ")?;
        let url = url.split(' ').next()?.to_owned();
        assert_eq!(url, format!("http://127.0.0.1:{port}"));
        Some(Issuer {
            process,
            port,
            url,
            tokens,
        })
    }

    /// Starts another one in its place, after its end.
    pub(crate) async fn again(&self) -> Issuer {
        let again = Issuer::start_at(self.port).await;
        again.expect("the port is free again")
    }

    /// A token it has printed.
    pub(crate) fn token(&self, name: &str) -> &str {
        let token = self.tokens.get(name);
        token.unwrap_or_else(|| panic!("no token {name} was printed"))
    }

    /// Fetches fresh tokens for the calendar, JWTs or opaque ones.
    pub(crate) async fn fresh(&self, format: &str, number: usize) -> Vec<String> {
        let form = format!(
            "grant_type=client_credentials&client_id=curl&client_secret=curl-secret\
             &scope=read:calendar&token_format={format}\
             &resource=https://api.example.com/calendar/v1/"
        );
        let mut client = Client::of(&self.url);
        let mut tokens = Vec::new();
        for _ in 0..number {
            let answer = client.post("/token", &form).await.expect("an answer");
            let token = answer.json()["access_token"].as_str().map(str::to_owned);
            tokens.push(token.unwrap_or_else(|| panic!("no token in {}", answer.body)));
        }
        tokens
    }

    /// Makes a new key, and returns a token that is signed with it.
    pub(crate) async fn rotate(&self) -> String {
        let mut client = Client::of(&self.url);
        let answer = client.post("/rotate", "").await.expect("an answer");
        let token = answer.json()["token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("no token in {}", answer.body))
    }

    #[cfg(unix)]
    pub(crate) async fn signal(&self, signal: &str) {
        self.process.signal(signal).await;
    }

    /// Ends it without a word, and waits until it is gone.
    #[cfg(unix)]
    pub(crate) async fn kill(&mut self) {
        self.process.signal("KILL").await;
        self.process.ended().await;
    }
}
