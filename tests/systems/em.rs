//! Embloy, statements EM-1 to EM-19.

#[path = "../../examples/issuers/embloy.rs"]
mod issuer;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::Request as HttpRequest;
use portcullis::profile::embloy::*;
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    ClaimSet, CredentialSlot, Error, Kind, OfKind, Permits as _, Permitted, RequireScope,
    ResourceServer, ResourceServerBuilder, Token, UnixTime, danger,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::confusion::{Matrix, Place, Specimen};
use crate::service::{self, Answer, bearer, issuer_call, text, with};
use crate::watched;
use issuer::{ACCESS_SECRET, CLIENT_SECRET, REFRESH_SECRET, REQUEST_SECRET};

const NOW: i64 = 1_795_262_400;
const ROOT: &str = "https://api.embloy.com";
const GENIUS_SECRET: &str = "GENIUS_QUERY_TOKEN_SECRET, 32 bytes or more";

/// One secret for each kind.
#[derive(Clone, Copy)]
struct Secrets {
    refresh: &'static str,
    access: &'static str,
    client: &'static str,
    request: &'static str,
    genius: &'static str,
}

const OWN: Secrets = Secrets {
    refresh: REFRESH_SECRET,
    access: ACCESS_SECRET,
    client: CLIENT_SECRET,
    request: REQUEST_SECRET,
    genius: GENIUS_SECRET,
};

/// What nobody should do.
const SHARED: Secrets = Secrets {
    refresh: ACCESS_SECRET,
    access: ACCESS_SECRET,
    client: ACCESS_SECRET,
    request: ACCESS_SECRET,
    genius: ACCESS_SECRET,
};

const DIALECTS: [Dialect; 2] = [Dialect::January2024, Dialect::Current];

fn sign(secret: &str, claims: &Value) -> String {
    static EMBLOY: LazyLock<AuthorizationServer> = LazyLock::new(watched::issuer);
    issuer::signed(EMBLOY.token(), secret, claims)
}

fn refresh() -> Value {
    json!({"sub": 1, "exp": NOW + 14_400, "jti": "1a2819319dc344896dad6b688059ccc8", "iat": NOW,
        "iss": "api.embloy.com"})
}

fn access() -> Value {
    json!({"sub": 1, "exp": NOW + 1_200, "typ": "verified", "mod": "PrivateUser",
        "scope": "https://api.embloy.com/api.write", "iss": "api.embloy.com"})
}

/// As in January 2024, but for the issuer.
fn old_access() -> Value {
    with(with(access(), "/mod", Value::Null), "/scope", Value::Null)
}

fn client() -> Value {
    json!({"sub": 2, "exp": NOW + 2_637_296, "typ": "enterprise_1", "iat": NOW,
        "iss": "api.embloy.com"})
}

fn request() -> Value {
    json!({"sub": 2, "exp": NOW + 1_800, "iat": NOW, "iss": "api.embloy.com",
        "session": {"mode": "job", "job_slug": "job#3", "user_id": 2,
            "subscription_type": "premium"}})
}

fn genius() -> Value {
    with(refresh(), "/job_id", json!(3))
}

/// A gate on a clock at `NOW`, without a check of scopes.
fn gate(dialect: Dialect, secrets: Secrets) -> ResourceServerBuilder {
    let slot = CredentialSlot::new()
        .carrier(Client::carrier().unwrap())
        .carrier(Request::carrier().unwrap())
        .kind(Client::kind(), verifier(secrets.client).build().unwrap())
        .kind(Request::kind(), verifier(secrets.request).build().unwrap());
    ResourceServer::builder()
        .kind(
            Access::kind(dialect),
            verifier(secrets.access).build().unwrap(),
        )
        .second_slot(slot)
        .clock(ManualClock::at(UnixTime::from_secs(NOW)))
}

async fn apply(applicant: Token<Access>, company: Token<Request>) -> Result<String, Error> {
    let claims = company.claims_as::<RequestClaims>()?;
    let slug = &claims.session.job_slug;
    Ok(format!(
        "{:?} {slug} {:?}",
        applicant.subject(),
        company.subject()
    ))
}

async fn apply_for(company: Token<Request>, Json(job): Json<Job>) -> Result<(), Error> {
    let claims = company.claims_as::<RequestClaims>()?;
    match claims.permits(&job) {
        true => Ok(()),
        false => Err(Error::forbidden("the session is about another job")),
    }
}

async fn preview(_: Permitted<Token<Request>, Path<Job>>) {}

/// A service behind the gate: routes for people, for both tokens, and for companies alone.
fn api(gate: ResourceServerBuilder) -> Router {
    let gate = gate.build().unwrap();
    let user = async |token: Token<Access>| token.subject().unwrap().to_owned();
    let people = Router::new()
        .route("/api/v0/user", get(user).post(user).delete(user))
        .route("/api/v0/jobs", get(user).put(user).patch(user))
        .route("/api/v0/jobs/{id}", get(user).post(user))
        .route("/api/v0/jobs_secret", get(user))
        .route("/api/v1/jobs", get(user))
        .route("/api/next/jobs", get(user))
        .route("/other/v0/jobs", get(user))
        .route("/admin", get(user))
        .route("/api/v0/sdk/request/handle", post(apply))
        .route("/api/v0/sdk/apply", post(apply_for))
        .route("/api/v0/preview/{job_slug}", get(preview))
        .layer(gate.layer());
    let company = async |token: Token<Client>| token.subject().unwrap().to_owned();
    let companies = Router::new()
        .route("/api/v0/sdk/jobs", get(company))
        .layer(gate.optional_layer());
    people.merge(companies)
}

async fn ask(api: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = HttpRequest::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service::call(api, request).await
}

/// What `GET /api/v0/user` answers to an access token, cold and as it is remembered.
async fn user(api: &Router, token: &str) -> u16 {
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let answer = service::get(api, "/api/v0/user", &[("authorization", &bearer(token))]).await;
        statuses.push(answer.status);
    }
    assert_eq!(statuses[0], statuses[1]);
    statuses[0]
}

/// What `POST /api/v0/sdk/request/handle` answers to two tokens.
async fn handle(api: &Router, access: &str, request: &str) -> Answer {
    let access = bearer(access);
    let headers = [("authorization", &*access), ("request_token", request)];
    ask(api, "POST", "/api/v0/sdk/request/handle", &headers).await
}

/// What is answered in Embloy's style.
fn styled(attribute: &str, error: &str, description: &str) -> Value {
    json!({attribute: [{"error": error, "description": description}]})
}

