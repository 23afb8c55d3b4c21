//! Lessons 5 and 6: what is remembered is judged again for each route, and belongs to one token and one
//! verifier; a key set that replaces another leaves nothing of it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::testing::Endpoint;
use portcullis::{
    AccessToken, Algorithm, Carrier, ClientAuth, IntrospectionVerifier, JwtVerifier, Reason,
    RemoteJwks, RequireScope, ResourceGuard, ResourceServer, When,
};
use serde_json::json;
use tower::ServiceExt as _;

use crate::showing::{reason, show};
use crate::{AUDIENCE, Read, World, Write, parts, settle};

fn introspection(world: &World) -> IntrospectionVerifier {
    world.issuer.client("gate", "s3cret");
    let endpoint = world.issuer.introspection_endpoint();
    let auth = ClientAuth::basic("gate", "s3cret");
    let verifier = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE);
    verifier.fetch(world.fetcher()).build().unwrap()
}

/// CVE-2021-32701, b2-mcp #172: a token that was remembered on one route passed on another one without
/// its scopes.
#[tokio::test]
async fn lesson_05_what_is_remembered_is_judged_again_on_each_route() {
    let world = World::new();
    let server = world
        .issuer
        .resource_server()
        .route(When::jwt(), world.jwt().build().unwrap())
        .route(When::opaque(), introspection(&world))
        .build()
        .unwrap();
    let own = ResourceGuard::path("/interviews/{id}").param_is("id", ["/interview"]);
    let app: Router = Router::new()
        .route("/interviews/{id}", get(async |_: AccessToken| {}))
        .layer(own.build().unwrap().layer())
        .route("/read", get(async |_: RequireScope<Read>| {}))
        .route("/write", get(async |_: RequireScope<Write>| {}))
        .layer(server.layer());
    let ask = async |path: &str, token: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        response.status().as_u16()
    };
    let routes = [
        ("/read", 200),
        ("/write", 403),
        ("/interviews/7", 200),
        ("/interviews/8", 403),
    ];
    let jwt = || {
        let token = world.issuer.token().scope("read:events");
        token.claim("interview", "7").mint()
    };
    let opaque = || {
        let token = world.issuer.opaque().scope("read:events");
        token.claim("interview", "7").mint()
    };
    // Whichever route sees the token first.
    for first in 0..routes.len() {
        for token in [jwt(), opaque()] {
            for (path, wanted) in routes.iter().cycle().skip(first).take(3 * routes.len()) {
                assert_eq!(ask(path, &token).await, *wanted, "{path} after {first}");
            }
        }
    }
    let opaque_tokens = routes.len();
    let asked = world.issuer.asked(Endpoint::Introspection);
    assert_eq!(asked, opaque_tokens, "each was remembered");
}

/// GHSA-4mq7-pvjg-xp2r: what one endpoint said of a token was taken for what another one would say.
#[tokio::test]
async fn lesson_05_what_one_endpoint_says_is_not_what_another_would_say() {
    let (staff, guests) = (
        World::at("https://staff.example"),
        World::at("https://guests.example"),
    );
    let server = ResourceServer::builder()
        .clock(staff.clock.clone())
        .carrier(Carrier::header("Staff-Token").unwrap())
        .carrier(Carrier::header("Guest-Token").unwrap())
        .route(When::header("Staff-Token"), introspection(&staff))
        .route(When::header("Guest-Token"), introspection(&guests))
        .build()
        .unwrap();
    let guest = guests.issuer.opaque().subject("mallory").mint();
    let prove = async |name: &str| server.authenticate(&mut parts(&[(name, &guest)])).await;
    for _ in 0..3 {
        let proven = prove("guest-token").await.unwrap().unwrap();
        assert_eq!(proven.subject(), Some("mallory"));
        let error = prove("staff-token").await.unwrap_err();
        assert_eq!(error.reason(), Reason::Inactive);
    }
    let asked = |world: &World| world.issuer.asked(Endpoint::Introspection);
    assert_eq!(
        (asked(&guests), asked(&staff)),
        (1, 1),
        "both are remembered"
    );
}

