//! Respoke, statements RS-1 to RS-18.

#[path = "../../examples/issuers/respoke.rs"]
mod issuer;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::routing::{MethodFilter, MethodRouter, get, on, post};
use axum::{Json, Router};
use http::{Method, Request};
use portcullis::profile::respoke::{
    AdminToken, AppLevel, AppSecret, AppToken, Caller, ErrorBody, Found, GroupAction, ListGroups,
    MediaRelay, Session, Sessions, SubscribeToEvents, UnsubscribeFromEvents,
};
use portcullis::testing::{AuthorizationServer, ManualClock, access_token};
use portcullis::{
    AccessToken, Carrier, Claims, Credential, Error, LookupAnswer, LookupVerifier,
    LookupVerifierBuilder, Principal, RequireScope, ResourceGuard, ResourceServer,
    ResourceServerBuilder, StaticTokens, Token, Unavailable, UnixTime, danger,
};
use serde_json::{Value, json};

use crate::confusion::{Matrix, Place, Specimen};
use crate::service::{
    Answer, authenticate, bearer, call, get as get_with, issuer_call, send, text,
};
use crate::watched;
use issuer::{ACCOUNT, APP, APP_SECRET, Admins, DEVELOPED_APP, PASSWORD, Respoke, USERNAME};

const NOW: i64 = 1_420_234_258;

type Header<'a> = (&'a str, &'a str);

const SECRET: Header<'_> = ("App-Secret", APP_SECRET);
const NO_CREDENTIAL: Header<'_> = ("Accept", "*/*");

/// The issuer, its store, and an API behind a gate that looks into it.
struct Site {
    clock: ManualClock,
    issuer: AuthorizationServer,
    store: Respoke,
    server: ResourceServer,
    api: Router,
}

/// A gate for all three levels, with refusals as the RFCs have them.
fn gate(store: &Respoke) -> ResourceServerBuilder {
    let sessions = AppToken::verifier(store.clone()).build().unwrap();
    let apps = StaticTokens::new().token(APP_SECRET, AppSecret::claims(APP).unwrap());
    let admins = LookupVerifier::builder(Admins(store.clone())).build();
    ResourceServer::builder()
        .carrier(Carrier::header("App-Token").unwrap())
        .carrier(Carrier::header("App-Secret").unwrap())
        .carrier(Carrier::header("Admin-Token").unwrap())
        .kind(AppToken::kind(), sessions)
        .kind(AppSecret::kind(), apps.unwrap())
        .kind(AdminToken::kind(), admins.unwrap())
}

/// A gate for endpoints alone.
fn endpoint_gate(sessions: LookupVerifierBuilder) -> ResourceServerBuilder {
    ResourceServer::builder()
        .carrier(Carrier::header("App-Token").unwrap())
        .kind(AppToken::kind(), sessions.build().unwrap())
        .renderer(ErrorBody)
}

impl Site {
    fn new() -> Site {
        Site::with(|store| gate(store).renderer(ErrorBody))
    }

    fn with(gate: impl Fn(&Respoke) -> ResourceServerBuilder) -> Site {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let issuer = watched::builder().clock(clock.clone()).build();
        let store = Respoke::open(&issuer);
        let server = gate(&store).clock(clock.clone()).build().unwrap();
        let api = routes().layer(server.layer());
        Site {
            clock,
            issuer,
            store,
            server,
            api,
        }
    }