fn blank(attribute: &str) -> Value {
    styled(attribute, "ERR_BLANK", "Attribute can't be blank")
}

fn malformed(attribute: &str) -> Value {
    styled(attribute, "ERR_INVALID", "Attribute is malformed")
}

fn invalid(attribute: &str) -> Value {
    styled(attribute, "ERR_INVALID", "Attribute is invalid or expired")
}

fn restricted(attribute: &str) -> Value {
    styled(attribute, "ERR_RAC", "Access is restricted")
}

/// What links in mails hold, and what a mail asks to be typed: neither is a JWT.
const PASSWORD_RESET: &str =
    "eyJfcmFpbHMiOnsiZGF0YSI6MSwicHVyIjoicGFzc3dvcmRfcmVzZXQifX0--1a2819319dc3";
const ONE_TIME_PASSWORD: &str = "123456";

/// Every kind of token, in every place, before every guard.
async fn matrix(dialect: Dialect, secrets: Secrets) {
    const OF_CLIENT: &[&str] = &["client_token", "Client-Token"];
    const OF_REQUEST: &[&str] = &["request_token", "Request-Token"];
    let signed = |secret, claims| sign(secret, &claims);
    let specimens = [
        ("access", &["Bearer"][..], signed(secrets.access, access())),
        ("client", OF_CLIENT, signed(secrets.client, client())),
        ("request", OF_REQUEST, signed(secrets.request, request())),
        ("refresh", &[], signed(secrets.refresh, refresh())),
        ("genius", &[], signed(secrets.genius, genius())),
        ("password reset", &[], PASSWORD_RESET.to_owned()),
        ("one-time password", &[], ONE_TIME_PASSWORD.to_owned()),
    ];
    let matrix = Matrix {
        places: vec![
            Place::bearer(),
            Place::header("client_token"),
            Place::header("Client-Token"),
            Place::header("request_token"),
            Place::header("Request-Token"),
        ],
        specimens: specimens
            .map(|(kind, places, token)| Specimen {
                kind,
                places,
                token,
            })
            .into(),
        guards: vec![
            (&["access"], get(async |_: Token<Access>| {})),
            (&["access"], get(async |_: RequireScope<OfKind<Access>>| {})),
            (&["client"], get(async |_: Token<Client>| {})),
            (&["request"], get(async |_: Token<Request>| {})),
            (&["refresh"], get(async |_: Token<Refresh>| {})),
        ],
        second_slot: &["client", "request"],
    };
    let gate = gate(dialect, secrets).build().unwrap();
    matrix.hold(&gate).await;
}

#[tokio::test]
async fn em_01_each_kind_has_its_own_verifier_and_a_route_names_its_kinds() {
    for dialect in DIALECTS {
        matrix(dialect, OWN).await;
    }
    // A secret of another kind proves nothing, whatever the claims say.
    let api = api(gate(Dialect::Current, OWN));
    let good = sign(OWN.access, &access());
    assert_eq!(user(&api, &good).await, 200);
    for secret in [OWN.client, OWN.request, OWN.refresh, OWN.genius] {
        assert_eq!(user(&api, &sign(secret, &access())).await, 401);
        if secret != OWN.request {
            let foreign = sign(secret, &request());
            assert_eq!(handle(&api, &good, &foreign).await.status, 401);
        }
    }
    // Each kind's required claims.
    let service = &api;
    for claim in ["iss", "sub", "exp", "typ", "mod"] {
        let token = with(access(), &format!("/{claim}"), Value::Null);
        assert_eq!(
            user(service, &sign(OWN.access, &token)).await,
            401,
            "{claim}"
        );
    }
    for claim in ["iss", "sub", "exp", "typ", "iat"] {
        let token = sign(
            OWN.client,
            &with(client(), &format!("/{claim}"), Value::Null),
        );
        let answer = service::get(service, "/api/v0/sdk/jobs", &[("client_token", &token)]).await;
        assert_eq!(answer.status, 401, "{claim}");
    }
    for claim in ["iss", "sub", "exp", "session", "iat"] {
        let token = sign(
            OWN.request,
            &with(request(), &format!("/{claim}"), Value::Null),
        );
        assert_eq!(handle(service, &good, &token).await.status, 401, "{claim}");
    }
    let gate = ResourceServer::builder()
        .kind(Refresh::kind(), verifier(OWN.refresh).build().unwrap())
        .clock(ManualClock::at(UnixTime::from_secs(NOW)));
    let route = Router::new().route("/api/v0/user", get(async |_: Token<Refresh>| {}));
    let logout = route.layer(gate.build().unwrap().layer());
    assert_eq!(user(&logout, &sign(OWN.refresh, &refresh())).await, 200);
    for claim in ["iss", "sub", "exp", "jti", "iat"] {
        let token = with(refresh(), &format!("/{claim}"), Value::Null);
        assert_eq!(
            user(&logout, &sign(OWN.refresh, &token)).await,
            401,
            "{claim}"
        );
    }
}

