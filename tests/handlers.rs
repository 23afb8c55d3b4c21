//! What handlers get: every extractor and layer, through an axum router.

// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod watched;

use std::ops::Deref;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, Path};
use axum::routing::get;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use portcullis::testing::{self, AuthorizationServer};
use portcullis::{
    AccessToken, AnyOf, Authenticated, Claims, Error, FromToken, Kind, Kinds, Permits, Permitted,
    PermittedBy, Policy, Renderer, RequireScope, RequireScopeLayer, ResourceServer, Scopes, Token,
    TokenKind, scope,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

const AUDIENCE: &str = "https://api.example.com/";

portcullis::scopes! {
    Read = "read:events";
    Write = "write:events";
    Admin = "admin";
}

fn server(issuer: &AuthorizationServer) -> ResourceServer {
    let jwt = issuer.jwt_verifier(AUDIENCE).build().unwrap();
    issuer.resource_server().verifier(jwt).build().unwrap()
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

impl Answer {
    fn challenge(&self) -> &str {
        self.headers
            .get("www-authenticate")
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn call(app: &Router, request: http::request::Builder) -> Answer {
    let response = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.into()).unwrap(),
    }
}

async fn show(app: &Router, path: &str, token: &str) -> Answer {
    call(
        app,
        Request::get(path).header("authorization", format!("Bearer {token}")),
    )
    .await
}

#[tokio::test]
async fn scopes_all_any_and_the_whole_set() {
    let issuer = watched::issuer();
    let app = Router::new()
        .route("/all", get(|_: RequireScope<(Read, Write)>| async {}))
        .route(
            "/any",
            get(|_: RequireScope<AnyOf<(Read, Admin)>>| async {}),
        )
        .route(
            "/set",
            get(|scopes: Scopes| async move { scopes.to_string() }),
        )
        .layer(server(&issuer).layer());
    let token = issuer.token().scope("read:events x").mint();
    let refused = show(&app, "/all", &token).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.challenge(),
        "Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"the access token \
         lacks a scope that is needed\", scope=\"read:events write:events\""
    );
    assert_eq!(show(&app, "/any", &token).await.status, 200);
    assert_eq!(show(&app, "/set", &token).await.body, "read:events x");
}

#[tokio::test]
async fn a_scope_layer_joins_its_scopes_to_those_inside() {
    let issuer = watched::issuer();
    let app = Router::new()
        .route("/", get(|_: RequireScope<Write>| async {}))
        .layer(RequireScopeLayer::<Read>::new())
        .layer(server(&issuer).layer());
    let inside = show(&app, "/", &issuer.token().scope("read:events").mint()).await;
    assert_eq!(inside.status, 403);
    assert!(
        inside
            .challenge()
            .ends_with("scope=\"write:events read:events\"")
    );
    let outside = show(&app, "/", &issuer.token().scope("write:events").mint()).await;
    assert_eq!(outside.status, 403);
    assert!(outside.challenge().ends_with("scope=\"read:events\""));
    let both = issuer.token().scope("write:events read:events").mint();
    assert_eq!(show(&app, "/", &both).await.status, 200);
}

#[derive(Deserialize)]
struct Party {
    upid: String,
}

#[derive(Deserialize)]
struct InterviewPath {
    upid: String,
}

impl Permits<InterviewPath> for Party {
    fn permits(&self, path: &InterviewPath) -> bool {
        self.upid == path.upid
    }
}

#[tokio::test]
async fn claims_and_policies() {
    async fn claims(party: Claims<Party>) -> String {
        party.upid.clone()
    }
    async fn guarded(
        Permitted(party, Path(path)): Permitted<Claims<Party>, Path<InterviewPath>>,
    ) -> String {
        format!("{} at {}", party.upid, path.upid)
    }
    let issuer = watched::issuer();
    let app = Router::new()
        .route("/claims", get(claims))
        .route("/interviews/{upid}", get(guarded))
        .layer(server(&issuer).layer());
    let token = issuer.token().claim("upid", "u1").mint();
    assert_eq!(show(&app, "/claims", &token).await.body, "u1");
    assert_eq!(show(&app, "/interviews/u1", &token).await.body, "u1 at u1");
    let refused = show(&app, "/interviews/u2", &token).await;
    assert_eq!((refused.status.as_u16(), refused.challenge()), (403, ""));
    let problem: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(problem["detail"], "access to this resource is denied");
    let other_shape = show(&app, "/claims", &issuer.token().mint()).await;
    assert_eq!(
        (other_shape.status.as_u16(), other_shape.challenge()),
        (403, "")
    );
}

/// A party to interviews of which nobody else must learn.
#[derive(Deserialize)]
struct Witness {
    upid: String,
}

impl Permits<InterviewPath> for Witness {
    const HIDES: bool = true;

    fn permits(&self, path: &InterviewPath) -> bool {
        self.upid == path.upid
    }
}

#[tokio::test]
async fn a_policy_that_hides_answers_as_if_there_were_nothing() {
    async fn guarded(
        Permitted(_, Path(path)): Permitted<Claims<Witness>, Path<InterviewPath>>,
    ) -> Result<String, Error> {
        match &*path.upid {
            "u1" => Ok(path.upid),
            _ => Err(Error::not_found("no such interview")),
        }
    }
    let issuer = watched::issuer();
    let app = Router::new()
        .route("/interviews/{upid}", get(guarded))
        .layer(server(&issuer).layer());
    let own = issuer.token().claim("upid", "u1").mint();
    let lost = issuer.token().claim("upid", "u2").mint();
    assert_eq!(show(&app, "/interviews/u1", &own).await.body, "u1");
    let hidden = show(&app, "/interviews/u1", &lost).await;
    assert_eq!((hidden.status.as_u16(), hidden.challenge()), (404, ""));
    let problem: Value = serde_json::from_str(&hidden.body).unwrap();
    assert_eq!(problem["detail"], "there is no such resource");
    // One that is not there, and that the policy permits.
    let absent = show(&app, "/interviews/u2", &lost).await;
    assert_eq!((absent.status, &absent.body), (hidden.status, &hidden.body));
    let names = |answer: &Answer| -> Vec<String> {
        let names = answer.headers.keys();
        names.map(ToString::to_string).collect()
    };
    assert_eq!(names(&absent), names(&hidden));
    // Who may ask at all is no secret.
    let shapeless = issuer.token().mint();
    assert_eq!(show(&app, "/interviews/u1", &shapeless).await.status, 403);
}

/// Stands for a database that knows who is party to which interview; `down` is out of reach.
#[derive(Clone)]
struct Parties;

impl Policy<InterviewPath> for Parties {
    type Holder = Claims<Party>;
    type Answer = &'static str;

    async fn decide(
        &self,
        holder: &Claims<Party>,
        interview: &InterviewPath,
    ) -> Result<Option<&'static str>, Error> {
        match (&*holder.upid, &*interview.upid) {
            (_, "down") => Err(Error::unavailable(Duration::from_secs(7), "no database")),
            ("u1", "i1") => Ok(Some("owner")),
            _ => Ok(None),
        }
    }
}

