//! What the API does with events, and for whom.

use serde_json::json;

use super::curl::{ask, curl};
use super::program::Program;
use super::{AUDIENCE, BOTH};

use crate::watched;

#[tokio::test]
async fn events_have_defaults_and_limits() {
    let issuer = watched::started().await;
    let program = Program::start(&["--issuer", issuer.issuer()]).await;
    let token = issuer.token().audience(AUDIENCE).scope(BOTH);
    let alice = token.mint();
    let create = async |body: &str| ask(&program, "POST", "/events", &alice, body).await;

    for empty in ["", "{}", " {} "] {
        let answer = create(empty).await;
        assert_eq!(answer.status(), 201, "{}", answer.body());
        let event = answer.json();
        assert_eq!(
            answer.header("location"),
            format!("/events/{}", event["id"])
        );
        assert_eq!(event["title"], "untitled");
        let again = ask(&program, "GET", answer.header("location"), &alice, "").await;
        assert_eq!(again.json(), event);
    }
    let given = r#"{"title":"tea","start":"2026-11-21T17:00:00+01:00","place":"kitchen"}"#;
    let event = create(given).await.json();
    assert_eq!(event["start"], "2026-11-21T16:00:00Z");
    assert_eq!(event["end"], "2026-11-21T17:00:00Z");

    let long = json!({"title": "x".repeat(201)}).to_string();
    let end_first = r#"{"start":"2026-11-21T17:00:00Z","end":"2026-11-21T16:00:00Z"}"#;
    for (body, status, word) in [
        ("{", 400, "JSON"),
        ("[]", 400, "no JSON object"),
        (r#"{"titel":"x"}"#, 422, "unknown field `titel`"),
        (r#"{"title":7}"#, 422, "title: invalid type"),
        (r#"{"start":"tomorrow"}"#, 422, "start: "),
        (r#"{"start":"9999-12-30T22:00:00Z"}"#, 422, "too late"),
        (end_first, 422, "nothing before start"),
        (&long, 422, "title has 201 characters, wanted at most 200"),
    ] {
        let answer = create(body).await;
        assert_eq!(answer.status(), status, "{body}: {}", answer.body());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{body}: {detail}");
    }
    assert_eq!(create(&" ".repeat(17 * 1024)).await.status(), 413);
    for _ in 4..100 {
        assert_eq!(create("{}").await.status(), 201);
    }
    assert_eq!(create("{}").await.status(), 507);
    let list = ask(&program, "GET", "/events", &alice, "").await.json();
    assert_eq!(list.as_array().unwrap().len(), 100);
    assert_eq!(
        ask(&program, "DELETE", "/events/1", &alice, "")
            .await
            .status(),
        204
    );
    assert_eq!(
        ask(&program, "DELETE", "/events/1", &alice, "")
            .await
            .status(),
        404
    );
    assert_eq!(create("{}").await.status(), 201);
}

#[tokio::test]
async fn everyone_sees_their_own_events_only() {
    let issuer = watched::started().await;
    let program = Program::start(&["--issuer", issuer.issuer()]).await;
    let token = issuer.token().audience(AUDIENCE).scope(BOTH);
    let alice = token.mint();
    let answer = ask(&program, "POST", "/events", &alice, "").await;
    let path = answer.header("location");

    let bob = token.clone().subject("bob").mint();
    // RFC 9700 §4.15: a client that is named like a user is not that user.
    let client = token.clone().client_id("alice").mint();
    for other in [&bob, &client] {
        assert_eq!(ask(&program, "GET", path, other, "").await.status(), 403);
        assert_eq!(ask(&program, "DELETE", path, other, "").await.status(), 403);
        assert_eq!(
            ask(&program, "GET", "/events", other, "").await.json(),
            json!([])
        );
    }
    let reader = token.scope("read:calendar").mint();
    assert_eq!(ask(&program, "GET", path, &reader, "").await.status(), 200);
    // The scope comes first: who may not delete does not learn what is there.
    for path in [path, "/events/999"] {
        let answer = ask(&program, "DELETE", path, &reader, "").await;
        assert_eq!(answer.status(), 403);
        assert!(
            answer
                .header("www-authenticate")
                .contains("scope=\"write:calendar\"")
        );
    }
    for (method, path, status) in [
        ("GET", "/events/999", 404),
        ("GET", "/events/x", 404),
        ("GET", "/events/1/", 404),
        ("GET", "/nowhere", 404),
        ("PUT", "/events", 405),
        ("PATCH", "/events/1", 405),
        ("POST", "/healthz", 405),
        ("HEAD", "/events", 200),
    ] {
        let answer = ask(&program, method, path, &alice, "").await;
        assert_eq!(answer.status(), status, "{method} {path}");
    }
    for (path, status) in [("/nowhere", 404), ("/events/999", 401), ("/healthz", 200)] {
        let answer = curl(&format!("curl -i {}{path}", program.base)).await;
        assert_eq!(answer.status(), status, "{path}");
    }
}
