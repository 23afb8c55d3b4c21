//! Respoke, statements RS-1 to RS-18.

#[path = "../../examples/issuers/respoke.rs"]
mod issuer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use http::{Method, Request};
use portcullis::profile::respoke::{
    AdminToken, AppLevel, AppSecret, AppToken, Caller, ErrorBody, GroupAction, ListGroups,
    MediaRelay, Session, SubscribeToEvents, UnsubscribeFromEvents,
};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    AccessToken, Carrier, Claims, Credential, Error, Fetch, LookupAnswer, OfKind, Principal,
    RequireScope, ResourceGuard, ResourceServer, ResourceServerBuilder, StaticTokens, Token,
    UnixTime, danger,
};
use serde_json::{Value, json};

use crate::confusion::{Specimen, confuse};
use crate::service::{Answer, bearer, call, get as get_with, send};
use issuer::{ACCOUNT, APP, APP_SECRET, Admins, DEVELOPED_APP, PASSWORD, Respoke, USERNAME};

const NOW: i64 = 1_420_234_258;

/// The issuer, its store, and an API behind a gate that looks into it.
struct Site {
    clock: ManualClock,
    issuer: AuthorizationServer,
    store: Respoke,
    server: ResourceServer,
    api: Router,
}

/// All three levels, as the example in the profile has them.
fn gate(clock: &ManualClock, store: &Respoke) -> ResourceServerBuilder {
    let apps = StaticTokens::new().token(APP_SECRET, AppSecret::claims(APP).unwrap());
    let admins = portcullis::LookupVerifier::builder(Admins(store.clone()));
    let sessions = AppToken::verifier(store.clone());
    carriers()
        .kind(AppToken::kind(), sessions.build().unwrap())
        .kind(AppSecret::kind(), apps.unwrap())
        .kind(AdminToken::kind(), admins.build().unwrap())
        .clock(clock.clone())
}

fn carriers() -> ResourceServerBuilder {
    ["App-Token", "App-Secret", "Admin-Token"]
        .into_iter()
        .map(|name| Carrier::header(name).unwrap())
        .fold(ResourceServer::builder(), ResourceServerBuilder::carrier)
}

impl Site {
    fn new() -> Site {
        Site::with(|clock, store| gate(clock, store).renderer(ErrorBody))
    }

    fn with(gate: impl Fn(&ManualClock, &Respoke) -> ResourceServerBuilder) -> Site {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let issuer = AuthorizationServer::builder().clock(clock.clone()).build();
        let store = Respoke::open(&issuer);
        let server = gate(&clock, &store).build().unwrap();
        let api = routes().layer(server.layer());
        Site {
            clock,
            issuer,
            store,
            server,
            api,
        }
    }

    /// Calls the issuer.
    async fn issue(
        &self,
        method: Method,
        path: &str,
        header: (&str, &str),
        body: Value,
    ) -> (u16, Value) {
        let request = Request::builder().method(method).uri(self.issuer.url(path));
        let request = request.header(header.0, header.1);
        let request = request.body(body.to_string().into_bytes()).unwrap();
        let answer = self.issuer.fetcher().fetch(request, 4096).await.unwrap();
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        (answer.status().as_u16(), body)
    }

    async fn post(&self, path: &str, header: (&str, &str), body: Value) -> Value {
        let (status, body) = self.issue(Method::POST, path, header, body).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn role(&self, role: Value) -> String {
        let role = self
            .post("/v1/roles", ("App-Secret", APP_SECRET), role)
            .await;
        text(&role, "id")
    }

    /// A `tokenId` for the endpoint, good for a day.
    async fn token_id(&self, endpoint: &str, role: &str) -> String {
        let body = json!({"appId": APP, "endpointId": endpoint, "roleId": role});
        let token = self
            .post("/v1/tokens", ("App-Secret", APP_SECRET), body)
            .await;
        text(&token, "tokenId")
    }

    async fn exchange(&self, token_id: &str) -> String {
        let body = json!({ "tokenId": token_id });
        text(
            &self
                .post("/v1/session-tokens", ("Accept", "*/*"), body)
                .await,
            "token",
        )
    }

    /// The App-Token of a session with this role.
    async fn session(&self, endpoint: &str, role: Value) -> String {
        let role = self.role(role).await;
        let token_id = self.token_id(endpoint, &role).await;
        self.exchange(&token_id).await
    }

    async fn admin(&self) -> String {
        let body = json!({"username": USERNAME, "password": PASSWORD});
        text(
            &self
                .post("/v1/admin-sessions", ("Accept", "*/*"), body)
                .await,
            "token",
        )
    }

    /// A session for development, whose role an administrator made.
    async fn development_session(&self, role: Value) -> String {
        let admin = self.admin().await;
        let mut body = role;
        body["appId"] = json!(DEVELOPED_APP);
        let role = self.post("/v1/roles", ("Admin-Token", &admin), body).await;
        let body = json!({"appId": DEVELOPED_APP, "endpointId": "dev", "roleId": role["id"]});
        let token = self.post("/v1/tokens", ("Accept", "*/*"), body).await;
        assert_eq!(token["forDevelopment"], true);
        self.exchange(&text(&token, "tokenId")).await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        get_with(&self.api, path, headers).await
    }

    async fn status(&self, method: Method, path: &str, header: (&str, &str)) -> u16 {
        let request = Request::builder().method(method).uri(path);
        call(&self.api, request.header(header.0, header.1))
            .await
            .status
    }
}

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_default().to_owned()
}