/// The same, for those who must not learn which interviews exist.
#[derive(Clone)]
struct Discreet;

impl Policy<InterviewPath> for Discreet {
    type Holder = Claims<Party>;
    type Answer = &'static str;
    const HIDES: bool = true;

    async fn decide(
        &self,
        holder: &Claims<Party>,
        interview: &InterviewPath,
    ) -> Result<Option<&'static str>, Error> {
        Parties.decide(holder, interview).await
    }
}

#[derive(Clone, FromRef)]
struct Policies {
    parties: Parties,
    discreet: Discreet,
}

#[tokio::test]
async fn a_policy_asks_the_application() {
    async fn open(
        PermittedBy(role, Path(path)): PermittedBy<Parties, Path<InterviewPath>>,
    ) -> String {
        format!("{role} of {}", path.upid)
    }
    async fn hidden(
        PermittedBy(role, Path(path)): PermittedBy<Discreet, Path<InterviewPath>>,
    ) -> Result<String, Error> {
        // What is not there at all is refused in the same words.
        match &*path.upid {
            "i1" => Ok(role.to_owned()),
            _ => Err(Error::not_found("no such interview")),
        }
    }
    let issuer = watched::issuer();
    let app = Router::new()
        .route("/open/{upid}", get(open))
        .route("/hidden/{upid}", get(hidden))
        .with_state(Policies {
            parties: Parties,
            discreet: Discreet,
        })
        .layer(server(&issuer).layer());
    let token = issuer.token().claim("upid", "u1").mint();
    assert_eq!(show(&app, "/open/i1", &token).await.body, "owner of i1");
    assert_eq!(show(&app, "/open/i2", &token).await.status, 403);
    let down = show(&app, "/open/down", &token).await;
    assert_eq!(
        (down.status.as_u16(), &down.headers["retry-after"]),
        (503, &"7".parse().unwrap())
    );
    assert_eq!(show(&app, "/hidden/i1", &token).await.body, "owner");
    let others = show(&app, "/hidden/i2", &token).await;
    let other = issuer.token().claim("upid", "u2").mint();
    let own = show(&app, "/hidden/i1", &other).await;
    assert_eq!((others.status.as_u16(), others.challenge()), (404, ""));
    assert_eq!(others.body, own.body);
    assert!(
        own.body.contains("there is no such resource"),
        "{}",
        own.body
    );
    // The token comes first, then the resource, then the policy.
    let shapeless = issuer.token().mint();
    assert_eq!(show(&app, "/open/i1", &shapeless).await.status, 403);
    assert_eq!(call(&app, Request::get("/open/i1")).await.status, 401);

    // Without axum.
    let token = testing::access_token(json!({"sub": "a", "upid": "u1"}));
    let at = |upid: &str| InterviewPath {
        upid: upid.to_owned(),
    };
    assert_eq!(
        token.permitted_by(&Parties, &at("i1")).await.unwrap(),
        "owner"
    );
    let error = token.permitted_by(&Discreet, &at("i2")).await.unwrap_err();
    assert_eq!(error.to_string(), "the policy of this resource says no");
}

