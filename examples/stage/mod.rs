//! The stage on which a story plays: an API on loopback, real HTTP, and each step printed with its
//! request (`>`), its answer (`<`), what the gate tells its operator about a refusal (`#`), and
//! whether that is the answer the story wants.
//!
//! An example takes it with `#[path = "stage/mod.rs"] mod stage;`.
#![allow(dead_code, unreachable_pub)] // No story needs all of it, and nobody imports an example.

mod answer;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use answer::send;
pub use answer::{Answer, short};

/// What the signs before the lines mean, and how tokens are shown.
const LEGEND: &str = "\
> is a request, < its answer, # what the gate logs for its operator.
Long tokens are shortened; of each part of a JWT you see the beginning and a checksum.";
/// How long a step waits for its answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A story while it plays.
pub struct Stage {
    steps: usize,
    faults: Vec<String>,
}

impl Stage {
    /// Begins a story: its title says in a sentence what it is about, and a legend how to read it.
    pub fn begin(title: &str) -> Stage {
        let indented = || {
            tell("   # ");
            io::stdout()
        };
        let lines = tracing_subscriber::fmt::layer().with_writer(indented);
        let lines = lines.without_time().with_level(false).with_target(false);
        let gate = Targets::new().with_target("portcullis", LevelFilter::DEBUG);
        let log = tracing_subscriber::registry().with(gate);
        log.with(lines.with_ansi(false)).init();
        tell(&format!("{title}\n\n{LEGEND}\n"));
        Stage {
            steps: 0,
            faults: Vec::new(),
        }
    }

    /// Lets an API listen on a free port of 127.0.0.1, to the end of the program. Tells and returns
    /// its URL, without a slash at the end.
    pub async fn serve(&self, router: axum::Router) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = format!("http://{address}");
        self.say(&format!("API at {url}"));
        Ok(url)
    }

    /// Tells something between two steps.
    pub fn say(&self, text: &str) {
        tell(&format!("\n{text}\n"));
    }

    /// Begins a step: who does what, and why the answer will be what it will be.
    pub fn step(&mut self, why: &str) -> Step<'_> {
        self.steps += 1;
        tell(&format!("\n{}. {why}\n", self.steps));
        Step {
            stage: self,
            method: Method::GET,
            url: String::new(),
            headers: Vec::new(),
            body: String::new(),
            status: 200,
            wishes: Vec::new(),
        }
    }

    /// What was not as it should be so far.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Says how it went. The program fails if any step did.
    pub fn end(self) -> ExitCode {
        let Stage { steps, faults } = self;
        if faults.is_empty() {
            tell(&format!("\n{steps} steps, all as they should be\n"));
            return ExitCode::SUCCESS;
        }
        let list = faults.join("\n   ");
        tell(&format!(
            "\n{steps} steps, NOT AS THEY SHOULD BE:\n   {list}\n"
        ));
        ExitCode::FAILURE
    }

    fn unanswered(&mut self, why: &str) -> Answer {
        self.failed(&format!("got no answer ({why}), wanted one"));
        Answer::default()
    }

    fn failed(&mut self, fault: &str) {
        tell(&format!("   NOT AS IT SHOULD BE: {fault}\n"));
        self.faults.push(format!("{}: {fault}", self.steps));
    }
}

/// What a step wants of its answer; the error says what it got and what it wanted.
type Wish = Box<dyn FnOnce(&Answer) -> Result<(), String> + Send>;

/// A request in the making, and what its answer should be.
#[must_use = "a step is sent by `play`"]
pub struct Step<'a> {
    stage: &'a mut Stage,
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    wishes: Vec<Wish>,
}

impl Step<'_> {
    pub fn get(self, url: impl Into<String>) -> Self {
        self.request(Method::GET, url)
    }

    pub fn post(self, url: impl Into<String>) -> Self {
        self.request(Method::POST, url)
    }

    pub fn request(mut self, method: Method, url: impl Into<String>) -> Self {
        self.method = method;
        self.url = url.into();
        self
    }

    pub fn header(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.headers.push((name.as_ref().to_owned(), value.into()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub fn basic(self, user: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        self.header("Authorization", format!("Basic {pair}"))
    }

    pub fn json(mut self, body: Value) -> Self {
        self.body = body.to_string();
        self.header("Content-Type", "application/json")
    }

    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        self.body = form.extend_pairs(pairs).finish();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// The status it should get. Default: 200.
    pub fn expect(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Wants a body with this text in it.
    pub fn expect_body_contains(self, text: &str) -> Self {
        let text = text.to_owned();
        self.expect_that(move |answer| match answer.body.contains(&text) {
            true => Ok(()),
            false => Err(format!("got this body, wanted {text:?} in it")),
        })
    }

    /// Wants a header with this text in it.
    pub fn expect_header(self, name: &str, text: &str) -> Self {
        let (name, text) = (name.to_owned(), text.to_owned());
        self.expect_that(move |answer| {
            let value = answer.header(&name);
            match value.contains(&text) {
                true => Ok(()),
                false => Err(format!(
                    "got {name} {:?}, wanted {text:?} in it",
                    short(value)
                )),
            }
        })
    }

    /// Wants whatever this judge wants; an error says `got …, wanted …`.
    pub fn expect_that(
        mut self,
        judge: impl FnOnce(&Answer) -> Result<(), String> + Send + 'static,
    ) -> Self {
        self.wishes.push(Box::new(judge));
        self
    }

    /// Sends the request, prints it and its answer, and compares. The story goes on in any case.
    pub async fn play(self) -> Answer {
        tell(&format!("   > {} {}\n", self.method, short(&self.url)));
        for (name, value) in &self.headers {
            tell(&format!("   > {name}: {}\n", short(value)));
        }
        if !self.body.is_empty() {
            tell(&format!("   > {}\n", short(&self.body)));
        }
        let exchange = send(self.method, &self.url, &self.headers, self.body);
        let answer = match timeout(PATIENCE, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return self.stage.unanswered(&why.to_string()),
            Err(_) => return self.stage.unanswered("it takes too long"),
        };
        answer.show();
        if answer.status != self.status {
            let fault = format!("got {}, wanted {}", answer.status, self.status);
            self.stage.failed(&fault);
        }
        for wish in self.wishes {
            if let Err(fault) = wish(&answer) {
                self.stage.failed(&fault);
            }
        }
        answer
    }
}

/// Prints to stdout. A reader that went away (`| head`) is no reason to fail.
fn tell(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