/// An API after Respoke's own.
fn routes() -> Router {
    Router::new()
        .route("/whoami", get(whoami))
        .route("/endpoint-only", get(async |_: Token<AppToken>| "endpoint"))
        .route("/roles", post(async |_: RequireScope<AppLevel>| "app"))
        .route("/tokens", post(async |_: RequireScope<AppLevel>| "app"))
        .route("/turn", post(async |_: RequireScope<MediaRelay>| "turn"))
        .route(
            "/events",
            post(async |_: RequireScope<SubscribeToEvents>| "events")
                .delete(async |_: RequireScope<UnsubscribeFromEvents>| "events"),
        )
        .route(
            "/groups",
            get(async |_: RequireScope<ListGroups>| "groups")
                .post(bulk)
                .delete(bulk),
        )
        .route("/channels/{group}", post(create).delete(create))
        .route("/channels/{group}/publish", post(publish))
        .route("/channels/{group}/subscribers", any(subscribers))
        .route("/messages", post(message))
        .route("/endpoints/{endpointId}/presence", get(presence))
        .route("/recordings/{app}/{account}", get(recording))
        .route("/calls/{number}", post(dial))
}

async fn whoami(token: AccessToken) -> String {
    format!("{} {}", token.kind(), token.principal())
}

async fn publish(session: Claims<Session>, group: Path<String>) -> Result<&'static str, Error> {
    session.role.require(GroupAction::Publish, [&*group])?;
    Ok("published")
}

async fn create(
    method: Method,
    session: Claims<Session>,
    group: Path<String>,
) -> Result<&'static str, Error> {
    let action = match method {
        Method::POST => GroupAction::Create,
        _ => GroupAction::Destroy,
    };
    session.role.require(action, [&*group])?;
    Ok("done")
}

async fn subscribers(
    method: Method,
    session: Claims<Session>,
    group: Path<String>,
) -> Result<&'static str, Error> {
    session.role.require(by_method(&method), [&*group])?;
    Ok("done")
}

async fn bulk(
    method: Method,
    session: Claims<Session>,
    Json(body): Json<Groups>,
) -> Result<&'static str, Error> {
    session.role.require(by_method(&method), &body.groups)?;
    Ok("done")
}

#[derive(serde::Deserialize)]
struct Groups {
    groups: Vec<String>,
}

fn by_method(method: &Method) -> GroupAction {
    match *method {
        Method::POST => GroupAction::Subscribe,
        Method::DELETE => GroupAction::Unsubscribe,
        _ => GroupAction::GetSubscribers,
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acting {
    endpoint_id: Option<String>,
}

async fn message(caller: Claims<Caller>, Json(body): Json<Acting>) -> Result<String, Error> {
    caller
        .act_as(body.endpoint_id.as_deref())
        .map(str::to_owned)
}

async fn presence(caller: Claims<Caller>, endpoint: Path<String>) -> Result<String, Error> {
    caller.act_as(Some(&endpoint)).map(str::to_owned)
}

async fn recording(
    caller: Claims<Caller>,
    Path((app, account)): Path<(String, String)>,
) -> Result<&'static str, Error> {
    caller.require_owner(&app, &account)?;
    Ok("recording")
}

async fn dial(session: Claims<Session>, number: Path<String>) -> Result<&'static str, Error> {
    session.require_call(&number)?;
    Ok("ringing")
}

#[tokio::test]
async fn rs_01_app_token_is_any_text_looked_up_as_it_stands() {
    let site = Site::new();
    let token = site.session("bobsmith", json!({})).await;
    for name in ["App-Token", "app-token", "APP-TOKEN"] {
        for value in [token.clone(), format!(" {token}  "), format!("{token}\t")] {
            let answer = site.get("/whoami", &[(name, &value)]).await;
            assert_eq!(
                (answer.status, &*answer.body),
                (200, "App-Token bobsmith"),
                "{name}:{value:?}"
            );
        }
    }
    // Letters of the other case are another token.
    let lower = token.to_lowercase();
    assert_ne!(lower, token);
    assert_eq!(
        site.get("/whoami", &[("App-Token", &lower)]).await.status,
        401
    );

    // No UUID is demanded: the store is asked for whatever is visible ASCII, up to the cap.
    let anything: &str = "!#$%&'()*+-./:;<=>?@[]^_`{|}~\"\\0";
    let asked = Asked::default();
    let strict = carriers()
        .kind(
            AppToken::kind(),
            AppToken::verifier(asked.clone()).build().unwrap(),
        )
        .kind(AppSecret::kind(), StaticTokens::new())
        .kind(AdminToken::kind(), StaticTokens::new())
        .credential_limit(64)
        .build()
        .unwrap();
    let api = routes().layer(strict.layer());
    for (value, status, is_asked) in [
        (anything.to_owned(), 401, true),
        ("34A9DDB9-D4AO-52AA-0ADE-EABEA521F2BA".to_owned(), 401, true),
        ("x".repeat(64), 401, true),
        ("x".repeat(65), 400, false),
        (String::new(), 400, false),
    ] {
        let answer = get_with(&api, "/whoami", &[("App-Token", &value)]).await;
        assert_eq!(answer.status, status, "{value}");
        assert_eq!(
            asked.take(),
            is_asked.then_some(value).into_iter().collect::<Vec<_>>()
        );
    }
}

/// A store that knows nothing and remembers what it was asked for.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl portcullis::profile::respoke::Sessions for Asked {
    async fn find(
        &self,
        token: &str,
    ) -> Result<Option<portcullis::profile::respoke::Found>, portcullis::Unavailable> {
        self.0.lock().unwrap().push(token.to_owned());
        Ok(None)
    }
}

