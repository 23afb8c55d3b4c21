//! An issuer with a call of its own in a test: not every token comes from an OAuth token endpoint.
//!
//! ```text
//! cargo run --example issuing
//! ```
//!
//! The door opens to badges, and badges come from `POST /badge`. The story plays itself and ends
//! with exit code 0 if every answer was as it should be.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::{Method, Request, Response};
use portcullis::testing::{AuthorizationServer, Desk, ManualClock, json_answer, json_body};
use portcullis::{Clock, RequireScope, SystemClock};
use serde_json::json;

#[path = "stage/mod.rs"]
mod stage;
use stage::Stage;

portcullis::scopes! {
    /// Open the door.
    Open = "open:door";
}

const AUDIENCE: &str = "https://house.example/door";

/// How long a badge is good, in seconds.
const SHIFT: i64 = 8 * 3600;

/// What the issuer does at `POST /badge`.
fn badge(desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    let scope = match json_body(request)["name"].as_str() {
        Some("alice") => "open:door",
        Some("bob") => "look:window",
        _ => return json_answer(403, json!({"error": "nobody of that name works here"})),
    };
    let badge = desk
        .token()
        .audience(AUDIENCE)
        .scope(scope)
        .expires_in(SHIFT);
    let until = desk.now().as_secs() + SHIFT;
    json_answer(201, json!({"badge": badge.mint(), "until": until}))
}

async fn open(_: RequireScope<Open>) -> &'static str {
    "the door opens\n"
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut stage = Stage::begin("Badges: an issuer with a call of its own.");

    let clock = ManualClock::at(SystemClock.now());
    let builder = AuthorizationServer::builder().clock(clock.clone());
    let issuer = builder.start().await?;
    issuer.answer_at(Method::POST, "/badge", badge);
    let badges = issuer.url("/badge");

    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build()?)
        .build()?;
    let api = Router::new()
        .route("/door", get(open))
        .route_layer(server.layer());
    let door = format!("{}/door", stage.serve(api).await?);
    stage.say(&format!("Issuer at {}", issuer.issuer()));

    stage
        .step("Without a badge the door stays closed.")
        .get(&door)
        .expect(401)
        .expect_header("www-authenticate", "Bearer")
        .play()
        .await;

    stage
        .step("Mallory gets no badge: the issuer does not know her.")
        .post(&badges)
        .json(json!({"name": "mallory"}))
        .expect(403)
        .expect_body_contains("nobody")
        .play()
        .await;

    let alice = stage
        .step("Alice gets a badge for the door.")
        .post(&badges)
        .json(json!({"name": "alice"}))
        .expect(201)
        .play()
        .await
        .text("badge");

    stage
        .step("Alice's badge opens the door.")
        .get(&door)
        .bearer(&alice)
        .expect_body_contains("opens")
        .play()
        .await;

    let bob = stage
        .step("Bob gets a badge as genuine, but for the window.")
        .post(&badges)
        .json(json!({"name": "bob"}))
        .expect(201)
        .play()
        .await
        .text("badge");

    stage
        .step("Bob's badge does not open the door: he is known, and may not, so 403 and not 401.")
        .get(&door)
        .bearer(&bob)
        .expect(403)
        .expect_header("www-authenticate", "open:door")
        .play()
        .await;

    clock.advance(Duration::from_secs(9 * 3600));
    stage.say("Nine hours pass, one more than a badge is good for.");
    stage
        .step("Alice's badge is over.")
        .get(&door)
        .bearer(&alice)
        .expect(401)
        .expect_header("www-authenticate", "invalid_token")
        .play()
        .await;

    Ok(stage.end())
}