#[tokio::test]
async fn kinds_are_demanded_by_type() {
    struct Applicant;
    impl TokenKind for Applicant {
        const NAME: &'static str = "applicant";
    }
    struct Capital;
    impl TokenKind for Capital {
        const NAME: &'static str = "Applicant";
    }
    let issuer = watched::issuer();
    let kinds = Kinds::new([
        Kind::named("applicant").with_claim("job"),
        Kind::named("clerk").without_claim("job"),
    ]);
    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .kinds(kinds.unwrap())
        .build()
        .unwrap();
    let app = Router::new()
        .route(
            "/",
            get(|token: Token<Applicant>| async move { token.kind().to_owned() }),
        )
        .route("/capital", get(|_: Token<Capital>| async {}))
        .layer(server.layer());
    let applicant = issuer.token().claim("job", "cook").mint();
    assert_eq!(show(&app, "/", &applicant).await.body, "applicant");
    // The names of kinds are compared byte for byte.
    assert_eq!(show(&app, "/capital", &applicant).await.status, 403);
    let request = Request::get("/").header("authorization", format!("Bearer {applicant}"));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let token = server.authenticate(&mut parts).await.unwrap().unwrap();
    assert!(token.require_kind::<Applicant>().is_ok());
    assert!(token.require_kind::<Capital>().is_err());
    assert_eq!(show(&app, "/", &issuer.token().mint()).await.status, 403);
}

#[tokio::test]
async fn strangers_pass_the_optional_layer_and_bad_tokens_do_not() {
    let issuer = watched::issuer();
    let greet = |token: Option<AccessToken>| async move {
        token.map_or_else(
            || "stranger".to_owned(),
            |token| token.principal().to_string(),
        )
    };
    let app = Router::new()
        .route("/", get(greet))
        .route("/mine", get(|_: AccessToken| async {}))
        .layer(server(&issuer).optional_layer());
    assert_eq!(call(&app, Request::get("/")).await.body, "stranger");
    assert_eq!(show(&app, "/", &issuer.token().mint()).await.body, "alice");
    let bad = show(&app, "/", &issuer.token().expires_in(-60).mint()).await;
    assert_eq!(bad.status, 401);
    assert!(bad.challenge().contains("error=\"invalid_token\""));
    let nobody = call(&app, Request::get("/mine")).await;
    assert_eq!(
        (nobody.status.as_u16(), nobody.challenge()),
        (401, "Bearer realm=\"api\"")
    );
}

