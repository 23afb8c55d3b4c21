//! Rocket Lawyer, statements RL-1 to RL-16.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{any, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Request};
use portcullis::profile::rocket_lawyer::{
    self as rl, ACCESS_TOKENS, BackendOr, BinderPartyAccess, BinderSign, BoundClaims,
    DocumentManager, For, Frontend, General, ISSUER, InterviewId, IssuedToken, Owner, Parties,
    PartyRole, Purpose, Record, Records, RocketDocument, SERVICE_TOKENS, Scoped, Service, Signer,
    Srv, Upid,
};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    AccessToken, Algorithm, AnyOf, Carrier, ClaimSet, Claims, Error, JwtVerifierBuilder, OfKind,
    PermittedBy, RequireScope, ResourceGuard, ResourceServer, ResourceServerBuilder, Token,
    UnixTime, danger,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::confusion::{Matrix, Place, Specimen};
use crate::service::{Answer, bearer, call, get as fetch, issuer_call, send, with};
use crate::watched;

#[path = "../../examples/issuers/rocket_lawyer.rs"]
mod issuer;
use issuer::{ACCESS_TOKEN, BACKEND, FRONTEND, Issuer, SECRET, SERVICE_TOKEN, TEN_HOURS, signed};

/// When the published tokens were issued.
const NOW: i64 = 1_633_971_685;
const ROCKETDOC: &str = "api.rocketlawyer.com/rocketdoc";
const BINDER_PARTY: &str = "api.rocketlawyer.com/binder-party-access";

/// An issuer and a clock; gates and tokens are made of it.
struct World {
    clock: ManualClock,
    desk: AuthorizationServer,
}

impl World {
    fn new() -> World {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let desk = watched::builder().clock(clock.clone()).build();
        World { clock, desk }
    }

    fn gate(&self, verifier: JwtVerifierBuilder) -> ResourceServerBuilder {
        ResourceServer::builder()
            .verifier(verifier.build().unwrap())
            .kinds(rl::kinds().unwrap())
            .clock(self.clock.clone())
    }

    /// The gate of the profile's documentation, with the system's own words for refusals.
    fn server(&self) -> ResourceServer {
        let gate = self.gate(rl::verifier(SECRET));
        gate.renderer(rl::ApigeeFaults).build().unwrap()
    }

    /// The same with the words of the RFCs.
    fn plain(&self) -> ResourceServer {
        self.gate(rl::verifier(SECRET)).build().unwrap()
    }

    /// A gate that admits service tokens, too.
    fn lax(&self) -> ResourceServer {
        let verifier = rl::verifier(SECRET).audience(SERVICE_TOKENS);
        let gate = self.gate(verifier).renderer(rl::ApigeeFaults);
        gate.build().unwrap()
    }

    fn token(&self, claims: &Value) -> String {
        signed(self.desk.token(), claims)
    }

    fn general(&self) -> String {
        self.token(&claims(ACCESS_TOKENS, Value::Null))
    }

    fn scoped(&self, srv: Value) -> String {
        self.token(&claims(ACCESS_TOKENS, srv))
    }

    fn service(&self, srv: Value) -> String {
        self.token(&claims(SERVICE_TOKENS, srv))
    }

    /// A gate that admits service tokens, and reads links that hold one.
    fn links(&self) -> ResourceServer {
        let verifier = rl::verifier(SECRET).audience(SERVICE_TOKENS);
        let gate = self.gate(verifier).renderer(rl::ApigeeFaults);
        gate.carrier(Carrier::bearer())
            .carrier(danger::query_parameter("serviceToken"))
            .build()
            .unwrap()
    }
}

fn claims(audience: &str, srv: Value) -> Value {
    json!({
        "iss": ISSUER,
        "aud": audience,
        "iat": NOW,
        "exp": NOW + TEN_HOURS,
        "rl_api_client_id": "7fb9",
        "rl_user_id": null,
        "srv": srv,
        "ci": null,
    })
}

/// An object with the members of another, too.
fn and(mut object: Value, more: &Value) -> Value {
    let more = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(more);
    object
}

/// `srv` of a token for rocketdoc, with more.
fn rocketdoc(more: Value) -> Value {
    let srv = json!({"purpose": ROCKETDOC, "expirationTime": NOW + issuer::YEAR});
    and(srv, &more)
}

/// `srv` of a token that is bound to a party, an interview, or both.
fn bound(upid: &str, interview: &str) -> Value {
    let mut srv = rocketdoc(json!({}));
    for (name, id) in [("upid", upid), ("interviewId", interview)] {
        if !id.is_empty() {
            srv[name] = json!(id);
        }
    }
    srv
}

async fn ask(service: &Router, path: &str, token: &str) -> Answer {
    fetch(service, path, &[("authorization", &bearer(token))]).await
}

async fn expect(service: &Router, path: &str, token: &str, wanted: u16) {
    let answer = ask(service, path, token).await;
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
    let claims = String::from_utf8(payload.unwrap()).unwrap();
    assert_eq!(
        answer.status, wanted,
        "{path} for {claims}: {}",
        answer.body
    );
}

/// Interviews and binders of one application; `HIDES` is its setting.
#[derive(Clone)]
struct Store<const HIDES: bool>;

/// What is kept: of which interview it is, whose, and of which partner if anybody looks.
struct Kept {
    interview: Option<InterviewId>,
    parties: &'static [(&'static str, PartyRole)],
    partner: Option<&'static str>,
}

impl Record for Kept {
    fn interview(&self) -> Option<&InterviewId> {
        self.interview.as_ref()
    }

    fn role_of(&self, upid: &Upid) -> Option<PartyRole> {
        let found = self.parties.iter().find(|(id, _)| *id == upid.as_str());
        found.map(|(_, role)| *role)
    }

    fn is_of_tenant(&self, srv: &Srv) -> bool {
        self.partner.is_none() || self.partner == srv.partner_id.as_deref()
    }
}

const PARTIES: &[(&str, PartyRole)] = &[
    ("alice", PartyRole::Owner),
    ("bob", PartyRole::Signer),
    ("vera", PartyRole::Viewer),
];

impl<const HIDES: bool> Records<InterviewId> for Store<HIDES> {
    type Record = Kept;
    const HIDES: bool = HIDES;