    /// A call to the issuer.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        header: Header<'_>,
        body: Value,
    ) -> (u16, Value) {
        let request = Request::builder().method(method).uri(self.issuer.url(path));
        issuer_call(&self.issuer, request.header(header.0, header.1), &body).await
    }

    /// A call to the issuer that goes well.
    async fn issue(&self, path: &str, header: Header<'_>, body: Value) -> Value {
        let (status, body) = self.ask(Method::POST, path, header, body).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn role(&self, role: Value) -> Value {
        self.issue("/v1/roles", SECRET, role).await["id"].clone()
    }

    /// A `tokenId` for the endpoint.
    async fn token_id(&self, endpoint: &str, role: Value) -> String {
        let role = self.role(role).await;
        let body = json!({"appId": APP, "endpointId": endpoint, "roleId": role});
        text(&self.issue("/v1/tokens", SECRET, body).await, "tokenId")
    }

    async fn exchange(&self, token_id: &str) -> String {
        let body = json!({ "tokenId": token_id });
        let session = self.issue("/v1/session-tokens", NO_CREDENTIAL, body).await;
        text(&session, "token")
    }

    /// The App-Token of a session with this role.
    async fn session(&self, endpoint: &str, role: Value) -> String {
        self.exchange(&self.token_id(endpoint, role).await).await
    }

    async fn admin(&self) -> String {
        let body = json!({"username": USERNAME, "password": PASSWORD});
        let session = self.issue("/v1/admin-sessions", NO_CREDENTIAL, body).await;
        text(&session, "token")
    }

    /// The App-Token of a session for development; its role is an administrator's.
    async fn development_session(&self, mut role: Value) -> String {
        role["appId"] = json!(DEVELOPED_APP);
        let admin = self.admin().await;
        let role = self.issue("/v1/roles", ("Admin-Token", &admin), role).await;
        let body = json!({"appId": DEVELOPED_APP, "endpointId": "dev", "roleId": role["id"]});
        let token = self.issue("/v1/tokens", NO_CREDENTIAL, body).await;
        assert_eq!(token["forDevelopment"], true);
        self.exchange(&text(&token, "tokenId")).await
    }

    async fn log_out(&self, token: &str) {
        let header = ("App-Token", token);
        let ended = self.ask(Method::DELETE, "/v1/session-tokens", header, Value::Null);
        assert_eq!(ended.await.0, 200);
    }

    async fn get(&self, path: &str, headers: &[Header<'_>]) -> Answer {
        get_with(&self.api, path, headers).await
    }

    /// What the API answers to `GET /whoami` with this App-Token.
    async fn whoami(&self, token: &str) -> u16 {
        self.get("/whoami", &[("App-Token", token)]).await.status
    }

    async fn status(&self, method: Method, path: &str, header: Header<'_>) -> u16 {
        let request = Request::builder().method(method).uri(path);
        call(&self.api, request.header(header.0, header.1))
            .await
            .status
    }

    /// A request with a JSON body.
    async fn tell(&self, method: Method, path: &str, header: Header<'_>, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let request = request.header(header.0, header.1);
        send(
            &self.api,
            request.body(Body::from(body.to_string())).unwrap(),
        )
        .await
    }
}

type Outcome = Result<String, Error>;

/// An API after Respoke's own.
fn routes() -> Router {
    use GroupAction::{Create, Destroy, GetSubscribers, Publish, Subscribe, Unsubscribe};
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    const DELETE: MethodFilter = MethodFilter::DELETE;
    let subscribers = one(GET, GetSubscribers)
        .merge(one(POST, Subscribe))
        .merge(one(DELETE, Unsubscribe));
    let groups = get(async |_: RequireScope<ListGroups>| ())
        .merge(several(POST, Subscribe))
        .merge(several(DELETE, Unsubscribe));
    let events = post(async |_: RequireScope<SubscribeToEvents>| ())
        .delete(async |_: RequireScope<UnsubscribeFromEvents>| ());
    Router::new()
        .route("/whoami", get(whoami))
        .route("/endpoint-only", get(async |_: Token<AppToken>| ()))
        .route("/roles", post(async |_: RequireScope<AppLevel>| ()))
        .route("/tokens", post(async |_: RequireScope<AppLevel>| ()))
        .route("/turn", post(async |_: RequireScope<MediaRelay>| ()))
        .route("/events", events)
        .route("/groups", groups)
        .route(
            "/channels/{group}",
            one(POST, Create).merge(one(DELETE, Destroy)),
        )
        .route("/channels/{group}/publish", one(POST, Publish))
        .route("/channels/{group}/subscribers", subscribers)
        .route("/messages", post(message))
        .route("/endpoints/{endpointId}/presence", get(presence))
        .route("/recordings/{app}/{account}", get(recording))
        .route("/calls/{number}", post(dial))
}

fn one(method: MethodFilter, action: GroupAction) -> MethodRouter {
    on(
        method,
        async move |session: Claims<Session>, group: Path<String>| {
            session.role.require(action, [&*group])
        },
    )
}

fn several(method: MethodFilter, action: GroupAction) -> MethodRouter {
    on(
        method,
        async move |session: Claims<Session>, groups: Json<Vec<String>>| {
            session.role.require(action, &*groups)
        },
    )
}

async fn whoami(token: AccessToken) -> String {
    format!("{} {}", token.kind(), token.principal())
}

async fn message(caller: Claims<Caller>, Json(body): Json<Value>) -> Outcome {
    caller
        .act_as(body["endpointId"].as_str())
        .map(str::to_owned)
}

async fn presence(caller: Claims<Caller>, endpoint: Path<String>) -> Outcome {
    caller.act_as(Some(&endpoint)).map(str::to_owned)
}

async fn recording(caller: Claims<Caller>, owner: Path<(String, String)>) -> Result<(), Error> {
    caller.require_owner(&owner.0.0, &owner.0.1)
}

async fn dial(session: Claims<Session>, number: Path<String>) -> Result<(), Error> {
    session.require_call(&number)
}

/// A store that knows nothing and remembers what it was asked for.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Sessions for Asked {
    async fn find(&self, token: &str) -> Result<Option<Found>, Unavailable> {
        self.0.lock().unwrap().push(token.to_owned());
        Ok(None)
    }
}

/// A store that finds the same session whatever it is asked for.
struct Always(Value);

impl Sessions for Always {
    async fn find(&self, _: &str) -> Result<Option<Found>, Unavailable> {
        Ok(Some(Found::Session(LookupAnswer::from_serialize(&self.0)?)))
    }
}

#[tokio::test]
async fn rs_01_app_token_is_any_text_looked_up_as_it_stands() {
    let site = Site::new();
    let token = site.session("bobsmith", json!({})).await;
    for name in ["App-Token", "app-token", "APP-TOKEN"] {
        for value in [token.clone(), format!(" {token}  "), format!("{token}\t")] {
            let answer = site.get("/whoami", &[(name, &value)]).await;
            assert_eq!(answer.body, "App-Token bobsmith", "{name}:{value:?}");
        }
    }
    let lower = token.to_lowercase();
    assert_ne!(lower, token);
    assert_eq!(site.whoami(&lower).await, 401);

    // The store is asked for whatever is visible ASCII, up to the cap.
    let asked = Asked::default();
    let server = endpoint_gate(AppToken::verifier(asked.clone())).credential_limit(64);
    let api = routes().layer(server.build().unwrap().layer());
    let (longest, too_long) = ("x".repeat(64), "x".repeat(65));
    for (value, is_asked) in [
        ("!#$%&'()*+-./:;<=>?@[]^_`{|}~\"\\0", true),
        ("34A9DDB9-D4AO-52AA-0ADE-EABEA521F2BA", true),
        (&longest, true),
        (&too_long, false),
        ("", false),
        // A proxy may have joined two headers: whose token it is nobody knows.
        ("a,b", false),
        // What is outside visible ASCII reads one way here and another way elsewhere.
        ("a b", false),
        ("é", false),
    ] {
        let answer = get_with(&api, "/whoami", &[("App-Token", value)]).await;
        assert_eq!(answer.status, 401, "{value}");
        let asked = std::mem::take(&mut *asked.0.lock().unwrap());
        assert_eq!(asked.first().map(String::as_str), is_asked.then_some(value));
    }
}

