//! Lessons 9 and 10: what is optional is absent or good, and what is judged is what is served.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use portcullis::{
    AccessToken, AnyOf, Carrier, CredentialSlot, Kind, RequireScope, RequireScopeLayer,
    ResourceGuard,
};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::watched;
use crate::{Read, World, Write, parts};

/// Headers with tokens that are no good, in every way.
fn bad(world: &World) -> Vec<Vec<(&'static str, String)>> {
    let token = world.issuer.token();
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let good = token.mint();
    let mut bad: Vec<_> = [
        token.clone().expires_in(-60).mint(),
        token.clone().signed_by(&watched::issuer()).mint(),
        token.clone().unsecured().mint(),
        token.clone().typ("JWT").mint(),
        token
            .clone()
            .audience("https://billing.example.com/")
            .mint(),
        token.clone().claim("iss", "https://other.example").mint(),
        token.clone().header("kid", "nobody's").mint(),
        token.clone().header("crit", ["x"]).mint(),
        token.clone().without("sub").mint(),
        token.clone().raw_payload("{}").mint(),
        "nonsense".to_owned(),
        "a.b.c".to_owned(),
        "a.b.c.d.e".to_owned(),
        String::new(),
        "two words".to_owned(),
        "a".repeat(20_000),
    ]
    .iter()
    .map(|token| vec![bearer(token)])
    .collect();
    bad.push(vec![bearer(&good), bearer(&good)]);
    bad.push(vec![("authorization", "Bearer".to_owned())]);
    bad.push(vec![bearer(&format!("{good}, Bearer {good}"))]);
    bad
}

/// CVE-2021-21378: `allow_missing` inside of `requires_any` let everybody pass who sent a bad token.
#[tokio::test]
async fn lesson_09_a_bad_token_is_never_a_stranger() {
    let world = World::new();
    let server = world.gate();
    let app: Router = Router::new()
        .route(
            "/greet",
            get(async |token: Option<AccessToken>| match token {
                Some(_) => "known",
                None => "stranger",
            }),
        )
        .route("/mine", get(async |_: AccessToken| "known"))
        .route(
            "/any",
            get(async |_: RequireScope<AnyOf<(Read, Write)>>| "known"),
        )
        .route(
            "/layer",
            get(async || "known").layer(RequireScopeLayer::<AnyOf<(Read, Write)>>::new()),
        )
        .layer(server.optional_layer());
    let ask = async |path: &str, headers: &[(&str, String)]| {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap());
        let (head, body) = response.await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            head.status.as_u16(),
            String::from_utf8_lossy(&body).into_owned(),
        )
    };
    assert_eq!(ask("/greet", &[]).await, (200, "stranger".to_owned()));
    for path in ["/mine", "/any", "/layer"] {
        assert_eq!(ask(path, &[]).await.0, 401, "{path} is for nobody else");
    }
    let token = world.issuer.token().scope("read:events").mint();
    let good = [("authorization", format!("Bearer {token}"))];
    for path in ["/greet", "/mine", "/any", "/layer"] {
        assert_eq!(ask(path, &good).await, (200, "known".to_owned()), "{path}");
        for headers in bad(&world) {
            let (status, body) = ask(path, &headers).await;
            assert!(
                matches!(status, 400 | 401),
                "{path}: {status} {body}, {headers:?}"
            );
        }
    }
}

/// The same for a second credential, and for kinds of which one has to match.
#[tokio::test]
async fn lesson_09_a_bad_second_credential_is_not_an_absent_one() {
    let world = World::new();
    let second = CredentialSlot::new()
        .carrier(Carrier::header("session").unwrap())
        .kind(
            Kind::named("session").with_claim("shop"),
            world.jwt().build().unwrap(),
        );
    let server = world
        .issuer
        .resource_server()
        .kind(
            Kind::named("user").without_claim("shop"),
            world.jwt().build().unwrap(),
        )
        .second_slot(second)
        .build()
        .unwrap();
    let user = format!("Bearer {}", world.issuer.token().mint());
    let session = world.issuer.token().claim("shop", "7").mint();
    let prove = async |headers: &[(&str, &str)]| server.authenticate(&mut parts(headers)).await;
    let authorization = ("authorization", &*user);
    prove(&[authorization]).await.unwrap();
    prove(&[authorization, ("session", &session)])
        .await
        .unwrap();
    for headers in bad(&world) {
        let mut sent = vec![authorization];
        sent.extend(
            headers
                .iter()
                .map(|(_, value)| ("session", value.strip_prefix("Bearer ").unwrap_or(value))),
        );
        assert!(prove(&sent).await.is_err(), "{headers:?}");
    }
    // A good token of the other kind is none of this one.
    let (_, other) = user.split_once(' ').unwrap();
    assert!(prove(&[authorization, ("session", other)]).await.is_err());
    // Nor does a session alone make its sender known.
    let alone = prove(&[("session", &session)]).await.unwrap();
    assert!(alone.is_none());
}

