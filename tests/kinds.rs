//! Kinds with keys of their own, two credentials at once, checks of the application, several issuers:
//! what a server knows beyond one token from one issuer.

// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod watched;

use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http::request::Parts;
use http_body_util::BodyExt;
use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock};
use portcullis::{
    AccessToken, Algorithm, Authenticated, ByIssuer, Carrier, Check, ClaimSet, Credential,
    CredentialSlot, Error, JwtVerifier, Kind, Kinds, LookupVerifier, Moment, Principal,
    PrincipalType, Reason, Refuse, Renderer, RequireScope, ResourceGuard, ResourceServer,
    ResourceServerBuilder, Reworded, ScopeHierarchy, StaticTokens, Token, TokenKind, Unavailable,
    UnixTime, Verified, Verifier, When, danger, scope,
};
use serde_json::json;
use tower::ServiceExt;

const NOW: i64 = 1_795_262_400;
const AUDIENCE: &str = "https://api.example.com/";
const APPLICANT: &str = "the secret that signs applicants' tokens";
const CLIENT: &str = "the secret that signs the tokens of clients";
const SESSION: &str = "the secret that signs the tokens of sessions";

macro_rules! kinds {
    ($($name:ident = $word:literal),+) => { $(
        struct $name;
        impl TokenKind for $name {
            const NAME: &'static str = $word;
        }
    )+ };
}

kinds! { Applicant = "applicant", Client = "client", Session = "session" }

fn issuer() -> (AuthorizationServer, ManualClock) {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let issuer = watched::builder().clock(clock.clone()).build();
    (issuer, clock)
}

fn hmac(issuer: &AuthorizationServer, secret: impl AsRef<[u8]>) -> JwtVerifier {
    JwtVerifier::builder(issuer.issuer(), AUDIENCE)
        .hmac_secret(Algorithm::HS256, secret)
        .leeway(Duration::ZERO)
        .build()
        .unwrap()
}

fn mint(issuer: &AuthorizationServer, secret: &str) -> String {
    issuer.token().hmac(Algorithm::HS256, secret).mint()
}

/// An applicant's token as Bearer; a client's or a session's in a header of its own.
fn two_slots(issuer: &AuthorizationServer) -> ResourceServerBuilder {
    let carrier = |name| Carrier::header(name).unwrap();
    issuer
        .resource_server()
        .kind(Kind::named("applicant"), hmac(issuer, APPLICANT))
        .second_slot(
            CredentialSlot::new()
                .carrier(carrier("client_token").alias("Client-Token").unwrap())
                .carrier(carrier("session_token"))
                .kind(
                    Kind::named("client").in_header("client_token"),
                    hmac(issuer, CLIENT),
                )
                .kind(
                    Kind::named("session").in_header("session_token"),
                    hmac(issuer, SESSION),
                ),
        )
}

/// Shows status and carrier of a refusal, so that tests see what a renderer sees.
struct Shown;

impl Renderer for Shown {
    fn render(&self, error: &Error, response: &mut http::Response<String>) {
        let carrier = error.carrier().unwrap_or("-");
        *response.body_mut() = format!("{} {carrier}", error.reason().label());
    }
}

