//! Rocket Lawyer's tokens: a backend, the browsers of two parties, and an interview between them.
//!
//! ```text
//! cargo run --example rocket_lawyer
//! ```
//!
//! The story plays itself and ends with exit code 0 if every answer was as it should be.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use hyper::Method;
use portcullis::profile::rocket_lawyer::{
    self as rl, BackendOr, For, General, InterviewId, IssuedToken, Owner, Parties, PartyRole,
    Purpose, Record, Records, RocketDocument, Scoped, Upid,
};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    Carrier, Clock, ConfigError, PermittedBy, RequireScope, ResourceServer, SystemClock, Token,
    danger,
};
use serde_json::json;

#[path = "issuers/rocket_lawyer.rs"]
mod issuer;
#[path = "stage/mod.rs"]
mod stage;
use issuer::{ACCESS_TOKEN, Application, BACKEND, FRONTEND, Issuer, SECRET, SERVICE_TOKEN};
use stage::{Answer, Stage};

/// The gate of the API, and that of its one route for service tokens, which travel in links.
fn gates(clock: &ManualClock) -> Result<(ResourceServer, ResourceServer), ConfigError> {
    let verifier = || rl::verifier(SECRET);
    let api = ResourceServer::builder()
        .verifier(verifier().build()?)
        .kinds(rl::kinds()?)
        .renderer(rl::ApigeeFaults)
        .clock(clock.clone());
    let links = ResourceServer::builder()
        .carrier(Carrier::bearer())
        .carrier(danger::query_parameter("serviceToken"))
        .verifier(verifier().audience(rl::SERVICE_TOKENS).build()?)
        .kinds(rl::kinds()?)
        .renderer(rl::ApigeeFaults)
        .clock(clock.clone());
    Ok((api.build()?, links.build()?))
}

#[derive(Clone)]
struct Interview {
    id: InterviewId,
    parties: Vec<(Upid, PartyRole)>,
}

impl Record for Interview {
    fn interview(&self) -> Option<&InterviewId> {
        Some(&self.id)
    }

    fn role_of(&self, upid: &Upid) -> Option<PartyRole> {
        let party = self.parties.iter().find(|(party, _)| party == upid);
        party.map(|(_, role)| *role)
    }
}

/// Stands for a database.
#[derive(Clone)]
struct Store(Vec<Interview>);

impl Records<InterviewId> for Store {
    type Record = Interview;

    async fn find(&self, id: &InterviewId) -> Result<Option<Interview>, portcullis::Error> {
        let mut interviews = self.0.iter();
        Ok(interviews.find(|interview| interview.id == *id).cloned())
    }
}

#[derive(Clone, FromRef)]
struct App {
    store: Store,
    issuer: Issuer,
    desk: AuthorizationServer,
}

/// Frontends that were given a token for interviews, and every backend.
type Interviewers = RequireScope<BackendOr<For<RocketDocument>>>;
/// The interview a request names, if the token opens it to a party of the role.
type Opened<Role = rl::AnyParty> = PermittedBy<Parties<Store, Role>, Path<InterviewId>>;

async fn create(_: Token<General>, State(app): State<App>) -> impl IntoResponse {
    let token = app.issuer.for_interview(&app.desk, "i-3");
    (
        [("rl-rdoc-servicetoken", token)],
        "interview i-3
",
    )
}

async fn read(_: Interviewers, PermittedBy(access, _): Opened) -> String {
    match access.party {
        Some(party) => format!("{} is {:?}\n", party.upid, party.role),
        None => format!("interview {}\n", access.record.id),
    }
}

async fn complete(
    _: Token<Scoped>,
    _: Interviewers,
    PermittedBy(access, _): Opened<Owner>,
) -> String {
    format!("{} is complete\n", access.record.id)
}

/// For service tokens, too.
async fn parties(_: Interviewers, PermittedBy(access, _): Opened) -> String {
    format!("{} parties\n", access.record.parties.len())
}

fn api(clock: &ManualClock, app: App) -> Result<Router, ConfigError> {
    let (api, links) = gates(clock)?;
    let linked = Router::new()
        .route("/interviews/{id}/parties", get(parties))
        .route_layer(links.layer());
    Ok(Router::new()
        .route("/interviews", post(create))
        .route("/interviews/{id}", get(read))
        .route("/interviews/{id}/completions", post(complete))
        .route_layer(api.layer())
        .merge(linked)
        .with_state(app))
}

/// The story while it plays. Each call wants a status, or that and a text in the body.
struct Story {
    stage: Stage,
    issuer: AuthorizationServer,
    api: String,
    /// Why the next calls are made.
    why: &'static str,
}

impl Story {
    /// Asks the issuer for an access token, with a service token or without, and reads its answer
    /// as a client does.
    async fn login(&mut self, application: &Application, service: &str, status: u16) -> String {
        let grant = match service {
            "" => "client_credentials",
            _ => "authorization_code",
        };
        let step = self.stage.step(self.why);
        let step = step.post(self.issuer.url(ACCESS_TOKEN)).json(json!({
            "grant_type": grant,
            "client_id": application.id,
            "client_secret": application.secret,
            "code": service,
        }));
        let answer = step.expect(status).play().await;
        let issued = IssuedToken::parse(&answer.body);
        issued.map_or_else(|_| String::new(), |issued| issued.as_str().to_owned())
    }