#[tokio::test]
async fn rs_02_bearer_is_another_place() {
    let site = Site::new();
    let token = site.session("bobsmith", json!({})).await;
    let authorization = bearer(&token);
    let answer = site
        .get("/whoami", &[("Authorization", &authorization)])
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json(), json!({"error": "an access token is needed"}));

    // With the prefix it is no token at all: malformed for the RFC, "not authenticated" for Respoke.
    let answer = site.get("/whoami", &[("App-Token", &authorization)]).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.json(),
        json!({"error": "the credential is malformed"})
    );
    let rfc = Site::with(gate);
    let answer = rfc.get("/whoami", &[("App-Token", &authorization)]).await;
    assert_eq!(answer.status, 400);

    // Unless that place is configured; then it is another kind's.
    let both = Site::with(|clock, store| {
        let sessions = AppToken::verifier(store.clone()).build().unwrap();
        ResourceServer::builder()
            .carrier(Carrier::bearer())
            .kind(AppToken::websocket_kind(), sessions)
            .clock(clock.clone())
    });
    let authorization = bearer(&both.session("bobsmith", json!({})).await);
    let answer = both
        .get("/whoami", &[("Authorization", &authorization)])
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn rs_03_unknown_and_deleted_sessions_are_refused() {
    let site = Site::new();
    let unknown = [("App-Token", "F9B2F271-0D25-43CE-A910-DBBF4A54FE6F")];
    assert_eq!(site.get("/whoami", &unknown).await.status, 401);

    // Deleted, and this API takes part in it.
    let (server, carrier) = (site.server.clone(), Carrier::header("App-Token").unwrap());
    let forget = move |token: &str| server.forget(&Credential::new(token, &carrier));
    let log_out = async |site: &Site, token: &str| {
        let deleted = site.issue(
            Method::DELETE,
            "/v1/session-tokens",
            ("App-Token", token),
            Value::Null,
        );
        assert_eq!(deleted.await.0, 200);
    };
    // Another API does not hear of it: it remembers for as long as it was told, 30 seconds.
    let first = site.session("bobsmith", json!({})).await;
    assert_eq!(
        site.get("/whoami", &[("App-Token", &first)]).await.status,
        200
    );
    log_out(&site, &first).await;
    site.clock.advance(Duration::from_millis(29_999));
    assert_eq!(
        site.get("/whoami", &[("App-Token", &first)]).await.status,
        200
    );
    site.clock.advance(Duration::from_millis(1));
    assert_eq!(
        site.get("/whoami", &[("App-Token", &first)]).await.status,
        401
    );

    site.store.on_log_out(forget);
    let second = site.session("bobsmith", json!({})).await;
    assert_eq!(
        site.get("/whoami", &[("App-Token", &second)]).await.status,
        200
    );
    log_out(&site, &second).await;
    assert_eq!(
        site.get("/whoami", &[("App-Token", &second)]).await.status,
        401
    );

    // An API that was told to remember nothing.
    let forgetful = Site::with(|clock, store| {
        let sessions = AppToken::verifier(store.clone()).remember_accepted(Duration::ZERO);
        ResourceServer::builder()
            .carrier(Carrier::header("App-Token").unwrap())
            .kind(AppToken::kind(), sessions.build().unwrap())
            .clock(clock.clone())
    });
    let token = forgetful.session("bobsmith", json!({})).await;
    assert_eq!(
        forgetful
            .get("/whoami", &[("App-Token", &token)])
            .await
            .status,
        200
    );
    log_out(&forgetful, &token).await;
    assert_eq!(
        forgetful
            .get("/whoami", &[("App-Token", &token)])
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn rs_04_a_session_ends_at_the_second() {
    // Remembered for longer than it lives, so that the cache is what is tested.
    let site = Site::with(|clock, store| {
        let sessions =
            AppToken::verifier(store.clone()).remember_accepted(Duration::from_secs(9_000));
        ResourceServer::builder()
            .carrier(Carrier::header("App-Token").unwrap())
            .kind(AppToken::kind(), sessions.build().unwrap())
            .clock(clock.clone())
            .renderer(ErrorBody)
    });
    let role = site.role(json!({})).await;
    for (ttl, warm) in [(json!(40), true), (json!("40"), true), (json!(40), false)] {
        let body = json!({"endpointId": "bobsmith", "roleId": role, "ttl": ttl});
        let token = site
            .post("/v1/tokens", ("App-Secret", APP_SECRET), body)
            .await;
        let lifetime =
            token["expiryTime"].as_i64().unwrap() - token["createTime"].as_i64().unwrap();
        assert_eq!(lifetime, 40);
        let token = site.exchange(&text(&token, "tokenId")).await;
        let header = [("App-Token", &*token)];
        if warm {
            assert_eq!(site.get("/whoami", &header).await.status, 200);
        }
        site.clock.advance(Duration::from_millis(39_999));
        if warm {
            assert_eq!(site.get("/whoami", &header).await.status, 200);
        }
        site.clock.advance(Duration::from_millis(1));
        let answer = site.get("/whoami", &header).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json(), json!({"error": "the access token expired"}));
    }
}

#[tokio::test]
async fn rs_05_a_token_id_is_no_app_token() {
    let site = Site::new();
    let role = site.role(json!({})).await;
    let token_id = site.token_id("bobsmith", &role).await;
    assert_eq!(
        site.get("/whoami", &[("App-Token", &token_id)])
            .await
            .status,
        401
    );
    let token = site.exchange(&token_id).await;
    assert_eq!(
        site.get("/whoami", &[("App-Token", &token_id)])
            .await
            .status,
        401
    );
    assert_eq!(
        site.get("/whoami", &[("App-Token", &token)]).await.status,
        200
    );
    // And it buys once.
    let body = json!({ "tokenId": token_id });
    let again = site.issue(Method::POST, "/v1/session-tokens", ("Accept", "*/*"), body);
    assert_eq!(again.await.0, 401);
}

#[tokio::test]
async fn rs_06_each_level_opens_its_own_routes() {
    let site = Site::new();
    let (token, admin) = (
        site.session("bobsmith", json!({})).await,
        site.admin().await,
    );
    let endpoint = ("App-Token", &*token);
    let app = ("App-Secret", APP_SECRET);
    let admin = ("Admin-Token", &*admin);
    for (header, of_endpoint, of_app) in [(endpoint, 200, 403), (app, 403, 200), (admin, 403, 200)]
    {
        let status = site.status(Method::GET, "/endpoint-only", header).await;
        assert_eq!(status, of_endpoint, "{}", header.0);
        for path in ["/roles", "/tokens"] {
            let status = site.status(Method::POST, path, header).await;
            assert_eq!(status, of_app, "{} {path}", header.0);
        }
        // `Claims<Session>` is for endpoints, too.
        let calls = site
            .status(Method::POST, "/channels/a/publish", header)
            .await;
        assert_eq!(calls, 403, "{}", header.0);
    }
    assert_eq!(
        site.get("/whoami", &[app]).await.body,
        format!("App-Secret {APP}")
    );
    assert_eq!(
        site.get("/whoami", &[admin]).await.body,
        format!("Admin-Token {ACCOUNT}")
    );

    // Where the header is no configured place, it is as if nothing had been sent.
    let endpoints = Site::with(|clock, store| {
        ResourceServer::builder()
            .carrier(Carrier::header("App-Token").unwrap())
            .kind(
                AppToken::kind(),
                AppToken::verifier(store.clone()).build().unwrap(),
            )
            .clock(clock.clone())
    });
    let answer = endpoints.get("/endpoint-only", &[app]).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="api""#);
}

#[tokio::test]
async fn rs_07_two_credentials_are_a_bad_request() {
    for site in [Site::new(), Site::with(gate)] {
        let token = site.session("bobsmith", json!({})).await;
        let (endpoint, app) = (("App-Token", &*token), ("App-Secret", APP_SECRET));
        for two in [[endpoint, app], [app, endpoint], [endpoint, endpoint]] {
            let answer = site.get("/whoami", &two).await;
            assert_eq!(answer.status, 400);
            let words = "the request carries more than one credential";
            assert!(answer.body.contains(words), "{}", answer.body);
        }
        // Nor does a broken one beside a good one count for nothing.
        for second in [("App-Secret", "nonsense"), ("Admin-Token", "")] {
            let status = site.get("/whoami", &[endpoint, second]).await.status;
            assert!(matches!(status, 400 | 401), "{status}");
        }
    }
}

#[tokio::test]
async fn rs_08_an_endpoint_acts_as_itself_alone() {
    for (site, error) in [(Site::new(), true), (Site::with(gate), false)] {
        let bob = site.session("bob", json!({})).await;
        let admin = site.admin().await;
        let endpoint = ("App-Token", &*bob);
        let app = ("App-Secret", APP_SECRET);
        let admin = ("Admin-Token", &*admin);
        for (header, named, status, body) in [
            (endpoint, json!({"endpointId": "bob"}), 200, "bob"),
            (endpoint, json!({}), 200, "bob"),
            (endpoint, json!({"endpointId": null}), 200, "bob"),
            (
                endpoint,
                json!({"endpointId": "alice"}),
                403,
                "access to this resource is denied",
            ),
            (
                endpoint,
                json!({"endpointId": "Bob"}),
                403,
                "access to this resource is denied",
            ),
            (
                endpoint,
                json!({"endpointId": "bob "}),
                403,
                "access to this resource is denied",
            ),
            (app, json!({"endpointId": "alice"}), 200, "alice"),
            (
                app,
                json!({}),
                400,
                "a parameter that names the resource is missing or malformed",
            ),
            (
                app,
                json!({"endpointId": ""}),
                400,
                "a parameter that names the resource is",
            ),
            (admin, json!({"endpointId": "alice"}), 200, "alice"),
            (
                admin,
                json!({}),
                400,
                "a parameter that names the resource is missing or malformed",
            ),
        ] {
            let request = Request::post("/messages").header(header.0, header.1);
            let request = request.header("content-type", "application/json");
            let answer = send(
                &site.api,
                request.body(Body::from(named.to_string())).unwrap(),
            )
            .await;
            assert_eq!(answer.status, status, "{} {named}", header.0);
            assert!(answer.body.contains(body), "{named}: {}", answer.body);
            let has_error = answer.json()["error"].is_string() && status != 200;
            assert!(!error || has_error == (status != 200));
        }
        for (header, path, status) in [
            (endpoint, "/endpoints/bob/presence", 200),
            (endpoint, "/endpoints/%62ob/presence", 200),
            (endpoint, "/endpoints/alice/presence", 403),
            (app, "/endpoints/alice/presence", 200),
        ] {
            assert_eq!(
                site.status(Method::GET, path, header).await,
                status,
                "{path}"
            );
        }
    }
}

/// The statuses of `POST /channels/{group}/publish`.
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
    let groups = json!({"*": yes, "admin": no, "buddylist*": yes, "buddylistroom*": no, "buddylistroom7": yes});
    publishes(
        groups,
        &[
            ("admin", 403),
            ("admins", 200),
            ("buddylistzoo", 200),
            ("buddylistroom5", 403),
            ("buddylistroom7", 200),
            ("testgroup", 200),
        ],
    )
    .await;
    // What the rule that decides does not speak of is not looked up in a broader one.
    publishes(
        json!({"*": yes, "a*": {"subscribe": true}}),
        &[("a", 403), ("b", 200)],
    )
    .await;
    publishes(
        json!({"a": yes, "b*": yes}),
        &[("a", 200), ("c", 403), ("A", 403)],
    )
    .await;
}