async fn ask(app: &Router, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

fn parts(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn two_credentials_are_two_principals() {
    async fn both(applicant: Token<Applicant>, session: Token<Session>) -> String {
        format!("{} at {}", applicant.principal(), session.principal())
    }
    let (issuer, _) = issuer();
    let app = Router::new()
        .route("/both", get(both))
        .route(
            "/first",
            get(|token: AccessToken| async move { token.kind().to_owned() }),
        )
        .route("/client", get(|_: Token<Client>| async {}))
        .layer(two_slots(&issuer).renderer(Shown).build().unwrap().layer());
    let applicant = format!("Bearer {}", mint(&issuer, APPLICANT));
    let session = issuer
        .token()
        .subject("shop")
        .hmac(Algorithm::HS256, SESSION)
        .mint();
    let client = mint(&issuer, CLIENT);
    let first = ("authorization", &*applicant);
    let bad = issuer.token().mint();
    let bad_bearer = format!("Bearer {bad}");
    for (path, headers, wanted) in [
        (
            "/both",
            vec![first, ("session_token", &session)],
            (200, "alice at shop"),
        ),
        (
            "/first",
            vec![first, ("session_token", &session)],
            (200, "applicant"),
        ),
        ("/first", vec![first], (200, "applicant")),
        // The first slot is the layer's business, and comes first.
        ("/both", vec![], (401, "no_credential Authorization")),
        (
            "/both",
            vec![("session_token", &bad)],
            (401, "no_credential Authorization"),
        ),
        ("/both", vec![first], (401, "no_credential session_token")),
        ("/client", vec![first], (401, "no_credential client_token")),
        (
            "/both",
            vec![first, ("client_token", &client)],
            (403, "other_kind session_token"),
        ),
        // Whoever asks for nothing of the second slot gets no bad credential past it either.
        (
            "/first",
            vec![first, ("session_token", &bad)],
            (401, "algorithm session_token"),
        ),
        (
            "/both",
            vec![("authorization", &bad_bearer)],
            (401, "algorithm Authorization"),
        ),
        (
            "/both",
            vec![first, ("session_token", &client)],
            (401, "signature session_token"),
        ),
        (
            "/both",
            vec![first, ("client_token", &session)],
            (401, "signature client_token"),
        ),
        (
            "/both",
            vec![
                first,
                ("session_token", &session),
                ("client_token", &client),
            ],
            (400, "several_credentials -"),
        ),
        (
            "/client",
            vec![first, ("client_token", &client), ("client-token", &client)],
            (400, "several_credentials client_token"),
        ),
        ("/client", vec![first, ("client-token", &client)], (200, "")),
    ] {
        // Cold, and as the cache remembers it.
        for _ in 0..2 {
            let (status, body) = ask(&app, path, &headers).await;
            assert_eq!((status, &*body), wanted, "{path} {:?}", headers.len());
        }
    }
}

#[tokio::test]
async fn a_slot_may_be_required_and_strangers_may_pass() {
    let (issuer, _) = issuer();
    let slot = || {
        CredentialSlot::new()
            .carrier(Carrier::header("session_token").unwrap())
            .kind(Kind::named("session"), hmac(&issuer, SESSION))
    };
    let server = issuer
        .resource_server()
        .kind(Kind::named("applicant"), hmac(&issuer, APPLICANT))
        .second_slot(slot().required())
        .build()
        .unwrap();
    let routes = || {
        Router::new()
            .route("/", get(|| async { "open" }))
            .route("/session", get(|_: Token<Session>| async { "session" }))
    };
    let applicant = format!("Bearer {}", mint(&issuer, APPLICANT));
    let session = mint(&issuer, SESSION);
    let app = routes().layer(server.layer());
    let first = ("authorization", &*applicant);
    assert_eq!(ask(&app, "/", &[first]).await.0, 401);
    let both = [first, ("session_token", &session)];
    assert_eq!(ask(&app, "/", &both).await.0, 200);
    let app = routes().layer(server.optional_layer());
    assert_eq!(ask(&app, "/", &[]).await.0, 200);
    assert_eq!(ask(&app, "/session", &[]).await.0, 401);
    let alone = [("session_token", &*session)];
    assert_eq!(ask(&app, "/session", &alone).await, (200, "session".into()));

    // Without a layer, and without axum.
    let app = Router::new()
        .route(
            "/",
            get(
                |token: Authenticated<(Token<Applicant>, Token<Session>)>| async move {
                    token.0.1.kind().to_owned()
                },
            ),
        )
        .with_state(server.clone());
    assert_eq!(ask(&app, "/", &both).await, (200, "session".into()));
    assert_eq!(ask(&app, "/", &[first]).await.0, 401);
    let mut parts = parts(&both);
    let token = server.authenticate(&mut parts).await.unwrap().unwrap();
    assert_eq!(token.kind(), "applicant");
    let second = AccessToken::of_kind::<Session>(&parts.extensions).unwrap();
    assert_eq!(second.kind(), "session");
    let error = AccessToken::of_kind::<Client>(&parts.extensions).unwrap_err();
    assert_eq!(
        error.to_string(),
        "token is of kind applicant, wanted client"
    );
    // Of another spelling it is no kind of either slot.
    struct Capital;
    impl TokenKind for Capital {
        const NAME: &'static str = "Session";
    }
    let error = AccessToken::of_kind::<Capital>(&parts.extensions).unwrap_err();
    assert_eq!(
        error.to_string(),
        "token is of kind applicant, wanted Session"
    );
}

#[tokio::test]
async fn both_credentials_are_forgotten_by_themselves_and_marked_sensitive() {
    let (issuer, _) = issuer();
    let server = two_slots(&issuer).build().unwrap();
    let applicant = format!("Bearer {}", mint(&issuer, APPLICANT));
    let session = mint(&issuer, SESSION);
    let mut parts = parts(&[("authorization", &applicant), ("session_token", &session)]);
    server.authenticate(&mut parts).await.unwrap();
    assert!(parts.headers.values().all(http::HeaderValue::is_sensitive));
    let carriers = |parts: &Parts| {
        let first = server.credential(parts).unwrap().unwrap();
        let second = server.second_credential(parts).unwrap().unwrap();
        server.forget(&second);
        (
            first.carrier().name().to_owned(),
            second.carrier().name().to_owned(),
        )
    };
    let names = ("Authorization".to_owned(), "session_token".to_owned());
    assert_eq!(carriers(&parts), names);
}

#[tokio::test]
async fn a_tie_judges_credentials_that_come_together() {
    fn same_client(one: &AccessToken, other: &AccessToken) -> Result<(), Error> {
        match (one.client_id(), other.client_id()) {
            (Some(one), Some(other)) if one == other => Ok(()),
            _ => Err(Error::forbidden("the two tokens are of different clients")),
        }
    }
    let (issuer, _) = issuer();
    let server = two_slots(&issuer).tie(same_client).build().unwrap();
    let app = Router::new()
        .route("/", get(|| async {}))
        .layer(server.layer());
    let applicant = format!("Bearer {}", mint(&issuer, APPLICANT));
    let first = ("authorization", &*applicant);
    let session = |client| {
        let session = issuer.token().client_id(client);
        session.hmac(Algorithm::HS256, SESSION).mint()
    };
    assert_eq!(ask(&app, "/", &[first]).await.0, 200);
    for (client, status) in [("web", 200), ("shop", 403)] {
        let session = session(client);
        let headers = [first, ("session_token", &*session)];
        assert_eq!(ask(&app, "/", &headers).await.0, status, "{client}");
    }
}

#[tokio::test]
async fn kinds_of_one_place_are_told_apart_by_their_keys() {
    let (issuer, clock) = issuer();
    let builder = || {
        issuer
            .resource_server()
            .kind(
                Kind::named("applicant").max_age(Duration::from_secs(60)),
                hmac(&issuer, APPLICANT),
            )
            .kind(
                Kind::named("client").max_lifetime(Duration::from_secs(400)),
                hmac(&issuer, CLIENT),
            )
            .kind(
                Kind::named("signed"),
                issuer.jwt_verifier(AUDIENCE).build().unwrap(),
            )
    };
    let server = builder().build().unwrap();
    let prove = async |token: String| {
        let mut parts = parts(&[("authorization", &format!("Bearer {token}"))]);
        match server.authenticate(&mut parts).await {
            Ok(token) => token.unwrap().kind().to_owned(),
            Err(error) => format!("{}: {error}", error.reason().label()),
        }
    };
    let applicant = mint(&issuer, APPLICANT);
    assert_eq!(prove(applicant.clone()).await, "applicant");
    assert_eq!(prove(mint(&issuer, CLIENT)).await, "client");
    assert_eq!(prove(issuer.token().mint()).await, "signed");
    let secret = "a secret that nobody here has ever heard";
    assert_eq!(
        prove(mint(&issuer, secret)).await,
        "signature: signature does not match"
    );
    let long = issuer.token().expires_in(401);
    assert_eq!(
        prove(long.hmac(Algorithm::HS256, CLIENT).mint()).await,
        "expired: token lives 401 s, wanted at most 400 s"
    );
    // The age ends the verdict that is remembered, too.
    clock.advance(Duration::from_secs(59));
    assert_eq!(prove(applicant.clone()).await, "applicant");
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        prove(applicant).await,
        format!(
            "expired: iat {NOW} plus 60 s: {} is over, it is {}",
            NOW + 60,
            NOW + 60
        )
    );
}

#[test]
fn what_nothing_tells_apart_is_not_built() {
    let (issuer, _) = issuer();
    let alike = |one: Kind, other: Kind, secrets: [&str; 2]| {
        let server = issuer
            .resource_server()
            .kind(one, hmac(&issuer, secrets[0]))
            .kind(other, hmac(&issuer, secrets[1]))
            .build();
        server.err().map(|error| error.to_string())
    };
    let (refresh, access) = (|| Kind::named("refresh"), || Kind::named("access"));
    let sentence = "nothing tells the kinds refresh and access apart, wanted a carrier, typ, \
                    audience, claim or key in which they differ";
    let same = [CLIENT, CLIENT];
    assert_eq!(alike(refresh(), access(), same).as_deref(), Some(sentence));
    assert_eq!(
        alike(
            refresh().with_claim("jti"),
            access().with_claim("jti"),
            same
        )
        .as_deref(),
        Some(sentence)
    );
    assert_eq!(alike(refresh(), access(), [CLIENT, SESSION]), None);
    assert_eq!(
        alike(
            refresh().with_claim("jti"),
            access().without_claim("jti"),
            same
        ),
        None
    );
    assert_eq!(
        alike(Kind::named("a"), Kind::named("a"), [CLIENT, SESSION]).as_deref(),
        Some("kind a is declared twice")
    );
    // An alias is no other place.
    let aliased = issuer
        .resource_server()
        .carrier(
            Carrier::header("client_token")
                .unwrap()
                .alias("Client-Token")
                .unwrap(),
        )
        .kind(refresh().in_header("client_token"), hmac(&issuer, CLIENT))
        .kind(access().in_header("Client-Token"), hmac(&issuer, CLIENT))
        .build();
    assert_eq!(aliased.unwrap_err().to_string(), sentence);
    // Where a token sits is its sender's choice: with the same key it tells nothing apart, neither in
    // one slot nor in two, nor behind one verifier.
    let header = |name| Carrier::header(name).unwrap();
    let by_place = |secrets: [&[u8]; 2]| {
        let server = issuer
            .resource_server()
            .carrier(Carrier::bearer())
            .carrier(header("x-access"))
            .kind(
                refresh().in_header("authorization"),
                hmac(&issuer, secrets[0]),
            )
            .kind(access().in_header("x-access"), hmac(&issuer, secrets[1]));
        server.build().err().map(|error| error.to_string())
    };
    let [client, session] = [CLIENT, SESSION].map(str::as_bytes);
    assert_eq!(by_place([client, client]).as_deref(), Some(sentence));
    assert_eq!(by_place([client, session]), None);
    // HMAC fills a short secret up with zeros, and hashes one that is longer than a block: the same key.
    let filled_up = [client, &[0]].concat();
    assert_eq!(by_place([client, &filled_up]).as_deref(), Some(sentence));
    let long = [client, session].concat();
    let hashed = digest(&SHA256, &long);
    assert_eq!(
        by_place([&long, hashed.as_ref()]).as_deref(),
        Some(sentence)
    );
    let in_two_slots = |secret| {
        let slot = CredentialSlot::new()
            .carrier(header("x-access"))
            .kind(access(), hmac(&issuer, secret));
        let server = issuer.resource_server();
        let server = server.kind(refresh(), hmac(&issuer, CLIENT));
        let built = server.second_slot(slot).build();
        built.err().map(|error| error.to_string())
    };
    assert_eq!(in_two_slots(CLIENT).as_deref(), Some(sentence));
    assert_eq!(in_two_slots(SESSION), None);
    let kinds = || {
        Kinds::new([
            refresh().in_header("authorization"),
            access().in_header("x-access"),
        ])
    };
    let behind_one = issuer
        .resource_server()
        .carrier(Carrier::bearer())
        .carrier(header("x-access"))
        .kinds(kinds().unwrap());
    let two = |secret| {
        issuer
            .resource_server()
            .carrier(Carrier::bearer())
            .carrier(header("x-access"))
            .kinds(kinds().unwrap())
            .route(When::prefix("rt_"), Refuse::because("nobody"))
            .route(When::header("authorization"), hmac(&issuer, CLIENT))
            .route(When::header("x-access"), hmac(&issuer, secret))
    };
    let built = |builder: ResourceServerBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(built(behind_one.verifier(hmac(&issuer, CLIENT))), sentence);
    assert_eq!(built(two(CLIENT)), sentence);
    assert!(two(SESSION).build().is_ok());
    // Routes say where the kind of a server that declares none may sit.
    let lookup = || LookupVerifier::from_fn(look_up).build().unwrap();
    let beside = |when| {
        issuer
            .resource_server()
            .carrier(Carrier::bearer())
            .carrier(header("x-access"))
            .route(when, hmac(&issuer, CLIENT))
            .kind(access().in_header("x-access"), lookup())
    };
    assert!(beside(When::header("authorization")).build().is_ok());
    assert_eq!(
        built(beside(When::jwt())),
        sentence.replace("refresh", "access_token")
    );
    // The kind of a server that declares none has a name, too.
    assert_eq!(
        built(
            two(SESSION)
                .kinds(Kinds::new([Kind::named("access_token")]).unwrap())
                .kind(Kind::named("access_token"), hmac(&issuer, APPLICANT))
        ),
        "kind access_token is declared twice"
    );
    assert_eq!(
        built(
            issuer
                .resource_server()
                .route(When::jwt(), hmac(&issuer, CLIENT))
                .kind(Kind::named("access_token"), hmac(&issuer, SESSION))
        ),
        "kind access_token is declared twice"
    );
    assert_eq!(
        built(
            issuer
                .resource_server()
                .second_slot(
                    CredentialSlot::new()
                        .carrier(header("x-access"))
                        .verifier(hmac(&issuer, CLIENT))
                )
                .verifier(hmac(&issuer, SESSION))
        ),
        "the second slot declares no kind, wanted one: handlers ask for its tokens by kind"
    );
    assert_eq!(
        built(
            issuer
                .resource_server()
                .kinds(kinds().unwrap())
                .kind(Kind::named("other"), hmac(&issuer, CLIENT))
        ),
        "there are kinds and no verifier of theirs, wanted one: each kind of one's own has its"
    );
    // One name in two slots, one place in two slots, a tie of one, a slot without a place.
    let first = || {
        issuer
            .resource_server()
            .kind(access(), hmac(&issuer, CLIENT))
    };
    let slot = || CredentialSlot::new().kind(access(), hmac(&issuer, SESSION));
    assert_eq!(
        built(first().second_slot(slot().carrier(header("x")))),
        "kind access is declared twice"
    );
    assert_eq!(
        built(first().second_slot(slot().carrier(Carrier::bearer()))),
        "Carrier(Authorization: Bearer) reads authorization, which is read already"
    );
    assert_eq!(
        built(first().second_slot(slot())),
        "a credential slot has no carrier, wanted at least one"
    );
    assert_eq!(
        built(first().tie(|_, _| Ok(()))),
        "there is a tie and one credential slot, wanted a second"
    );
}

/// Whoever meets the sentence for the first time has two issuers, and must be told what to do.
#[test]
fn a_route_that_never_gets_a_credential_is_told_with_what_to_do() {
    let issuer = watched::issuer();
    let gate = || issuer.resource_server();
    let built = |builder: ResourceServerBuilder| builder.build().unwrap_err().to_string();
    let (one, other) = (|| hmac(&issuer, CLIENT), || hmac(&issuer, SESSION));
    assert_eq!(
        built(gate().verifier(one()).verifier(other())),
        "there are two verifiers for every credential, wanted one: for several issuers use \
         `ByIssuer`, for credentials that look different `route`"
    );
    let app = || When::prefix("app_");
    assert_eq!(
        built(
            gate()
                .route(app(), one())
                .route(app().and(When::opaque()), other())
        ),
        "When([Prefix(\"app_\"), Opaque]) never gets a credential, because \
         When([Prefix(\"app_\")]) before it takes them all: wanted the narrower first"
    );
    assert_eq!(
        built(gate().route(When::jwt().and(When::opaque()), one())),
        "When([Jwt, Opaque]) never gets a credential, wanted conditions that may hold together"
    );
}

/// Asks its store, which answers later.
#[derive(Clone, Default)]
struct LoggedOut(Arc<Mutex<HashSet<(String, String)>>>, Arc<AtomicUsize>);

impl Check for LoggedOut {
    async fn check(&self, token: &AccessToken, _: &Parts) -> Result<(), Error> {
        tokio::task::yield_now().await;
        self.1.fetch_add(1, Ordering::SeqCst);
        let names = (token.subject(), token.claims().token_id());
        let (Some(sub), Some(jti)) = names else {
            return Err(Error::invalid_token("token cannot be looked up"));
        };
        match self
            .0
            .lock()
            .unwrap()
            .contains(&(sub.to_owned(), jti.to_owned()))
        {
            true => Err(Error::invalid_token("token was logged out")),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn checks_run_on_every_request_and_are_never_remembered() {
    let (issuer, _) = issuer();
    let logged_out = LoggedOut::default();
    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .check_with(|token, parts| match (token.subject(), parts.uri.path()) {
            (Some("mallory"), _) => Err(Error::forbidden("this user is banned")),
            (_, "/closed") => Err(Error::not_found("nothing here")),
            _ => Ok(()),
        })
        .check(logged_out.clone())
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(|| async {}))
        .route("/closed", get(|| async {}))
        .layer(server.layer());
    let token = issuer.token().claim("jti", "one").mint();
    let alice = format!("Bearer {token}");
    let mallory = format!("Bearer {}", issuer.token().subject("mallory").mint());
    let status = async |path, bearer: &str| ask(&app, path, &[("authorization", bearer)]).await.0;
    assert_eq!(status("/", &alice).await, 200);
    assert_eq!(status("/", &alice).await, 200);
    assert_eq!(logged_out.1.load(Ordering::SeqCst), 2);
    assert_eq!(status("/", &mallory).await, 403);
    assert_eq!(status("/closed", &alice).await, 404);
    assert_eq!(
        logged_out.1.load(Ordering::SeqCst),
        2,
        "the first refusal counts"
    );
    let revoked = ("alice".to_owned(), "one".to_owned());
    logged_out.0.lock().unwrap().insert(revoked);
    assert_eq!(status("/", &alice).await, 401);
    // Another token of hers, and another's of the same name.
    let other = format!("Bearer {}", issuer.token().claim("jti", "two").mint());
    let bob = issuer.token().subject("bob").claim("jti", "one").mint();
    assert_eq!(status("/", &other).await, 200);
    assert_eq!(status("/", &format!("Bearer {bob}")).await, 200);
}

/// Never answers.
struct Hangs;

impl Check for Hangs {
    async fn check(&self, _: &AccessToken, _: &Parts) -> Result<(), Error> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_check_that_hangs_is_given_up() {
    let (issuer, clock) = issuer();
    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .check(Hangs)
        .build()
        .unwrap();
    let mut parts = parts(&[(
        "authorization",
        &format!("Bearer {}", issuer.token().mint()),
    )]);
    server.ready().await.unwrap();
    let (outcome, ()) = tokio::join!(server.authenticate(&mut parts), async {
        while clock.next_wake() != Some(UnixTime::from_secs(NOW + 30)) {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(30));
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "no verdict within 30 s");
    assert_eq!(error.reason(), Reason::LookupUnavailable);
}

#[tokio::test]
async fn each_issuer_has_its_own_keys() {
    let at = |origin| watched::builder().origin(origin).build();
    let (one, other) = (at("https://one.example"), at("https://other.example"));
    let foreign = at("https://foreign.example");
    let both = || {
        ByIssuer::new([
            one.jwt_verifier(AUDIENCE).build().unwrap(),
            other.jwt_verifier(AUDIENCE).build().unwrap(),
        ])
    };
    assert_eq!(
        format!("{:?}", both().unwrap()),
        r#"ByIssuer(["https://one.example", "https://other.example"])"#
    );
    let server = ResourceServer::builder()
        .verifier(both().unwrap())
        .build()
        .unwrap();
    let prove = async |token: String| {
        let mut parts = parts(&[("authorization", &format!("Bearer {token}"))]);
        match server.authenticate(&mut parts).await {
            Ok(token) => token.unwrap().issuer().unwrap().to_owned(),
            Err(error) => format!("{}: {error}", error.reason().label()),
        }
    };
    assert_eq!(prove(one.token().mint()).await, "https://one.example");
    assert_eq!(prove(other.token().mint()).await, "https://other.example");
    assert_eq!(
        prove(one.token().claim("iss", "https://other.example").mint()).await,
        "signature: signature does not match"
    );
    let asked = (one.asked(Endpoint::Jwks), other.asked(Endpoint::Jwks));
    assert_eq!(asked, (1, 1));
    assert_eq!(
        prove(foreign.token().mint()).await,
        "issuer: issuer is \"https://foreign.example\", wanted \"https://one.example\" or \
         \"https://other.example\""
    );
    assert_eq!(foreign.asked(Endpoint::Jwks), 0);
    for odd in [json!(7), json!(["https://one.example"])] {
        assert_eq!(
            prove(one.token().claim("iss", odd).mint()).await,
            "missing_claim: iss is absent or no string, wanted it to choose the keys"
        );
    }
    let twice = ByIssuer::new([
        one.jwt_verifier(AUDIENCE).build().unwrap(),
        one.jwt_verifier(AUDIENCE).build().unwrap(),
    ]);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "two verifiers are for the issuer \"https://one.example\", wanted one"
    );
    assert!(ByIssuer::new([]).is_err());
}

portcullis::scopes! {
    Mail = "mail";
    Send = "mail:send";
    Audit = "audit";
}
portcullis::permissions! { MayAudit = "audit"; }
portcullis::roles! {
    claim "role";
    Admin = "admin";
    Editor = "editor" below Admin;
    Developer = "developer" below Admin;
    Reader = "reader" below Editor, Developer;
}

#[tokio::test]
async fn requirements_reach_beyond_scopes() {
    type BothWords = (Audit, MayAudit);
    let (issuer, _) = issuer();
    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .scope_hierarchy(
            ScopeHierarchy::new()
                .prefix_implies(':')
                .implies(scope!("all"), [scope!("mail")]),
        )
        .principals(|claims| match claims.subject() {
            Some(subject) if subject.ends_with("@robots") => PrincipalType::Machine,
            Some(subject) if subject.starts_with("anon@") => PrincipalType::Anonymous,
            _ => PrincipalType::of(claims),
        })
        .build()
        .unwrap();
    let prove = async |claims: serde_json::Value| {
        let mut token = issuer.token();
        for (name, value) in claims.as_object().unwrap() {
            token = token.claim(name, value);
        }
        let mut parts = parts(&[("authorization", &format!("Bearer {}", token.mint()))]);
        server.authenticate(&mut parts).await.unwrap().unwrap()
    };
    let token = prove(json!({"scope": "mail audit", "role": "developer"})).await;
    assert!(token.require::<Send>().is_ok());
    assert!(token.require::<Mail>().is_ok());
    assert_eq!(token.scopes().to_string(), "audit mail");
    assert!(token.require::<(Reader, Developer)>().is_ok());
    assert!(token.require::<Editor>().is_err());
    // A permission is no scope and a scope no permission; what would not help is not named.
    let error = token.require::<BothWords>().unwrap_err();
    assert_eq!(error.reason(), Reason::Denied);
    assert!(
        error.to_string().starts_with("token does not meet "),
        "{error}"
    );
    let permitted = prove(json!({"permissions": ["audit"]})).await;
    assert!(permitted.require::<MayAudit>().is_ok());
    let error = permitted.require::<BothWords>().unwrap_err();
    assert_eq!(error.scopes(), [scope!("audit")]);
    assert!(
        prove(json!({"scope": "mail:send"}))
            .await
            .require::<Mail>()
            .is_err()
    );
    assert!(
        prove(json!({"scope": "all"}))
            .await
            .require::<Send>()
            .is_ok()
    );
    assert!(
        prove(json!({"role": ["x", "admin"]}))
            .await
            .require::<Reader>()
            .is_ok()
    );
    assert!(
        prove(json!({"role": {"admin": true}}))
            .await
            .require::<Reader>()
            .is_err()
    );

    use portcullis::{ByAnonymous, ByMachine, ByUser};
    let met = |token: &AccessToken| {
        let met = [
            token.require::<ByUser>().is_ok(),
            token.require::<ByMachine>().is_ok(),
            token.require::<ByAnonymous>().is_ok(),
        ];
        assert_eq!(met.iter().filter(|met| **met).count(), 1);
        met.iter().position(|met| *met)
    };
    let user = prove(json!({})).await;
    assert_eq!(
        (met(&user), user.principal()),
        (Some(0), Principal::Subject("alice"))
    );
    let robot = prove(json!({"sub": "r2@robots"})).await;
    assert_eq!(
        (met(&robot), robot.principal()),
        (Some(1), Principal::Client("web"))
    );
    let machine = prove(json!({"sub": "web"})).await;
    assert_eq!(
        (met(&machine), machine.principal()),
        (Some(1), Principal::Client("web"))
    );
    let anonymous = prove(json!({"sub": "anon@7"})).await;
    assert_eq!(
        (met(&anonymous), anonymous.principal()),
        (Some(2), Principal::Anonymous("anon@7"))
    );
}

#[tokio::test]
async fn a_token_in_the_url_only_where_danger_says_so() {
    let (issuer, _) = issuer();
    let jwt = || issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let with = |carriers: Vec<Carrier>| {
        let mut builder = issuer.resource_server().verifier(jwt());
        for carrier in carriers {
            builder = builder.carrier(carrier);
        }
        Router::new()
            .route("/", get(|_: RequireScope<Mail>| async {}))
            .layer(builder.build().unwrap().layer())
    };
    let token = issuer.token().scope("mail").mint();
    let bearer = format!("Bearer {token}");
    let in_url = format!("/?a=b&t={token}");
    let strict = with(vec![Carrier::bearer()]);
    let lenient = with(vec![Carrier::bearer(), danger::query_parameter("t")]);
    let header = [("authorization", &*bearer)];
    assert_eq!(ask(&strict, &in_url, &[]).await.0, 401);
    assert_eq!(ask(&strict, &in_url, &header).await.0, 200);
    assert_eq!(ask(&lenient, &in_url, &[]).await.0, 200);
    assert_eq!(ask(&lenient, "/", &header).await.0, 200);
    assert_eq!(ask(&lenient, &in_url, &header).await.0, 400);
    for again in ["t=x", "%74=x", "%7=x"] {
        let twice = format!("{in_url}&{again}");
        assert_eq!(ask(&lenient, &twice, &[]).await.0, 400, "{again}");
    }
    assert_eq!(
        ask(&lenient, &format!("/?%74={token}"), &header).await.0,
        400
    );

    // Not read, and not taken beside a credential either.
    let builder = issuer.resource_server().verifier(jwt());
    let apart = Router::new()
        .route("/", get(|_: RequireScope<Mail>| async {}))
        .layer(builder.not_beside_query("t").build().unwrap().layer());
    assert_eq!(ask(&apart, &in_url, &header).await.0, 400);
    assert_eq!(ask(&apart, "/?%74", &header).await.0, 400);
    assert_eq!(ask(&apart, &in_url, &[]).await.0, 401);
    assert_eq!(ask(&apart, "/?tt=1", &header).await.0, 200);
}

#[tokio::test]
async fn parameters_beside_a_token_prove_nothing() {
    let (issuer, _) = issuer();
    let server = |carrier| {
        let jwt = issuer.jwt_verifier(AUDIENCE).build().unwrap();
        issuer
            .resource_server()
            .carrier(carrier)
            .verifier(jwt)
            .build()
            .unwrap()
    };
    let (strict, lenient) = (
        server(Carrier::bearer()),
        server(danger::bearer_with_parameters()),
    );
    let token = issuer.token().mint();
    let prove = async |server: &ResourceServer, after: &str| {
        let mut parts = parts(&[("authorization", &format!("Bearer {token}{after}"))]);
        match server.authenticate(&mut parts).await {
            Ok(token) => {
                assert_eq!(token.unwrap().subject(), Some("alice"));
                Ok(danger::unproven_parameters(&parts.headers).unwrap())
            }
            Err(error) => Err(error.reason()),
        }
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let stated = r#", sub="mal\"lory", ns="urn:x""#;
    assert_eq!(
        prove(&strict, stated).await,
        Err(Reason::MalformedCredential)
    );
    assert_eq!(
        prove(&lenient, stated).await,
        Ok(vec![pair("sub", "mal\"lory"), pair("ns", "urn:x")])
    );
    assert_eq!(prove(&lenient, "").await, Ok(vec![]));
    assert_eq!(prove(&lenient, r#" ,a="""#).await, Ok(vec![pair("a", "")]));
    let many = |count: usize| (0..count).map(|n| (format!("p{n}"), n.to_string()));
    let written = |count| -> String {
        let pairs = many(count).map(|(name, value)| format!(r#", {name}="{value}""#));
        pairs.collect()
    };
    assert_eq!(prove(&lenient, &written(16)).await, Ok(many(16).collect()));
    assert_eq!(
        prove(&lenient, &written(17)).await,
        Err(Reason::MalformedCredential)
    );
    for bad in [
        ",",
        ", ",
        ", a",
        ", a=b",
        r#", a="b"#,
        r#", a="b" c"#,
        r#", a="b", a="c""#,
        r#" a="b""#,
        r#", ="b""#,
        r#", a="b\"#,
    ] {
        assert_eq!(
            prove(&lenient, bad).await,
            Err(Reason::MalformedCredential),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn handlers_of_two_credentials_are_tested_without_tokens() {
    let (issuer, _) = issuer();
    let server = two_slots(&issuer).build().unwrap();
    let app = Router::new().route(
        "/",
        get(|one: Token<Applicant>, other: Token<Session>| async move {
            format!("{} {}", one.principal(), other.principal())
        }),
    );
    let pair = |other| {
        [
            ("applicant", json!({"sub": "a"})),
            (other, json!({"sub": "b"})),
        ]
    };
    let with = app.clone().layer(server.with_kinds(pair("session")));
    assert_eq!(ask(&with, "/", &[]).await, (200, "a b".into()));
    let with = app.layer(server.with_kinds(pair("client")));
    assert_eq!(ask(&with, "/", &[]).await.0, 403);
    for odd in ["applicant", "stranger"] {
        let server = std::panic::AssertUnwindSafe(&server);
        let made = std::panic::catch_unwind(|| server.with_kinds(pair(odd)));
        assert!(made.is_err(), "{odd}");
    }
}

/// A verifier that never looks at a clock.
struct Timeless;

impl Verifier for Timeless {
    async fn verify(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        Ok(Verified::new(ClaimSet::parse(r#"{"exp":1000}"#).unwrap()))
    }
}

#[tokio::test]
async fn the_gate_judges_ends_that_a_verifier_left_alone() {
    let (issuer, _) = issuer();
    let reworded = Reworded::new(issuer.jwt_verifier(AUDIENCE).build().unwrap(), |claims| {
        ClaimSet::from_serialize(&json!({"sub": claims.subject(), "exp": 1000}))
            .map_err(|error| Error::invalid_token(error.to_string()))
    });
    let token = issuer.token().mint();
    let why = async |builder: ResourceServerBuilder, token: &str| {
        let server = builder.build().unwrap();
        let mut parts = parts(&[("authorization", &format!("Bearer {token}"))]);
        server
            .authenticate(&mut parts)
            .await
            .unwrap_err()
            .to_string()
    };
    let ended = format!("token ended at 1000, it is {NOW}");
    let gate = || issuer.resource_server();
    assert_eq!(why(gate().verifier(Timeless), "x").await, ended);
    // With the leeway of the verifier inside.
    let later = ended.replace("1000", "1030");
    assert_eq!(why(gate().verifier(reworded), &token).await, later);
    let secret = "a secret of one app.";
    for (claims, sentence) in [
        (
            r#"{"exp":1000}"#,
            format!("token expired at 1000, it is {NOW}"),
        ),
        (
            r#"{"nbf":99999999999}"#,
            format!("nbf is 99999999999, it is {NOW}"),
        ),
        (
            r#"{"cnf":{}}"#,
            "token is bound to a key (cnf), wanted a bearer token".to_owned(),
        ),
    ] {
        let tokens =
            StaticTokens::new().token("a-secret-of-one-app.", ClaimSet::parse(claims).unwrap());
        assert_eq!(
            why(gate().verifier(tokens.unwrap()), &secret.replace(' ', "-")).await,
            sentence
        );
    }
}

static LOOKED_UP: AtomicUsize = AtomicUsize::new(0);

async fn look_up(_: &str) -> Result<Option<ClaimSet>, Unavailable> {
    LOOKED_UP.fetch_add(1, Ordering::SeqCst);
    Ok(None)
}

#[tokio::test]
async fn a_neighbour_in_another_place_does_not_shorten_what_is_remembered() {
    let (issuer, _) = issuer();
    let apps = StaticTokens::new().token("a secret of one app.", ClaimSet::parse("{}").unwrap());
    let server = issuer
        .resource_server()
        .carrier(Carrier::header("App-Token").unwrap())
        .carrier(Carrier::header("App-Secret").unwrap())
        .kind(
            Kind::named("session").in_header("App-Token"),
            LookupVerifier::from_fn(look_up).build().unwrap(),
        )
        .kind(Kind::named("app").in_header("App-Secret"), apps.unwrap())
        .build()
        .unwrap();
    for _ in 0..5 {
        let mut parts = parts(&[("app-token", "unknown")]);
        assert!(server.authenticate(&mut parts).await.is_err());
    }
    assert_eq!(LOOKED_UP.load(Ordering::SeqCst), 1);
}

/// Fails the test if it is ever asked.
struct Secretive;

impl Verifier for Secretive {
    async fn verify(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        panic!("somebody else's token was shown here")
    }
}

#[tokio::test]
async fn a_token_of_one_kind_is_not_shown_to_verifiers_of_others() {
    let (issuer, _) = issuer();
    let server = issuer
        .resource_server()
        .kind(Kind::named("opaque").with_claim("opaque"), Secretive)
        .kind(
            Kind::named("signed").without_claim("opaque"),
            hmac(&issuer, CLIENT),
        )
        .build()
        .unwrap();
    let token = format!("Bearer {}", mint(&issuer, CLIENT));
    let mut parts = parts(&[("authorization", &token)]);
    let token = server.authenticate(&mut parts).await.unwrap().unwrap();
    assert_eq!(token.kind(), "signed");
}

#[tokio::test]
async fn a_required_slot_is_required_at_every_door_that_refuses() {
    let (issuer, _) = issuer();
    let slot = CredentialSlot::new()
        .carrier(Carrier::header("session_token").unwrap())
        .kind(Kind::named("session"), hmac(&issuer, SESSION))
        .required();
    let server = issuer
        .resource_server()
        .kind(Kind::named("applicant"), hmac(&issuer, APPLICANT))
        .second_slot(slot)
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(|_: Authenticated| async {}))
        .route("/session", get(|_: Authenticated<Token<Session>>| async {}))
        .with_state(server);
    let applicant = format!("Bearer {}", mint(&issuer, APPLICANT));
    let session = mint(&issuer, SESSION);
    let (first, second) = (("authorization", &*applicant), ("session_token", &*session));
    assert_eq!(ask(&app, "/", &[first]).await.0, 401);
    assert_eq!(ask(&app, "/session", &[second]).await.0, 401);
    assert_eq!(ask(&app, "/session", &[first, second]).await.0, 200);
}

#[tokio::test]
async fn a_guard_may_be_about_the_second_credential() {
    let (issuer, _) = issuer();
    let guard = ResourceGuard::path("/jobs/{job}")
        .param_is("job", ["/job"])
        .token_of("session")
        .build()
        .unwrap();
    let app = Router::new()
        .route("/jobs/{job}", get(|| async {}))
        .layer(guard.layer())
        .layer(two_slots(&issuer).build().unwrap().layer());
    let applicant = issuer.token().claim("job", "cook");
    let applicant = applicant.hmac(Algorithm::HS256, APPLICANT).mint();
    let applicant = format!("Bearer {applicant}");
    let session = issuer.token().claim("job", "clerk");
    let session = session.hmac(Algorithm::HS256, SESSION).mint();
    let client = mint(&issuer, CLIENT);
    let first = ("authorization", &*applicant);
    for (headers, path, status) in [
        (vec![first], "/jobs/cook", 401),
        (
            vec![first, ("session_token", &*session)],
            "/jobs/clerk",
            200,
        ),
        (vec![first, ("session_token", &*session)], "/jobs/cook", 403),
        (vec![first, ("client_token", &*client)], "/jobs/clerk", 403),
    ] {
        assert_eq!(ask(&app, path, &headers).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn a_mark_may_be_a_part_of_a_claim() {
    let (issuer, _) = issuer();
    let kinds = Kinds::new([
        Kind::named("general").without_claim("/srv/upid"),
        Kind::named("scoped").with_claim("/srv/upid"),
    ]);
    let server = issuer
        .resource_server()
        .verifier(issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .kinds(kinds.unwrap())
        .build()
        .unwrap();
    for (srv, kind) in [
        (json!({"upid": "7"}), "scoped"),
        (json!({"upid": null}), "general"),
        (json!(null), "general"),
    ] {
        let token = issuer.token().claim("srv", srv).mint();
        let mut parts = parts(&[("authorization", &format!("Bearer {token}"))]);
        let token = server.authenticate(&mut parts).await.unwrap().unwrap();
        assert_eq!(token.kind(), kind);
    }
    assert_eq!(
        Kinds::new([Kind::named("a").with_claim("/srv~")])
            .unwrap_err()
            .to_string(),
        "kind a has a mark on \"/srv~\", wanted a claim's name or a JSON pointer"
    );
}
