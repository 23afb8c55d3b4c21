//! Layers, services and their futures, in each state.

use axum::body::Body;
use http::Request;
use portcullis::*;
use serde_json::json;
use tower::{Layer as _, Service as _};

use crate::page::Page;
use crate::scene::{AUDIENCE, CLIENT_SECRET, Read, Scene, read, requests};
use crate::watched;

#[tokio::test]
async fn layers_services_and_futures_print_no_token() {
    page().await;
}

pub(crate) async fn page() -> Page {
    let mut scene = Scene::new(watched::issuer());
    let tokens = scene.tokens();
    let mut page = Page::default();
    let inner = axum::Router::<()>::new();
    let layers = [
        scene.server.layer(),
        scene.server.optional_layer(),
        scene.server.with_claims(json!({"sub": "alice"})),
    ];
    for layer in layers {
        page.debug(&layer);
        let mut service = layer.layer(inner.clone());
        page.debug(&service);
        for token in &tokens {
            for parts in requests(token) {
                let mut future = service.call(Request::from_parts(parts, Body::empty()));
                page.debug(&future);
                // Once on the way, too.
                let _ = futures_poll(&mut future).await;
                page.debug(&future);
            }
        }
        page.debug(&service);
    }
    let mut parts = requests(&tokens[0]).remove(0);
    let token = scene.server.authenticate(&mut parts).await.unwrap();
    let layer = RequireScopeLayer::<Read>::new();
    page.debug(&layer);
    let mut service = layer.layer(inner.clone());
    page.debug(&service);
    page.debug(&service.call(Request::from_parts(parts.clone(), Body::empty())));

    // A guard that passes, and one that refuses in every way it has.
    for claim in ["/sub", "/iss", "/nowhere", "/exp", "/aud/0"] {
        let builder = ResourceGuard::path("/events/{id}")
            .param_is("id", [claim])
            .query_is("access_token", ["/sub"])
            .subdomain_is("example.org", ["/sub"])
            .claim_is("/client_id", "web");
        page.debug(&builder);
        let guard = builder.build().unwrap();
        page.debug(&guard);
        page.error(&guard.check(&parts, token.as_ref().unwrap()).unwrap_err());
        let layer = guard.layer();
        page.debug(&layer);
        let mut service = layer.layer(inner.clone());
        page.debug(&service);
        let request = Request::from_parts(parts.clone(), Body::empty());
        let mut future = service.call(request);
        page.debug(&future);
        let _ = futures_poll(&mut future).await;
        page.debug(&future);
    }

    // A guard that asks about tokens, in each state of its futures.
    let auth = ClientAuth::basic("gate", CLIENT_SECRET);
    let endpoint = scene.issuer.introspection_endpoint();
    let introspection = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE);
    let introspection = introspection.fetch(scene.issuer.fetcher()).build().unwrap();
    let jwt = scene
        .issuer
        .jwt_verifier(AUDIENCE)
        .confirmed_by(introspection);
    page.debug(&jwt);
    let jwt = jwt.build().unwrap();
    page.debug(&jwt);
    let server = scene
        .issuer
        .resource_server()
        .verifier(jwt)
        .build()
        .unwrap();
    let freshness = Freshness::within(std::time::Duration::ZERO);
    page.debug(&freshness);
    let fresh = server.fresh(freshness).unwrap();
    page.debug(&fresh);
    page.debug(&fresh.layer());
    let mut service = fresh.layer().layer(inner.clone());
    page.debug(&service);
    for revoked in [false, true] {
        let mut parts = requests(&tokens[0]).remove(0);
        server.authenticate(&mut parts).await.unwrap();
        if revoked {
            assert!(scene.issuer.revoke(&tokens[0]));
        }
        let mut future = service.call(Request::from_parts(parts, Body::empty()));
        page.debug(&future);
        let _ = futures_poll(&mut future).await;
        page.debug(&future);
        let status = read(&mut page, future.await.unwrap()).await;
        assert_eq!(status, if revoked { 401 } else { 404 });
    }
    scene.hush("a layer, a service or a future", &page);
    page
}

/// Polls once and goes on.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx)))
        .await
}
