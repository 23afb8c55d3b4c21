//! The server as its callers see it, in process.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::fetch::{Fetch, FetchError};
use crate::signing::SigningKey;

type Answer = Result<Response<Vec<u8>>, FetchError>;

fn server() -> (AuthorizationServer, ManualClock) {
    let clock = ManualClock::at(UnixTime::from_secs(1_000));
    let server = AuthorizationServer::builder().clock(clock.clone());
    (server.build(), clock)
}

async fn get(server: &AuthorizationServer, url: &str) -> Answer {
    let request = Request::get(url).body(Vec::new()).unwrap();
    server.fetcher().fetch(request, 64 * 1024).await
}

async fn post(server: &AuthorizationServer, url: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "authorization",
            format!("Basic {}", STANDARD.encode("gate:secret")),
        )
        .body(form.into_bytes())
        .unwrap();
    let answer = server.fetcher().fetch(request, 64 * 1024).await.unwrap();
    let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    (answer.status().as_u16(), body)
}

async fn introspect(server: &AuthorizationServer, token: &str) -> (u16, Value) {
    server.client("gate", "secret");
    post(
        server,
        &server.introspection_endpoint(),
        &[("token", token)],
    )
    .await
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(answer.as_ref().unwrap().body()).unwrap()
}

#[tokio::test]
async fn metadata_names_the_exact_issuer() {
    for path in ["", "/", "/tenant/a"] {
        let builder = AuthorizationServer::builder();
        let server = match path {
            "" => builder.build(),
            path => builder.path(path).build(),
        };
        for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidConfiguration] {
            let document = body(&get(&server, &server.url(endpoint)).await);
            assert_eq!(document["issuer"], format!("https://as.example{path}"));
            assert_eq!(document["jwks_uri"], server.jwks_uri());
            assert_eq!(server.asked(endpoint), 1);
        }
    }
    let server = AuthorizationServer::builder()
        .without_oauth_metadata()
        .without_openid_configuration()
        .build();
    for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidConfiguration] {
        let answer = get(&server, &server.url(endpoint)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_key_set_is_cached_only_if_asked_for() {
    let (server, _) = server();
    let answer = get(&server, &server.jwks_uri()).await;
    assert_eq!(body(&answer), server.jwks());
    assert_eq!(body(&answer)["keys"][0]["kid"], "es256-1");
    let headers = answer.unwrap().headers().clone();
    assert_eq!(headers["content-type"], "application/jwk-set+json");
    assert!(!headers.contains_key("cache-control"));
    server.jwks_cache_control(Some("max-age=60"));
    let answer = get(&server, &server.jwks_uri()).await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "max-age=60");
}

#[tokio::test]
async fn introspection_follows_a_token_through_its_life() {
    let (server, clock) = server();
    let token = server.opaque().scope("a b").prefix("tk_").mint();
    assert!(token.starts_with("tk_"));
    let (status, answer) = introspect(&server, &token).await;
    assert_eq!(status, 200);
    assert_eq!(
        answer,
        json!({
            "active": true,
            "token_type": "Bearer",
            "iss": "https://as.example",
            "sub": "alice",
            "aud": "https://api.example.com/",
            "client_id": "web",
            "scope": "a b",
            "iat": 1_000,
            "exp": 1_300,
        })
    );
    let inactive = (200, json!({"active": false}));
    clock.advance(Duration::from_secs(300));
    assert_eq!(introspect(&server, &token).await, inactive);
    assert_eq!(introspect(&server, "unknown").await, inactive);

    let revoked = server.opaque().mint();
    assert!(server.revoke(&revoked));
    assert!(!server.revoke(&revoked));
    assert_eq!(introspect(&server, &revoked).await, inactive);

    let odd = server.opaque().response(json!(["no object"])).mint();
    assert_eq!(introspect(&server, &odd).await, (200, json!(["no object"])));

    let refresh = server.opaque().refresh_token().mint();
    let (_, answer) = introspect(&server, &refresh).await;
    assert_eq!(answer["active"], true);
    assert!(answer.get("aud").is_none() && answer.get("token_type").is_none());
}

#[tokio::test]
async fn a_jwt_is_no_opaque_token() {
    let (server, _) = server();
    let (status, answer) = introspect(&server, &server.token().mint()).await;
    assert_eq!(status, 400);
    assert_eq!(answer["error"], "unsupported_token_type");
    // Three parts alone are no JWT.
    assert_eq!(introspect(&server, "a.b.c").await.0, 200);
}

#[tokio::test]
async fn clients_get_and_revoke_tokens() {
    let (server, _) = server();
    server.client("gate", "secret");
    let grant = ("grant_type", "client_credentials");
    let url = server.token_endpoint();
    let (status, answer) = post(&server, &url, &[grant, ("scope", "a")]).await;
    assert_eq!((status, &answer["expires_in"]), (200, &json!(300)));
    let jwt = answer["access_token"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap());
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    assert_eq!(claims["sub"], "gate");
    assert_eq!(claims["scope"], "a");

    let opaque = [grant, ("token_format", "opaque"), ("resource", "urn:x")];
    let (_, answer) = post(&server, &url, &opaque).await;
    let token = answer["access_token"].as_str().unwrap();
    let (_, known) = introspect(&server, token).await;
    assert_eq!(
        (&known["client_id"], &known["aud"]),
        (&json!("gate"), &json!("urn:x"))
    );

    let revocation = server.revocation_endpoint();
    assert_eq!(post(&server, &revocation, &[("token", token)]).await.0, 200);
    assert_eq!(introspect(&server, token).await.1, json!({"active": false}));
    assert_eq!(post(&server, &revocation, &[("token", token)]).await.0, 200);
    let others = server.opaque().mint();
    assert_eq!(
        post(&server, &revocation, &[("token", &others)]).await.0,
        400
    );

    for (form, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![grant, ("token_format", "saml")], "invalid_request"),
        (vec![grant, grant], "invalid_request"),
    ] {
        let (status, answer) = post(&server, &url, &form).await;
        assert_eq!((status, &answer["error"]), (400, &json!(error)));
    }
}

