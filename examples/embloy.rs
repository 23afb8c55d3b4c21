//! Somebody applies for a job through Embloy: from a password to a request token, and past the gate
//! with two tokens at once.
//!
//! ```text
//! cargo run --example embloy
//! ```
//!
//! Ada looks for work, Acme is a company whose server lets her apply, Max is a moderator. The story
//! plays itself and ends with exit code 0 if every answer was as it should be.

use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use portcullis::profile::embloy::{
    Access, Client, Dialect, ErrorStyle, Job, Moderator, Request, RequestClaims, unless_blocked,
    verifier,
};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    Clock, ConfigError, CredentialSlot, Error, Permitted, RequireScope, ResourceServer,
    SystemClock, Token,
};
use serde_json::json;

#[path = "issuers/embloy.rs"]
mod issuer;
#[path = "stage/mod.rs"]
mod stage;
use issuer::{ACCESS_SECRET, CLIENT_SECRET, PASSWORD, REQUEST_SECRET};
use stage::Stage;

/// Where people find the API, whatever address it listens on.
const ROOT: &str = "https://api.embloy.com";

/// The ids of users that may not come in any more.
type Blocked = Arc<Mutex<HashSet<String>>>;

fn gate(clock: impl Clock, blocked: Blocked) -> Result<ResourceServer, ConfigError> {
    let access = Access::kind(Dialect::Current);
    let request = Request::kind().max_lifetime(Duration::from_secs(30 * 60));
    ResourceServer::builder()
        .kind(access, verifier(ACCESS_SECRET).build()?)
        .second_slot(
            CredentialSlot::new()
                .carrier(Client::carrier()?)
                .carrier(Request::carrier()?)
                .kind(Client::kind(), verifier(CLIENT_SECRET).build()?)
                .kind(request, verifier(REQUEST_SECRET).build()?),
        )
        .check_with(Access::scope_fits(Dialect::Current, ROOT))
        .check_with(unless_blocked(move |user, _| {
            let users = blocked.lock();
            users.map_or(true, |users| users.contains(user)) // In doubt nobody comes in.
        }))
        .renderer(ErrorStyle)
        .clock(clock)
        .build()
}

async fn me(person: Token<Access>) -> String {
    format!("you are {}\n", person.principal())
}

async fn reports(_: RequireScope<Moderator>) -> &'static str {
    "nothing to report\n"
}

/// For companies' servers, which send no Bearer token.
async fn jobs(company: Token<Client>) -> String {
    format!("the jobs of {}\n", company.principal())
}

async fn apply(applicant: Token<Access>, company: Token<Request>) -> Result<String, Error> {
    let claims = company.claims_as::<RequestClaims>()?;
    let (who, whose) = (applicant.principal(), company.principal());
    let slug = &claims.session.job_slug;
    Ok(format!("{who} applies for {slug} at {whose}\n"))
}

async fn preview(Permitted(_, Path(job)): Permitted<Token<Request>, Path<Job>>) -> String {
    format!("how {} looks to applicants\n", job.job_slug)
}

