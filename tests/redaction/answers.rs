//! Answers, errors and requests: whatever a client or a log may get to see.

use std::collections::HashSet;

use axum::body::Body;
use axum::extract::FromRequestParts;
use http::Request;
use portcullis::*;
use tower::ServiceExt as _;

use crate::page::Page;
use crate::scene::{App, Read, Scene, Tenant, Write, app, read, requests};
use crate::watched;

#[tokio::test]
async fn answers_and_logs_hold_no_token() {
    answers().await;
}

pub(crate) async fn answers() -> Page {
    let mut scene = Scene::new(watched::issuer());
    let tokens = scene.tokens();
    let app = app(&scene.server);
    let mut page = Page::default();
    let mut statuses = HashSet::new();
    for token in &tokens {
        for parts in requests(token) {
            let request = Request::from_parts(parts, Body::empty());
            let response = app.clone().oneshot(request).await.unwrap();
            statuses.insert(read(&mut page, response).await.as_u16());
        }
        for path in [
            "/write",
            "/claims",
            "/permitted/7",
            "/headers",
            "/bare",
            "/authenticated",
        ] {
            let Ok(request) = Request::get(path)
                .header("authorization", format!("Bearer {token}"))
                .body(Body::empty())
            else {
                continue;
            };
            let response = app.clone().oneshot(request).await.unwrap();
            statuses.insert(read(&mut page, response).await.as_u16());
        }
    }
    for status in [200, 400, 401, 403, 500, 503] {
        assert!(
            statuses.contains(&status),
            "no answer was {status}: {statuses:?}"
        );
    }
    scene.hush("an answer", &page);
    // The log must have been there to be searched.
    assert!(watched::all_lines().contains("the look-up failed: [withheld: it repeats a secret]"));
    assert!(watched::all_lines().contains("AccessToken found no verified request"));
    page
}

#[tokio::test]
async fn errors_and_requests_hold_no_token() {
    errors().await;
}

pub(crate) async fn errors() -> Page {
    let mut scene = Scene::new(watched::issuer());
    let tokens = scene.tokens();
    let mut page = Page::default();
    let mut reasons = HashSet::new();
    for token in &tokens {
        for mut parts in requests(token) {
            // Whoever puts tokens into the URL has them in what prints the URL; danger says so.
            let in_url = parts.uri.query().is_some();
            if let Ok(Some(credential)) = scene.server.credential(&parts) {
                page.debug(&credential);
                scene.server.forget(&credential);
            }
            match scene.server.authenticate(&mut parts).await {
                Ok(token) => page.debug(&token),
                Err(error) => {
                    page.error(&error);
                    page.debug(&scene.server.answer(&error));
                    page.error(&ConfigErrorLike::from(&error).0);
                    page.error(&Rejection::from(error.clone()));
                    page.debug(&PermittedRejection::<()>::Gate(error.clone().into()));
                    reasons.insert(error.reason());
                }
            }
            if !in_url {
                page.debug(&parts);
            }
            for name in ["authorization", "app-token", "hmac-token"] {
                for value in parts.headers.get_all(name) {
                    assert_eq!(format!("{value:?}"), "Sensitive");
                }
            }
            let app = App(scene.server.clone());
            let extracted =
                Authenticated::<AccessToken>::from_request_parts(&mut parts, &app).await;
            page.outcome(&extracted);
            let extracted = Claims::<Tenant>::from_request_parts(&mut parts, &app).await;
            page.outcome(&extracted);
            let extracted =
                RequireScope::<(Read, Write)>::from_request_parts(&mut parts, &app).await;
            page.outcome(&extracted);
            let extracted = Option::<AccessToken>::from_request_parts(&mut parts, &app).await;
            page.outcome(&extracted);
            if let Some(token) = AccessToken::of(&parts.extensions) {
                page.debug(token);
                page.debug(token.claims());
                page.debug(&token.claims().clone());
                page.debug(&token.principal());
                page.debug(&token.audience());
                page.debug(token.scopes());
                if let Err(error) = token.claims().read::<Tenant>() {
                    page.error(&error);
                }
            }
        }
    }
    assert!(reasons.len() >= 20, "only {reasons:?}");
    scene.hush("an error or a request", &page);
    page
}

/// What an application does with our sentence: it wraps it.
struct ConfigErrorLike(std::io::Error);

impl From<&Error> for ConfigErrorLike {
    fn from(error: &Error) -> ConfigErrorLike {
        ConfigErrorLike(std::io::Error::other(error.clone()))
    }
}