#[tokio::test]
async fn without_the_layer_every_guard_says_500_and_nothing_more() {
    let app = Router::new()
        .route("/token", get(|_: AccessToken| async {}))
        .route("/option", get(|_: Option<AccessToken>| async {}))
        .route("/scope", get(|_: RequireScope<Read>| async {}))
        .route("/claims", get(|_: Claims<Value>| async {}))
        .route("/set", get(|_: Scopes| async {}))
        .route(
            "/layer",
            get(|| async {}).layer(RequireScopeLayer::<Read>::new()),
        );
    for path in ["/token", "/option", "/scope", "/claims", "/set", "/layer"] {
        let answer = call(&app, Request::get(path)).await;
        assert_eq!(answer.status, 500, "{path}");
        assert!(
            answer.body.contains("the server is misconfigured"),
            "{path}"
        );
        assert!(!answer.body.contains("layer"), "{path}");
    }
}

#[tokio::test]
async fn preflights_pass_only_if_the_server_lets_them() {
    let issuer = watched::issuer();
    let app = |builder: portcullis::ResourceServerBuilder| {
        let server = builder.verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap());
        Router::new()
            .route("/", get(|| async {}).options(|| async { "options" }))
            .layer(server.build().unwrap().layer())
    };
    let preflight = || {
        Request::builder()
            .method(Method::OPTIONS)
            .header("origin", "https://app.example")
            .header("access-control-request-method", "GET")
    };
    let closed = app(issuer.resource_server());
    assert_eq!(call(&closed, preflight()).await.status, 401);
    let open = app(issuer.resource_server().allow_preflight());
    assert_eq!(call(&open, preflight()).await.body, "options");
    let plain = Request::builder()
        .method(Method::OPTIONS)
        .header("origin", "https://app.example");
    assert_eq!(call(&open, plain).await.status, 401);
    assert_eq!(call(&open, Request::get("/")).await.status, 401);
}

#[tokio::test]
async fn a_renderer_shapes_refusals_from_everywhere() {
    struct Fault;
    impl Renderer for Fault {
        fn render(&self, error: &Error, response: &mut http::Response<String>) {
            if error.reason() == portcullis::Reason::NoCredential {
                *response.status_mut() = StatusCode::BAD_REQUEST;
            }
            *response.body_mut() = json!({"fault": error.reason().label()}).to_string();
        }
    }
    let issuer = watched::issuer();
    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .realm("calendar")
        .challenge_scopes([scope!("read:events")])
        .renderer(Fault)
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(|_: RequireScope<Read>| async {}))
        .route(
            "/own",
            get(|| async { Err::<(), _>(Error::forbidden("closed today")) }),
        )
        .layer(server.layer());
    let bare = call(&app, Request::get("/")).await;
    assert_eq!(
        (bare.status.as_u16(), &*bare.body),
        (400, r#"{"fault":"no_credential"}"#)
    );
    assert_eq!(
        bare.challenge(),
        "Bearer realm=\"calendar\", scope=\"read:events\""
    );
    let token = issuer.token().mint();
    assert_eq!(show(&app, "/", &token).await.body, r#"{"fault":"scope"}"#);
    let own = show(&app, "/own", &token).await;
    assert_eq!(
        (own.status.as_u16(), &*own.body),
        (403, r#"{"fault":"denied"}"#)
    );
}

#[tokio::test]
async fn the_gate_nearest_to_the_handler_words_the_refusal() {
    let issuer = watched::issuer();
    let gate = |realm: &str| {
        let jwt = issuer.jwt_verifier(AUDIENCE).build().unwrap();
        issuer
            .resource_server()
            .verifier(jwt)
            .realm(realm)
            .build()
            .unwrap()
    };
    let app = Router::new()
        .route("/", get(|_: RequireScope<Read>| async {}))
        .layer(gate("inner").layer())
        .layer(gate("outer").optional_layer());
    let refused = show(&app, "/", &issuer.token().mint()).await;
    assert!(
        refused
            .challenge()
            .starts_with("Bearer realm=\"inner\", error=")
    );
    let nobody = call(&app, Request::get("/")).await;
    assert_eq!(nobody.challenge(), "Bearer realm=\"inner\"");
}

#[tokio::test]
async fn a_reworded_refusal_keeps_headers_but_those_of_the_old_body() {
    async fn between(response: axum::response::Response) -> axum::response::Response {
        let mut response = response;
        let headers = response.headers_mut();
        headers.insert(
            "access-control-allow-origin",
            "https://app.example".parse().unwrap(),
        );
        headers.insert("vary", "origin".parse().unwrap());
        headers.insert("content-encoding", "gzip".parse().unwrap());
        response
    }
    let issuer = watched::issuer();
    let app = Router::new()
        .route("/", get(|_: RequireScope<Read>| async {}))
        .layer(axum::middleware::map_response(between))
        .layer(server(&issuer).layer());
    let refused = show(&app, "/", &issuer.token().mint()).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.headers["access-control-allow-origin"],
        "https://app.example"
    );
    assert_eq!(refused.headers["vary"], "origin");
    assert!(!refused.headers.contains_key("content-encoding"));
    assert_eq!(refused.headers.get_all("content-type").iter().count(), 1);
}

#[tokio::test]
async fn one_extractor_needs_no_layer() {
    #[derive(Clone)]
    struct App(ResourceServer);
    impl FromRef<App> for ResourceServer {
        fn from_ref(app: &App) -> ResourceServer {
            app.0.clone()
        }
    }
    async fn list(
        Authenticated((token, party)): Authenticated<(RequireScope<Read>, Claims<Party>)>,
    ) -> String {
        format!("{} {}", token.principal(), party.upid)
    }
    let issuer = watched::issuer();
    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .realm("calendar");
    let app = Router::new()
        .route("/", get(list))
        .with_state(App(server.build().unwrap()));
    let token = issuer.token().scope("read:events").claim("upid", "u1");
    assert_eq!(show(&app, "/", &token.mint()).await.body, "alice u1");
    let refused = show(&app, "/", &token.clone().scope("x").mint()).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused
            .challenge()
            .starts_with("Bearer realm=\"calendar\", error=")
    );
    let nobody = call(&app, Request::get("/")).await;
    assert_eq!(
        (nobody.status.as_u16(), nobody.challenge()),
        (401, "Bearer realm=\"calendar\"")
    );
}