/// The same for two servers in one process: what one has remembered is nothing to the other.
#[tokio::test]
async fn lesson_05_servers_share_no_memory() {
    let world = World::new();
    let calendar = world.gate();
    let billing = "https://billing.example.com/";
    let billing = JwtVerifier::builder(world.issuer.issuer(), billing).keys(world.keys());
    let billing = world.gate_of(billing);
    let token = world.issuer.token().mint();
    for _ in 0..3 {
        show(&calendar, &token).await.unwrap();
        let outcome = show(&billing, &token).await;
        assert_eq!(reason(&outcome), Some(Reason::Audience));
    }
}

/// GHSA-rp9m-7r4c-75qg (CVE-2026-35039): a name made of some claims is the name of several tokens.
#[tokio::test]
async fn lesson_05_each_token_has_a_verdict_of_its_own() {
    let world = World::new();
    world.issuer.kid(Algorithm::RS256);
    let gate = world.gate();
    // However long they are: with a signature of 256 bytes, and with claims that no thread keeps at hand.
    for (algorithm, filler) in [
        (Algorithm::ES256, 0),
        (Algorithm::RS256, 700),
        (Algorithm::ES256, 4_000),
    ] {
        // All that a name may have been made of is the same.
        let twin = world
            .issuer
            .token()
            .algorithm(algorithm)
            .claim("jti", "one")
            .claim("iat", crate::NOW)
            .claim("filler", "x".repeat(filler));
        let tokens: Vec<(String, String)> = (0..50)
            .map(|n| {
                let role = format!("role-{n}");
                (twin.clone().claim("role", &role).mint(), role)
            })
            .collect();
        for _ in 0..3 {
            for (token, role) in &tokens {
                let proven = show(&gate, token).await.unwrap();
                assert_eq!(proven.claims().get("role"), Some(&json!(role)));
            }
        }
        // One character is another one: no part of a token is left out of its name.
        let (token, _) = &tokens[0];
        let step = token.len() / 400;
        for place in (0..token.len()).rev().step_by(step.max(1)) {
            let mut other = token.clone();
            let character = if token[place..].starts_with('A') {
                "B"
            } else {
                "A"
            };
            other.replace_range(place..=place, character);
            let outcome = show(&gate, &other).await;
            assert!(outcome.is_err(), "{algorithm}, another one at {place}");
            show(&gate, token).await.unwrap();
        }
    }
}

/// liboauth2 of June 2026 (CWE-613): what was remembered outlived its token.
#[tokio::test]
async fn lesson_05_no_memory_outlives_its_token() {
    let world = World::new();
    let server = world
        .issuer
        .resource_server()
        .route(
            When::jwt(),
            world.jwt().leeway(Duration::ZERO).build().unwrap(),
        )
        .route(When::opaque(), introspection(&world))
        .build()
        .unwrap();
    let tokens = [
        world.issuer.token().expires_in(20).mint(),
        world.issuer.opaque().expires_in(20).mint(),
    ];
    for seconds in 0..40 {
        for token in &tokens {
            let outcome = show(&server, token).await;
            assert_eq!(outcome.is_ok(), seconds < 20, "{seconds} s: {outcome:?}");
        }
        world.pass(Duration::from_secs(1)).await;
    }
}

/// CVE-2025-22149: new keys were put beside the old ones, so no key was ever withdrawn.
#[tokio::test]
async fn lesson_06_a_set_that_replaces_another_leaves_none_of_its_keys() {
    let world = World::new();
    let keys = RemoteJwks::at(&world.issuer.jwks_uri()).fetch(world.fetcher());
    let jwt = JwtVerifier::builder(world.issuer.issuer(), AUDIENCE);
    let gate = world.gate_of(jwt.keys(keys.build().unwrap()));
    let mint = || world.issuer.token().expires_in(100_000).mint();
    let mut tokens = vec![mint()];
    for _ in 0..3 {
        world.issuer.rotate();
        tokens.push(mint());
    }
    for token in &tokens {
        show(&gate, token).await.expect("all four are published");
    }
    // Only the newest stays, and another one joins it.
    world.issuer.withdraw_old();
    world.issuer.rotate();
    tokens.push(mint());
    world.pass(Duration::from_secs(6)).await;
    show(&gate, &tokens[4])
        .await
        .expect("its key brings the set");
    settle().await;
    for (place, token) in tokens.iter().enumerate() {
        let wanted = (place < 3).then_some(Reason::UnknownKey);
        assert_eq!(reason(&show(&gate, token).await), wanted, "key {place}");
    }
}
