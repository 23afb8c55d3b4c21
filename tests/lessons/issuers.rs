//! Lessons 3 and 11: whose token it is comes first and its key second, and who we are is said by the
//! operator, not by the request.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt as _;
use portcullis::testing::Endpoint;
use portcullis::{
    Algorithm, ByIssuer, JwtVerifier, Keys, Kind, Reason, RequireScope, ResourceServer, StaticJwks,
};
use serde_json::json;
use tower::ServiceExt as _;

use crate::showing::{reason, show};
use crate::{AUDIENCE, Read, World};

/// CVE-2025-59936, and CVE-2026-49998 after it: keys of several issuers lie in one cache, under names
/// that collide, and the issuer is looked at once the key was found.
#[tokio::test]
async fn lesson_03_no_issuers_key_proves_anothers_token() {
    let one = World::at("https://one.example");
    let other = World::at("https://one.example.other.example");
    // The same names for different keys, as they come from issuers that were set up alike.
    let kid = one.issuer.kid(Algorithm::ES256);
    assert_eq!(kid, other.issuer.kid(Algorithm::ES256));
    let built = |world: &World| world.jwt().build().unwrap();
    let together = ByIssuer::new([built(&one), built(&other)]).unwrap();
    let gates = [
        ResourceServer::builder().verifier(together),
        ResourceServer::builder()
            .kind(Kind::named("one"), built(&one))
            .kind(Kind::named("other"), built(&other)),
    ]
    .map(|builder| builder.clock(one.clock.clone()).build().unwrap());
    for gate in gates {
        // Whichever key was fetched first, and whatever was remembered.
        for _ in 0..2 {
            for (signer, claimed) in [(&one, &other), (&other, &one)] {
                let own = show(&gate, &signer.issuer.token().mint()).await.unwrap();
                assert_eq!(own.issuer(), Some(signer.issuer.issuer()));
                let (theirs, ours) = (claimed.issuer.issuer(), signer.issuer.issuer());
                for iss in [json!(theirs), json!([theirs, ours]), json!([ours])] {
                    let token = signer.issuer.token().claim("iss", &iss);
                    for token in [token.clone(), token.without_header("kid")] {
                        let outcome = show(&gate, &token.mint()).await;
                        assert!(outcome.is_err(), "{ours} signed for {iss}");
                    }
                }
            }
        }
    }
}

/// CVE-2026-22748: a decoder that was set up from an issuer's address, and checks no issuer.
#[tokio::test]
async fn lesson_03_no_source_of_keys_leaves_the_issuer_unchecked() {
    let world = World::new();
    let fixed = || -> Keys {
        world.issuer.kid(Algorithm::ES256);
        StaticJwks::from_json(&world.issuer.jwks().to_string())
            .unwrap()
            .into()
    };
    let of = |keys: Keys| JwtVerifier::builder(world.issuer.issuer(), AUDIENCE).keys(keys);
    for gate in [world.gate_of(of(fixed())), world.gate_of(of(world.keys()))] {
        let token = world.issuer.token();
        show(&gate, &token.mint()).await.unwrap();
        let other = token.clone().claim("iss", "https://other.example").mint();
        assert_eq!(reason(&show(&gate, &other).await), Some(Reason::Issuer));
        let nobody = token.without("iss").mint();
        assert_eq!(
            reason(&show(&gate, &nobody).await),
            Some(Reason::MissingClaim)
        );
    }
    for keys in [fixed(), world.keys()] {
        let unnamed = JwtVerifier::builder("", AUDIENCE).keys(keys).build();
        assert_eq!(
            unnamed.unwrap_err().to_string(),
            "issuer is empty, wanted the `iss` of the tokens"
        );
    }
}

/// CVE-2024-53861: a list of issuers was wanted, a text was given, and every part of it was good.
#[tokio::test]
async fn lesson_03_a_part_of_an_issuer_is_not_the_issuer() {
    let world = World::new();
    let issuer = world.issuer.issuer().to_owned();
    let gate = world.gate();
    for from in 0..issuer.len() {
        for to in from..=issuer.len() {
            let part = &issuer[from..to];
            let token = world.issuer.token().claim("iss", part).mint();
            let outcome = show(&gate, &token).await;
            let wanted = (part != issuer).then_some(Reason::Issuer);
            assert_eq!(reason(&outcome), wanted, "{part:?}");
        }
    }
    for more in ["/", ".", "#", "?", " ", "\0", "\u{200b}"] {
        let token = world.issuer.token().claim("iss", issuer.clone() + more);
        let outcome = show(&gate, &token.mint()).await;
        assert_eq!(reason(&outcome), Some(Reason::Issuer), "{more:?}");
    }
}

/// A Node SDK took the URL that a DPoP proof is for from `Host`, two frameworks the URLs of their
/// RFC 9728 documents. We have neither yet; what we have must not depend on it either.
#[tokio::test]
async fn lesson_11_no_answer_depends_on_whom_the_request_takes_us_for() {
    let told = async |target: &str, headers: &[(&str, &str)]| {
        let world = World::new();
        let app: Router = Router::new()
            .route(
                "/events",
                get(|_: RequireScope<Read>| async { "the events" }),
            )
            .layer(world.gate().layer());
        let bearer = |token: &str| format!("Bearer {token}");
        let good = world.issuer.token().scope("read:events");
        let credentials = [
            None,
            Some("Bearer".to_owned()),
            Some(bearer("nonsense")),
            Some(bearer(
                &good.clone().audience("https://evil.example/").mint(),
            )),
            Some(bearer(&good.clone().scope("").mint())),
            Some(bearer(&good.mint())),
        ];
        let mut told = Vec::new();
        for credential in credentials {
            let mut request = Request::get(target);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(credential) = credential {
                request = request.header("authorization", credential);
            }
            let request = request.body(Body::empty()).unwrap();
            let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            told.push((head.status.as_u16(), head.headers, body));
        }
        let statuses: Vec<u16> = told.iter().map(|(status, ..)| *status).collect();
        assert_eq!(statuses, [401, 400, 401, 401, 403, 200]);
        assert_eq!(world.issuer.asked(Endpoint::Jwks), 1);
        (format!("{told:?}"), world.asked())
    };
    let plain = told("/events", &[("host", "api.example.com")]).await;
    for (target, headers) in [
        ("/events", &[][..]),
        ("/events", &[("host", "evil.example")]),
        (
            "/events",
            &[("host", "evil.example"), ("host", "api.example.com")],
        ),
        (
            "/events",
            &[
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-proto", "http"),
            ],
        ),
        ("/events", &[("forwarded", "host=evil.example;proto=http")]),
        ("/events", &[("origin", "https://evil.example")]),
        ("http://evil.example/events", &[("host", "evil.example")]),
    ] {
        assert_eq!(told(target, headers).await, plain, "{target} {headers:?}");
    }
}