#[tokio::test]
async fn strangers_are_challenged() {
    let (server, _) = server();
    server.client("gate", "another secret");
    let url = server.introspection_endpoint();
    let (status, answer) = post(&server, &url, &[("token", "x")]).await;
    assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")));
    let request = server.last_request(Endpoint::Introspection).unwrap();
    assert_eq!(request.body(), b"token=x");
    assert!(request.headers().contains_key("authorization"));
    let again = server.fetcher().fetch(request, 1024).await.unwrap();
    assert_eq!(
        again.headers()["www-authenticate"],
        "Basic realm=\"https://as.example\", error=\"invalid_client\""
    );
    let answer = get(&server, &url).await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers()["allow"], "POST");
    assert_eq!(server.asked(Endpoint::Introspection), 3);
}

#[tokio::test]
async fn a_client_signs_with_the_key_it_was_given() {
    let (server, _) = server();
    let pem = server.client_with_new_key("signer", Algorithm::EdDSA);
    let key = SigningKey::from_pem(&pem, Algorithm::EdDSA).unwrap();
    let claims = json!({
        "iss": "signer", "sub": "signer", "aud": server.introspection_endpoint(),
        "exp": 1_060, "jti": "1",
    });
    let assertion = key.jws(r#"{"alg":"EdDSA"}"#, &claims.to_string()).unwrap();
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("token", "x")
        .append_pair("client_assertion", &assertion)
        .append_pair(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )
        .finish();
    let request = Request::post(server.introspection_endpoint())
        .header(
            "content-type",
            "application/x-www-form-urlencoded; charset=UTF-8",
        )
        .body(form.into_bytes())
        .unwrap();
    let answer = server.fetcher().fetch(request.clone(), 1024).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let replay = server.fetcher().fetch(request, 1024).await.unwrap();
    assert_eq!(replay.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn trouble_comes_as_asked_and_goes() {
    let (server, _) = server();
    let url = server.jwks_uri();
    let good = get(&server, &url).await;
    server.trouble(Endpoint::Jwks, Trouble::StatusWithRetryAfter(503, 7));
    let answer = get(&server, &url).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "7");
    server.trouble(
        Endpoint::Jwks,
        Trouble::Redirect("https://x.example/".into()),
    );
    let answer = get(&server, &url).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "https://x.example/");
    server.trouble(Endpoint::Jwks, Trouble::Garbage);
    let answer = get(&server, &url).await.unwrap();
    assert!(serde_json::from_slice::<Value>(answer.body()).is_err());
    server.trouble(Endpoint::Jwks, Trouble::Body("{}".into()));
    assert_eq!(body(&get(&server, &url).await), json!({}));

    server.trouble(Endpoint::Jwks, Trouble::Huge(1_000));
    let padded = get(&server, &url).await;
    assert_eq!(padded.as_ref().unwrap().body().len(), 1_000);
    assert_eq!(body(&padded), body(&good));
    server.trouble(Endpoint::Jwks, Trouble::Huge(usize::MAX));
    let huge = get(&server, &url).await;
    assert_eq!(huge.unwrap_err(), FetchError::too_large(64 * 1024));

    for broken in [Trouble::Reset, Trouble::HangUp] {
        server.trouble(Endpoint::Jwks, broken);
        assert!(get(&server, &url).await.is_err());
    }
    server.trouble(Endpoint::Jwks, Trouble::ContentType("text/plain".into()));
    let plain = get(&server, &url).await;
    assert_eq!(
        plain.as_ref().unwrap().headers()["content-type"],
        "text/plain"
    );
    assert_eq!(body(&plain), body(&good));
    // One endpoint's trouble is not another's.
    let metadata = server.url(Endpoint::OauthMetadata);
    assert_eq!(get(&server, &metadata).await.unwrap().status(), 200);
    server.calm(Endpoint::Jwks);
    assert_eq!(body(&get(&server, &url).await), body(&good));
}

#[tokio::test]
async fn slow_answers_wait_for_the_clock() {
    let (server, clock) = server();
    let url = server.jwks_uri();
    let mut cx = Context::from_waker(Waker::noop());

    server.trouble(Endpoint::Jwks, Trouble::Late(Duration::from_secs(4)));
    let mut late = pin!(get(&server, &url));
    assert!(late.as_mut().poll(&mut cx).is_pending());
    clock.advance(Duration::from_secs(4));
    assert!(late.as_mut().poll(&mut cx).is_ready());

    server.trouble(Endpoint::Jwks, Trouble::Drip);
    let mut drip = pin!(get(&server, &url));
    for _ in 0..server.jwks().to_string().len() {
        assert!(drip.as_mut().poll(&mut cx).is_pending());
        clock.set(clock.next_wake().unwrap());
    }
    assert!(matches!(drip.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));

    server.trouble(Endpoint::Jwks, Trouble::Hang);
    let mut hang = pin!(get(&server, &url));
    assert!(hang.as_mut().poll(&mut cx).is_pending());
    assert_eq!(clock.sleepers(), 0);
    server.stop().await;
    assert!(matches!(hang.as_mut().poll(&mut cx), Poll::Ready(Err(_))));
}

#[tokio::test]
async fn other_hosts_and_stopped_servers_are_not_reached() {
    let (server, _) = server();
    let elsewhere = get(&server, "https://other.example/jwks").await;
    assert_eq!(
        elsewhere.unwrap_err().to_string(),
        "dns error: no address for \"other.example\""
    );
    server.stop().await;
    let refused = get(&server, &server.jwks_uri()).await;
    assert_eq!(refused.unwrap_err().to_string(), "connection refused");
    assert_eq!(server.asked(Endpoint::Jwks), 0);
    server.restart().await.unwrap();
    assert!(get(&server, &server.jwks_uri()).await.is_ok());
}

#[test]
fn two_servers_may_have_two_names() {
    let second = AuthorizationServer::builder().origin("https://b.example:8443");
    assert_eq!(second.build().issuer(), "https://b.example:8443");
    let wrong = || AuthorizationServer::builder().origin("https://b.example/");
    assert!(std::panic::catch_unwind(wrong).is_err());
}

#[test]
fn debug_shows_no_secret() {
    let (server, _) = server();
    server.client("gate", "hush-hush");
    let token = server.opaque().mint();
    let shown = format!("{server:?} {:?}", server.opaque().scope("a"));
    assert!(shown.contains("https://as.example"), "{shown}");
    assert!(
        !shown.contains("hush-hush") && !shown.contains(&token),
        "{shown}"
    );
}