#[tokio::test]
async fn rs_02_bearer_is_another_place() {
    // What is malformed is a 400 for the RFC, and "not authenticated" for Respoke.
    for (site, malformed) in [(Site::new(), 401), (Site::with(gate), 400)] {
        let bearer = bearer(&site.session("bobsmith", json!({})).await);
        let answer = site.get("/whoami", &[("Authorization", &bearer)]).await;
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("an access token is needed"));
        let answer = site.get("/whoami", &[("App-Token", &bearer)]).await;
        assert_eq!(answer.status, malformed);
        assert!(answer.body.contains("the credential is malformed"));
    }
    // Unless that place is configured.
    let configured = Site::with(|store| {
        let sessions = AppToken::verifier(store.clone()).build().unwrap();
        ResourceServer::builder()
            .carrier(Carrier::bearer())
            .kind(AppToken::kind_in_any_carrier(), sessions)
    });
    let token = configured.session("bobsmith", json!({})).await;
    let bearer = [("Authorization", &*bearer(&token))];
    assert_eq!(configured.get("/whoami", &bearer).await.status, 200);
    assert_eq!(configured.whoami(&token).await, 401);
}

/// A store that counts how often it is asked.
struct Counted(Respoke, Arc<AtomicUsize>);

impl Sessions for Counted {
    async fn find(&self, token: &str) -> Result<Option<Found>, Unavailable> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.find(token).await
    }
}

#[tokio::test]
async fn rs_03_unknown_and_deleted_sessions_are_refused() {
    let site = Site::new();
    let unknown = "F9B2F271-0D25-43CE-A910-DBBF4A54FE6F";
    assert_eq!(site.whoami(unknown).await, 401);

    // An API that does not hear of it remembers the session for as long as it was told.
    let token = site.session("bobsmith", json!({})).await;
    assert_eq!(site.whoami(&token).await, 200);
    site.log_out(&token).await;
    site.clock.advance(Duration::from_millis(29_999));
    assert_eq!(site.whoami(&token).await, 200);
    site.clock.advance(Duration::from_millis(1));
    assert_eq!(site.whoami(&token).await, 401);

    // One that hears of it forgets at once.
    let (server, carrier) = (site.server.clone(), Carrier::header("App-Token").unwrap());
    let forget = move |token: &str| server.forget(&Credential::new(token, &carrier));
    site.store.on_log_out(forget);
    let token = site.session("bobsmith", json!({})).await;
    assert_eq!(site.whoami(&token).await, 200);
    site.log_out(&token).await;
    assert_eq!(site.whoami(&token).await, 401);

    // The cap is the API's own.
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Site::with(|store| {
        let sessions = AppToken::verifier(Counted(store.clone(), asked.clone()));
        endpoint_gate(sessions.remember_accepted(Duration::from_secs(5)))
    });
    let token = counted.session("bobsmith", json!({})).await;
    assert_eq!(counted.whoami(&token).await, 200);
    counted.log_out(&token).await;
    for (after, status, asked_so_far) in [(4_999, 200, 1), (1, 401, 2)] {
        counted.clock.advance(Duration::from_millis(after));
        for _ in 0..2 {
            assert_eq!(counted.whoami(&token).await, status);
            assert_eq!(asked.load(Ordering::Relaxed), asked_so_far);
        }
    }

    // One that remembers nothing need not hear of it.
    let site = Site::with(|store| {
        endpoint_gate(AppToken::verifier(store.clone()).remember_accepted(Duration::ZERO))
    });
    let token = site.session("bobsmith", json!({})).await;
    assert_eq!(site.whoami(&token).await, 200);
    site.log_out(&token).await;
    assert_eq!(site.whoami(&token).await, 401);
}

#[tokio::test]
async fn rs_04_a_session_ends_at_the_second() {
    // Remembered for longer than it lives.
    let hours = Duration::from_secs(9_000);
    let site = Site::with(|store| {
        endpoint_gate(AppToken::verifier(store.clone()).remember_accepted(hours))
    });
    let role = site.role(json!({})).await;
    for (ttl, in_cache) in [(json!(40), true), (json!("40"), true), (json!(40), false)] {
        let body = json!({"endpointId": "bobsmith", "roleId": role, "ttl": ttl});
        let token = site.issue("/v1/tokens", SECRET, body).await;
        let token = site.exchange(&text(&token, "tokenId")).await;
        site.clock.advance(Duration::from_millis(39_999));
        if in_cache {
            assert_eq!(site.whoami(&token).await, 200);
        }
        site.clock.advance(Duration::from_millis(1));
        let answer = site.get("/whoami", &[("App-Token", &token)]).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json(), json!({"error": "the access token expired"}));
    }
}

