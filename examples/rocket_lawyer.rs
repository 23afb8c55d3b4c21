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
    ([("rl-rdoc-servicetoken", token)], "interview i-3\n")
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

/// The story while it plays. Each call says why it is made, and wants a status, or that and a text
/// in the body.
struct Story {
    stage: Stage,
    issuer: AuthorizationServer,
    api: String,
}

impl Story {
    /// Asks the issuer for an access token, with a service token or without, and reads its answer
    /// as a client does.
    async fn login(
        &mut self,
        why: &str,
        application: &Application,
        service: &str,
        status: u16,
    ) -> String {
        let grant = match service {
            "" => "client_credentials",
            _ => "authorization_code",
        };
        let step = self.stage.step(why);
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
    async fn invite(
        &mut self,
        why: &str,
        backend: &str,
        party: &str,
        ends: i64,
        status: u16,
    ) -> String {
        let step = self.stage.step(why);
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
    async fn call(
        &mut self,
        why: &str,
        call: &str,
        token: &str,
        status: u16,
        text: &str,
    ) -> Answer {
        let (method, path) = call.split_once(' ').unwrap_or_default();
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let url = format!("{}/interviews{path}", self.api);
        let step = self.stage.step(why).request(method, url);
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
    };

    let issuer_at = format!("Issuer at {}", story.issuer.issuer());
    story.stage.say(&issuer_at);

    let why = "A backend that shows a wrong secret gets no access token.";
    let secret = "guessed";
    let wrong = Application { secret, ..BACKEND };
    story.login(why, &wrong, "", 401).await;
    let why = "With its own secret the backend gets an access token for all that is its own.";
    let general = story.login(why, &BACKEND, "", 200).await;
    let why =
        "The backend creates interview i-3; a header of the answer holds a service token for it.";
    let created = story.call(why, "POST ", &general, 200, "i-3").await;
    let new = created.header("rl-rdoc-servicetoken");
    let why = "The backend reads any interview, here i-2.";
    story.call(why, "GET /i-2", &general, 200, "i-2").await;

    let part = "The backend asks for a service token for each party of interview i-1.";
    story.stage.say(part);
    let why = "A service token that would be over already is not made.";
    story.invite(why, &general, "bob", now - 1, 400).await;
    let why = "For Bob the backend gets a service token that lasts an hour.";
    let bobs = story.invite(why, &general, "bob", now + 3600, 200).await;
    let why = "For Alice the backend gets a service token that lasts a year.";
    let year = now + issuer::YEAR;
    let alices = story.invite(why, &general, "alice", year, 200).await;
    let why = "A service token is no access token: it is for another audience.";
    story.call(why, "GET /i-1", &alices, 401, "Invalid").await;
    let why = "The one route that takes service tokens takes Alice's, even in a link.";
    let link = format!("GET /i-1/parties?serviceToken={alices}");
    story.call(why, &link, "", 200, "2 parties").await;
    let why = "A token in the link and a second one in a header are one too many.";
    story.call(why, &link, &general, 400, "BAD_REQUEST").await;

    let part = "Browsers exchange service tokens for access tokens.";
    story.stage.say(part);
    let why = "Alice's browser exchanges her service token for an access token to interview i-1.";
    let alice = story.login(why, &FRONTEND, &alices, 200).await;
    let why = "Alice's access token reads interview i-1.";
    let owner = "alice is Owner";
    story.call(why, "GET /i-1", &alice, 200, owner).await;
    let why = "Alice's access token does not read another interview.";
    story.call(why, "GET /i-2", &alice, 403, "FORBIDDEN").await;
    let why = "Alice's access token creates no interview: only a backend's does.";
    story.call(why, "POST ", &alice, 403, "FORBIDDEN").await;
    let why = "Bob's browser exchanges his service token, too.";
    let bob = story.login(why, &FRONTEND, &bobs, 200).await;
    let why = "Bob's access token reads interview i-1 as well.";
    story
        .call(why, "GET /i-1", &bob, 200, "bob is Signer")
        .await;
    let why = "Bob only signs interview i-1, so he may not complete it.";
    let complete = "POST /i-1/completions";
    story.call(why, complete, &bob, 403, "FORBIDDEN").await;
    let why = "Alice owns interview i-1, so she may complete it.";
    story.call(why, complete, &alice, 200, "complete").await;
    let why = "A visitor's browser exchanges the service token that came with interview i-3.";
    let visitor = story.login(why, &FRONTEND, new, 200).await;
    let why = "The visitor's access token reads interview i-3.";
    story.call(why, "GET /i-3", &visitor, 200, "i-3").await;
    let why = "Alice's claims with the signature of Bob's token prove nothing.";
    let (claims, _) = alice.rsplit_once('.').unwrap_or_default();
    let (_, signature) = bob.rsplit_once('.').unwrap_or_default();
    let forged = format!("{claims}.{signature}");
    story.call(why, "GET /i-1", &forged, 401, "Invalid").await;

    story.stage.say("An hour passes.");
    clock.advance(Duration::from_secs(3600));
    let why = "Bob's access token is over, because the service token it was made of is.";
    let over = "token_expired";
    story.call(why, "GET /i-1", &bob, 401, over).await;
    let why = "Bob's service token buys no other access token.";
    story.login(why, &FRONTEND, &bobs, 400).await;

    story.stage.say("Nine more hours pass.");
    clock.advance(Duration::from_secs(9 * 3600));
    let why = "Alice's access token is over.";
    story.call(why, "GET /i-1", &alice, 401, over).await;
    let why = "Alice's service token is still good, so her browser gets another access token.";
    let alice = story.login(why, &FRONTEND, &alices, 200).await;
    let why = "Alice's new access token reads interview i-1 again.";
    story.call(why, "GET /i-1", &alice, 200, owner).await;

    Ok(story.stage.end())
}