    async fn find(&self, id: &InterviewId) -> Result<Option<Kept>, Error> {
        let parties = match id.as_str() {
            "A" | "A/b" => PARTIES,
            "B" => &[("carol", PartyRole::Owner)],
            "down" => {
                let sentence = "the database is down";
                return Err(Error::unavailable(Duration::from_secs(7), sentence));
            }
            _ => return Ok(None),
        };
        Ok(Some(Kept {
            interview: Some(id.clone()),
            parties,
            partner: None,
        }))
    }
}

#[derive(Deserialize)]
struct BinderId(String);

impl Records<BinderId> for Store<false> {
    type Record = Kept;

    async fn find(&self, id: &BinderId) -> Result<Option<Kept>, Error> {
        Ok((id.0 == "b-1").then_some(Kept {
            interview: None,
            parties: PARTIES,
            partner: None,
        }))
    }
}

type Interview<const HIDES: bool> = PermittedBy<Parties<Store<HIDES>>, Path<InterviewId>>;

/// Says who asks.
async fn interview<const HIDES: bool>(PermittedBy(access, _): Interview<HIDES>) -> String {
    match access.party {
        Some(party) => format!("{} {:?}", party.upid, party.role),
        None => "nobody in particular".to_owned(),
    }
}

fn interviews<const HIDES: bool>(server: &ResourceServer) -> Router {
    Router::new()
        .route("/interviews/{id}", get(interview::<HIDES>))
        .route_layer(server.layer())
        .with_state(Store::<HIDES>)
}

/// Says of which kind the token is.
fn any_kind<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let kind = async |token: AccessToken| token.kind().to_owned();
    Router::new().route("/", get(kind))
}