#[tokio::test]
async fn rs_05_a_token_id_is_no_app_token() {
    let site = Site::new();
    let token_id = site.token_id("bobsmith", json!({})).await;
    assert_eq!(site.whoami(&token_id).await, 401);
    let token = site.exchange(&token_id).await;
    assert_eq!(site.whoami(&token_id).await, 401);
    assert_eq!(site.whoami(&token).await, 200);
    let body = json!({ "tokenId": token_id });
    let again = site.ask(Method::POST, "/v1/session-tokens", NO_CREDENTIAL, body);
    assert_eq!(again.await.0, 401);
}

#[tokio::test]
async fn rs_06_each_level_opens_its_own_routes() {
    let site = Site::new();
    let (token, admin) = (
        site.session("bobsmith", json!({})).await,
        site.admin().await,
    );
    for (header, is, of_endpoint, of_app) in [
        (("App-Token", &*token), "App-Token bobsmith", 200, 403),
        (SECRET, "App-Secret 0DFC", 403, 200),
        (("Admin-Token", &admin), "Admin-Token 9628", 403, 200),
    ] {
        assert_eq!(site.get("/whoami", &[header]).await.body, is);
        let status = site.status(Method::GET, "/endpoint-only", header).await;
        assert_eq!(status, of_endpoint, "{is}");
        for path in ["/roles", "/tokens"] {
            let status = site.status(Method::POST, path, header).await;
            assert_eq!(status, of_app, "{is} {path}");
        }
    }
    // `Claims<Session>` is for endpoints alone, too.
    let rich = json!({"groups": {"*": {"publish": true}}});
    let token = site.session("bobsmith", rich).await;
    for (header, status) in [(("App-Token", &*token), 200), (SECRET, 403)] {
        let path = "/channels/a/publish";
        assert_eq!(site.status(Method::POST, path, header).await, status);
    }

    // Where the header is no configured place, it is as if nothing had been sent.
    let endpoints = Site::with(|store| endpoint_gate(AppToken::verifier(store.clone())));
    let answer = endpoints.get("/endpoint-only", &[SECRET]).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="api""#);
}