    /// Asks the issuer for the service token that lets a party into interview i-1.
    async fn invite(&mut self, backend: &str, party: &str, ends: i64, status: u16) -> String {
        let step = self.stage.step(self.why);
        let step = step.post(self.issuer.url(SERVICE_TOKEN)).json(json!({
            "purpose": RocketDocument::NAME,
            "interviewId": "i-1",
            "partnerEndUserId": party,
            "expirationTime": ends,
        }));
        let answer = step.bearer(backend).expect(status).play().await;
        answer.text("token")
    }

    /// Calls the API: `GET` and what follows `/interviews`.
    async fn call(&mut self, call: &str, token: &str, status: u16, text: &str) -> Answer {
        let (method, path) = call.split_once(' ').unwrap_or_default();
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let url = format!("{}/interviews{path}", self.api);
        let step = self.stage.step(self.why).request(method, url);
        let step = match token {
            "" => step,
            token => step.bearer(token),
        };
        let step = step.expect(status).expect_body_contains(text);
        step.play().await
    }
}

fn store() -> Store {
    let party = |id: &str, role| (Upid::from(id), role);
    let interview = |id: &str, parties| Interview {
        id: id.into(),
        parties,
    };
    let alice = party("alice", PartyRole::Owner);
    let bob = party("bob", PartyRole::Signer);
    let carol = party("carol", PartyRole::Owner);
    Store(vec![
        interview("i-1", vec![alice, bob]),
        interview("i-2", vec![carol]),
        interview("i-3", vec![]),
    ])
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let stage = Stage::begin("Rocket Lawyer: one secret, three kinds of tokens.");
    let clock = ManualClock::at(SystemClock.now());
    let now = clock.now().as_secs();
    let desk = AuthorizationServer::builder().clock(clock.clone());
    let desk = desk.start().await?;
    let app = App {
        store: store(),
        issuer: Issuer::open(&desk),
        desk: desk.clone(),
    };
    let api = api(&clock, app)?;
    let mut story = Story {
        api: stage.serve(api).await?,
        stage,
        issuer: desk,
        why: "",
    };

    story.why = "With a wrong secret a backend gets no token.";
    let secret = "guessed";
    let wrong = Application { secret, ..BACKEND };
    story.login(&wrong, "", 401).await;
    story.why = "With the right one it gets one for all that is its own.";
    let general = story.login(&BACKEND, "", 200).await;
    story.why = "It creates an interview; a header holds a service token for it.";
    let created = story.call("POST ", &general, 200, "i-3").await;
    let new = created.header("rl-rdoc-servicetoken");
    story.why = "It reads any interview.";
    story.call("GET /i-2", &general, 200, "i-2").await;

    story
        .stage
        .say("A service token for each party of interview i-1");
    story.why = "One that would be over already is not made.";
    story.invite(&general, "bob", now - 1, 400).await;
    story.why = "Bob gets one for an hour.";
    let bobs = story.invite(&general, "bob", now + 3600, 200).await;
    story.why = "Alice gets one for a year.";
    let year = now + issuer::YEAR;
    let alices = story.invite(&general, "alice", year, 200).await;
    story.why = "It is no access token: it is for another audience.";
    story.call("GET /i-1", &alices, 401, "Invalid").await;
    story.why = "Only the route that says so admits it, even in a link.";
    let link = format!("GET /i-1/parties?serviceToken={alices}");
    story.call(&link, "", 200, "2 parties").await;
    story.why = "But not with a second token beside it.";
    story.call(&link, &general, 400, "BAD_REQUEST").await;

    story
        .stage
        .say("Browsers exchange them for scoped access tokens");
    story.why = "Alice's reads her interview, and no other.";
    let alice = story.login(&FRONTEND, &alices, 200).await;
    story.call("GET /i-1", &alice, 200, "alice is Owner").await;
    story.call("GET /i-2", &alice, 403, "FORBIDDEN").await;
    story.why = "It may not create one: that is for backends.";
    story.call("POST ", &alice, 403, "FORBIDDEN").await;
    story.why = "Bob's reads it, too.";
    let bob = story.login(&FRONTEND, &bobs, 200).await;
    story.call("GET /i-1", &bob, 200, "bob is Signer").await;
    story.why = "But only its owner completes it.";
    let complete = "POST /i-1/completions";
    story.call(complete, &bob, 403, "FORBIDDEN").await;
    story.call(complete, &alice, 200, "complete").await;
    story.why = "Who was given the new interview's token reads that one.";
    let visitor = story.login(&FRONTEND, new, 200).await;
    story.call("GET /i-3", &visitor, 200, "i-3").await;
    story.why = "Claims with another token's signature prove nothing.";
    let (claims, _) = alice.rsplit_once('.').unwrap_or_default();
    let (_, signature) = bob.rsplit_once('.').unwrap_or_default();
    let forged = format!("{claims}.{signature}");
    story.call("GET /i-1", &forged, 401, "Invalid").await;

    story.stage.say("An hour later");
    clock.advance(Duration::from_secs(3600));
    story.why = "Bob's service token is over, and so is all made of it.";
    story.call("GET /i-1", &bob, 401, "token_expired").await;
    story.login(&FRONTEND, &bobs, 400).await;

    story.stage.say("Nine hours later");
    clock.advance(Duration::from_secs(9 * 3600));
    story.why = "Alice's access token is over, so her browser gets another.";
    story.call("GET /i-1", &alice, 401, "token_expired").await;
    let alice = story.login(&FRONTEND, &alices, 200).await;
    story.call("GET /i-1", &alice, 200, "alice is Owner").await;

    Ok(story.stage.end())
}