#[tokio::test]
async fn em_02_a_refresh_token_opens_no_route() {
    for dialect in DIALECTS {
        for secrets in [OWN, SHARED] {
            let api = api(gate(dialect, secrets));
            let token = sign(secrets.refresh, &refresh());
            assert_eq!(user(&api, &token).await, 401);
            let headers = [("authorization", &*bearer(&token))];
            for path in ["/api/v0/jobs", "/api/v0/preview/a", "/api/v0/sdk/jobs"] {
                let answer = ask(&api, "GET", path, &headers).await;
                assert_eq!(answer.status, 401, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn em_03_equal_secrets_make_no_kind_pass_for_another() {
    for dialect in DIALECTS {
        for secrets in [OWN, SHARED] {
            let api = api(gate(dialect, secrets));
            assert_eq!(user(&api, &sign(secrets.client, &client())).await, 401);
            // Even with all claims that an access token has.
            let token = with(client(), "/mod", json!("CompanyUser"));
            assert_eq!(user(&api, &sign(secrets.client, &token)).await, 401);
        }
        matrix(dialect, SHARED).await;
    }
    let built = |one: Kind, other: Kind, other_secret: &str| {
        ResourceServer::builder()
            .kind(one, verifier(OWN.refresh).build()?)
            .kind(other, verifier(other_secret).build()?)
            .build()
            .map(|_| ())
    };
    let genius = || Kind::named("genius").with_claim("jti").with_claim("iat");
    assert!(built(Refresh::kind(), genius(), OWN.genius).is_ok());
    assert_eq!(
        built(Refresh::kind(), genius(), OWN.refresh)
            .unwrap_err()
            .to_string(),
        "nothing tells the kinds refresh and genius apart, wanted a carrier, typ, audience, claim or \
         key in which they differ"
    );
    for dialect in DIALECTS {
        assert!(built(Refresh::kind(), Access::kind(dialect), OWN.refresh).is_ok());
    }
}

#[tokio::test]
async fn em_04_a_token_in_anothers_header_is_a_401() {
    for secrets in [OWN, SHARED] {
        let api = api(gate(Dialect::Current, secrets));
        let (access, client, request) = (
            sign(secrets.access, &access()),
            sign(secrets.client, &client()),
            sign(secrets.request, &request()),
        );
        assert_eq!(user(&api, &request).await, 401);
        assert_eq!(handle(&api, &access, &access).await.status, 401);
        assert_eq!(handle(&api, &access, &client).await.status, 401);
        assert_eq!(handle(&api, &access, &request).await.status, 200);
        for (token, status) in [(&access, 401), (&request, 401), (&client, 200)] {
            let answer = service::get(&api, "/api/v0/sdk/jobs", &[("client_token", token)]).await;
            assert_eq!(answer.status, status);
        }
    }
}

#[tokio::test]
async fn em_05_sub_is_a_positive_number() {
    let api = api(gate(Dialect::Current, OWN));
    let good = bearer(&sign(OWN.access, &access()));
    let answer = service::get(&api, "/api/v0/user", &[("authorization", &good)]).await;
    assert_eq!((answer.status, &*answer.body), (200, "1"));
    for sub in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1.0),
        json!(null),
        json!("1"),
        json!("0"),
    ] {
        let token = sign(OWN.access, &with(access(), "/sub", sub.clone()));
        assert_eq!(user(&api, &token).await, 401, "{sub}");
        if sub.is_null() {
            continue;
        }
        let token = with(
            with(request(), "/sub", sub.clone()),
            "/session/user_id",
            sub,
        );
        let token = sign(OWN.request, &token);
        let access = sign(OWN.access, &access());
        assert_eq!(handle(&api, &access, &token).await.status, 401);
    }
}

#[tokio::test]
async fn em_06_former_issuers_are_admitted_by_name() {
    let token = |issuer: &str| {
        let claims = with(old_access(), "/iss", json!(issuer));
        sign(OWN.access, &claims)
    };
    let gate = |verifier: portcullis::JwtVerifierBuilder| {
        let kind = Access::kind(Dialect::January2024);
        let gate = ResourceServer::builder().kind(kind, verifier.build().unwrap());
        api(gate.clock(ManualClock::at(UnixTime::from_secs(NOW))))
    };
    let strict = gate(verifier(OWN.access));
    assert_eq!(user(&strict, &token("api.embloy.com")).await, 200);
    assert_eq!(user(&strict, &token("mankde")).await, 401);
    let open = gate(verifier(OWN.access).also_issuer("mankde"));
    for issuer in ["api.embloy.com", "mankde"] {
        assert_eq!(user(&open, &token(issuer)).await, 200, "{issuer}");
    }
    for issuer in [
        "mankde.local",
        "Mankde",
        "mankd",
        "",
        "https://api.embloy.com",
        "embloy.com",
    ] {
        assert_eq!(user(&open, &token(issuer)).await, 401, "{issuer}");
    }
}

#[tokio::test]
async fn em_07_the_typ_of_the_payload_is_no_typ_of_a_header() {
    let api = api(gate(Dialect::Current, OWN));
    let embloy = watched::issuer();
    let token = |header: &str, claims: &Value| {
        embloy
            .token()
            .hmac(portcullis::Algorithm::HS256, OWN.access)
            .raw_header(header)
            .raw_payload(claims.to_string())
            .mint()
    };
    let bare = r#"{"alg":"HS256"}"#;
    assert_eq!(user(&api, &token(bare, &access())).await, 200);
    for typ in ["at+jwt", "JWT"] {
        let claims = with(access(), "/typ", json!(typ));
        assert_eq!(user(&api, &token(bare, &claims)).await, 401, "{typ}");
    }
    // Nor the other way round: a role in the header is no role, and no type of token either.
    let header = r#"{"alg":"HS256","typ":"verified"}"#;
    for claims in [access(), with(access(), "/typ", Value::Null)] {
        assert_eq!(user(&api, &token(header, &claims)).await, 401);
    }
    // The algorithm is the key's.
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
    ] {
        assert_eq!(user(&api, &token(header, &access())).await, 401, "{header}");
    }
}

#[tokio::test]
async fn em_08_each_dialect_has_its_own_claims() {
    let old = sign(OWN.access, &old_access());
    let new = sign(OWN.access, &access());
    let api = |dialect| api(gate(dialect, OWN).check_with(Access::scope_fits(dialect, ROOT)));
    let january = api(Dialect::January2024);
    assert_eq!(user(&january, &old).await, 200);
    assert_eq!(user(&january, &new).await, 200);
    let current = api(Dialect::Current);
    assert_eq!(user(&current, &old).await, 401);
    assert_eq!(user(&current, &new).await, 200);
    // A scope counts where there is one.
    let elsewhere = json!("https://api.embloy.com/api/jobs.write");
    let token = sign(OWN.access, &with(old_access(), "/scope", elsewhere));
    assert_eq!(user(&january, &token).await, 403);
}

#[tokio::test]
async fn em_09_a_scope_url_covers_methods_and_paths() {
    let scoped = gate(Dialect::Current, OWN);
    let scoped = scoped.check_with(Access::scope_fits(
        Dialect::Current,
        "https://api.embloy.com/",
    ));
    let api = api(scoped);
    let status = async |scope: &str, method: &str, path: &str| {
        let token = bearer(&sign(OWN.access, &with(access(), "/scope", json!(scope))));
        let headers = [("authorization", &*token)];
        let cold = ask(&api, method, path, &headers).await.status;
        assert_eq!(ask(&api, method, path, &headers).await.status, cold);
        cold
    };
    for (scope, method, path, wanted) in [
        ("/api.read", "GET", "/api/v0/user", 200),
        ("/api.read", "POST", "/api/v0/user", 403),
        ("/api.read", "HEAD", "/api/v0/user", 403),
        ("/api.write", "GET", "/api/v0/user", 200),
        ("/api.write", "POST", "/api/v0/user", 200),
        ("/api.write", "DELETE", "/api/v0/user", 200),
        ("/api.write", "PATCH", "/api/v0/jobs", 200),
        ("/api.write", "PUT", "/api/v0/jobs", 200),
        ("/api.write", "HEAD", "/api/v0/user", 403),
        ("/api.write", "OPTIONS", "/api/v0/user", 403),
        ("/api.write", "GET", "/admin", 403),
        ("/api.write", "GET", "/other/v0/jobs", 403),
        ("/api.write", "GET", "/api/next/jobs", 403),
        ("/api/jobs.write", "GET", "/api/v0/user", 403),
        ("/api/jobs.write", "GET", "/api/v0/jobs", 200),
        ("/api/jobs.write", "GET", "/api/v1/jobs", 200),
        ("/api/jobs.write", "POST", "/api/v0/jobs/7", 200),
        ("/api/jobs.write", "GET", "/api/v0/jobs/job%233", 200),
        ("/api/jobs.write", "GET", "/api/v0/jobs_secret", 403),
        ("/api/jobs.write", "GET", "/api/v0/jobs/..", 403),
        ("/api/jobs.write", "GET", "/api/v0/jobs/%2e%2e", 403),
        ("/api/jobs.write", "GET", "/api/v0/jobs/..%2Fuser", 403),
        ("/api/jobs/7.read", "GET", "/api/v0/jobs/7", 200),
        ("/api/jobs/7.read", "GET", "/api/v0/jobs/8", 403),
        ("/api/jobs/7.read", "GET", "/api/v0/jobs", 403),
        ("/api/jobs/.read", "GET", "/api/v0/jobs/7", 403),
        ("/api/job.read", "GET", "/api/v0/jobs", 403),
        ("/api/v0/jobs.read", "GET", "/api/v0/jobs", 403),
        ("/apijobs.write", "GET", "/api/v0/jobs", 403),
    ] {
        let found = status(&format!("{ROOT}{scope}"), method, path).await;
        assert_eq!(found, wanted, "{scope} for {method} {path}");
    }
    for elsewhere_or_nonsense in [
        "https://api.example.com/api.write",
        "http://api.embloy.com/api.write",
        "https://api.embloy.com:444/api.write",
        "https://api.embloy.com.example/api.write",
        "https://x@api.embloy.com/api.write",
        "",
        "write",
        "https://api.embloy.com/api",
        "https://api.embloy.com/api.",
        "https://api.embloy.com/api.admin",
        "https://api.embloy.com/api.WRITE",
        "https://api.embloy.com/api.read https://api.embloy.com/api.write",
    ] {
        let found = status(elsewhere_or_nonsense, "GET", "/api/v0/user").await;
        assert_eq!(found, 403, "{elsewhere_or_nonsense}");
    }
    let without = sign(OWN.access, &with(access(), "/scope", Value::Null));
    assert_eq!(user(&api, &without).await, 403);
    // The scope is of the access token alone.
    let client = sign(OWN.client, &client());
    let answer = service::get(&api, "/api/v0/sdk/jobs", &[("client_token", &client)]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn em_10_roles_are_a_lattice() {
    let gate = gate(Dialect::Current, OWN).build().unwrap();
    let api = Router::new()
        .route("/admin", get(async |_: RequireScope<Admin>| {}))
        .route("/editor", get(async |_: RequireScope<Editor>| {}))
        .route("/developer", get(async |_: RequireScope<Developer>| {}))
        .route("/moderator", get(async |_: RequireScope<Moderator>| {}))
        .route("/verified", get(async |_: RequireScope<Verified>| {}))
        .route("/spectator", get(async |_: RequireScope<Spectator>| {}))
        .layer(gate.layer());
    for (role, opens) in [
        (
            "admin",
            "admin editor developer moderator verified spectator",
        ),
        ("editor", "editor moderator verified spectator"),
        ("developer", "developer spectator"),
        ("moderator", "moderator verified spectator"),
        ("verified", "verified spectator"),
        ("spectator", "spectator"),
    ] {
        let token = bearer(&sign(OWN.access, &with(access(), "/typ", json!(role))));
        for route in [
            "admin",
            "editor",
            "developer",
            "moderator",
            "verified",
            "spectator",
        ] {
            let answer =
                service::get(&api, &format!("/{route}"), &[("authorization", &token)]).await;
            let wanted = if opens.contains(route) { 200 } else { 403 };
            assert_eq!(answer.status, wanted, "{role} at {route}");
        }
    }
    for role in ["owner", "Admin", "premium", ""] {
        let token = bearer(&sign(OWN.access, &with(access(), "/typ", json!(role))));
        let answer = service::get(&api, "/spectator", &[("authorization", &token)]).await;
        assert_eq!(answer.status, 401, "{role:?}");
    }
    // Owners, and admins.
    for (role, own, foreign) in [
        ("verified", true, false),
        ("editor", true, false),
        ("admin", true, true),
    ] {
        let claims: AccessClaims = read(&with(access(), "/typ", json!(role)));
        assert_eq!((claims.owns(1), claims.owns(2)), (own, foreign), "{role}");
    }
}

#[tokio::test]
async fn em_11_both_tokens_are_proven_by_themselves() {
    let rfc = api(gate(Dialect::Current, OWN));
    let embloy = api(gate(Dialect::Current, OWN).renderer(ErrorStyle));
    let access = sign(OWN.access, &access());
    let request = sign(OWN.request, &request());
    for api in [&rfc, &embloy] {
        let answer = handle(api, &access, &request).await;
        let two = r##"Some("1") job#3 Some("2")"##;
        assert_eq!((answer.status, &*answer.body), (200, two));
    }
    let broken = |token: &str| format!("{token}A");
    let both = |access: Option<&str>, request: Option<&str>| {
        let access = access.map(bearer);
        let request = request.map(str::to_owned);
        let (rfc, embloy) = (&rfc, &embloy);
        async move {
            let mut headers = Vec::new();
            headers.extend(access.as_deref().map(|token| ("authorization", token)));
            headers.extend(request.as_deref().map(|token| ("request_token", token)));
            let path = "/api/v0/sdk/request/handle";
            let rfc = ask(rfc, "POST", path, &headers).await;
            let embloy = ask(embloy, "POST", path, &headers).await;
            (rfc.status, embloy.status, embloy.json())
        }
    };
    // The Bearer token comes first, whatever the other is.
    for other in [None, Some(&*request), Some(&*broken(&request))] {
        assert_eq!(both(None, other).await, (401, 400, blank("token")));
        let bad = broken(&access);
        assert_eq!(both(Some(&bad), other).await, (401, 401, invalid("token")));
    }
    let good = Some(&*access);
    assert_eq!(both(good, None).await, (401, 400, blank("request token")));
    let bad = broken(&request);
    assert_eq!(
        both(good, Some(&bad)).await,
        (401, 401, invalid("request token"))
    );
}

#[tokio::test]
async fn em_12_a_session_is_complete_and_about_one_job() {
    let rfc = api(gate(Dialect::Current, OWN));
    let embloy = api(gate(Dialect::Current, OWN).renderer(ErrorStyle));
    let access = bearer(&sign(OWN.access, &access()));
    let preview = async |api: &Router, slug: &str, claims: &Value| {
        let token = sign(OWN.request, claims);
        let headers = [("authorization", &*access), ("request_token", &*token)];
        let path = format!("/api/v0/preview/{slug}");
        let preview = ask(api, "GET", &path, &headers).await;
        // The same job in a body.
        let mut apply = HttpRequest::post("/api/v0/sdk/apply");
        for (name, value) in headers {
            apply = apply.header(name, value);
        }
        let job = json!({"job_slug": slug.replace("%23", "#")}).to_string();
        let apply = apply
            .header("content-type", "application/json")
            .body(job.into());
        let apply = service::send(api, apply.unwrap()).await;
        assert_eq!(
            (apply.status, apply.json()),
            (preview.status, preview.json())
        );
        preview
    };
    let session = |name: &str, value: Value| with(request(), &format!("/session/{name}"), value);
    let lever = with(
        session("mode", json!("lever")),
        "/session/job_slug",
        json!("lever__3"),
    );
    for (slug, claims, status) in [
        ("job%233", request(), 200),
        ("job%234", request(), 403),
        ("Job%233", request(), 403),
        ("lever__3", lever.clone(), 200),
        ("3", lever, 403),
        ("job%233", session("mode", json!("lever")), 403),
        ("job%233", session("mode", json!("ashby")), 403),
        ("job%233", session("mode", json!("softgarden")), 403),
    ] {
        for api in [&rfc, &embloy] {
            assert_eq!(preview(api, slug, &claims).await.status, status, "{claims}");
        }
    }
    let stranger = session("user_id", json!(3));
    assert_eq!(preview(&rfc, "job%233", &stranger).await.status, 401);
    let answer = preview(&embloy, "job%233", &stranger).await;
    assert_eq!(
        (answer.status, answer.json()),
        (401, invalid("request token"))
    );
    for (name, value) in [
        ("mode", Value::Null),
        ("job_slug", Value::Null),
        ("user_id", Value::Null),
        ("subscription_type", Value::Null),
        ("mode", json!("workday")),
        ("job_slug", json!(3)),
        ("user_id", json!("2")),
        ("subscription_type", json!("gold")),
    ] {
        let claims = session(name, value);
        assert_eq!(
            preview(&rfc, "job%233", &claims).await.status,
            401,
            "{claims}"
        );
        let answer = preview(&embloy, "job%233", &claims).await;
        assert_eq!(
            (answer.status, answer.json()),
            (400, malformed("request token")),
            "{claims}"
        );
    }
}

#[tokio::test]
async fn em_13_a_token_ends_at_its_exp_and_its_lifetime_may_be_capped() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let api_on_time = api(gate(Dialect::Current, OWN).clock(clock.clone()));
    let token = sign(OWN.access, &with(access(), "/exp", json!(NOW + 1)));
    assert_eq!(user(&api_on_time, &token).await, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(user(&api_on_time, &token).await, 401, "remembered");
    let api_anew = api(gate(Dialect::Current, OWN).clock(clock.clone()));
    assert_eq!(user(&api_anew, &token).await, 401, "cold");

    let capped = |access_cap, request_cap| {
        let slot = CredentialSlot::new()
            .carrier(Request::carrier().unwrap())
            .kind(
                Request::kind().max_lifetime(Duration::from_secs(request_cap)),
                verifier(OWN.request).build().unwrap(),
            );
        let gate = ResourceServer::builder()
            .kind(
                Access::kind(Dialect::Current).max_lifetime(Duration::from_secs(access_cap)),
                verifier(OWN.access).build().unwrap(),
            )
            .second_slot(slot)
            .clock(ManualClock::at(UnixTime::from_secs(NOW)));
        api(gate)
    };
    let open = api(gate(Dialect::Current, OWN));
    let capped = capped(7_200, 1_800);
    let good = sign(OWN.access, &access());
    for (lifetime, status) in [(1_800, 200), (1_801, 401), (108_000, 401)] {
        let token = sign(OWN.request, &with(request(), "/exp", json!(NOW + lifetime)));
        assert_eq!(handle(&capped, &good, &token).await.status, status);
        assert_eq!(handle(&open, &good, &token).await.status, 200);
    }
    for (lifetime, iat, status) in [
        (7_200, json!(NOW), 200),
        (7_201, json!(NOW), 401),
        (7_201, Value::Null, 200),
    ] {
        let token = with(with(access(), "/exp", json!(NOW + lifetime)), "/iat", iat);
        let token = sign(OWN.access, &token);
        assert_eq!(user(&capped, &token).await, status);
        assert_eq!(user(&open, &token).await, 200);
    }
}

#[tokio::test]
async fn em_14_a_token_is_revoked_by_sub_and_jti() {
    let revoked = Arc::new(Mutex::new(HashSet::new()));
    let list = revoked.clone();
    let hook = unless_blocked(move |sub, jti| {
        let key = jti.map(|jti| (sub.to_owned(), jti.to_owned()));
        key.is_some_and(|key| list.lock().unwrap().contains(&key))
    });
    let gate = ResourceServer::builder()
        .kind(Refresh::kind(), verifier(OWN.refresh).build().unwrap())
        .kind(
            Access::kind(Dialect::Current),
            verifier(OWN.access).build().unwrap(),
        )
        .clock(ManualClock::at(UnixTime::from_secs(NOW)))
        .check_with(hook)
        .build()
        .unwrap();
    let api = Router::new()
        .route("/api/v0/user", get(async || {}))
        .layer(gate.layer());
    let one = sign(OWN.refresh, &refresh());
    let same_second = sign(OWN.refresh, &with(refresh(), "/sub", json!(2)));
    let without = sign(OWN.access, &access());
    for token in [&one, &same_second, &without] {
        assert_eq!(user(&api, token).await, 200);
    }
    let jti = refresh()["jti"].as_str().unwrap().to_owned();
    revoked.lock().unwrap().insert(("1".to_owned(), jti));
    assert_eq!(user(&api, &one).await, 403, "at once, though remembered");
    for token in [&same_second, &without] {
        assert_eq!(user(&api, token).await, 200);
    }
}

#[tokio::test]
async fn em_15_a_blocked_user_is_refused_between_proof_and_handler() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let hook = unless_blocked(move |sub, _| {
        count.fetch_add(1, Ordering::Relaxed);
        sub == "7"
    });
    let gate = gate(Dialect::Current, OWN)
        .check_with(hook)
        .renderer(ErrorStyle);
    let gate = gate.build().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let serve = served.clone();
    let handler = get(async move || {
        serve.fetch_add(1, Ordering::Relaxed);
    });
    let api = Router::new().route("/", handler).layer(gate.layer());
    let blocked = sign(OWN.access, &with(access(), "/sub", json!(7)));
    let ask = async |token: &str| {
        let answer = service::get(&api, "/", &[("authorization", &bearer(token))]).await;
        let counts = (
            asked.load(Ordering::Relaxed),
            served.load(Ordering::Relaxed),
        );
        (answer.status, answer.json(), counts)
    };
    let forged = sign(OWN.client, &with(access(), "/sub", json!(7)));
    assert_eq!(ask(&forged).await, (401, invalid("token"), (0, 0)));
    assert_eq!(ask(&blocked).await, (403, restricted("user"), (1, 0)));
    assert_eq!(ask(&blocked).await, (403, restricted("user"), (2, 0)));
    let good = sign(OWN.access, &access());
    assert_eq!(ask(&good).await.2, (3, 1));

    // So is a company, whoever stands beside it.
    let good = bearer(&good);
    let of_blocked = with(
        with(request(), "/sub", json!(7)),
        "/session/user_id",
        json!(7),
    );
    let blocked_client = sign(OWN.client, &with(client(), "/sub", json!(7)));
    for (name, blocked, open) in [
        (
            "request_token",
            sign(OWN.request, &of_blocked),
            sign(OWN.request, &request()),
        ),
        ("client_token", blocked_client, sign(OWN.client, &client())),
    ] {
        let before = served.load(Ordering::Relaxed);
        for _ in 0..2 {
            let headers = [("authorization", &*good), (name, &*blocked)];
            let answer = service::get(&api, "/", &headers).await;
            assert_eq!((answer.status, answer.json()), (403, restricted("user")));
            assert_eq!(served.load(Ordering::Relaxed), before, "{name}");
        }
        let headers = [("authorization", &*good), (name, &*open)];
        assert_eq!(
            service::get(&api, "/", &headers).await.status,
            200,
            "{name}"
        );
    }
}

#[tokio::test]
async fn em_16_headers_have_two_spellings_of_which_one_may_be_there() {
    let api = api(gate(Dialect::Current, OWN));
    let access = bearer(&sign(OWN.access, &access()));
    let client = sign(OWN.client, &client());
    let request = sign(OWN.request, &request());
    let jobs = ("GET", "/api/v0/sdk/jobs");
    let application = ("POST", "/api/v0/sdk/request/handle");
    for (route, token, underscore, dash) in [
        (jobs, &client, "client_token", "Client-Token"),
        (application, &request, "request_token", "Request-Token"),
    ] {
        for (names, direct, proxied) in [
            (&[underscore][..], 200, 401),
            (&[dash], 200, 200),
            (&[underscore, dash], 400, 200),
            (&[dash, dash], 400, 400),
        ] {
            let mut headers: Vec<(&str, &str)> =
                names.iter().map(|name| (*name, &**token)).collect();
            if route == application {
                headers.push(("authorization", &access));
            }
            let answer = ask(&api, route.0, route.1, &headers).await;
            assert_eq!(answer.status, direct, "{names:?}");
            // As nginx does.
            headers.retain(|(name, _)| !name.contains('_'));
            let answer = ask(&api, route.0, route.1, &headers).await;
            assert_eq!(answer.status, proxied, "{names:?}");
        }
    }
}

#[tokio::test]
async fn em_17_other_tokens_open_nothing_and_close_nothing() {
    let gate = gate(Dialect::Current, OWN).build().unwrap();
    let api = Router::new()
        .route("/api/v0/user", get(async |_: Token<Access>| {}))
        .layer(gate.layer())
        .merge(
            Router::new()
                .route("/api/v0/marked", get(async || {}))
                .layer(gate.optional_layer()),
        )
        .route("/api/v0/user/password/reset", get(async || {}));
    for other in [
        sign(OWN.genius, &genius()),
        PASSWORD_RESET.to_owned(),
        ONE_TIME_PASSWORD.to_owned(),
    ] {
        let header = bearer(&other);
        let headers = [("authorization", &*header)];
        for (path, status) in [
            ("/api/v0/user", 401),
            ("/api/v0/user/password/reset", 200),
            ("/api/v0/marked", 401),
        ] {
            let answer = ask(&api, "GET", path, &headers).await;
            assert_eq!(answer.status, status, "{path}");
        }
    }
    for path in ["/api/v0/user/password/reset", "/api/v0/marked"] {
        assert_eq!(ask(&api, "GET", path, &[]).await.status, 200);
    }
}

#[tokio::test]
async fn em_18_short_secrets_are_configuration_errors() {
    let short = "thirty-one bytes are too few...";
    assert_eq!(short.len(), 31);
    let refused = verifier(short).build().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "secret for HS256 has 31 bytes, wanted at least 32"
    );
    assert!(verifier(format!("{short}.")).build().is_ok());
    // The override is spelled out.
    let ten = "embloy1234";
    let weak = danger::accept_short_secret(verifier(ten)).build().unwrap();
    let gate = ResourceServer::builder()
        .kind(Access::kind(Dialect::Current), weak)
        .clock(ManualClock::at(UnixTime::from_secs(NOW)));
    assert_eq!(user(&api(gate), &sign(ten, &access())).await, 200);
}

#[tokio::test]
async fn em_19_refusals_are_worded_as_embloy_words_them() {
    let down = |token: &portcullis::AccessToken, _: &http::request::Parts| match token.subject() {
        Some("9") => Err(Error::unavailable(
            Duration::from_secs(7),
            "database is down",
        )),
        Some("8") => Err(Error::not_found("user left")),
        _ => Ok(()),
    };
    let api = |style: bool| {
        let gate = gate(Dialect::Current, OWN)
            .check_with(Access::scope_fits(Dialect::Current, ROOT))
            .check_with(down);
        api(if style {
            gate.renderer(ErrorStyle)
        } else {
            gate
        })
    };
    let (rfc, embloy) = (api(false), api(true));
    let by = |sub: u64| bearer(&sign(OWN.access, &with(access(), "/sub", json!(sub))));
    let good = by(1);
    let narrow = json!("https://api.embloy.com/api/jobs.read");
    let narrow = bearer(&sign(OWN.access, &with(access(), "/scope", narrow)));
    let expired = bearer(&sign(OWN.access, &with(access(), "/exp", json!(NOW))));
    let stale = sign(OWN.request, &with(request(), "/exp", json!(NOW)));
    let client = sign(OWN.client, &client());
    let unknown = styled("token", "ERR_INVALID", "Attribute is unknown");
    let (user, preview, jobs) = ("/api/v0/user", "/api/v0/preview/a", "/api/v0/sdk/jobs");
    for (path, headers, status, style, body) in [
        (user, vec![], 401, 400, blank("token")),
        (jobs, vec![], 401, 400, blank("client token")),
        (
            preview,
            vec![("authorization", &*good)],
            401,
            400,
            blank("request token"),
        ),
        (
            user,
            vec![("authorization", "Bearer ,")],
            400,
            400,
            malformed("token"),
        ),
        (
            jobs,
            vec![("client_token", &client), ("Client-Token", &client)],
            400,
            400,
            malformed("client token"),
        ),
        (
            user,
            vec![("authorization", "Bearer abc")],
            401,
            401,
            invalid("token"),
        ),
        (
            user,
            vec![("authorization", &expired)],
            401,
            401,
            invalid("token"),
        ),
        (
            jobs,
            vec![("client_token", "abc")],
            401,
            401,
            invalid("client token"),
        ),
        (
            preview,
            vec![("authorization", &good), ("request_token", &stale)],
            401,
            401,
            invalid("request token"),
        ),
        (
            user,
            vec![("authorization", &narrow)],
            403,
            403,
            restricted("user"),
        ),
        (user, vec![("authorization", &by(8))], 404, 404, unknown),
    ] {
        let answer = ask(&rfc, "GET", path, &headers).await;
        assert_eq!(answer.status, status, "{body}");
        let answer = ask(&embloy, "GET", path, &headers).await;
        assert_eq!((answer.status, answer.json()), (style, body));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("www-authenticate"), "");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // An outage is nobody's attribute.
    for api in [&rfc, &embloy] {
        let answer = ask(api, "GET", user, &[("authorization", &by(9))]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

fn read<T: DeserializeOwned>(claims: &Value) -> T {
    ClaimSet::from_serialize(claims).unwrap().read().unwrap()
}

/// As published in January 2024; the last part of each, its signature, is left out.
const PUBLISHED: [(&str, &str); 5] = [
    (
        "refresh",
        "eyJzdWIiOjEsImV4cCI6MTcwNDk2MDA2NCwianRpIjoiMWEyODE5MzE5ZGMzNDQ4OTZkYWQ2YjY4ODA1OWNjYzgiLCJpYXQiOjE3MDQ5NDU2NjQsImlzcyI6Im1hbmtkZSJ9",
    ),
    (
        "access",
        "eyJzdWIiOjEsImV4cCI6MTcwNDk0Njg4NCwidHlwIjoidmVyaWZpZWQiLCJpc3MiOiJtYW5rZGUifQ",
    ),
    (
        "client",
        "eyJzdWIiOjEsImV4cCI6MTcwNzU4Mjk5NCwidHlwIjoiZW50ZXJwcmlzZV8xIiwiaWF0IjoxNzA0OTQ1Njk4LCJpc3MiOiJtYW5rZGUifQ",
    ),
    (
        "request",
        "eyJzdWIiOjEsImV4cCI6MTcwNTQ4NjQxNSwic2Vzc2lvbiI6eyJtb2RlIjoiam9iIiwiam9iX3NsdWciOiJqb2IjMyIsInVzZXJfaWQiOjEsInN1YnNjcmlwdGlvbl90eXBlIjoicHJlbWl1bSJ9LCJpYXQiOjE3MDUzNzg0MTUsImlzcyI6Im1hbmtkZSJ9",
    ),
    (
        "request, all fields",
        "eyJzdWIiOjEsImV4cCI6MTcwNTQ4NjIwOSwic2Vzc2lvbiI6eyJtb2RlIjoiam9iIiwic3VjY2Vzc191cmwiOiIvc3VjY2VzcyIsImNhbmNlbF91cmwiOiIvZmFpbHVyZSIsImpvYl9zbHVnIjoiam9iIzMiLCJ0aXRsZSI6IlRlc3RUaXRsZSIsImRlc2NyaXB0aW9uIjoiPGRpdj5UaGlzIGlzIHRoZSBkZXNjcmlwdGlvbjwvZGl2PiIsInN0YXJ0X3Nsb3QiOiIyMDI0LTAxLTE2VDA0OjEwOjA5LjQ2M1oiLCJsb25naXR1ZGUiOiIxMS42MTM5NDI5OTQ4NDQzNTgiLCJsYXRpdHVkZSI6IjQ4LjE5NTEwNzYiLCJqb2JfdHlwZSI6IlJldGFpbCIsInN0YXR1cyI6InB1YmxpYyIsInBvc2l0aW9uIjoiQ0VPIiwiY3VycmVuY3kiOiJFVVIiLCJzYWxhcnkiOiI5Iiwia2V5X3NraWxscyI6IkVudHJlcHJlbmV1cnNoaXAiLCJkdXJhdGlvbiI6IjkiLCJqb2Jfbm90aWZpY2F0aW9ucyI6IjEiLCJjdl9yZXF1aXJlZCI6InRydWUiLCJhbGxvd2VkX2N2X2Zvcm1hdHMiOlsiLnBkZiIsIi5kb2N4IiwiLnR4dCIsIi54bWwiXSwidXNlcl9pZCI6MSwic3Vic2NyaXB0aW9uX3R5cGUiOiJwcmVtaXVtIn0sImlhdCI6MTcwNTM3ODIwOSwiaXNzIjoibWFua2RlIn0",
    ),
];

#[tokio::test]
async fn published_tokens_are_read_and_pass_when_signed_anew() {
    let claims = |name: &str| -> Value {
        let (_, payload) = PUBLISHED.iter().find(|(kind, _)| *kind == name).unwrap();
        serde_json::from_slice(&base64_url(payload)).unwrap()
    };
    let refresh: RefreshClaims = read(&claims("refresh"));
    assert_eq!(
        (refresh.sub, &*refresh.jti),
        (1, "1a2819319dc344896dad6b688059ccc8")
    );
    let access: AccessClaims = read(&claims("access"));
    assert_eq!(
        (access.sub, &*access.typ, access.scope),
        (1, "verified", None)
    );
    let client: ClientClaims = read(&claims("client"));
    assert_eq!((client.sub, client.typ), (1, Tier::Enterprise1));
    let small: RequestClaims = read(&claims("request"));
    assert_eq!(
        (small.session.mode, &*small.session.job_slug),
        (Mode::Job, "job#3")
    );
    assert!(small.session.rest.is_empty());
    let full: RequestClaims = read(&claims("request, all fields"));
    assert_eq!(full.session.rest["success_url"], "/success");
    assert_eq!(full.session.rest["allowed_cv_formats"][1], ".docx");
    assert_eq!(full.session.rest.len(), 17);
    assert_eq!(
        (full.session.user_id, full.session.subscription_type),
        (1, Tier::Premium)
    );

    // With a secret that is known, at the time and by the issuer of then.
    let verifier = |secret: &str| verifier(secret).also_issuer("mankde").build().unwrap();
    let slot = CredentialSlot::new()
        .carrier(Client::carrier().unwrap())
        .carrier(Request::carrier().unwrap())
        .kind(Client::kind(), verifier(OWN.client))
        .kind(Request::kind(), verifier(OWN.request));
    let gate = ResourceServer::builder()
        .kind(Access::kind(Dialect::January2024), verifier(OWN.access))
        .second_slot(slot)
        .clock(ManualClock::at(UnixTime::from_secs(1_704_946_000)));
    let now = api(gate);
    assert_eq!(user(&now, &sign(OWN.access, &claims("access"))).await, 200);
    let token = sign(OWN.client, &claims("client"));
    let answer = service::get(&now, "/api/v0/sdk/jobs", &[("client_token", &token)]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_is_issued_passes_the_gate() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let embloy = watched::builder().clock(clock.clone()).build();
    issuer::open(&embloy);
    let call = async |path: &str, header: (&str, &str), body: Value| -> (u16, Value) {
        let request = HttpRequest::post(embloy.url(path)).header(header.0, header.1);
        issuer_call(&embloy, request, &body).await
    };
    let issued = |(status, answer): &(u16, Value), member| {
        assert_eq!(*status, 200);
        text(answer, member)
    };
    let json_type = ("content-type", "application/json");
    // jobs@acme.example:open sesame
    let basic = (
        "authorization",
        "Basic am9ic0BhY21lLmV4YW1wbGU6b3BlbiBzZXNhbWU=",
    );
    let (refresh_path, access_path) = ("/api/v0/auth/token/refresh", "/api/v0/auth/token/access");
    let (client_path, request_path) = (
        "/api/v0/auth/token/client",
        "/api/v0/sdk/request/auth/token",
    );
    let refresh = issued(&call(refresh_path, basic, json!({})).await, "refresh_token");
    let grant = json!({"grant_type": "refresh_token", "refresh_token": refresh});
    let answer = call(access_path, json_type, grant.clone()).await;
    assert_eq!(answer.1["token_type"], "Bearer");
    let access = issued(&answer, "access_token");
    let header = bearer(&access);
    let answer = call(client_path, ("authorization", &header), json!({})).await;
    let client = issued(&answer, "client_token");
    let job = json!({"job_slug": "7", "mode": "lever"});
    let answer = call(request_path, ("client_token", &client), job).await;
    let request = issued(&answer, "request_token");

    let checked = gate(Dialect::Current, OWN)
        .check_with(Access::scope_fits(Dialect::Current, ROOT))
        .clock(clock.clone());
    let api = api(checked);
    let answer = handle(&api, &access, &request).await;
    let both = r#"Some("2") lever__7 Some("2")"#;
    assert_eq!((answer.status, &*answer.body), (200, both));
    let answer = service::get(&api, "/api/v0/sdk/jobs", &[("client_token", &client)]).await;
    assert_eq!(answer.status, 200);

    // None is good where another belongs, and a refresh token ends.
    let with_refresh = bearer(&refresh);
    for (path, header) in [
        (refresh_path, ("authorization", &*header)),
        (client_path, ("authorization", &*with_refresh)),
        (request_path, ("client_token", &access)),
    ] {
        let (status, _) = call(path, header, json!({"job_slug": "7"})).await;
        assert!(matches!(status, 400 | 401), "{path}: {status}");
    }
    clock.advance(Duration::from_secs(14 * 24 * 3600));
    assert_eq!(call(access_path, json_type, grant).await.0, 401);
}

fn base64_url(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .unwrap()
}

#[tokio::test]
async fn the_issuer_words_refusals_and_keeps_what_a_company_says() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let embloy = watched::builder().clock(clock).build();
    issuer::open(&embloy);
    let call = async |path: &str, header: (&str, &str), body: Value| -> (u16, Value) {
        let request = HttpRequest::post(embloy.url(path)).header(header.0, header.1);
        issuer_call(&embloy, request, &body).await
    };
    let path = "/api/v0/sdk/request/auth/token";
    let refusal = |attribute: &str, error: &str, description: &str| json!({attribute: [{"error": error, "description": description}]});
    let blank = refusal("client token", "ERR_BLANK", "Attribute can't be blank");
    let bad = refusal(
        "client token",
        "ERR_INVALID",
        "Attribute is invalid or expired",
    );
    for (header, status, body) in [
        (("accept", "*/*"), 400, &blank),
        (("client_token", ""), 400, &blank),
        (("Client-Token", "x"), 401, &bad),
    ] {
        let answer = call(path, header, json!({"job_slug": "7"})).await;
        assert_eq!(answer, (status, body.clone()), "{header:?}");
    }

    // jobs@acme.example:open sesame
    let basic = "Basic am9ic0BhY21lLmV4YW1wbGU6b3BlbiBzZXNhbWU=";
    let auth = "/api/v0/auth/token";
    let (_, mut answer) = call(
        &format!("{auth}/refresh"),
        ("authorization", basic),
        json!({}),
    )
    .await;
    answer["grant_type"] = json!("refresh_token");
    let (_, answer) = call(&format!("{auth}/access"), ("accept", "*/*"), answer).await;
    let access = format!("bearer {}", answer["access_token"].as_str().unwrap());
    let access = ("authorization", &*access);
    let (_, answer) = call(&format!("{auth}/client"), access, json!({})).await;
    let client = answer["client_token"].as_str().unwrap();
    for name in ["client_token", "Client-Token"] {
        let wish = json!({"job_slug": "7", "referrer": "x y", "user_id": 9, "cancel_url": null});
        let (_, answer) = call(path, (name, client), wish).await;
        let token = answer["request_token"].as_str().unwrap();
        let payload = base64_url(token.split('.').nth(1).unwrap());
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            claims["session"],
            json!({
                "mode": "job", "job_slug": "7", "user_id": 2, "subscription_type": "premium",
                "referrer": "x y",
            })
        );
    }
}