fn own_interview() -> ResourceGuard {
    let guard = ResourceGuard::path("/interviews/{id}/{*rest}");
    guard.param_is("id", ["/interview"]).build().unwrap()
}

/// CVE-2023-27487: a header of the client's said which path was meant. CVE-2026-39998: another said who
/// asked.
#[tokio::test]
async fn lesson_10_no_header_says_which_path_is_meant() {
    let world = World::new();
    let gate = world.gate().layer();
    let operation = service_fn(async |request: Request<Body>| {
        let token = AccessToken::of(request.extensions()).unwrap();
        let seen = format!("{} of {}", request.uri().path(), token.principal());
        Ok::<_, Infallible>(Response::new(Body::from(seen)))
    });
    let service = gate.layer(own_interview().layer().layer(operation));
    let token = world.issuer.token().claim("interview", "7").mint();
    for name in [
        "x-envoy-original-path",
        "x-original-url",
        "x-original-uri",
        "x-rewrite-url",
        "x-forwarded-uri",
        "x-forwarded-path",
        "x-forwarded-prefix",
        "x-forwarded-for",
        "x-http-method-override",
        "x-forwarded-user",
        "x-user-id",
        "x-userinfo",
        "remote-user",
        "forwarded",
        "referer",
    ] {
        for (asked, said, wanted) in [
            ("/interviews/8/pages", "/interviews/7/pages", 403),
            ("/interviews/7/pages", "/interviews/8/pages", 200),
            ("/interviews/7/pages", "mallory", 200),
        ] {
            let request = Request::get(asked)
                .header("authorization", format!("Bearer {token}"))
                .header(name, said);
            let request = request.body(Body::empty()).unwrap();
            let response = service.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), wanted, "{name}: {said} for {asked}");
            if wanted == 200 {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, "/interviews/7/pages of alice");
            }
        }
    }
}

/// CVE-2020-8595 (`?` and `#` were taken for parts of a path), CVE-2021-39156 (a fragment led past the
/// policy): the handler sees the resource that was judged, or nothing.
#[tokio::test]
async fn lesson_10_the_path_that_is_judged_is_the_one_that_is_served() {
    let world = World::new();
    let app: Router = Router::new()
        .route(
            "/interviews/{id}/{*rest}",
            get(async |Path((id, _)): Path<(String, String)>| id),
        )
        .layer(own_interview().layer())
        .layer(world.gate().layer());
    let token = world.issuer.token().claim("interview", json!("7")).mint();
    let mut served = 0;
    for before in ["", "/", "/.", "/x/..", "/%2e%2e", "http://evil.example"] {
        for id in [
            "7",
            "%37",
            "8",
            "7%2f..%2f8",
            "8%2f..%2f7",
            "7%00",
            "7;8",
            "7%23",
            "8#7",
            "8?7",
        ] {
            for rest in [
                "/pages",
                "/pages#/interviews/7/x",
                "/pages?/interviews/7/x",
                "/../8/pages",
            ] {
                let target = format!("{before}/interviews/{id}{rest}");
                let Ok(request) = Request::get(&target)
                    .header("authorization", format!("Bearer {token}"))
                    .body(Body::empty())
                else {
                    continue;
                };
                let response = app.clone().oneshot(request).await.unwrap();
                let status = response.status().as_u16();
                if status == 200 {
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    assert_eq!(body, "7", "{target}");
                    served += 1;
                } else {
                    assert!(matches!(status, 403 | 404), "{target}: {status}");
                }
            }
        }
    }
    assert!(served >= 8, "only {served} were served");
}