#[tokio::test]
async fn rs_10_only_a_star_at_the_end_is_a_pattern() {
    let yes = json!({"publish": true});
    publishes(
        json!({"buddylist*": yes}),
        &[
            ("buddylist", 200),
            ("buddylistroom1", 200),
            ("buddylis", 403),
        ],
    )
    .await;
    publishes(
        json!({"a*b": yes, "c**": yes}),
        &[
            ("axb", 403),
            ("ab", 403),
            ("a*b", 200),
            ("a%2Ab", 200),
            ("cx", 403),
            ("c*x", 403),
        ],
    )
    .await;
    // A group that is asked for is a name, whatever it looks like.
    publishes(
        json!({"admin": yes, "team7": yes}),
        &[("*", 403), ("adm*", 403), ("team*", 403), ("team7", 200)],
    )
    .await;
}

#[tokio::test]
async fn rs_11_list_is_a_switch_and_no_group() {
    let yes = json!({"publish": true});
    publishes(json!({"list": true}), &[("list", 403)]).await;
    publishes(json!({"list": yes}), &[("list", 403)]).await;
    publishes(json!({"list": true, "li*": yes}), &[("list", 200)]).await;
    publishes(json!({"list": false, "*": yes}), &[("list", 200)]).await;
    publishes(
        json!({"list": yes, "*": {"publish": false}}),
        &[("list", 403)],
    )
    .await;
    let site = Site::new();
    for (groups, status) in [
        (json!({"list": true}), 200),
        (json!({"list": false, "*": {"list": true}}), 403),
        (json!({"*": {"list": true}}), 403),
        (json!({"list": {"list": true}}), 403),
    ] {
        let token = site.session("bob", json!({ "groups": groups })).await;
        let found = site.get("/groups", &[("App-Token", &token)]).await.status;
        assert_eq!(found, status, "{groups}");
    }
}

