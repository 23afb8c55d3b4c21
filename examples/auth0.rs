//! A calendar behind Auth0: users, machines and an organisation at its own events.
//!
//! ```text
//! cargo run --example auth0
//! ```
//!
//! The story plays itself, from the first secret to the last token, and ends with exit code 0 if
//! every answer was as it should be.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use portcullis::profile::auth0::{self, Organizations};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    AccessToken, ByMachine, ByUser, Clock, ConfigError, RequireScope, ResourceGuard,
    ResourceServer, SystemClock, danger,
};
use serde_json::{Value, json};

#[path = "issuers/auth0.rs"]
mod issuer;
#[path = "stage/mod.rs"]
mod stage;
use issuer::{CALENDAR, DAY};
use stage::Stage;

portcullis::scopes! {
    /// See events.
    Read = "read";
    /// Create and change events.
    Write = "write";
    /// Look places up.
    Places = "read:places";
}
portcullis::permissions! {
    /// May change events, whatever the application was granted.
    MayWrite = "write";
}

/// The calendar's gate. `tenant` is its domain.
fn calendar_gate(tenant: &str, clock: impl Clock) -> Result<ResourceServer, ConfigError> {
    auth0::server(Organizations::none().named("org_1", "acme"))
        .verifier(auth0::verifier(tenant, CALENDAR)?.build()?)
        .clock(clock)
        .build()
}

/// The gate of the one route that is for everybody with an account.
fn lobby_gate(tenant: &str, clock: impl Clock) -> Result<ResourceServer, ConfigError> {
    let userinfo = danger::userinfo(&format!("{tenant}userinfo"));
    let userinfo = userinfo.issuer(tenant).build()?;
    auth0::server(Organizations::none())
        .verifier(userinfo)
        .clock(clock)
        .build()
}

async fn list(token: RequireScope<(Read, ByUser)>) -> String {
    format!("the events of {}\n", token.principal())
}

async fn create(_: RequireScope<(Write, MayWrite)>) -> &'static str {
    "created\n"
}

async fn of_organization(_: RequireScope<Read>, Path(org_id): Path<String>) -> String {
    format!("the events of {org_id}\n")
}

async fn places(token: RequireScope<(Places, ByMachine)>) -> String {
    format!("{} may look places up\n", token.principal())
}

async fn lobby(token: AccessToken) -> String {
    format!("welcome, {}\n", token.principal())
}

fn api(calendar: &ResourceServer, lobby_gate: &ResourceServer) -> Result<Router, ConfigError> {
    let own = ResourceGuard::path("/organizations/{org_id}/events");
    let own = own.param_is("org_id", ["/org_id"]).build()?;
    let events_of = get(of_organization).layer(own.layer());
    let calendar = Router::new()
        .route("/events", get(list).post(create))
        .route("/organizations/{org_id}/events", events_of)
        .route("/places", post(places))
        .route_layer(calendar.layer());
    let lobby = Router::new().route("/lobby", get(lobby));
    Ok(calendar.merge(lobby.route_layer(lobby_gate.layer())))
}

