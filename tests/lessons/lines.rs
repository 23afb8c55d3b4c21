//! Lines of `tests/data/standards.json` that take more than one request, or another server than the tables
//! have.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::{
    Algorithm, ByIssuer, ClientAuth, Grant, IntrospectionVerifier, Reason, RequireScope,
    Requirement, ResourceServer, When,
};
use serde_json::json;
use tower::ServiceExt as _;

use crate::showing::{reason, show};
use crate::{AUDIENCE, NOW, World};

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