#[tokio::test]
async fn rs_12_absent_is_denied_and_so_is_what_is_not_true() {
    const REQUESTS: [(Method, &str); 10] = [
        (Method::POST, "/turn"),
        (Method::POST, "/events"),
        (Method::DELETE, "/events"),
        (Method::GET, "/groups"),
        (Method::POST, "/channels/a"),
        (Method::DELETE, "/channels/a"),
        (Method::POST, "/channels/a/publish"),
        (Method::GET, "/channels/a/subscribers"),
        (Method::POST, "/channels/a/subscribers"),
        (Method::DELETE, "/channels/a/subscribers"),
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
        for (method, path) in REQUESTS {
            let status = site
                .status(method.clone(), path, ("App-Token", &token))
                .await;
            assert_eq!(status, wanted, "{value}: {method} {path}");
        }
    }
    // One missing key denies what it is for and nothing else.
    for (missing, denied) in [
        ("/mediaRelay", &[0][..]),
        ("/events/subscribe", &[1]),
        ("/events/unsubscribe", &[2]),
        ("/events", &[1, 2]),
        ("/groups/list", &[3]),
        ("/groups/a/create", &[4]),
        ("/groups/a/destroy", &[5]),
        ("/groups/a/publish", &[6]),
        ("/groups/a/getsubscribers", &[7]),
        ("/groups/a/subscribe", &[8]),
        ("/groups/a/unsubscribe", &[9]),
        ("/groups/a", &[4, 5, 6, 7, 8, 9]),
        ("/groups", &[3, 4, 5, 6, 7, 8, 9]),
    ] {
        let mut role = full(&json!(true));
        let (parent, key) = missing.rsplit_once('/').unwrap();
        role.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(key)
            .unwrap();
        let token = site.session("bob", role).await;
        for (at, (method, path)) in REQUESTS.into_iter().enumerate() {
            let wanted = if denied.contains(&at) { 403 } else { 200 };
            let status = site
                .status(method.clone(), path, ("App-Token", &token))
                .await;
            assert_eq!(status, wanted, "without {missing}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn rs_13_phone_numbers_are_exact() {
    let site = Site::new();
    for (pstn_out, number, wanted) in [
        (json!(["*"]), "+14087672671", 200),
        (json!(["*"]), "+442071838750", 200),
        (json!(["*"]), "4087672671", 403),
        (json!(["*"]), "+0123456", 403),
        (json!(["*"]), "+1408767267123456", 403),
        (json!(["*"]), "*", 403),
        (json!(["+14087672671"]), "+14087672671", 200),
        (json!(["+14087672671"]), "+14087672672", 403),
        (json!(["+14087672671"]), "+1408767267", 403),
        (json!(["+1408*", "1"]), "+14087672671", 403),
        (json!(["1"]), "1", 403),
        (json!([]), "+14087672671", 403),
        (json!(["+1", 14_087_672_671_u64, null]), "+14087672671", 403),
        (json!("*"), "+14087672671", 403),
        (json!({"*": true}), "+14087672671", 403),
    ] {
        let token = site.session("bob", json!({ "pstnOut": pstn_out })).await;
        let path = format!("/calls/{number}");
        let status = site
            .status(Method::POST, &path, ("App-Token", &token))
            .await;
        assert_eq!(status, wanted, "{number} under {pstn_out}");
    }
    let none = site.session("bob", json!({})).await;
    let path = "/calls/+14087672671";
    assert_eq!(
        site.status(Method::POST, path, ("App-Token", &none)).await,
        403
    );

    let site = development_site();
    let role = json!({"pstnOut": ["*", "+14087672671"], "mediaRelay": true});
    let token = site.development_session(role).await;
    assert_eq!(
        site.status(Method::POST, path, ("App-Token", &token)).await,
        403
    );
    assert_eq!(
        site.status(Method::POST, "/turn", ("App-Token", &token))
            .await,
        200
    );
}

fn development_site() -> Site {
    Site::with(|clock, store| {
        let sessions = AppToken::verifier_in_development_mode(store.clone());
        ResourceServer::builder()
            .carrier(Carrier::header("App-Token").unwrap())
            .kind(AppToken::kind(), sessions.build().unwrap())
            .clock(clock.clone())
            .renderer(ErrorBody)
    })
}

#[tokio::test]
async fn rs_14_another_apps_resource_is_denied() {
    let site = Site::new();
    let token = site.session("bob", json!({})).await;
    let admin = site.admin().await;
    let endpoint = ("App-Token", &*token);
    let app = ("App-Secret", APP_SECRET);
    let admin = ("Admin-Token", &*admin);
    let (own, other) = (
        format!("{APP}/{ACCOUNT}"),
        format!("{DEVELOPED_APP}/{ACCOUNT}"),
    );
    let (elsewhere, odd) = (
        format!("{DEVELOPED_APP}/1111"),
        format!("{}/1111", APP.to_lowercase()),
    );
    for (header, resource, wanted) in [
        (endpoint, &own, 200),
        (endpoint, &other, 403),
        (endpoint, &odd, 403),
        (app, &own, 200),
        (app, &other, 403),
        (app, &odd, 403),
        (admin, &own, 200),
        (admin, &other, 200),
        (admin, &elsewhere, 403),
    ] {
        let path = format!("/recordings/{resource}");
        let status = site.status(Method::GET, &path, header).await;
        assert_eq!(status, wanted, "{} {path}", header.0);
    }
    // The same as data, where the path names the app.
    let guard = ResourceGuard::path("/apps/{appId}/stats").param_is("appId", ["/appId"]);
    let guard = guard.build().unwrap();
    let stats = Router::new().route("/apps/{appId}/stats", get(async || "stats"));
    let api = stats.layer(guard.layer()).layer(site.server.layer());
    for (header, id, wanted) in [
        (endpoint, APP, 200),
        (endpoint, DEVELOPED_APP, 403),
        (app, APP, 200),
        (admin, APP, 403),
    ] {
        let answer = get_with(&api, &format!("/apps/{id}/stats"), &[header]).await;
        assert_eq!(answer.status, wanted, "{} {id}", header.0);
    }
}

#[tokio::test]
async fn rs_15_development_mode_is_off_unless_switched_on() {
    let role = || json!({"mediaRelay": true});
    let site = Site::new();
    let token = site.development_session(role()).await;
    let answer = site.get("/whoami", &[("App-Token", &token)]).await;
    assert_eq!(answer.status, 401);

    let site = development_site();
    let token = site.development_session(role()).await;
    assert_eq!(
        site.get("/whoami", &[("App-Token", &token)]).await.status,
        200
    );
    // It admits the others as well.
    let token = site.session("bob", role()).await;
    assert_eq!(
        site.get("/whoami", &[("App-Token", &token)]).await.status,
        200
    );
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn rs_16_secrets_stay_secret() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_writer(move || writer.clone());
    let lines = lines.with_max_level(tracing::Level::TRACE).finish();
    let _guard = tracing::subscriber::set_default(lines);
    for site in [Site::new(), Site::with(gate)] {
        let role = site.role(json!({})).await;
        let token_id = site.token_id("bob", &role).await;
        let ended = site.session("bob", json!({})).await;
        let poor = site.session("bob", json!({})).await;
        let dev = site.development_session(json!({})).await;
        let deleted = ("App-Token", &*ended);
        site.issue(Method::DELETE, "/v1/session-tokens", deleted, Value::Null)
            .await;
        // The first and the last letter differ, and one is missing: nearly right is wrong.
        let near = |from: &str, to: &str| APP_SECRET.replacen(from, to, 1);
        let (first, last, less) = (near("2", "3"), near("82A", "82B"), near("2A", "2"));
        for (name, value, statuses) in [
            ("App-Token", &*token_id, [401, 401]),
            ("App-Token", &*ended, [401, 401]),
            ("App-Token", &*dev, [401, 401]),
            ("App-Token", &*poor, [403, 200]),
            ("App-Secret", &*first, [401, 401]),
            ("App-Secret", &*last, [401, 401]),
            ("App-Secret", &*less, [401, 401]),
            ("App-Secret", &*poor, [401, 401]),
            ("Admin-Token", APP_SECRET, [401, 401]),
            ("App-Secret", APP_SECRET, [403, 200]),
        ] {
            for (path, status) in ["/turn", "/whoami"].into_iter().zip(statuses) {
                let method = if path == "/turn" {
                    Method::POST
                } else {
                    Method::GET
                };
                let request = Request::builder()
                    .method(method)
                    .uri(path)
                    .header(name, value);
                let answer = call(&site.api, request).await;
                assert_eq!(answer.status, status, "{name} on {path}");
                let shown = format!("{:?}{}", answer.headers, answer.body);
                assert!(!shown.contains(value), "{name} on {path}: {shown}");
            }
            let log = log.text();
            assert!(!log.contains(value), "{name} is in the log: {log}");
        }
    }
    let log = log.text();
    for line in [
        "credential is a tokenId, wanted the session it buys",
        "session is for development, wanted development mode",
        "credential is none of the static secrets",
        "the store does not know the token",
    ] {
        assert!(log.contains(line), "{line:?} is not in the log: {log}");
    }
    // No stopwatch tells it reliably, so the source does: secrets are compared in constant time.
    let source = include_str!("../../src/introspection/known.rs");
    assert!(source.contains("verify_slices_are_equal(known, &shown)"));
}

#[tokio::test]
async fn rs_17_the_query_counts_where_a_route_opts_in() {
    let site = Site::new();
    let token = site.session("bob", json!({})).await;
    let sessions = AppToken::verifier(site.store.clone()).build().unwrap();
    let handshakes = ResourceServer::builder()
        .carrier(danger::websocket_query("app-token"))
        .carrier(Carrier::header("App-Token").unwrap())
        .kind(AppToken::websocket_kind(), sessions)
        .clock(site.clock.clone())
        .build()
        .unwrap();
    let socket = Router::new().route("/websocket", get(whoami));
    let api = site.api.clone().merge(socket.layer(handshakes.layer()));
    let uri = |path: &str| format!("{path}?Respoke-SDK=js&app-token={token}");
    let upgrade = |path| Request::get(uri(path)).header("upgrade", "websocket");
    let answer = call(&api, upgrade("/websocket")).await;
    assert_eq!((answer.status, &*answer.body), (200, "App-Token bob"));
    let answer = call(&api, upgrade("/whoami")).await;
    assert_eq!(answer.status, 401, "a route that did not opt in");
    let answer = call(&api, Request::get(uri("/websocket"))).await;
    assert_eq!(answer.status, 401, "no handshake");
    let answer = call(&api, upgrade("/websocket").header("App-Token", &token)).await;
    assert_eq!(answer.status, 400, "twice");
    for secret in ["app-secret", "admin-token"] {
        let uri = format!("/websocket?{secret}={APP_SECRET}");
        let request = Request::get(uri).header("upgrade", "websocket");
        assert_eq!(call(&api, request).await.status, 401, "{secret}");
    }
}

#[tokio::test]
async fn rs_18_in_bulk_every_group_counts() {
    let site = Site::new();
    let groups = json!({"a": {"subscribe": true}, "b*": {"subscribe": true}, "b2": {}, "*": {"unsubscribe": true}});
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
        let request = Request::builder().method(method.clone()).uri("/groups");
        let request = request
            .header("App-Token", &token)
            .header("content-type", "application/json");
        let body = json!({ "groups": groups }).to_string();
        let answer = send(&site.api, request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, wanted, "{method} {groups}");
    }
}

#[tokio::test]
async fn each_credential_in_each_place_before_each_guard() {
    let site = Site::new();
    let token = site.session("bob", json!({})).await;
    let role = site.role(json!({})).await;
    let specimen = |kind: &'static str, token: String| Specimen {
        kind,
        header: kind,
        token,
    };
    let specimens = [
        specimen("App-Token", token),
        specimen("App-Secret", APP_SECRET.to_owned()),
        specimen("Admin-Token", site.admin().await),
        specimen("tokenId", site.token_id("bob", &role).await),
        specimen("development", site.development_session(json!({})).await),
    ];
    let headers = ["App-Token", "App-Secret", "Admin-Token", "Authorization"];
    let guards = || {
        vec![
            ("App-Token", get(async |_: Token<AppToken>| ())),
            ("App-Token", get(async |_: Claims<Session>| ())),
            ("App-Secret", get(async |_: Token<AppSecret>| ())),
            (
                "App-Secret",
                get(async |_: RequireScope<OfKind<AppSecret>>| ()),
            ),
            ("Admin-Token", get(async |_: Token<AdminToken>| ())),
        ]
    };
    confuse(&site.server, &headers, &specimens, guards()).await;
    let rfc = gate(&site.clock, &site.store).build().unwrap();
    confuse(&rfc, &headers, &specimens, guards()).await;
}

#[tokio::test]
async fn what_the_store_lacks_is_its_own_fault() {
    let whole =
        json!({"appId": APP, "endpointId": "bob", "expiryTime": NOW + 60, "forDevelopment": false});
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    for (member, value, status) in [
        ("note", json!("ignored"), 200),
        ("appId", json!(""), 503),
        ("endpointId", json!(7), 503),
        ("expiryTime", json!(null), 503),
        ("expiryTime", json!((NOW + 60) * 1000), 503),
        ("expiryTime", json!((NOW + 60).to_string()), 200),
        ("forDevelopment", json!(null), 503),
        ("forDevelopment", json!("false"), 503),
    ] {
        let mut row = whole.clone();
        row[member] = value;
        let sessions = AppToken::verifier(OneRow(row.clone())).build().unwrap();
        let server = ResourceServer::builder()
            .carrier(Carrier::header("App-Token").unwrap())
            .kind(AppToken::kind(), sessions)
            .clock(clock.clone())
            .renderer(ErrorBody);
        let api = routes().layer(server.build().unwrap().layer());
        let answer = get_with(&api, "/whoami", &[("App-Token", "x")]).await;
        assert_eq!(answer.status, status, "{row}");
        assert_eq!(!answer.header("retry-after").is_empty(), status == 503);
        // Without a role nothing is permitted that needs one.
        let publish = Request::post("/channels/a/publish").header("App-Token", "x");
        let wanted = if status == 503 { 503 } else { 403 };
        assert_eq!(call(&api, publish).await.status, wanted, "{row}");
    }
}

struct OneRow(Value);

impl portcullis::profile::respoke::Sessions for OneRow {
    async fn find(
        &self,
        _: &str,
    ) -> Result<Option<portcullis::profile::respoke::Found>, portcullis::Unavailable> {
        let row = LookupAnswer::from_serialize(&self.0)?;
        Ok(Some(portcullis::profile::respoke::Found::Session(row)))
    }
}

#[tokio::test]
async fn the_published_samples_are_read() {
    // As recorded in January 2015, with the role beside it.
    let mut row = json!({
        "appId": "0dfc", "endpointId": "foo-bar", "roleId": "56BD", "accountId": "9628",
        "createTime": NOW, "expiryTime": 1_420_320_658, "id": "E449", "forDevelopment": false,
        "createdAt": "2015-01-02T21:30:58.539Z", "tokenId": "E449",
    });
    row["role"] = json!({
        "id": "56BD", "name": "new-role", "appId": "0dfc", "accountId": "9628", "mediaRelay": false,
        "events": {}, "groups": {}, "pstnOut": [], "callerIds": [],
    });
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let sessions = AppToken::verifier(OneRow(row)).build().unwrap();
    let server = ResourceServer::builder()
        .carrier(Carrier::header("App-Token").unwrap())
        .kind(AppToken::kind(), sessions)
        .clock(clock.clone());
    let server = server.build().unwrap();
    let request = Request::get("/").header("App-Token", "1834AD29");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let token = server.authenticate(&mut parts).await.unwrap().unwrap();
    assert_eq!(token.expires_at(), Some(UnixTime::from_secs(1_420_320_658)));
    assert_eq!(token.principal(), Principal::Subject("foo-bar"));
    let session = token.claims_as::<Session>().unwrap();
    assert_eq!(
        (&*session.app_id, &*session.endpoint_id),
        ("0dfc", "foo-bar")
    );
    assert!(!session.for_development);
    let publish = session
        .role
        .require(GroupAction::Publish, ["a"])
        .unwrap_err();
    assert_eq!(
        publish.to_string(),
        "rule for group \"a\" is absent, wanted one that permits publish"
    );
    let Caller::Endpoint(same) = &*token.claims_as::<Caller>().unwrap() else {
        panic!("an App-Token is an endpoint's");
    };
    assert_eq!(same.endpoint_id, session.endpoint_id);

    // What the issuer here answers has the recorded shape.
    let site = Site::new();
    let role = site.role(json!({"name": "new-role"})).await;
    let body =
        json!({"appId": APP, "endpointId": "foo-bar", "roleName": "new-role", "ttl": "86400"});
    let token = site
        .post("/v1/tokens", ("App-Secret", APP_SECRET), body)
        .await;
    assert_eq!(token["roleId"], *role);
    assert_eq!(token["createdAt"], "2015-01-02T21:30:58Z");
    assert_eq!(token["id"], token["tokenId"]);
    assert_eq!(token["expiryTime"], NOW + 86_400);
    let body = json!({ "tokenId": token["tokenId"], "appId": APP });
    let session = site
        .post("/v1/session-tokens", ("Accept", "*/*"), body)
        .await;
    assert_eq!(session["message"], "Authorization successful");
    assert_eq!(session.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn refusals_say_what_was_found_and_wanted() {
    let caller = |claims: Value| {
        let token = portcullis::testing::access_token(claims);
        token.claims_as::<Caller>().unwrap()
    };
    let bob = json!({"level": "App-Token", "appId": "0DFC", "endpointId": "bob", "forDevelopment": false,
        "role": {"groups": {"team*": {"publish": true}}, "pstnOut": ["+14087672671"]}});
    let endpoint = caller(bob.clone());
    let app = caller(json!({"level": "App-Secret", "appId": "0DFC"}));
    let admin = caller(json!({"level": "Admin-Token", "accountId": "9628"}));
    let said = |outcome: Result<&str, Error>| outcome.unwrap_err().to_string();
    assert_eq!(
        said(endpoint.act_as(Some("alice"))),
        r#"endpointId is "alice", wanted "bob" as in the session"#
    );
    assert_eq!(
        said(app.act_as(None)),
        "endpointId is absent, wanted the endpoint to act as"
    );
    assert_eq!(
        said(app.require_owner("D76D", "9628").map(|()| "")),
        r#"appId of the resource is "D76D", wanted "0DFC""#
    );
    assert_eq!(
        said(admin.require_owner("0DFC", "1").map(|()| "")),
        r#"accountId of the resource is "1", wanted "9628""#
    );
    let mut session = portcullis::testing::access_token(bob)
        .claims_as::<Session>()
        .unwrap();
    let role = &session.role;
    assert_eq!(
        said(
            role.require(GroupAction::GetSubscribers, ["team7"])
                .map(|()| "")
        ),
        r#"rule for group "team7" is "team*", wanted one that permits getsubscribers"#
    );
    assert_eq!(
        said(role.require(GroupAction::Publish, [""; 0]).map(|()| "")),
        "groups are empty, wanted at least one"
    );
    assert_eq!(
        said(session.require_call("112").map(|()| "")),
        r#"number is "112", wanted an E.164 number of pstnOut"#
    );
    Arc::get_mut(&mut session).unwrap().for_development = true;
    assert_eq!(
        said(session.require_call("+14087672671").map(|()| "")),
        "session is for development, wanted one that may call phones"
    );
}

/// Handlers are tested without tokens: the level says which kind the claims are of.
#[tokio::test]
async fn claims_stand_in_for_tokens() {
    let site = Site::new();
    let claims =
        json!({"level": "App-Token", "appId": APP, "endpointId": "bob", "forDevelopment": false});
    for (claims, status) in [
        (claims, 200),
        (json!({"level": "App-Secret", "appId": APP}), 403),
    ] {
        let api = routes().layer(site.server.with_claims(claims));
        assert_eq!(get_with(&api, "/endpoint-only", &[]).await.status, status);
    }
}