/// Alice logs in at `/authorize` and lets the application `web` do what `asks` says; the application
/// trades the code for tokens, which `gets` names.
async fn log_in(stage: &mut Stage, tenant: &str, why: &str, asks: &str, gets: &str) -> Value {
    let back = "https://web.example.com/callback";
    let redirect = stage
        .step(why)
        .get(format!(
            "{tenant}authorize?response_type=code&client_id=web&login_hint=alice&state=s&\
             redirect_uri={back}&{asks}"
        ))
        .expect(302)
        .play()
        .await;
    let location = redirect.header("location");
    let code = location.split(['=', '&']).nth(1).unwrap_or_default();
    stage
        .step(&format!(
            "The application trades the code, with a form, for {gets}."
        ))
        .post(format!("{tenant}oauth/token"))
        .form(&[
            ("grant_type", "authorization_code"),
            ("client_id", "web"),
            ("client_secret", "the secret of web"),
            ("code", code),
            ("redirect_uri", back),
        ])
        .expect_body_contains(r#""token_type":"Bearer""#)
        .play()
        .await
        .json()
}

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_default().to_owned()
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut stage = Stage::begin("Auth0: a calendar for users, machines and organisations.");
    let clock = ManualClock::at(SystemClock.now());
    let builder = issuer::tenant(AuthorizationServer::builder());
    let server = builder.clock(clock.clone()).start().await?;
    issuer::open(&server);
    let tenant = server.issuer();
    let calendar = calendar_gate(tenant, clock.clone())?;
    let router = api(&calendar, &lobby_gate(tenant, clock.clone())?)?;
    let api = stage.serve(router).await?;
    stage.say(&format!("Issuer (the Auth0 tenant) at {tenant}"));
    let events = format!("{api}/events");
    let trade = format!("{tenant}oauth/token");

    let step =
        stage.step("A request without a token gets 401, and a challenge that blames nobody.");
    let step = step.get(&events).expect(401);
    step.expect_header("www-authenticate", "Bearer realm")
        .play()
        .await;

    let why = "Alice logs in and lets the application read her events, no more.";
    let asks = format!("scope=openid+read+offline_access&audience={CALENDAR}");
    let gets = "an access token, an ID token and a refresh token";
    let tokens = log_in(&mut stage, tenant, why, &asks, gets).await;
    let alice = text(&tokens, "access_token");

    let step = stage.step("The application's access token lists Alice's events.");
    let step = step.get(&events).bearer(&alice);
    step.expect_body_contains("usr_123").play().await;

    let step =
        stage.step("Alice may write, but has not let the application: permissions are no scopes.");
    let step = step.post(&events).bearer(&alice).expect(403);
    step.expect_header("www-authenticate", r#"scope="write""#)
        .play()
        .await;

    let step = stage.step("The ID token is for the application, not for the API.");
    let step = step.get(&events).bearer(&text(&tokens, "id_token"));
    step.expect(401).play().await;

    let (head, signature) = alice.rsplit_once('.').unwrap_or_default();
    let step = stage.step("A changed token does not fit its signature.");
    let changed = format!("{head}A.{signature}");
    step.get(&events).bearer(&changed).expect(401).play().await;

    let step = stage.step("A token in the header and one in the query are one too many.");
    let step = step.get(format!("{events}?access_token={alice}"));
    step.bearer(&alice).expect(400).play().await;

    let why = "Alice logs in for no audience, so the tenant will give an opaque token.";
    let opaque = log_in(&mut stage, tenant, why, "scope=openid", "an opaque token").await;
    let opaque = text(&opaque, "access_token");

    let step = stage.step("The calendar does not take the opaque token, and asks nobody about it.");
    step.get(&events).bearer(&opaque).expect(401).play().await;

    let step = stage.step("The lobby asks /userinfo whose the opaque token is.");
    let step = step.get(format!("{api}/lobby")).bearer(&opaque);
    step.expect_body_contains("usr_123").play().await;

    let credentials = json!({
        "grant_type": "client_credentials",
        "client_id": "geocoder",
        "client_secret": "the secret of geocoder",
        "audience": CALENDAR,
    });
    let mut wrong = credentials.clone();
    wrong["client_secret"] = json!("a guess");
    let step = stage.step("A machine with a wrong secret gets nothing.");
    let step = step.post(&trade).json(wrong).expect(401);
    step.expect_body_contains("access_denied").play().await;

    let step =
        stage.step("A machine with the right secret gets a token for itself, here with JSON.");
    let machine = step.post(&trade).json(credentials).play().await;
    let machine = machine.text("access_token");

    let step = stage.step("The machine's token looks places up.");
    let step = step.post(format!("{api}/places")).bearer(&machine);
    step.expect_body_contains("geocoder").play().await;

    let step =
        stage.step("The machine's token lists no events: they are for users, whatever its scopes.");
    step.get(&events).bearer(&machine).expect(403).play().await;

    let mut members = Vec::new();
    for organization in ["org_1", "org_2"] {
        let why = format!("Alice logs in for the organisation {organization}.");
        let gets = format!("a token for {organization}");
        let asks = format!("scope=read&audience={CALENDAR}&organization={organization}");
        let tokens = log_in(&mut stage, tenant, &why, &asks, &gets).await;
        members.push(text(&tokens, "access_token"));
    }
    for (why, member, organization, status) in [
        (
            "The token for org_1, which is acme, opens acme's events.",
            0,
            "org_1",
            200,
        ),
        (
            "The token for org_1 opens no other organisation's events.",
            0,
            "org_2",
            403,
        ),
        (
            "This API knows no org_2, so a token for it is invalid.",
            1,
            "org_2",
            401,
        ),
    ] {
        let step = stage.step(why).bearer(&members[member]);
        let step = step.get(format!("{api}/organizations/{organization}/events"));
        step.expect(status).play().await;
    }

    server.rotate();
    stage.say("The tenant signs with its next key now.");
    let renewal = |refresh_token: &str| {
        json!({
            "grant_type": "refresh_token",
            "client_id": "web",
            "client_secret": "the secret of web",
            "refresh_token": refresh_token,
        })
    };
    let used = renewal(&text(&tokens, "refresh_token"));
    let step = stage.step("The application renews Alice's token.");
    let tokens = step.post(&trade).json(used.clone()).play().await.json();

    let step = stage.step("The gate takes the renewed token: it has had the new key all along.");
    let step = step.get(&events).bearer(&text(&tokens, "access_token"));
    step.expect_body_contains("usr_123").play().await;

    let step = stage.step("A refresh token that was used once is used up.");
    let step = step.post(&trade).json(used).expect(403);
    step.expect_body_contains("invalid_grant").play().await;

    clock.advance(Duration::from_secs(60));
    server.rotate();
    server.withdraw_old();
    stage.say("A minute later it has to rotate in haste, and revokes all former keys.");
    let step = stage.step("The application renews Alice's token once more.");
    let again = renewal(&text(&tokens, "refresh_token"));
    let last = step.post(&trade).json(again).play().await;
    let last = last.text("access_token");

    let step = stage.step("The gate does not know the newest key, so it fetches the key set.");
    let step = step.get(&events).bearer(&last);
    step.expect_body_contains("usr_123").play().await;

    let step = stage
        .step("In that key set the key of Alice's first token is gone, so the token is refused.");
    step.get(&events).bearer(&alice).expect(401).play().await;

    clock.advance(Duration::from_secs(DAY as u64 + 30));
    stage.say("A day passes, and half a minute, which is the leeway for clocks.");
    let step = stage.step("Alice's last token is over.");
    step.get(&events).bearer(&last).expect(401).play().await;

    Ok(stage.end())
}