#[tokio::test]
async fn rl_01_only_hs256_with_the_secret_for_this_issuer_and_kind_of_audience() {
    let world = World::new();
    let service = any_kind().layer(world.server().layer());
    let good = claims(ACCESS_TOKENS, Value::Null);
    let list = |audiences: Value| with(good.clone(), "/aud", audiences);
    for good in [
        good.clone(),
        list(json!([ACCESS_TOKENS])),
        list(json!(["another", ACCESS_TOKENS])),
    ] {
        expect(&service, "/", &world.token(&good), 200).await;
    }
    for bad in [
        list(json!([])),
        list(json!("rocketlawyer.com/access-token")),
        list(json!("rocketlawyer.com/ACCESS-TOKENS")),
        list(json!("rocketlawyer.com")),
        list(Value::Null),
        with(good.clone(), "/iss", json!("rocketlawyer.com/")),
        with(good.clone(), "/iss", json!("https://rocketlawyer.com")),
        with(good.clone(), "/iss", Value::Null),
        and(good.clone(), &json!({"iss": null})),
        and(good.clone(), &json!({"aud": null})),
    ] {
        expect(&service, "/", &world.token(&bad), 401).await;
    }
    let jwt = || world.desk.token().raw_payload(good.to_string());
    let secret = || jwt().hmac(Algorithm::HS256, SECRET);
    let other = || jwt().hmac(Algorithm::HS256, "another secret, also of 32 bytes");
    let longer = || jwt().hmac(Algorithm::HS512, SECRET);
    for (builder, header) in [
        (jwt().unsecured(), r#"{"typ":"JWT","alg":"none"}"#),
        (secret(), r#"{"typ":"JWT","alg":"none"}"#),
        (secret(), r#"{"typ":"JWT","alg":"RS256"}"#),
        (secret(), r#"{"typ":"JWT","alg":"HS512"}"#),
        (secret(), r#"{"typ":"JWT","alg":"hs256"}"#),
        (secret(), r#"{"typ":"JWT"}"#),
        (secret(), r#"{"alg":"HS256"}"#),
        (jwt(), r#"{"typ":"JWT","alg":"RS256"}"#),
        (jwt(), r#"{"typ":"JWT","alg":"HS256"}"#),
        (longer(), r#"{"typ":"JWT","alg":"HS512"}"#),
        (other(), r#"{"typ":"JWT","alg":"HS256"}"#),
    ] {
        let bad = builder.raw_header(header).mint();
        let answer = ask(&service, "/", &bad).await;
        assert_eq!(answer.status, 401, "{header}");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
    assert_eq!(
        rl::verifier("short").build().unwrap_err().to_string(),
        "secret for HS256 has 5 bytes, wanted at least 32"
    );
}

#[tokio::test]
async fn rl_02_audience_and_srv_tell_the_kind() {
    let world = World::new();
    let strict = any_kind().layer(world.server().layer());
    let lax = any_kind().layer(world.lax().layer());
    let both = json!([ACCESS_TOKENS, SERVICE_TOKENS]);
    let object = rocketdoc(json!({}));
    for (audience, srv, kind) in [
        (json!(ACCESS_TOKENS), Value::Null, Some("general")),
        (json!([ACCESS_TOKENS]), Value::Null, Some("general")),
        (json!(ACCESS_TOKENS), object.clone(), Some("scoped")),
        (json!([ACCESS_TOKENS]), json!({}), Some("scoped")),
        (json!(SERVICE_TOKENS), object.clone(), Some("service")),
        (json!([SERVICE_TOKENS]), object.clone(), Some("service")),
        (json!(SERVICE_TOKENS), Value::Null, Some("service")),
        (json!(ACCESS_TOKENS), json!("srv"), None),
        (json!(ACCESS_TOKENS), json!([object]), None),
        (json!(ACCESS_TOKENS), json!(false), None),
        (both.clone(), Value::Null, None),
        (both.clone(), object.clone(), None),
        (both.clone(), json!("srv"), None),
        (json!("rocketlawyer.com/other"), object.clone(), None),
    ] {
        let claims = with(claims("", srv), "/aud", audience);
        let answer = ask(&lax, "/", &world.token(&claims)).await;
        match kind {
            Some(kind) => assert_eq!((answer.status, &*answer.body), (200, kind), "{claims}"),
            None => assert_eq!(answer.status, 401, "{claims}"),
        }
        let wanted = match kind {
            None | Some("service") => 401,
            Some(_) => 200,
        };
        expect(&strict, "/", &world.token(&claims), wanted).await;
    }
    let mut bare = claims(ACCESS_TOKENS, Value::Null);
    bare.as_object_mut().unwrap().remove("srv");
    assert_eq!(ask(&strict, "/", &world.token(&bare)).await.body, "general");
}

#[tokio::test]
async fn rl_03_a_service_token_is_for_another_audience_unless_the_route_admits_it() {
    let world = World::new();
    let routes = || {
        any_kind()
            .route("/general", get(async |_: Token<General>| ()))
            .route("/scoped", get(async |_: Token<Scoped>| ()))
            .route("/interviews/{id}", get(interview::<false>))
            .with_state(Store::<false>)
    };
    let token = world.service(bound("", "A"));
    for (server, body) in [
        (world.plain(), "another audience"),
        (world.server(), "keymanagement.service.invalid_access_token"),
    ] {
        // The marked route has a gate of its own.
        let marked = Router::new()
            .route("/embedded/{id}", get(interview::<false>))
            .route("/service", get(async |_: Token<Service>| ()))
            .route("/no-general", get(async |_: Token<General>| ()))
            .route("/no-scoped", get(async |_: Token<Scoped>| ()))
            .route_layer(world.lax().layer())
            .with_state(Store::<false>);
        let service = routes().route_layer(server.layer()).merge(marked);
        for path in ["/", "/general", "/scoped", "/interviews/A"] {
            let answer = ask(&service, path, &token).await;
            assert_eq!(answer.status, 401, "{path}");
            let challenge = answer.header("www-authenticate");
            for wanted in [r#"error="invalid_token""#, "is for another audience"] {
                assert!(challenge.contains(wanted), "{challenge}");
            }
            assert!(answer.body.contains(body), "{}", answer.body);
        }
        expect(&service, "/embedded/A", &token, 200).await;
        expect(&service, "/service", &token, 200).await;
        // There it is bound as a scoped one is, and opens no more than that.
        expect(&service, "/embedded/B", &token, 403).await;
        // Nor does it pass for what the route asks for by name.
        expect(&service, "/no-general", &token, 403).await;
        expect(&service, "/no-scoped", &token, 403).await;
        expect(&service, "/service", &world.general(), 403).await;
        let unbound = world.service(Value::Null);
        expect(&service, "/embedded/A", &unbound, 403).await;
    }
}

#[tokio::test]
async fn rl_04_a_token_for_one_interview_opens_no_other() {
    let world = World::new();
    let server = world.server();
    let plain = interviews::<false>(&world.plain());
    let service = interviews::<false>(&server);
    let of = |id: &str| world.scoped(rocketdoc(json!({"interviewId": id})));
    for (id, path, wanted) in [
        ("A", "/interviews/A", 200),
        ("A", "/interviews/%41", 200),
        ("A/b", "/interviews/A%2Fb", 200),
        ("A", "/interviews/A?id=B", 200),
        ("A", "/interviews/B", 403),
        ("A", "/interviews/B?id=A&interviewId=A", 403),
        ("A", "/interviews/a", 403),
        ("A", "/interviews/A%20", 403),
        ("A", "/interviews/A%2Fb", 403),
        ("a", "/interviews/A", 403),
        ("%41", "/interviews/A", 403),
        ("", "/interviews/A", 403),
        ("A", "/interviews/%ff", 400),
        ("A", "/interviews/", 404),
        ("A", "/interviews/A/B", 404),
    ] {
        let answer = ask(&service, path, &of(id)).await;
        assert_eq!(answer.status, wanted, "{id} at {path}");
        expect(&plain, path, &of(id), wanted).await;
        if wanted == 403 {
            assert_eq!(answer.json()["error"], "FORBIDDEN");
            // Nothing that the client could bring would help.
            assert_eq!(answer.header("www-authenticate"), "");
        }
    }
    // A route that has no or two parameters does not say which interview is meant.
    let unclear = Router::new()
        .route("/interviews", get(interview::<false>))
        .route("/{one}/interviews/{two}", get(interview::<false>))
        .route_layer(server.layer())
        .with_state(Store::<false>);
    for path in ["/interviews", "/A/interviews/A", "/A/interviews/B"] {
        let answer = ask(&unclear, path, &of("A")).await;
        assert_eq!(answer.status, 500, "{path}");
        assert!(!answer.body.contains("nobody in particular"));
    }
    // The same rule for services without axum's extractors.
    let guard = ResourceGuard::path("/interviews/{id}").param_is("id", ["/srv/interviewId"]);
    let guard = guard.broad("general").build().unwrap();
    let guarded = Router::new()
        .fallback(any(async || "guarded"))
        .layer(guard.layer())
        .layer(server.layer());
    for (path, wanted) in [
        ("/interviews/A", 200),
        ("/interviews/%41", 200),
        ("/interviews/B", 403),
        ("/interviews//", 403),
        ("/interviews/A/", 403),
        ("/interviews", 403),
        ("/interviews/../interviews/A", 403),
    ] {
        expect(&guarded, path, &of("A"), wanted).await;
        expect(&guarded, path, &world.general(), 200).await;
    }
    assert!(
        ResourceGuard::path("/interviews/{id}/pages/{id}")
            .param_is("id", ["/srv/interviewId"])
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn rl_05_a_upid_must_be_party_to_the_resource_and_hiding_tells_nobody_more() {
    let world = World::new();
    let server = world.server();
    let (open, hiding) = (interviews::<false>(&server), interviews::<true>(&server));
    for (upid, interview, path, wanted) in [
        ("alice", "", "/interviews/A", 200),
        ("bob", "", "/interviews/A", 200),
        ("carol", "", "/interviews/B", 200),
        ("alice", "", "/interviews/B", 403),
        ("Alice", "", "/interviews/A", 403),
        ("alice", "", "/interviews/unknown", 403),
        // Who names both must satisfy both.
        ("alice", "A", "/interviews/A", 200),
        ("carol", "A", "/interviews/A", 403),
        ("carol", "A", "/interviews/B", 403),
        ("alice", "B", "/interviews/A", 403),
    ] {
        let token = world.scoped(bound(upid, interview));
        expect(&open, path, &token, wanted).await;
        let wanted = if wanted == 403 { 404 } else { wanted };
        expect(&hiding, path, &token, wanted).await;
    }
    let alice = world.scoped(bound("alice", ""));
    assert_eq!(
        ask(&open, "/interviews/A", &alice).await.body,
        "alice Owner"
    );
    let (not_hers, unknown) = (
        ask(&hiding, "/interviews/B", &alice).await,
        ask(&hiding, "/interviews/unknown", &alice).await,
    );
    assert_eq!(not_hers.body, unknown.body);
    assert_eq!(not_hers.headers, unknown.headers);
    assert_eq!(unknown.json()["error"], "NOT_FOUND");
    // Nobody is refused for good because a database is down.
    for service in [&open, &hiding] {
        let answer = ask(service, "/interviews/down", &alice).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
        assert!(answer.header("content-type").contains("problem+json"));
    }
}

#[tokio::test]
async fn rl_06_frontends_have_no_business_on_routes_for_backends() {
    let world = World::new();
    let only = || any(async |_: Token<General>| ());
    let service = Router::new()
        .route("/interviews", only())
        .route("/binders", only())
        .route("/binders/{id}", only())
        .route("/binders/{id}/locks", only())
        .route_layer(world.server().layer());
    let general = world.general();
    let scoped = world.scoped(bound("alice", "A"));
    for (method, path) in [
        (Method::POST, "/interviews"),
        (Method::GET, "/interviews"),
        (Method::POST, "/binders"),
        (Method::GET, "/binders"),
        (Method::DELETE, "/binders/b-1"),
        (Method::PUT, "/binders/b-1/locks"),
    ] {
        for (token, wanted) in [(&general, 200), (&scoped, 403)] {
            let request = Request::builder().method(&method).uri(path);
            let request = request.header("authorization", bearer(token));
            let answer = call(&service, request).await;
            assert_eq!(answer.status, wanted, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn rl_07_a_general_token_opens_shared_routes_unchecked_and_no_route_for_frontends() {
    let world = World::new();
    type Doc = RequireScope<For<RocketDocument>>;
    type Shared = RequireScope<BackendOr<For<RocketDocument>>>;
    async fn shared(_: Shared, access: Interview<true>) -> String {
        interview(access).await
    }
    let service = Router::new()
        .route("/shared/{id}", get(shared))
        .route("/scoped", get(async |_: Token<Scoped>| ()))
        .route("/purpose", get(async |_: Doc| ()))
        .route_layer(world.server().layer())
        .with_state(Store::<true>);
    let general = world.general();
    for id in ["A", "B"] {
        let answer = ask(&service, &format!("/shared/{id}"), &general).await;
        assert_eq!(answer.body, "nobody in particular");
    }
    expect(&service, "/shared/unknown", &general, 404).await;
    expect(&service, "/scoped", &general, 403).await;
    expect(&service, "/purpose", &general, 403).await;
    let scoped = world.scoped(bound("", "A"));
    expect(&service, "/shared/A", &scoped, 200).await;
    expect(&service, "/scoped", &scoped, 200).await;
    expect(&service, "/purpose", &scoped, 200).await;
}

#[tokio::test]
async fn rl_08_the_purpose_must_be_one_of_the_routes() {
    type Doc = For<RocketDocument>;
    type Sign = For<BinderSign>;
    type Binder = AnyOf<(For<BinderPartyAccess>, For<DocumentManager>, Sign)>;
    type Shared = RequireScope<BackendOr<Binder>>;
    let world = World::new();
    let service = Router::new()
        .route("/rocketdoc", get(async |_: RequireScope<Doc>| ()))
        .route("/binder", get(async |_: RequireScope<Binder>| ()))
        .route("/shared", get(async |_: Shared| ()))
        .route_layer(world.server().layer());
    for (purpose, rocketdoc, binder) in [
        (json!(ROCKETDOC), 200, 403),
        (json!(BINDER_PARTY), 403, 200),
        (json!(DocumentManager::NAME), 403, 200),
        (json!(BinderSign::NAME), 403, 200),
        (json!("api.rocketlawyer.com/rocketdocs"), 403, 403),
        (json!("API.rocketlawyer.com/rocketdoc"), 403, 403),
        (json!("rocketdoc"), 403, 403),
        (json!(""), 403, 403),
        (json!([ROCKETDOC]), 403, 403),
        (Value::Null, 403, 403),
    ] {
        let token = world.scoped(json!({"purpose": purpose, "interviewId": "A"}));
        expect(&service, "/rocketdoc", &token, rocketdoc).await;
        expect(&service, "/binder", &token, binder).await;
        expect(&service, "/shared", &token, binder).await;
    }
    let silent = world.scoped(json!({"interviewId": "A"}));
    expect(&service, "/rocketdoc", &silent, 403).await;
}

#[tokio::test]
async fn rl_09_a_token_that_is_bound_to_nothing_opens_nothing() {
    let world = World::new();
    let server = world.server();
    let (open, hiding) = (interviews::<false>(&server), interviews::<true>(&server));
    let marked = Router::new()
        .route("/frontend", get(|_: RequireScope<Frontend>| async {}))
        .route(
            "/purpose",
            get(|_: RequireScope<For<RocketDocument>>| async {}),
        )
        .layer(server.layer());
    for path in ["/frontend", "/purpose"] {
        for bound in [json!({"interviewId": "A"}), json!({"upid": "alice"})] {
            expect(&marked, path, &world.scoped(rocketdoc(bound)), 200).await;
        }
        let empty = rocketdoc(json!({"interviewId": "", "upid": ""}));
        expect(&marked, path, &world.scoped(empty), 403).await;
    }
    for srv in [
        json!({}),
        rocketdoc(json!({})),
        rocketdoc(json!({"interviewId": 7})),
        rocketdoc(json!({"interviewId": null, "upid": null, "owner": null})),
        rocketdoc(json!({"originalClientId": "alice", "partnerId": "p-acme"})),
    ] {
        let token = world.scoped(srv.clone());
        for path in ["/interviews/A", "/interviews/unknown"] {
            expect(&open, path, &token, 403).await;
            expect(&hiding, path, &token, 403).await;
        }
        for path in ["/frontend", "/purpose"] {
            expect(&marked, path, &token, 403).await;
        }
    }
}

/// As [`Store`], for an issuer that names its parties otherwise.
#[derive(Clone)]
struct Renamed;

impl Records<InterviewId> for Renamed {
    type Record = Kept;
    const UPID_NAMES: &'static [&'static str] = &["rlUpid", "upid"];

    async fn find(&self, id: &InterviewId) -> Result<Option<Kept>, Error> {
        Store::<false>.find(id).await
    }
}

#[tokio::test]
async fn rl_10_the_upid_has_several_names_and_two_that_differ_are_none() {
    async fn renamed(
        PermittedBy(access, _): PermittedBy<Parties<Renamed>, Path<InterviewId>>,
    ) -> String {
        let party = access.party.map(|party| party.upid);
        format!("{party:?}")
    }
    let world = World::new();
    let server = world.server();
    let usual = interviews::<false>(&server);
    let renamed = Router::new()
        .route("/interviews/{id}", get(renamed))
        .route_layer(server.layer())
        .with_state(Renamed);
    for (srv, usually, renamed_so) in [
        (json!({"upid": "alice"}), 200, 200),
        (json!({"partnerEndUserId": "alice"}), 200, 403),
        (json!({"owner": "alice"}), 200, 403),
        (json!({"rlUpid": "alice"}), 403, 200),
        (json!({"upid": "alice", "owner": "alice"}), 200, 200),
        (json!({"upid": null, "owner": "alice"}), 200, 403),
        (json!({"upid": "alice", "owner": "carol"}), 403, 200),
        (
            json!({"upid": "alice", "partnerEndUserId": "bob"}),
            403,
            200,
        ),
        (json!({"upid": "alice", "rlUpid": "bob"}), 200, 403),
        // Not a second name, but a second value all the same.
        (json!({"upid": "", "owner": "alice"}), 403, 403),
        (json!({"upid": ["alice"]}), 403, 403),
        (json!({"upid": 7, "owner": "alice"}), 403, 403),
    ] {
        let token = world.scoped(rocketdoc(srv.clone()));
        expect(&usual, "/interviews/A", &token, usually).await;
        expect(&renamed, "/interviews/A", &token, renamed_so).await;
    }
}

#[tokio::test]
async fn rl_11_both_ends_count_to_the_second_and_in_seconds() {
    const EXPIRED: &str = "keymanagement.service.access_token_expired";
    let world = World::new();
    let (system, plain) = (world.server(), world.plain());
    let patient = rl::verifier(SECRET).leeway(Duration::from_secs(30));
    let patient = world.gate(patient).build().unwrap();
    let routed = |server: &ResourceServer| any_kind().layer(server.layer());
    let (system, plain, patient) = (routed(&system), routed(&plain), routed(&patient));
    let by_exp = world.general();
    let by_srv = world.scoped(json!({"expirationTime": NOW + TEN_HOURS}));
    let long = claims(ACCESS_TOKENS, json!({"expirationTime": NOW + TEN_HOURS}));
    let by_srv_alone = world.token(&with(long, "/exp", json!(NOW + issuer::YEAR)));
    let tokens = [by_exp, by_srv, by_srv_alone];
    for (after, wanted, patiently) in [
        (0, 200, 200),
        (TEN_HOURS - 1, 200, 200),
        (TEN_HOURS, 401, 200),
        (TEN_HOURS + 29, 401, 200),
        (TEN_HOURS + 30, 401, 401),
        (TEN_HOURS + 9_999, 401, 401),
    ] {
        world.clock.set(UnixTime::from_secs(NOW + after));
        for token in &tokens {
            let answer = ask(&system, "/", token).await;
            assert_eq!(answer.status, wanted, "after {after} s");
            expect(&plain, "/", token, wanted).await;
            expect(&patient, "/", token, patiently).await;
            if wanted == 401 {
                let fault = &answer.json()["fault"];
                assert_eq!(fault["faultstring"], "Access Token expired");
                assert_eq!(fault["detail"]["errorcode"], EXPIRED);
                let challenge = answer.header("www-authenticate");
                assert!(challenge.contains("invalid_token"), "{challenge}");
            }
        }
    }
    // It may be over before the token was even made; and milliseconds are nobody's seconds.
    world.clock.set(UnixTime::from_secs(NOW));
    for (end, wanted) in [
        (json!(NOW + 1), 200),
        (json!(99_999_999_999_i64), 200),
        (json!(100_000_000_001_i64), 401),
        (json!(NOW), 401),
        (json!(NOW - 1), 401),
        (json!(0), 401),
        (json!(163_397_168_500_i64), 401),
        (json!(NOW * 1000), 401),
        (json!((NOW + 1).to_string()), 401),
        (json!(true), 401),
    ] {
        let token = world.scoped(json!({"expirationTime": end}));
        expect(&system, "/", &token, wanted).await;
        let token = world.service(json!({"expirationTime": end}));
        let lax = any_kind().layer(world.lax().layer());
        expect(&lax, "/", &token, wanted).await;
    }
}

#[tokio::test]
async fn rl_12_an_endpoint_for_owners_is_for_no_other_party() {
    type Binder<R> = PermittedBy<Parties<Store<false>, R>, Path<BinderId>>;
    type Own = PermittedBy<Parties<Store<false>, Owner>, Path<InterviewId>>;
    let world = World::new();
    let service = Router::new()
        .route("/any/{id}", get(async |_: Binder<rl::AnyParty>| ()))
        .route("/owner/{id}", get(async |_: Binder<Owner>| ()))
        .route("/signer/{id}", get(async |_: Binder<Signer>| ()))
        .route("/interviews/{id}", get(async |_: Own| ()))
        .route_layer(world.server().layer())
        .with_state(Store::<false>);
    let of = |srv: Value| world.scoped(json!({"purpose": BINDER_PARTY, "upid": srv}));
    for (token, any, owner, signer) in [
        (of(json!("alice")), 200, 200, 403),
        (of(json!("bob")), 200, 403, 200),
        (of(json!("vera")), 200, 403, 403),
        (of(json!("carol")), 403, 403, 403),
        (world.general(), 200, 200, 200),
        // A binder is no interview.
        (world.scoped(bound("", "b-1")), 403, 403, 403),
        (world.scoped(bound("alice", "A")), 403, 403, 403),
    ] {
        expect(&service, "/any/b-1", &token, any).await;
        expect(&service, "/owner/b-1", &token, owner).await;
        expect(&service, "/signer/b-1", &token, signer).await;
    }
    // Who holds a token for the interview alone is nobody in particular, so no owner.
    let interview = world.scoped(bound("", "A"));
    expect(&service, "/interviews/A", &interview, 403).await;
    let own = world.scoped(bound("alice", "A"));
    expect(&service, "/interviews/A", &own, 200).await;
}

/// As [`Store`], for an application that looks at tenants.
#[derive(Clone)]
struct Tenants;

impl Records<InterviewId> for Tenants {
    type Record = Kept;

    async fn find(&self, id: &InterviewId) -> Result<Option<Kept>, Error> {
        let kept = Store::<false>.find(id).await?;
        let partner = Some("p-acme");
        Ok(kept.map(|kept| Kept { partner, ..kept }))
    }
}

/// As [`Tenants`], for an application that looks at who made the token.
#[derive(Clone)]
struct Makers;

/// What is kept of interviews that one tenant alone makes tokens for.
struct Made(Kept);

impl Record for Made {
    fn interview(&self) -> Option<&InterviewId> {
        self.0.interview()
    }

    fn role_of(&self, upid: &Upid) -> Option<PartyRole> {
        self.0.role_of(upid)
    }

    fn is_of_tenant(&self, srv: &Srv) -> bool {
        srv.original_tenant_id.as_deref() == Some("6bbd")
    }
}

impl Records<InterviewId> for Makers {
    type Record = Made;

    async fn find(&self, id: &InterviewId) -> Result<Option<Made>, Error> {
        Ok(Store::<false>.find(id).await?.map(Made))
    }
}

#[tokio::test]
async fn rl_13_a_token_of_another_tenant_opens_nothing_where_tenants_are_looked_at() {
    type Looked = PermittedBy<Parties<Tenants>, Path<InterviewId>>;
    let world = World::new();
    let server = world.server();
    let blind = interviews::<false>(&server);
    let looking = Router::new()
        .route("/interviews/{id}", get(async |_: Looked| ()))
        .route_layer(server.layer())
        .with_state(Tenants);
    // A tenant in the path needs no records.
    let guard = ResourceGuard::path("/partners/{partner}/{*rest}");
    let guard = guard
        .param_is("partner", ["/srv/partnerId"])
        .broad("general");
    let guard = guard.build().unwrap();
    let guarded = Router::new()
        .fallback(any(async || ()))
        .layer(guard.layer())
        .layer(server.layer());
    for (tenant, wanted) in [
        (json!({"partnerId": "p-acme"}), 200),
        (json!({"partnerId": "p-evil"}), 403),
        (json!({"partnerId": "P-ACME"}), 403),
        (json!({"partnerId": null}), 403),
        (json!({"originalTenantId": "p-acme"}), 403),
        (json!({}), 403),
    ] {
        for srv in [bound("", "A"), bound("alice", "")] {
            let token = world.scoped(and(srv, &tenant));
            expect(&blind, "/interviews/A", &token, 200).await;
            expect(&looking, "/interviews/A", &token, wanted).await;
            let path = "/partners/p-acme/interviews/A";
            expect(&guarded, path, &token, wanted).await;
        }
    }
    expect(&looking, "/interviews/A", &world.general(), 200).await;

    type Made = PermittedBy<Parties<Makers>, Path<InterviewId>>;
    let by_maker = Router::new()
        .route("/interviews/{id}", get(async |_: Made| ()))
        .route_layer(server.layer())
        .with_state(Makers);
    for (tenant, wanted) in [
        (json!({"originalTenantId": "6bbd"}), 200),
        (
            json!({"originalTenantId": "6bbd", "partnerId": "p-evil"}),
            200,
        ),
        (json!({"originalTenantId": "6BBD"}), 403),
        (json!({"originalTenantId": "0d79"}), 403),
        (json!({"originalTenantId": null}), 403),
        (json!({"partnerId": "6bbd"}), 403),
        (json!({}), 403),
    ] {
        for srv in [bound("", "A"), bound("alice", "")] {
            let token = world.scoped(and(srv, &tenant));
            expect(&by_maker, "/interviews/A", &token, wanted).await;
        }
    }
    expect(&by_maker, "/interviews/A", &world.general(), 200).await;
}

#[tokio::test]
async fn rl_14_the_token_is_in_the_header_or_where_the_route_says() {
    let world = World::new();
    let linked = Router::new()
        .route(
            "/binders/{id}/parties",
            any(async |token: AccessToken| token.kind().to_owned()),
        )
        .route_layer(world.links().layer());
    let forms = async |token: AccessToken, form: String| format!("{} {form}", token.kind());
    let service = any_kind()
        .route("/forms", post(forms))
        .route_layer(world.server().layer())
        .merge(linked);
    let general = world.general();
    let token = world.service(bound("alice", ""));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {general}");
        let answer = fetch(&service, "/", &[("authorization", &value)]).await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    for name in ["serviceToken", "access_token", "token"] {
        for token in [&general, &token] {
            let path = format!("/?{name}={token}");
            let answer = fetch(&service, &path, &[]).await;
            assert_eq!(answer.status, 401, "{name}");
            assert!(!answer.header("www-authenticate").contains("error"));
            // Ignored, not refused.
            expect(&service, &path, &general, 200).await;
        }
    }
    // Nor is a body looked into.
    let form = format!("access_token={general}&serviceToken={token}");
    let request = || {
        let form = "application/x-www-form-urlencoded";
        Request::post("/forms").header("content-type", form)
    };
    let alone = request().body(form.clone().into());
    let answer = send(&service, alone.unwrap()).await;
    assert_eq!(answer.status, 401);
    assert!(!answer.header("www-authenticate").contains("error"));
    let beside = request().header("authorization", bearer(&general));
    let answer = send(&service, beside.body(form.clone().into()).unwrap()).await;
    assert_eq!(
        (answer.status, answer.body),
        (200, format!("general {form}"))
    );

    let path = "/binders/b-1/parties";
    let link = format!("{path}?serviceToken={token}");
    assert_eq!(fetch(&service, &link, &[]).await.body, "service");
    assert_eq!(ask(&service, path, &token).await.body, "service");
    assert_eq!(ask(&service, path, &general).await.body, "general");
    assert_eq!(fetch(&service, path, &[]).await.status, 401);
    let upper = link.replace("serviceToken", "servicetoken");
    assert_eq!(fetch(&service, &upper, &[]).await.status, 401);
    for both in [
        ask(&service, &link, &general).await,
        ask(&service, &link, &token).await,
        fetch(&service, &format!("{link}&serviceToken={token}"), &[]).await,
    ] {
        assert_eq!(both.status, 400);
        assert_eq!(both.json()["error"], "BAD_REQUEST");
        assert!(both.header("www-authenticate").contains("invalid_request"));
        assert!(!both.body.contains(&token));
    }
}

#[tokio::test]
async fn rl_15_no_claim_of_a_tampered_token_reaches_the_handler() {
    let world = World::new();
    let server = world.server();
    let seen = Arc::new(AtomicUsize::new(0));
    async fn see(
        State(seen): State<Arc<AtomicUsize>>,
        token: Option<AccessToken>,
        bound: Claims<BoundClaims>,
    ) -> String {
        seen.fetch_add(1, Ordering::Relaxed);
        let interview = bound.srv.interview_id.as_ref();
        format!("{interview:?} {}", token.is_some())
    }
    let routes = || Router::new().route("/", get(see)).with_state(seen.clone());
    let of = |id: &str| world.scoped(bound("", id));
    let (honest, wanted) = (of("A"), of("B"));
    let (_, signature) = honest.rsplit_once('.').unwrap();
    let (claims, _) = wanted.rsplit_once('.').unwrap();
    let tampered = format!("{claims}.{signature}");
    let unsigned = format!("{claims}.");
    for service in [
        routes().layer(server.layer()),
        // Here strangers pass, yet a bad token makes no stranger.
        routes().layer(server.optional_layer()),
    ] {
        expect(&service, "/", &honest, 200).await;
        let before = seen.load(Ordering::Relaxed);
        for bad in [&tampered, &unsigned] {
            let answer = ask(&service, "/", bad).await;
            assert_eq!(answer.status, 401);
            let code = &answer.json()["fault"]["detail"]["errorcode"];
            assert_eq!(code, "keymanagement.service.invalid_access_token");
        }
        assert_eq!(seen.load(Ordering::Relaxed), before);
    }
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

/// Calls the issuer, in process.
async fn issuer_says(world: &World, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(world.desk.url(path)).header("authorization", bearer(token));
    issuer_call(&world.desk, request, body).await
}

fn login(client: &issuer::Application, code: Option<&str>) -> Value {
    json!({
        "grant_type": if code.is_some() { "authorization_code" } else { "client_credentials" },
        "client_id": client.id,
        "client_secret": client.secret,
        "code": code,
    })
}

#[tokio::test]
async fn rl_16_what_the_issuer_answers_is_read_for_all_its_looseness() {
    let world = World::new();
    Issuer::open(&world.desk);
    let (_, answer) = issuer_says(&world, ACCESS_TOKEN, "", &login(&BACKEND, None)).await;
    let issued = IssuedToken::parse(&answer.to_string()).unwrap();
    assert_eq!(issued.expires_in(), Duration::from_secs(35_999));
    assert_eq!(issued.products(), ["RocketDocument", "RocketSign"]);
    let service = any_kind().layer(world.server().layer());
    assert_eq!(ask(&service, "/", issued.as_str()).await.body, "general");
    assert!(!format!("{issued:?}").contains(issued.as_str()));

    let parse = |changed: Value| {
        let answer = json!({
            "access_token": "eyJ0",
            "token_type": "BearerToken",
            "expires_in": "35999",
            "issued_at": "1633971685000",
            "scope": "",
        });
        let answer = and(answer, &changed).to_string();
        let issued = IssuedToken::parse(&answer).map_err(|error| error.to_string())?;
        Ok::<_, String>((issued.expires_in().as_secs(), issued.products().join(" + ")))
    };
    for (changed, seconds, products) in [
        (json!({}), 35_999, ""),
        (json!({"expires_in": 7, "token_type": "bearer"}), 7, ""),
        (
            json!({"api_product_list": ["Rocket Sign", "b"]}),
            35_999,
            "Rocket Sign + b",
        ),
        (
            json!({"api_product_list": "[Rocket Sign, b]"}),
            35_999,
            "Rocket Sign + b",
        ),
        (json!({"api_product_list": "[]"}), 35_999, ""),
        (
            json!({"api_product_list": "[a, b]", "api_product_list_json": ["a, b"]}),
            35_999,
            "a, b",
        ),
    ] {
        assert_eq!(parse(changed), Ok((seconds, products.to_owned())));
    }
    for (changed, wanted) in [
        (
            json!({"access_token": ""}),
            "field access_token is absent, wanted it in the answer",
        ),
        (
            json!({"token_type": "DPoP"}),
            "field token_type is another text, wanted BearerToken or Bearer",
        ),
        (
            json!({"expires_in": "soon"}),
            "field expires_in is a string, wanted a whole number or its digits",
        ),
        (
            json!({"expires_in": -1}),
            "field expires_in is below zero, wanted seconds",
        ),
        (
            json!({"api_product_list": "a, b"}),
            "field api_product_list is no list, wanted an array of texts or a text in brackets",
        ),
        (
            json!({"api_product_list": [7]}),
            "field api_product_list is no list, wanted an array of texts or a text in brackets",
        ),
    ] {
        assert_eq!(parse(changed).unwrap_err(), wanted);
    }
}

#[tokio::test]
async fn the_issuer_hands_out_what_it_should_and_nothing_else() {
    let world = World::new();
    let issuer = Issuer::open(&world.desk);
    let token = |answer: &Value| {
        let issued = IssuedToken::parse(&answer.to_string()).unwrap();
        issued.as_str().to_owned()
    };
    let (_, answer) = issuer_says(&world, ACCESS_TOKEN, "", &login(&BACKEND, None)).await;
    let backend = token(&answer);
    let (_, answer) = issuer_says(&world, ACCESS_TOKEN, "", &login(&FRONTEND, None)).await;
    let frontend = token(&answer);

    let wish = json!({"purpose": BINDER_PARTY, "upid": "bob", "expirationTime": NOW + 60});
    let (status, answer) = issuer_says(&world, SERVICE_TOKEN, &backend, &wish).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["expirationTime"], (NOW + 60).to_string());
    let service = answer["token"].as_str().unwrap();
    let less = json!({"purpose": BINDER_PARTY, "expirationTime": NOW + 60});
    let more = and(wish.clone(), &json!({"interviewId": "A"}));
    let late = with(wish.clone(), "/expirationTime", json!(NOW));
    let strange = with(wish.clone(), "/purpose", json!("api.rocketlawyer.com"));
    for (token, wish, wanted) in [
        (&*frontend, &wish, 403),
        ("", &wish, 401),
        (service, &wish, 401),
        (&*backend, &less, 400),
        (&*backend, &more, 400),
        (&*backend, &late, 400),
        (&*backend, &strange, 400),
    ] {
        assert_eq!(
            issuer_says(&world, SERVICE_TOKEN, token, wish).await.0,
            wanted,
            "{wish}"
        );
    }

    let visitor = issuer.for_interview(&world.desk, "A");
    for (code, wanted) in [(service, "bob"), (&visitor, "A")] {
        let body = login(&FRONTEND, Some(code));
        let (_, answer) = issuer_says(&world, ACCESS_TOKEN, "", &body).await;
        let srv = async |bound: Claims<BoundClaims>| format!("{:?}", bound.srv);
        let scoped = Router::new().route("/", get(srv));
        let scoped = scoped.layer(world.server().layer());
        let srv = ask(&scoped, "/", &token(&answer)).await.body;
        assert!(srv.contains(&format!("{wanted:?}")), "{srv}");
    }
    let exchange = login(&FRONTEND, Some(service));
    let password = with(exchange.clone(), "/grant_type", json!("password"));
    for (body, wanted) in [
        (login(&FRONTEND, Some(&backend)), 400),
        (password, 400),
        (with(exchange.clone(), "/client_secret", json!("")), 401),
    ] {
        assert_eq!(
            issuer_says(&world, ACCESS_TOKEN, "", &body).await.0,
            wanted,
            "{body}"
        );
    }
    world.clock.advance(Duration::from_secs(60));
    let late = issuer_says(&world, ACCESS_TOKEN, "", &exchange).await;
    assert_eq!(late.0, 400);
}

#[tokio::test]
async fn the_published_tokens_are_read() {
    let srv = json!({
        "originalTenantId": "6bbd",
        "expirationTime": 1_671_776_542,
        "partnerId": "0d79",
        "originalClientId": "7fb9",
        "purpose": "api.rocketlawyer.com/demo/things",
        "brandId": "5ded",
        "owner": "user1",
    });
    let service = json!({
        "iss": "rocketlawyer.com", "aud": "rocketlawyer.com/service-tokens",
        "exp": 1_671_776_542, "iat": 1_633_971_684, "srv": srv,
    });
    let scoped = json!({
        "iss": "rocketlawyer.com", "aud": "rocketlawyer.com/access-tokens",
        "exp": 1_634_007_685, "iat": 1_633_971_685,
        "rl_api_client_id": "7fb9", "rl_user_id": null, "srv": srv, "ci": null,
    });
    let of_2018 = json!({
        "iss": "rocketlawyer.com", "aud": ["rocketlawyer.com/service-tokens"],
        "exp": 1_535_793_097, "iat": 1_527_844_297,
        "srv": {
            "expirationTime": 1_535_793_097, "originalClientId": "d5bf",
            "purpose": "api.rocketlawyer.com/rocketsign/binder/sign", "upid": "f549",
        },
    });
    let world = World::new();
    let lax = any_kind().layer(world.lax().layer());
    for (claims, kind, upid, partner) in [
        (&service, "service", "user1", Some("0d79")),
        (&scoped, "scoped", "user1", Some("0d79")),
        (&of_2018, "service", "f549", None),
    ] {
        let bound: BoundClaims = ClaimSet::parse(claims.to_string()).unwrap().read().unwrap();
        assert_eq!(bound.srv.upid().unwrap(), Some(upid.into()));
        let srv = &claims["srv"];
        assert_eq!(bound.srv.expiration_time, srv["expirationTime"].as_i64());
        assert_eq!(bound.srv.purpose.as_deref(), srv["purpose"].as_str());
        assert_eq!(bound.srv.partner_id.as_deref(), partner);
        let client = claims["rl_api_client_id"].as_str();
        assert_eq!(bound.client_id.as_deref(), client);
        let token = world.token(claims);
        let at = |name: &str| UnixTime::from_secs(claims[name].as_i64().unwrap());
        world.clock.set(at("iat"));
        assert_eq!(ask(&lax, "/", &token).await.body, kind);
        world.clock.set(at("exp"));
        expect(&lax, "/", &token, 401).await;
    }
}

#[tokio::test]
async fn no_token_passes_for_one_of_another_kind() {
    let world = World::new();
    const HEADER: &[&str] = &["Bearer"];
    const BOTH: &[&str] = &["Bearer", "serviceToken"];
    let matrix = |access: &'static [&'static str], service: &'static [&'static str]| {
        let srv = bound("alice", "A");
        let of = |kind, places, token| Specimen {
            kind,
            places,
            token,
        };
        Matrix {
            places: vec![
                Place::bearer(),
                Place::query("serviceToken"),
                Place::header("rl-rdoc-servicetoken"),
                Place::header("rl-binder-id"),
            ],
            specimens: vec![
                of("general", access, world.general()),
                of("scoped", access, world.scoped(srv.clone())),
                of("service", service, world.service(srv)),
            ],
            guards: vec![
                (&["general"], get(async |_: Token<General>| ())),
                (&["scoped"], get(async |_: Token<Scoped>| ())),
                (&["service"], get(async |_: Token<Service>| ())),
                (
                    &["general"],
                    get(async |_: RequireScope<OfKind<General>>| ()),
                ),
                (&["scoped"], get(async |_: RequireScope<OfKind<Scoped>>| ())),
                (
                    &["service"],
                    get(async |_: RequireScope<OfKind<Service>>| ()),
                ),
                (
                    &["scoped", "service"],
                    get(async |_: Claims<BoundClaims>| ()),
                ),
            ],
            second_slot: &[],
        }
    };
    matrix(HEADER, HEADER).hold(&world.lax()).await;
    matrix(BOTH, BOTH).hold(&world.links()).await;
    // Where nobody asked for service tokens they pass for nothing.
    matrix(HEADER, &[]).hold(&world.server()).await;
}

/// A refusal in the words of the system says no more than one in the words of the RFCs.
#[tokio::test]
async fn faults_leave_the_challenge_alone() {
    let world = World::new();
    let routed = |server: ResourceServer| {
        any_kind()
            .route("/scoped", get(async |_: Token<Scoped>| ()))
            .layer(server.layer())
    };
    let (system, plain) = (routed(world.server()), routed(world.plain()));
    for headers in [&[][..], &[("authorization", "Bearer x")]] {
        let one = fetch(&system, "/", headers).await;
        let other = fetch(&plain, "/", headers).await;
        assert_eq!((one.status, other.status), (401, 401));
        let challenge = other.header("www-authenticate");
        assert_eq!(one.header("www-authenticate"), challenge);
        assert_eq!(one.header("content-type"), "application/json");
        let code = "keymanagement.service.invalid_access_token";
        let fault = json!({"faultstring": "Invalid Access Token", "detail": {"errorcode": code}});
        assert_eq!(one.json(), json!({"fault": fault}));
    }
    let answer = ask(&system, "/scoped", &world.general()).await;
    assert_eq!(
        answer.json(),
        json!({
            "status": 403,
            "error": "FORBIDDEN",
            "message": "another kind of access token is needed",
        })
    );
    // Without the layer it is nobody's fault but ours.
    let bare = Router::new().route("/", get(async |_: Token<Scoped>| ()));
    expect(&bare, "/", &world.general(), 500).await;
}