/// It says all that the handler asks: nothing is left for another. Behind a gate further outside, others
/// see the tokens of this one, the nearest.
#[tokio::test]
async fn the_extractor_without_a_layer_leaves_nothing_in_the_request() {
    let (inner, outer) = (watched::issuer(), watched::issuer());
    async fn list(here: Authenticated, other: AccessToken) -> String {
        assert_eq!(here.subject(), other.subject());
        other.kind().to_owned()
    }
    let alone = Router::new()
        .route("/", get(list))
        .with_state(server(&inner));
    let token = inner.token().mint();
    let refused = show(&alone, "/", &token).await;
    assert_eq!(refused.status, 500);
    let elsewhere = Router::new()
        .route("/", get(list))
        .with_state(server(&inner))
        .layer(server(&outer).with_claims(json!({"sub": "somebody else"})));
    assert_eq!(show(&elsewhere, "/", &token).await.body, "access_token");
    assert_eq!(
        show(&elsewhere, "/", &outer.token().mint()).await.status,
        401
    );
}

#[tokio::test]
async fn handlers_are_tested_with_claims_instead_of_tokens() {
    let issuer = watched::issuer();
    let app = Router::new()
        .route(
            "/",
            get(|token: RequireScope<Read>| async move { token.principal().to_string() }),
        )
        .layer(server(&issuer).with_claims(json!({"sub": "alice", "scope": "read:events"})));
    assert_eq!(call(&app, Request::get("/")).await.body, "alice");
}

#[tokio::test]
async fn something_of_ones_own_is_made_of_a_token() {
    struct Tenant(String);
    impl FromToken for Tenant {
        fn from_token(token: &AccessToken) -> Result<Tenant, Error> {
            let tenant = token.claims().get("tenant").and_then(Value::as_str);
            tenant
                .map(|name| Tenant(name.to_owned()))
                .ok_or_else(|| Error::forbidden("token names no tenant"))
        }
    }
    impl Deref for Tenant {
        type Target = str;
        fn deref(&self) -> &str {
            &self.0
        }
    }
    impl Permits<String> for Tenant {
        fn permits(&self, path: &String) -> bool {
            **path == **self
        }
    }
    let issuer = watched::issuer();
    let own =
        |Permitted(tenant, _): Permitted<Tenant, Path<String>>| async move { tenant.to_owned() };
    let app = Router::new()
        .route("/{tenant}", get(own))
        .layer(server(&issuer).layer());
    let token = issuer.token().claim("tenant", "acme").mint();
    assert_eq!(show(&app, "/acme", &token).await.body, "acme");
    assert_eq!(show(&app, "/evil", &token).await.status, 403);
    assert_eq!(
        show(&app, "/acme", &issuer.token().mint()).await.status,
        403
    );
}
