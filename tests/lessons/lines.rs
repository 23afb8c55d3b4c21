//! Lines of `tests/data/standards.json` that take more than one request, or another server than the tables
//! have.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::testing::Endpoint;
use portcullis::{
    Algorithm, ByIssuer, Carrier, ClientAuth, Grant, IntrospectionVerifier, Reason, RequireScope,
    Requirement, ResourceServer, When, danger,
};
use serde_json::json;
use tower::ServiceExt as _;

use crate::showing::{reason, show};
use crate::{AUDIENCE, NOW, World};

/// RFC 6750 §2.3, RFC 9111 §3.5: caches know of no credential outside of `Authorization`, so what a
/// handler says about caching must not let them keep an answer for others.
#[tokio::test]
async fn std_006_an_answer_to_a_token_elsewhere_is_private() {
    let world = World::new();
    let carriers = [
        Carrier::bearer(),
        Carrier::header("App-Token").unwrap(),
        danger::query_parameter("access_token"),
    ];
    let gate = |carriers: &[Carrier]| {
        let mut server = world.issuer.resource_server();
        for carrier in carriers {
            server = server.carrier(carrier.clone());
        }
        server
            .verifier(world.jwt().build().unwrap())
            .build()
            .unwrap()
    };
    let token = world.issuer.token().mint();
    let bearer = format!("Bearer {token}");
    let in_url = format!("/?access_token={token}");
    for (said, kept) in [
        (&[][..], &["private"][..]),
        (&["max-age=60"], &["max-age=60", "private"]),
        (
            &["max-age=60, must-revalidate"],
            &["max-age=60, must-revalidate", "private"],
        ),
        (
            &["no-cache", "max-age=0"],
            &["no-cache", "max-age=0", "private"],
        ),
        (
            &["private=\"set-cookie\""],
            &["private=\"set-cookie\"", "private"],
        ),
        // Who names them knows what they do.
        (&["public, max-age=60"], &["public, max-age=60"]),
        (&["max-age=60", "S-MaxAge=5"], &["max-age=60", "S-MaxAge=5"]),
        (&["no-store"], &["no-store"]),
        (&["max-age=60,Private"], &["max-age=60,Private"]),
    ] {
        let ask = async |gate: ResourceServer, uri: &str, name: &str, value: &str| {
            let operation = get(async move || {
                let mut headers = http::HeaderMap::new();
                for value in said {
                    headers.append("cache-control", value.parse().unwrap());
                }
                headers
            });
            let app: Router = Router::new().route("/", operation).layer(gate.layer());
            let request = Request::get(uri).header(name, value).body(Body::empty());
            let response = app.oneshot(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            let found = response.headers().get_all("cache-control").iter();
            let found = found.map(|value| value.to_str().unwrap().to_owned());
            found.collect::<Vec<_>>()
        };
        let all = gate(&carriers);
        assert_eq!(ask(all.clone(), "/", "app-token", &token).await, kept);
        assert_eq!(ask(all, &in_url, "accept", "*/*").await, kept);
        // Caches know of this one.
        let bearer_alone = gate(&carriers[..1]);
        assert_eq!(ask(bearer_alone, "/", "authorization", &bearer).await, said);
    }
}

/// RFC 8725bis §3.1: what one issuer may sign with is not what another may.
#[tokio::test]
async fn std_022_an_algorithm_belongs_to_the_issuer_that_uses_it() {
    let (one, other) = (
        World::at("https://one.example"),
        World::at("https://other.example"),
    );
    let only = |world: &World, algorithm| {
        let jwt = world.jwt().algorithms([algorithm]);
        jwt.build().unwrap()
    };
    let together = ByIssuer::new([only(&one, Algorithm::ES256), only(&other, Algorithm::EdDSA)]);
    let gate = ResourceServer::builder()
        .clock(one.clock.clone())
        .verifier(together.unwrap())
        .build()
        .unwrap();
    for (world, algorithm, wanted) in [
        (&one, Algorithm::ES256, None),
        (&one, Algorithm::EdDSA, Some(Reason::Algorithm)),
        (&other, Algorithm::EdDSA, None),
        (&other, Algorithm::ES256, Some(Reason::Algorithm)),
    ] {
        // A good token, of a key that its issuer publishes.
        let token = world.issuer.token().algorithm(algorithm).mint();
        let outcome = show(&gate, &token).await;
        assert_eq!(
            reason(&outcome),
            wanted,
            "{algorithm} of {}",
            world.issuer.issuer()
        );
    }
}

/// Logged in with a second factor within the last five minutes.
struct JustNow;

impl Requirement for JustNow {
    fn met_by(grant: &Grant<'_>) -> bool {
        let claims = grant.claims;
        let long_ago = |moment: i64| moment + 300 < NOW;
        let factors = claims.get("amr").and_then(|factors| factors.as_array());
        claims.get("acr") == Some(&json!("2"))
            && factors.is_some_and(|factors| factors.contains(&json!("otp")))
            && claims
                .get("auth_time")
                .and_then(|moment| moment.as_i64())
                .is_some_and(|moment| !long_ago(moment))
    }
}

/// RFC 9068 §2.2.1: the gate does not judge them; it hands them to whoever does, of JWTs and of answers
/// alike. What is absent denies.
#[tokio::test]
async fn std_057_a_requirement_judges_how_and_when_somebody_logged_in() {
    let world = World::new();
    world.issuer.client("gate", "s3cret");
    let endpoint = world.issuer.introspection_endpoint();
    let auth = ClientAuth::basic("gate", "s3cret");
    let asks = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE).fetch(world.fetcher());
    let server = world
        .issuer
        .resource_server()
        .route(When::jwt(), world.jwt().build().unwrap())
        .verifier(asks.build().unwrap())
        .build()
        .unwrap();
    let app: Router = Router::new()
        .route("/", get(async |_: RequireScope<JustNow>| {}))
        .layer(server.layer());
    let ask = async |token: String| {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::empty()).unwrap();
        app.clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let good = json!({"auth_time": NOW - 60, "acr": "2", "amr": ["pwd", "otp"]});
    for (name, changed, wanted) in [
        ("acr", json!("2"), 200),
        ("auth_time", json!(NOW - 301), 403),
        ("auth_time", json!(null), 403),
        ("acr", json!("1"), 403),
        ("amr", json!(["pwd"]), 403),
        ("amr", json!("otp"), 403),
    ] {
        let (mut jwt, mut opaque) = (world.issuer.token(), world.issuer.opaque());
        let mut claims = good.clone();
        claims[name] = changed;
        for (name, value) in claims.as_object().unwrap() {
            jwt = jwt.claim(name, value);
            opaque = opaque.claim(name, value);
        }
        assert_eq!(ask(jwt.mint()).await, wanted, "{claims}");
        assert_eq!(ask(opaque.mint()).await, wanted, "{claims}");
    }
    assert_eq!(ask(world.issuer.token().mint()).await, 403);
}

/// Whoever makes tokens up makes up any number of them.
#[tokio::test]
async fn std_064_no_number_of_refusals_is_remembered() {
    let world = World::new();
    world.issuer.client("gate", "s3cret");
    let endpoint = world.issuer.introspection_endpoint();
    let auth = ClientAuth::basic("gate", "s3cret");
    let asks = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE).fetch(world.fetcher());
    let server = world.issuer.resource_server().verdict_capacity(1_000);
    let server = server.verifier(asks.build().unwrap()).build().unwrap();
    let flood = async || {
        let before = world.issuer.asked(Endpoint::Introspection);
        for n in 0..1_000 {
            let outcome = show(&server, &format!("made-up-{n}")).await;
            assert_eq!(reason(&outcome), Some(Reason::Inactive));
        }
        world.issuer.asked(Endpoint::Introspection) - before
    };
    assert_eq!(flood().await, 1_000);
    // A tenth of what is remembered of good ones: 100.
    let asked_again = flood().await;
    assert!(asked_again >= 900, "{} are remembered", 1_000 - asked_again);
}
