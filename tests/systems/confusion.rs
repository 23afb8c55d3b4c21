//! Confusion matrix: every kind of token, in every place, before every guard.

use axum::Router;
use axum::routing::MethodRouter;
use portcullis::ResourceServer;

use crate::service::{bearer, get};

/// A good token, what kind it is, and the header it belongs into.
pub struct Specimen {
    pub kind: &'static str,
    pub header: &'static str,
    pub token: String,
}

/// Shows each specimen in each of `headers` to each guard, and demands that only the right kind in
/// the right place gets through. `guards` are handlers that demand one kind each, by its name.
pub async fn confuse(
    server: &ResourceServer,
    headers: &[&str],
    specimens: &[Specimen],
    guards: Vec<(&'static str, MethodRouter)>,
) {
    let mut service = Router::new();
    let mut kinds = Vec::new();
    for (place, (kind, guard)) in guards.into_iter().enumerate() {
        service = service.route(&format!("/{place}"), guard);
        kinds.push(kind);
    }
    // What is missing is then the guard's own business.
    let service = service.layer(server.optional_layer());
    let mut passed = 0;
    for specimen in specimens {
        for header in headers {
            let value = match header.eq_ignore_ascii_case("authorization") {
                true => bearer(&specimen.token),
                false => specimen.token.clone(),
            };
            for (place, kind) in kinds.iter().enumerate() {
                // Cold, and as the cache remembers it.
                for _ in 0..2 {
                    let answer = get(&service, &format!("/{place}"), &[(header, &value)]).await;
                    let right =
                        specimen.kind == *kind && specimen.header.eq_ignore_ascii_case(header);
                    let what = format!("a {} token in {header} for {kind}", specimen.kind);
                    if right {
                        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
                        passed += 1;
                    } else {
                        assert!(
                            matches!(answer.status, 400 | 401 | 403),
                            "{what}: {}",
                            answer.status
                        );
                    }
                    assert!(!answer.body.contains(&specimen.token), "{what} is echoed");
                }
            }
        }
    }
    assert!(passed > 0, "nobody got through at all");
}
