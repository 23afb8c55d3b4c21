//! Respoke, from an app's secret to the end of a session: one-time tokens, levels, and what roles
//! permit.
//!
//! ```text
//! cargo run --example respoke
//! ```
//!
//! The story plays itself and ends with exit code 0 if every answer was as it should be.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::Method;
use portcullis::profile::respoke::{
    AdminToken, AppLevel, AppSecret, AppToken, Caller, ErrorBody, GroupAction, MediaRelay, Session,
};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    Carrier, Claims, Clock, ConfigError, Credential, LookupVerifier, RequireScope, ResourceServer,
    StaticTokens, SystemClock, danger,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[path = "issuers/respoke.rs"]
mod issuer;
#[path = "stage/mod.rs"]
mod stage;
use issuer::{ACCOUNT, APP, APP_SECRET, Admins, DEVELOPED_APP, PASSWORD, Respoke, USERNAME};
use stage::Stage;

/// The gate: three levels, each in a header of its own.
fn gate(store: &Respoke, clock: &ManualClock) -> Result<ResourceServer, ConfigError> {
    let sessions = AppToken::verifier(store.clone()).build()?;
    let apps = StaticTokens::new().token(APP_SECRET, AppSecret::claims(APP)?)?;
    let admins = LookupVerifier::builder(Admins(store.clone())).build()?;
    ResourceServer::builder()
        .carrier(Carrier::header("App-Token")?)
        .carrier(Carrier::header("App-Secret")?)
        .carrier(Carrier::header("Admin-Token")?)
        .kind(AppToken::kind(), sessions)
        .kind(AppSecret::kind(), apps)
        .kind(AdminToken::kind(), admins)
        .renderer(ErrorBody)
        .clock(clock.clone())
        .build()
}

/// The gate of the one route that browsers open a WebSocket at.
fn handshake_gate(store: &Respoke, clock: &ManualClock) -> Result<ResourceServer, ConfigError> {
    let sessions = AppToken::verifier(store.clone()).remember_accepted(Duration::ZERO);
    ResourceServer::builder()
        .carrier(danger::websocket_query("app-token"))
        .kind(AppToken::kind_in_any_carrier(), sessions.build()?)
        .renderer(ErrorBody)
        .clock(clock.clone())
        .build()
}

type Answer = Result<String, portcullis::Error>;

async fn turn(_: RequireScope<MediaRelay>) -> &'static str {
    "a relay is yours\n"
}

async fn publish(session: Claims<Session>, group: Path<String>) -> Answer {
    session.role.require(GroupAction::Publish, [&*group])?;
    Ok(format!("{} told {}\n", session.endpoint_id, *group))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    endpoint_id: Option<String>,
    text: String,
}

async fn send(caller: Claims<Caller>, message: Json<Message>) -> Answer {
    let from = caller.act_as(message.endpoint_id.as_deref())?;
    Ok(format!("{from} says {}\n", message.text))
}

async fn recording(caller: Claims<Caller>, id: Path<String>) -> Answer {
    // Stands for a database.
    let app = if *id == "r1" { APP } else { DEVELOPED_APP };
    caller.require_owner(app, ACCOUNT)?;
    Ok(format!("recording {}\n", *id))
}

async fn statistics(_: RequireScope<AppLevel>) -> &'static str {
    "one endpoint is connected\n"
}

async fn connect(session: Claims<Session>) -> String {
    format!("{} is connected\n", session.endpoint_id)
}