#[tokio::test]
async fn rs_07_two_credentials_are_a_bad_request() {
    for site in [Site::new(), Site::with(gate)] {
        let token = site.session("bobsmith", json!({})).await;
        let endpoint = ("App-Token", &*token);
        for two in [
            [endpoint, SECRET],
            [SECRET, endpoint],
            [endpoint, endpoint],
            [endpoint, ("Admin-Token", "nonsense")],
        ] {
            let answer = site.get("/whoami", &two).await;
            assert_eq!(answer.status, 400, "{two:?}");
            let words = "the request carries more than one credential";
            assert!(answer.body.contains(words), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn rs_08_an_endpoint_acts_as_itself_alone() {
    for site in [Site::new(), Site::with(gate)] {
        let (token, admin) = (site.session("bob", json!({})).await, site.admin().await);
        let endpoint = ("App-Token", &*token);
        let admin = ("Admin-Token", &*admin);
        for (header, named, status, acts_as) in [
            (endpoint, json!({"endpointId": "bob"}), 200, "bob"),
            (endpoint, json!({}), 200, "bob"),
            (endpoint, json!({"endpointId": null}), 200, "bob"),
            (endpoint, json!({"endpointId": "alice"}), 403, ""),
            (endpoint, json!({"endpointId": "Bob"}), 403, ""),
            (endpoint, json!({"endpointId": "bob "}), 403, ""),
            (SECRET, json!({"endpointId": "alice"}), 200, "alice"),
            (SECRET, json!({}), 400, ""),
            (SECRET, json!({"endpointId": ""}), 400, ""),
            (admin, json!({"endpointId": "alice"}), 200, "alice"),
            (admin, json!({}), 400, ""),
        ] {
            let what = format!("{} {named}", header.0);
            let answer = site.tell(Method::POST, "/messages", header, named).await;
            assert_eq!(answer.status, status, "{what}");
            if status == 200 {
                assert_eq!(answer.body, acts_as, "{what}");
            }
        }
        for (header, path, status) in [
            (endpoint, "/endpoints/bob/presence", 200),
            (endpoint, "/endpoints/%62ob/presence", 200),
            (endpoint, "/endpoints/alice/presence", 403),
            (SECRET, "/endpoints/alice/presence", 200),
        ] {
            let found = site.status(Method::GET, path, header).await;
            assert_eq!(found, status, "{} {path}", header.0);
        }
    }
}

/// Checks the statuses of `POST /channels/{group}/publish`.
async fn publishes(groups: Value, asked: &[(&str, u16)]) {
    let site = Site::new();
    let token = site.session("bob", json!({ "groups": groups })).await;
    for (group, status) in asked {
        let path = format!("/channels/{group}/publish");
        let found = site
            .status(Method::POST, &path, ("App-Token", &token))
            .await;
        assert_eq!(found, *status, "{group} under {groups}");
    }
}

#[tokio::test]
async fn rs_09_the_most_specific_rule_decides_alone() {
    let (yes, no) = (json!({"publish": true}), json!({"publish": false}));
    let groups = json!({
        "*": yes, "admin": no, "buddylist*": yes, "buddylistroom*": no, "buddylistroom7": yes,
    });
    let asked = [
        ("admin", 403),
        ("admins", 200),
        ("buddylistzoo", 200),
        ("buddylistroom5", 403),
        ("buddylistroom7", 200),
        ("testgroup", 200),
    ];
    publishes(groups, &asked).await;
    // Nor is a broader rule asked where the one that decides says nothing.
    let groups = json!({"*": yes, "a*": {"subscribe": true}});
    publishes(groups, &[("a", 403), ("b", 200)]).await;
    let groups = json!({"a": yes, "b*": yes});
    publishes(groups, &[("a", 200), ("c", 403), ("A", 403)]).await;
}

#[tokio::test]
async fn rs_10_only_a_star_at_the_end_is_a_pattern() {
    let yes = json!({"publish": true});
    let asked = [
        ("buddylist", 200),
        ("buddylistroom1", 200),
        ("buddylis", 403),
    ];
    publishes(json!({"buddylist*": yes}), &asked).await;
    let asked = [
        ("axb", 403),
        ("ab", 403),
        ("a*b", 200),
        ("cx", 403),
        ("c*x", 403),
    ];
    publishes(json!({"a*b": yes, "c**": yes}), &asked).await;
    // A group that is asked for is a name, whatever it looks like.
    let asked = [("*", 403), ("adm*", 403), ("team%2A", 403), ("team7", 200)];
    publishes(json!({"admin": yes, "team7": yes}), &asked).await;
}

#[tokio::test]
async fn rs_11_list_is_a_switch_and_no_group() {
    let (yes, no) = (json!({"publish": true}), json!({"publish": false}));
    for (groups, publish, list) in [
        (json!({"list": true}), 403, 200),
        (json!({"list": yes}), 403, 403),
        (json!({"list": {"list": true}}), 403, 403),
        (json!({"list": true, "li*": yes}), 200, 200),
        (json!({"list": false, "*": yes}), 200, 403),
        (json!({"list": yes, "*": no}), 403, 403),
        (json!({"*": {"list": true}}), 403, 403),
    ] {
        let site = Site::new();
        let token = site.session("bob", json!({ "groups": groups })).await;
        for (method, path, status) in [
            (Method::POST, "/channels/list/publish", publish),
            (Method::GET, "/groups", list),
        ] {
            let found = site.status(method, path, ("App-Token", &token)).await;
            assert_eq!(found, status, "{path} under {groups}");
        }
    }
}

#[tokio::test]
async fn rs_12_absent_is_denied_and_so_is_what_is_not_true() {
    const REQUESTS: [(Method, &str, &str); 10] = [
        (Method::POST, "/turn", "/mediaRelay"),
        (Method::POST, "/events", "/events/subscribe"),
        (Method::DELETE, "/events", "/events/unsubscribe"),
        (Method::GET, "/groups", "/groups/list"),
        (Method::POST, "/channels/a", "/groups/a/create"),
        (Method::DELETE, "/channels/a", "/groups/a/destroy"),
        (Method::POST, "/channels/a/publish", "/groups/a/publish"),
        (
            Method::GET,
            "/channels/a/subscribers",
            "/groups/a/getsubscribers",
        ),
        (
            Method::POST,
            "/channels/a/subscribers",
            "/groups/a/subscribe",
        ),
        (
            Method::DELETE,
            "/channels/a/subscribers",
            "/groups/a/unsubscribe",
        ),
    ];
    let site = Site::new();
    let full = |value: &Value| {
        json!({
            "mediaRelay": value,
            "events": {"subscribe": value, "unsubscribe": value, "future": value},
            "groups": {"list": value, "a": {
                "subscribe": value, "unsubscribe": value, "create": value, "destroy": value,
                "publish": value, "getsubscribers": value, "future": [value],
            }},
            "future": {"list": value},
        })
    };
    for (value, wanted) in [
        (json!(true), 200),
        (json!(false), 403),
        (json!(null), 403),
        (json!("true"), 403),
        (json!(1), 403),
        (json!([true]), 403),
        (json!({"true": true}), 403),
    ] {
        let token = site.session("bob", full(&value)).await;
        for (method, path, _) in REQUESTS {
            let status = site.status(method, path, ("App-Token", &token)).await;
            assert_eq!(status, wanted, "{path} with {value}");
        }
    }
    // A missing key denies what is below it, and nothing else.
    let parents = ["/events", "/groups", "/groups/a"];
    for missing in REQUESTS.map(|(.., key)| key).into_iter().chain(parents) {
        let mut role = full(&json!(true));
        let (parent, key) = missing.rsplit_once('/').unwrap();
        let parent = role.pointer_mut(parent).unwrap();
        parent.as_object_mut().unwrap().remove(key).unwrap();
        let token = site.session("bob", role).await;
        for (method, path, key) in REQUESTS {
            let below = key == missing || key.starts_with(&format!("{missing}/"));
            let status = site.status(method, path, ("App-Token", &token)).await;
            assert_eq!(
                status,
                if below { 403 } else { 200 },
                "{path} without {missing}"
            );
        }
    }
}

#[tokio::test]
async fn rs_13_phone_numbers_are_exact() {
    const NUMBER: &str = "+14087672671";
    let site = Site::new();
    for (pstn_out, number, wanted) in [
        (json!(["*"]), NUMBER, 200),
        (json!(["*"]), "+442071838750", 200),
        (json!(["*"]), "4087672671", 403),
        (json!(["*"]), "+0123456", 403),
        (json!(["*"]), "+1408767267123456", 403),
        (json!(["*"]), "*", 403),
        (json!([NUMBER]), NUMBER, 200),
        (json!([NUMBER]), "+14087672672", 403),
        (json!([NUMBER]), "+1408767267", 403),
        (json!(["+1408*", "+1"]), NUMBER, 403),
        (json!(["112"]), "112", 403),
        (json!(["+1", 14_087_672_671_u64, null]), NUMBER, 403),
        (json!([]), NUMBER, 403),
        (json!(null), NUMBER, 403),
        (json!("*"), NUMBER, 403),
        (json!({"*": true}), NUMBER, 403),
    ] {
        let token = site.session("bob", json!({ "pstnOut": pstn_out })).await;
        let path = format!("/calls/{number}");
        let status = site
            .status(Method::POST, &path, ("App-Token", &token))
            .await;
        assert_eq!(status, wanted, "{number} under {pstn_out}");
    }
    let site = development_site();
    let role = json!({"pstnOut": ["*", NUMBER], "mediaRelay": true});
    let token = site.development_session(role).await;
    for (path, wanted) in [("/calls/+14087672671", 403), ("/turn", 200)] {
        let status = site.status(Method::POST, path, ("App-Token", &token)).await;
        assert_eq!(status, wanted, "{path} in development");
    }
}

fn development_site() -> Site {
    Site::with(|store| endpoint_gate(AppToken::verifier_in_development_mode(store.clone())))
}

#[tokio::test]
async fn rs_14_another_apps_resource_is_denied() {
    let site = Site::new();
    let (token, admin) = (site.session("bob", json!({})).await, site.admin().await);
    let (endpoint, admin) = (("App-Token", &*token), ("Admin-Token", &*admin));
    for (app, account, of_app, of_account) in [
        (APP, ACCOUNT, 200, 200),
        (DEVELOPED_APP, ACCOUNT, 403, 200),
        (DEVELOPED_APP, "1111", 403, 403),
        ("0dfc", ACCOUNT, 403, 200),
    ] {
        let path = format!("/recordings/{app}/{account}");
        for (header, wanted) in [(endpoint, of_app), (SECRET, of_app), (admin, of_account)] {
            let status = site.status(Method::GET, &path, header).await;
            assert_eq!(status, wanted, "{} {path}", header.0);
        }
    }
    // The same as data, where the path names the app.
    let guard = ResourceGuard::path("/apps/{appId}/stats").param_is("appId", ["/appId"]);
    let stats = Router::new().route("/apps/{appId}/stats", get(async || ()));
    let stats = stats.layer(guard.build().unwrap().layer());
    let api = stats.layer(site.server.layer());
    for (header, app, wanted) in [
        (endpoint, APP, 200),
        (endpoint, DEVELOPED_APP, 403),
        (SECRET, APP, 200),
        (admin, APP, 403),
    ] {
        let answer = get_with(&api, &format!("/apps/{app}/stats"), &[header]).await;
        assert_eq!(answer.status, wanted, "{} {app}", header.0);
    }
}

#[tokio::test]
async fn rs_15_development_mode_is_off_unless_switched_on() {
    for (site, status) in [(Site::new(), 401), (development_site(), 200)] {
        let token = site.development_session(json!({})).await;
        assert_eq!(site.whoami(&token).await, status);
        let token = site.session("bob", json!({})).await;
        assert_eq!(site.whoami(&token).await, 200, "sessions in production");
    }
}

#[tokio::test]
async fn rs_16_secrets_stay_secret() {
    watched::listen();
    for site in [Site::new(), Site::with(gate)] {
        let token_id = site.token_id("bob", json!({})).await;
        let ended = site.session("bob", json!({})).await;
        site.log_out(&ended).await;
        let poor = site.session("bob", json!({})).await;
        let dev = site.development_session(json!({})).await;
        // Nearly right is wrong: another first letter, another last, the last one missing.
        let (first, last) = (
            format!("3{}", &APP_SECRET[1..]),
            format!("{}B", &APP_SECRET[..35]),
        );
        for (name, value, status) in [
            ("App-Token", &*token_id, 401),
            ("App-Token", &ended, 401),
            ("App-Token", &dev, 401),
            ("App-Token", &poor, 403),
            ("App-Secret", &first, 401),
            ("App-Secret", &last, 401),
            ("App-Secret", &APP_SECRET[..35], 401),
            ("App-Secret", &poor, 401),
            ("Admin-Token", APP_SECRET, 401),
            ("App-Secret", APP_SECRET, 403),
        ] {
            let answer = call(&site.api, Request::post("/turn").header(name, value)).await;
            assert_eq!(answer.status, status, "{name}");
            let shown = format!("{:?} {}", answer.headers, answer.body);
            assert!(!shown.contains(value), "{name}: {shown}");
            let heard = watched::heard();
            assert!(!heard.contains(value), "{name} is in the log: {heard}");
        }
    }
    for line in [
        "credential is a tokenId, wanted the session it buys",
        "session is for development, wanted development mode",
        "credential is none of the static secrets",
        "the store does not know the token",
    ] {
        let heard = watched::heard();
        assert!(heard.contains(line), "{line:?} is not in the log: {heard}");
    }
    // No stopwatch can tell that secrets are compared in constant time; the source can.
    let source = include_str!("../../src/introspection/known.rs");
    assert!(source.contains("verify_slices_are_equal(&known[..], &shown[..])"));
}

#[tokio::test]
async fn rs_17_the_query_counts_where_a_route_opts_in() {
    let site = Site::new();
    let token = site.session("bob", json!({})).await;
    let sessions = AppToken::verifier(site.store.clone()).build().unwrap();
    let handshakes = ResourceServer::builder()
        .carrier(danger::websocket_query("app-token"))
        .carrier(Carrier::header("App-Token").unwrap())
        .kind(AppToken::kind_in_any_carrier(), sessions)
        .clock(site.clock.clone())
        .build()
        .unwrap();
    let socket = Router::new().route("/websocket", get(whoami));
    let api = site.api.clone().merge(socket.layer(handshakes.layer()));
    let request =
        |path, query, value| Request::get(format!("{path}?Respoke-SDK=js&{query}={value}"));
    let upgrade = |path, query, value| request(path, query, value).header("upgrade", "websocket");
    for (what, request, status) in [
        ("opted in", upgrade("/websocket", "app-token", &*token), 200),
        (
            "another route",
            upgrade("/whoami", "app-token", &token),
            401,
        ),
        (
            "no handshake",
            request("/websocket", "app-token", &token),
            401,
        ),
        (
            "another level",
            upgrade("/websocket", "app-secret", APP_SECRET),
            401,
        ),
        (
            "a secret",
            upgrade("/websocket", "app-token", APP_SECRET),
            401,
        ),
        (
            "twice",
            upgrade("/websocket", "app-token", &token).header("App-Token", &token),
            400,
        ),
    ] {
        assert_eq!(call(&api, request).await.status, status, "{what}");
    }
}

#[tokio::test]
async fn rs_18_in_bulk_every_group_counts() {
    let site = Site::new();
    let (join, leave) = (json!({"subscribe": true}), json!({"unsubscribe": true}));
    let groups = json!({"a": join, "b*": join, "b2": {}, "*": leave});
    let token = site.session("bob", json!({ "groups": groups })).await;
    for (method, groups, wanted) in [
        (Method::POST, json!(["a", "b1"]), 200),
        (Method::POST, json!(["a", "b1", "b2"]), 403),
        (Method::POST, json!(["b2", "a"]), 403),
        (Method::POST, json!(["a", "c"]), 403),
        (Method::POST, json!(["*"]), 403),
        (Method::POST, json!([]), 400),
        (Method::DELETE, json!(["c", "d"]), 200),
        (Method::DELETE, json!(["c", "a"]), 403),
    ] {
        let what = format!("{method} {groups}");
        let answer = site
            .tell(method, "/groups", ("App-Token", &token), groups)
            .await;
        assert_eq!(answer.status, wanted, "{what}");
    }
}

#[tokio::test]
async fn each_credential_in_each_place_before_each_guard() {
    let site = Site::new();
    let specimen = |kind, places, token| Specimen {
        kind,
        places,
        token,
    };
    let matrix = Matrix {
        places: vec![
            Place::header("App-Token"),
            Place::header("App-Secret"),
            Place::header("Admin-Token"),
            Place::bearer(),
            Place::websocket_query("app-token"),
        ],
        specimens: vec![
            specimen(
                "App-Token",
                &["App-Token"],
                site.session("bob", json!({})).await,
            ),
            specimen("App-Secret", &["App-Secret"], APP_SECRET.to_owned()),
            specimen("Admin-Token", &["Admin-Token"], site.admin().await),
            specimen("tokenId", &[], site.token_id("bob", json!({})).await),
            specimen(
                "development",
                &[],
                site.development_session(json!({})).await,
            ),
        ],
        guards: vec![
            (&["App-Token"], get(async |_: Token<AppToken>| ())),
            (&["App-Token"], get(async |_: Claims<Session>| ())),
            (&["App-Secret"], get(async |_: Token<AppSecret>| ())),
            (&["Admin-Token"], get(async |_: Token<AdminToken>| ())),
            (
                &["App-Secret", "Admin-Token"],
                get(async |_: RequireScope<AppLevel>| ()),
            ),
            (
                &["App-Token", "App-Secret", "Admin-Token"],
                get(async |_: Claims<Caller>| ()),
            ),
        ],
        second_slot: &[],
    };
    matrix.hold(&site.server).await;
}

#[tokio::test]
async fn what_the_store_lacks_is_its_own_fault() {
    let ends = NOW + 60;
    for (member, value, status) in [
        ("note", json!("ignored"), 200),
        ("appId", json!(""), 503),
        ("endpointId", json!(7), 503),
        ("expiryTime", json!(null), 503),
        ("expiryTime", json!(ends * 1000), 503),
        ("expiryTime", json!(ends.to_string()), 200),
        ("forDevelopment", json!(null), 503),
        ("forDevelopment", json!("false"), 503),
    ] {
        let mut row = json!({
            "appId": APP, "endpointId": "bob", "expiryTime": ends, "forDevelopment": false,
        });
        row[member] = value;
        let site = Site::with(|_| endpoint_gate(AppToken::verifier(Always(row.clone()))));
        assert_eq!(site.whoami("x").await, status, "{row}");
        // Without a role nothing is permitted that needs one.
        let path = "/channels/a/publish";
        let publish = site.status(Method::POST, path, ("App-Token", "x")).await;
        assert_eq!(publish, if status == 503 { 503 } else { 403 }, "{row}");
    }
}

#[tokio::test]
async fn the_published_samples_are_read() {
    // As recorded in January 2015.
    let token = json!({
        "appId": "0dfc", "endpointId": "foo-bar", "roleId": "56BD", "accountId": "9628",
        "createTime": NOW, "expiryTime": 1_420_320_658, "id": "E449", "forDevelopment": false,
        "createdAt": "2015-01-02T21:30:58.539Z", "tokenId": "E449",
    });
    let mut row = token.clone();
    row["role"] = json!({
        "id": "56BD", "name": "new-role", "appId": "0dfc", "accountId": "9628", "mediaRelay": false,
        "events": {}, "groups": {}, "pstnOut": [], "callerIds": [],
    });
    let site = Site::with(|_| endpoint_gate(AppToken::verifier(Always(row.clone()))));
    let read = authenticate(&site.server, "App-Token", "1834AD29").await;
    let read = read.unwrap().unwrap();
    assert_eq!(read.expires_at(), Some(UnixTime::from_secs(1_420_320_658)));
    assert_eq!(read.principal(), Principal::Subject("foo-bar"));
    let Caller::Endpoint(session) = &*read.claims_as::<Caller>().unwrap() else {
        panic!("an App-Token is an endpoint's");
    };
    assert_eq!(session.app_id, "0dfc");
    assert_eq!(session.endpoint_id, "foo-bar");
    assert!(!session.for_development);

    // The issuer here answers in the recorded shapes.
    let site = Site::new();
    site.role(json!({"name": "new-role"})).await;
    let wish = json!({"appId": APP, "endpointId": "foo-bar", "roleName": "new-role"});
    let issued = site.issue("/v1/tokens", SECRET, wish).await;
    let members = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(members(&issued), members(&token));
    for member in ["createTime", "expiryTime", "forDevelopment", "accountId"] {
        assert_eq!(issued[member], token[member], "{member}");
    }
    let wish = json!({"tokenId": issued["tokenId"], "appId": APP});
    let session = site.issue("/v1/session-tokens", NO_CREDENTIAL, wish).await;
    assert_eq!(session["message"], "Authorization successful");
    let wanted = BTreeSet::from(["message", "token"].map(str::to_owned));
    assert_eq!(members(&session), wanted);
}

#[test]
fn refusals_say_what_was_found_and_wanted() {
    let bob = access_token(json!({
        "level": "App-Token", "appId": "0DFC", "endpointId": "bob", "forDevelopment": false,
        "role": {"groups": {"team*": {"publish": true}}},
    }));
    let dev = access_token(json!({
        "level": "App-Token", "appId": "0DFC", "endpointId": "bob", "forDevelopment": true,
    }));
    let caller = |token: &AccessToken| token.claims_as::<Caller>().unwrap();
    let app = caller(&access_token(
        json!({"level": "App-Secret", "appId": "0DFC"}),
    ));
    let admin = caller(&access_token(
        json!({"level": "Admin-Token", "accountId": "9628"}),
    ));
    let session = |token: &AccessToken| token.claims_as::<Session>().unwrap();
    let role = &session(&bob).role;
    for (outcome, sentence) in [
        (
            caller(&bob).act_as(Some("alice")).map(|_| ()),
            r#"endpointId is "alice", wanted "bob" as in the session"#,
        ),
        (
            app.act_as(None).map(|_| ()),
            "endpointId is absent, wanted the endpoint to act as",
        ),
        (
            app.require_owner("D76D", "9628"),
            r#"appId of the resource is "D76D", wanted "0DFC""#,
        ),
        (
            admin.require_owner("0DFC", "1"),
            r#"accountId of the resource is "1", wanted "9628""#,
        ),
        (
            role.require(GroupAction::GetSubscribers, ["team7"]),
            r#"rule for group "team7" is "team*", wanted one that permits getsubscribers"#,
        ),
        (
            role.require(GroupAction::Publish, ["team7", "lobby"]),
            r#"rule for group "lobby" is absent, wanted one that permits publish"#,
        ),
        (
            role.require(GroupAction::Publish, [""; 0]),
            "groups are empty, wanted at least one",
        ),
        (
            session(&bob).require_call("112"),
            r#"number is "112", wanted an E.164 number of pstnOut"#,
        ),
        (
            session(&dev).require_call("+14087672671"),
            "session is for development, wanted one that may call phones",
        ),
    ] {
        assert_eq!(outcome.unwrap_err().to_string(), sentence);
    }
}

/// Handlers are tested without tokens: the level says which kind the claims are of.
#[tokio::test]
async fn claims_stand_in_for_tokens() {
    let server = Site::new().server;
    for (level, status) in [("App-Token", 200), ("App-Secret", 403)] {
        let api = routes().layer(server.with_claims(json!({ "level": level })));
        assert_eq!(get_with(&api, "/endpoint-only", &[]).await.status, status);
    }
}

/// A store that finds a row by its `tokenId`, and does not say that it is one.
#[tokio::test]
async fn a_careless_store_lets_no_token_id_pass() {
    let row = |member: &str, id: &str| {
        let mut row = json!({
            "appId": APP, "endpointId": "bob", "expiryTime": NOW + 60, "forDevelopment": false,
        });
        row[member] = json!(id);
        row
    };
    let site_of =
        |row: Value| Site::with(move |_| endpoint_gate(AppToken::verifier(Always(row.clone()))));
    for (row, status) in [
        (row("tokenId", "E449"), 401),
        (row("token_id", "E449"), 401),
        (row("id", "E449"), 401),
        (row("id", "e449"), 401),
        (row("id", "E44"), 200),
        (row("roleId", "E449"), 200),
    ] {
        assert_eq!(site_of(row.clone()).whoami("E449").await, status, "{row}");
    }
}

#[tokio::test]
async fn a_comma_or_a_blank_is_refused_unread() {
    for value in ["F9B2,F9B3", "F9B2 F9B3", "F9B2, x=1"] {
        let asked = Asked::default();
        let gate = |_: &Respoke| endpoint_gate(AppToken::verifier(asked.clone()));
        assert_eq!(Site::with(gate).whoami(value).await, 401, "{value}");
        assert_eq!(Site::with(self::gate).whoami(value).await, 400, "{value}");
        assert!(asked.0.lock().unwrap().is_empty(), "{value}");
    }
}