/// Buys a refresh token with a password, and an access token with that.
async fn log_in(stage: &mut Stage, auth: &str, who: &str, email: &str) -> (String, String) {
    let refresh = stage
        .step(&format!("{who} logs in."))
        .post(format!("{auth}/refresh"))
        .basic(email, PASSWORD)
        .play()
        .await
        .text("refresh_token");
    let access = stage
        .step(&format!(
            "{who} trades the refresh token for an access token."
        ))
        .post(format!("{auth}/access"))
        .json(json!({"grant_type": "refresh_token", "refresh_token": refresh}))
        .expect_body_contains("\"expires_in\":1200")
        .play()
        .await
        .text("access_token");
    (refresh, access)
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut stage = Stage::begin("Embloy: an application, with two tokens at once.");

    let clock = ManualClock::at(SystemClock.now());
    let builder = AuthorizationServer::builder().clock(clock.clone());
    let embloy = builder.start().await?;
    issuer::open(&embloy);
    let auth = embloy.url("/api/v0/auth/token");

    let blocked = Blocked::default();
    let gate = gate(clock.clone(), blocked.clone())?;
    let people = Router::new()
        .route("/api/v0/user", get(me).patch(me))
        .route("/api/v0/reports", get(reports))
        .route("/api/v0/sdk/request/handle", post(apply))
        .route("/api/v0/sdk/preview/{job_slug}", get(preview))
        .route_layer(gate.layer());
    let companies = Router::new()
        .route("/api/v0/sdk/jobs", get(jobs))
        .route_layer(gate.optional_layer());
    let api = stage.serve(people.merge(companies)).await? + "/api/v0";
    stage.say(&format!("Issuer at {}", embloy.issuer()));
    let (user, reports) = (format!("{api}/user"), format!("{api}/reports"));
    let handle = format!("{api}/sdk/request/handle");

    stage
        .step("Nobody comes in without a token, which Embloy calls a blank attribute: 400.")
        .get(&user)
        .expect(400)
        .expect_body_contains("{\"token\":[{\"error\":\"ERR_BLANK\"")
        .play()
        .await;

    let (ada_refresh, ada) = log_in(&mut stage, &auth, "Ada", "ada@mail.example").await;
    stage
        .step("Ada's access token opens the API.")
        .get(&user)
        .bearer(&ada)
        .expect_body_contains("you are 1")
        .play()
        .await;
    stage
        .step("Ada's refresh token does not open it: it has another secret, and no role.")
        .get(&user)
        .bearer(&ada_refresh)
        .expect(401)
        .play()
        .await;
    let mut parts: Vec<&str> = ada.split('.').collect();
    parts[1] = "eyJzdWIiOjEsInR5cCI6ImFkbWluIn0"; // {"sub":1,"typ":"admin"}
    stage
        .step(
            "An access token whose claims somebody rewrote, as admin, does not fit its signature.",
        )
        .get(&user)
        .bearer(&parts.join("."))
        .expect(401)
        .play()
        .await;
    stage
        .step("Ada reads no reports: she is a verified user, and no moderator.")
        .get(&reports)
        .bearer(&ada)
        .expect(403)
        .expect_body_contains("ERR_RAC")
        .play()
        .await;

    let (_, max) = log_in(&mut stage, &auth, "Max", "max@embloy.example").await;
    stage
        .step("Max is a moderator, so he reads the reports.")
        .get(&reports)
        .bearer(&max)
        .play()
        .await;
    stage
        .step("Max reads nothing else: his scope is a URL that ends in /reports.read.")
        .get(&user)
        .bearer(&max)
        .expect(403)
        .play()
        .await;

    let (_, acme) = log_in(&mut stage, &auth, "Somebody at Acme", "jobs@acme.example").await;
    let client = stage
        .step("Acme pays, so it gets a client token for its server.")
        .post(format!("{auth}/client"))
        .bearer(&acme)
        .play()
        .await
        .text("client_token");
    stage
        .step("Acme's server shows the client token alone, without a Bearer token.")
        .get(format!("{api}/sdk/jobs"))
        .header("client_token", &client)
        .expect_body_contains("the jobs of 2")
        .play()
        .await;
    let request = stage
        .step("Ada wants the gardener's job, so Acme's server gets a request token for that job.")
        .post(embloy.url("/api/v0/sdk/request/auth/token"))
        .header("client_token", &client)
        .json(json!({"job_slug": "gardener", "success_url": "/thanks"}))
        .play()
        .await
        .text("request_token");

    stage
        .step("Ada applies with both tokens: the handler knows who, where and for which job.")
        .post(&handle)
        .bearer(&ada)
        .header("request_token", &request)
        .expect_body_contains("1 applies for gardener at 2")
        .play()
        .await;
    stage
        .step("Some proxies drop header names with underscores, so Request-Token will do, too.")
        .post(&handle)
        .bearer(&ada)
        .header("Request-Token", &request)
        .play()
        .await;
    stage
        .step("Without the company's request token there is no application.")
        .post(&handle)
        .bearer(&ada)
        .expect(400)
        .expect_body_contains("{\"request token\":[{\"error\":\"ERR_BLANK\"")
        .play()
        .await;
    stage
        .step("A client token in the request token's place is refused.")
        .post(&handle)
        .bearer(&ada)
        .header("request_token", &client)
        .expect(401)
        .play()
        .await;
    stage
        .step("The request token is for the gardener, not for the cook.")
        .get(format!("{api}/sdk/preview/cook"))
        .bearer(&ada)
        .header("request_token", &request)
        .expect(403)
        .play()
        .await;

    clock.advance(Duration::from_secs(20 * 60));
    stage.say("Twenty minutes pass.");
    stage
        .step("Ada's access token is over, to the second.")
        .get(&user)
        .bearer(&ada)
        .expect(401)
        .play()
        .await;
    let ada = stage
        .step("Ada's refresh token buys another access token.")
        .post(format!("{auth}/access"))
        .json(json!({"grant_type": "refresh_token", "refresh_token": ada_refresh}))
        .play()
        .await
        .text("access_token");
    clock.advance(Duration::from_secs(10 * 60));
    stage.say("Ten more minutes pass.");
    stage
        .step("The request token is half an hour old, and over.")
        .post(&handle)
        .bearer(&ada)
        .header("request_token", &request)
        .expect(401)
        .expect_body_contains("request token")
        .play()
        .await;

    stage.say("Embloy blocks Ada.");
    blocked
        .lock()
        .map_err(|_| "a thread panicked")?
        .insert("1".to_owned());
    stage
        .step("Ada's access token is as good as before, and of no use, since she is blocked.")
        .get(&user)
        .bearer(&ada)
        .expect(403)
        .play()
        .await;

    Ok(stage.end())
}