/// Two steps, each with its `why`: a `tokenId` for `body`, issued to whoever shows `header`, and the
/// session it buys.
async fn session(
    stage: &mut Stage,
    issuer: &AuthorizationServer,
    why: [&str; 2],
    header: (&str, &str),
    body: Value,
) -> String {
    let token = stage.step(why[0]).post(issuer.url("/v1/tokens"));
    let token = token.header(header.0, header.1).json(body).play().await;
    let exchange = stage.step(why[1]);
    exchange
        .post(issuer.url("/v1/session-tokens"))
        .json(json!({"tokenId": token.text("tokenId")}))
        .expect_body_contains("Authorization successful")
        .play()
        .await
        .text("token")
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut stage = Stage::begin("Respoke: an app vouches for its users, and its roles bind them.");

    let clock = ManualClock::at(SystemClock.now());
    let builder = AuthorizationServer::builder().clock(clock.clone());
    let issuer = builder.start().await?;
    let store = Respoke::open(&issuer);
    let server = gate(&store, &clock)?;
    let api = Router::new()
        .route("/v1/turn", post(turn))
        .route("/v1/channels/{group}/publish", post(publish))
        .route("/v1/messages", post(send))
        .route("/v1/recordings/{id}", get(recording))
        .route("/v1/statistics", get(statistics))
        .layer(server.layer());
    let socket = Router::new().route("/v1/connect", get(connect));
    let api = api.merge(socket.layer(handshake_gate(&store, &clock)?.layer()));
    let api = stage.serve(api).await?;
    stage.say(&format!("Issuer at {}", issuer.issuer()));
    let api = |path: &str| format!("{api}/v1{path}");

    // Whoever logs out is forgotten here at once, not after 30 seconds.
    let header = Carrier::header("App-Token")?;
    store.on_log_out(move |token| server.forget(&Credential::new(token, &header)));

    let app = ("App-Secret", APP_SECRET);
    let groups = json!({"team*": {"publish": true}, "team-board": {"publish": false}});
    let role = stage
        .step("The app makes a role: its users may relay media and talk in their teams' groups.")
        .post(issuer.url("/v1/roles"))
        .header(app.0, app.1)
        .json(json!({"name": "member", "mediaRelay": true, "groups": groups}))
        .play()
        .await
        .text("id");

    let wish = json!({"appId": APP, "endpointId": "bob", "roleId": role, "ttl": 3600});
    let token_id = stage
        .step("Bob has logged in at the app, so the app asks for a token in his name.")
        .post(issuer.url("/v1/tokens"))
        .header(app.0, app.1)
        .json(wish.clone())
        .play()
        .await
        .text("tokenId");

    stage
        .step("A tokenId is not a session, so the API does not take it.")
        .post(api("/turn"))
        .header("App-Token", &token_id)
        .expect(401)
        .play()
        .await;

    let exchange = issuer.url("/v1/session-tokens");
    let bob = stage
        .step("Bob's client exchanges the tokenId for a session.")
        .post(&exchange)
        .json(json!({"appId": APP, "tokenId": token_id}))
        .play()
        .await
        .text("token");

    stage
        .step("A tokenId that was exchanged is used up, so a second exchange fails.")
        .post(&exchange)
        .json(json!({"appId": APP, "tokenId": token_id}))
        .expect(401)
        .play()
        .await;

    let endpoint = ("App-Token", &*bob);
    for (why, path, status) in [
        (
            "Bob's session gets a media relay, because its role permits that.",
            "/turn",
            200,
        ),
        (
            "Bob publishes to the group team7, because the role's rule for `team*` permits it.",
            "/channels/team7/publish",
            200,
        ),
        (
            "Bob may not publish to team-board: the rule of that very name counts, not `team*`.",
            "/channels/team-board/publish",
            403,
        ),
    ] {
        let step = stage.step(why).post(api(path)).header("App-Token", &bob);
        step.expect(status).play().await;
    }

    let hello = json!({"text": "hello"});
    let as_alice = json!({"endpointId": "alice", "text": "hello"});
    for (why, level, body, status) in [
        (
            "A message that names no sender is Bob's own in Bob's session.",
            endpoint,
            &hello,
            200,
        ),
        (
            "Bob's session never sends a message as Alice.",
            endpoint,
            &as_alice,
            403,
        ),
        (
            "The app is nobody's endpoint, so it must name the sender of a message.",
            app,
            &hello,
            400,
        ),
        (
            "The app names Alice and sends a message as her.",
            app,
            &as_alice,
            200,
        ),
    ] {
        let step = stage.step(why).post(api("/messages"));
        let step = step.header(level.0, level.1).json(body.clone());
        step.expect(status).play().await;
    }

    stage
        .step("Bob's token and the app's secret in one request are one too many; neither wins.")
        .post(api("/messages"))
        .header(endpoint.0, endpoint.1)
        .header(app.0, app.1)
        .json(as_alice)
        .expect(400)
        .play()
        .await;

    for (why, path, status) in [
        (
            "Bob may not hear recording r2, which belongs to another app.",
            "/recordings/r2",
            403,
        ),
        (
            "Bob may hear recording r1, which belongs to his own app.",
            "/recordings/r1",
            200,
        ),
        (
            "Bob may not see the statistics, which are for apps alone.",
            "/statistics",
            403,
        ),
    ] {
        let step = stage.step(why).get(api(path)).header("App-Token", &bob);
        step.expect(status).play().await;
    }

    let admin = stage
        .step("The administrator of the account that owns both apps logs in.")
        .post(issuer.url("/v1/admin-sessions"))
        .json(json!({"username": USERNAME, "password": PASSWORD}))
        .play()
        .await
        .text("token");

    stage
        .step("The administrator may hear recording r2, since its app is the account's.")
        .get(api("/recordings/r2"))
        .header("Admin-Token", &admin)
        .expect_body_contains("r2")
        .play()
        .await;

    for (why, path, status) in [
        (
            "A browser that opens a WebSocket sends its token in the URL, where one route reads it \
             (the example only authenticates the handshake, and answers 200, not an upgrade).",
            "/connect",
            200,
        ),
        (
            "No other route reads a token in the URL.",
            "/recordings/r1",
            401,
        ),
    ] {
        let url = format!("{}?app-token={bob}", api(path));
        let step = stage.step(why).get(url).header("Upgrade", "websocket");
        step.expect(status).play().await;
    }

    stage
        .step("Bob logs out at the issuer.")
        .request(Method::DELETE, &exchange)
        .header("App-Token", &bob)
        .play()
        .await;

    stage
        .step("The API has forgotten Bob's session at once.")
        .post(api("/turn"))
        .header("App-Token", &bob)
        .expect(401)
        .play()
        .await;

    let why = [
        "Bob logs in at the app again, and the app asks for a token in his name, for an hour.",
        "Bob's client exchanges the new tokenId for a new session.",
    ];
    let bob = session(&mut stage, &issuer, why, app, wish).await;
    for (passed, turned, why, status) in [
        (
            "All of the hour but its last second passes.",
            3599,
            "Bob's session is still good in its last second.",
            200,
        ),
        (
            "The last second passes.",
            1,
            "Bob's session is over, to the second.",
            401,
        ),
    ] {
        stage.say(passed);
        clock.advance(Duration::from_secs(turned));
        let step = stage.step(why).post(api("/turn"));
        step.header("App-Token", &bob).expect(status).play().await;
    }

    let why = [
        "For an app in development mode the issuer gives a token to anybody, as anybody.",
        "Mallory exchanges the tokenId for a session of the app in development mode, as Bob.",
    ];
    let wish = json!({"appId": DEVELOPED_APP, "endpointId": "bob"});
    let mallory = session(&mut stage, &issuer, why, ("Accept", "*/*"), wish).await;
    stage
        .step("This API is not in development mode, so it refuses a session of such an app.")
        .post(api("/turn"))
        .header("App-Token", &mallory)
        .expect(401)
        .play()
        .await;

    Ok(stage.end())
}
