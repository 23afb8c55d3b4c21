//! What operators are told, and what builders refuse.

use std::time::Duration;

use portcullis::{ClaimSet, danger};
use portcullis::{ClientAuth, IntrospectionVerifier, LookupVerifier, ResourceServer, Unavailable};
use serde_json::json;

use crate::showing::show;
use crate::world::{DOWN, Does, NOW, Upstream, World, settle};

#[tokio::test]
async fn an_endpoint_tells_how_it_is() {
    let world = World::with(|builder| builder.max_concurrent(2));
    let url = "https://as.example/introspect";
    let tell = || serde_json::to_value(world.server.status()).unwrap();
    assert_eq!(
        tell(),
        json!({"keys": [], "endpoints": [{
            "endpoint": url, "available": true, "retry_at": null, "in_flight": 0, "waiting": 0,
            "last_error": null, "calls": 0, "failures": 0, "turned_away": 0
        }]})
    );
    world.upstream.does(Does::Held);
    let shown = world.start_many("token", 3);
    settle().await;
    let told = &tell()["endpoints"][0];
    assert_eq!(
        (&told["in_flight"], &told["waiting"]),
        (&json!(2), &json!(1))
    );
    world.upstream.release(3);
    for shown in shown {
        shown.await.unwrap().unwrap();
    }
    world.upstream.does(DOWN);
    world.exhaust().await;
    world.show("turned-away").await.unwrap_err();
    let told = &tell()["endpoints"][0];
    let retry_at = told["retry_at"].as_f64().unwrap() - NOW.as_secs() as f64;
    assert!((0.8..=1.0).contains(&retry_at), "{told}");
    assert_eq!(
        *told,
        json!({
            "endpoint": url, "available": false, "retry_at": told["retry_at"], "in_flight": 0,
            "waiting": 0, "last_error": "status is 500, wanted 200", "calls": 8, "failures": 5,
            "turned_away": 1
        })
    );
    // While it is being probed, who comes is told to come back in a second.
    world.upstream.does(Does::Held);
    world.pause_is_over().await;
    assert!(world.status().available, "one call is let through");
    let probe = world.start("probe");
    settle().await;
    let status = world.status();
    assert!(!status.available);
    assert_eq!(
        status.retry_at,
        Some(NOW + Duration::from_millis((retry_at * 1000.0).round() as u64 + 1000))
    );
    world.upstream.release(1);
    probe.await.unwrap().unwrap();
    assert!(world.status().available);
    // A refusal of this one call is told, too, though it says nothing about the endpoint.
    world.upstream.does(Does::Answers(401, ""));
    world.show("token").await.unwrap_err();
    let status = world.status();
    assert_eq!(
        status.last_error.as_deref(),
        Some("status is 401, wanted 200")
    );
    assert_eq!((status.calls, status.failures), (10, 6));
    assert!(status.available);
}

#[tokio::test]
async fn stores_and_userinfo_endpoints_tell_it_as_well() {
    async fn look_up(_: &str) -> Result<Option<ClaimSet>, Unavailable> {
        Err(Unavailable::new("the pool is empty"))
    }
    let clock = portcullis::testing::ManualClock::at(NOW);
    let userinfo = danger::userinfo("https://as.example/userinfo?key=k3y");
    let userinfo = userinfo.fetch(Upstream::new(&clock)).build().unwrap();
    let lookup = LookupVerifier::from_fn(look_up).build().unwrap();
    let server = ResourceServer::builder()
        .clock(clock)
        .route(portcullis::When::prefix("ui_"), userinfo)
        .verifier(lookup)
        .build()
        .unwrap();
    show(&server, "token").await.unwrap_err();
    let status = server.status();
    let names: Vec<&str> = status.endpoints.iter().map(|end| &*end.endpoint).collect();
    assert_eq!(names, ["https://as.example/userinfo", "look-up"]);
    let store = &status.endpoints[1];
    assert_eq!((store.calls, store.failures), (1, 1));
    assert_eq!(store.last_error.as_deref(), Some("the pool is empty"));
}

#[test]
fn nobody_can_be_asked_in_no_time_or_by_no_call() {
    async fn look_up(_: &str) -> Result<Option<ClaimSet>, Unavailable> {
        Ok(None)
    }
    let introspection = || {
        let auth = ClientAuth::basic("gate", "s3cret");
        IntrospectionVerifier::builder("https://as.example/i", auth, "https://a")
    };
    let userinfo = || danger::userinfo("https://as.example/u");
    let lookup = || LookupVerifier::from_fn(look_up);
    let (none, zero) = (0, Duration::ZERO);
    for refused in [
        introspection().max_concurrent(none).build().err(),
        userinfo().max_concurrent(none).build().err(),
        lookup().max_concurrent(none).build().err(),
    ] {
        let sentence = refused.unwrap().to_string();
        assert_eq!(sentence, "max_concurrent is 0, wanted at least 1");
    }
    for refused in [
        introspection().deadline(zero).build().err(),
        userinfo().deadline(zero).build().err(),
        lookup().deadline(zero).build().err(),
    ] {
        assert_eq!(refused.unwrap().to_string(), "deadline is 0, wanted more");
    }
    let many = introspection().max_concurrent(usize::MAX);
    many.max_waiting(usize::MAX).build().unwrap();
}
