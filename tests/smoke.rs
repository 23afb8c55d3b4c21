use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::testing::AuthorizationServer;
use portcullis::{AccessToken, RequireScope};
use tower::ServiceExt;

portcullis::scopes! { EventsRead = "read:events"; }

#[tokio::test]
async fn smoke() {
    let issuer = AuthorizationServer::new();
    let jwt = issuer.jwt_verifier("https://api.example.com/").build().unwrap();
    let server = issuer.resource_server().verifier(jwt).build().unwrap();
    let app = axum::Router::new()
        .route("/", get(|t: AccessToken, _: RequireScope<EventsRead>| async move { format!("{}", t.principal()) }))
        .layer(server.layer());
    let call = async |token: Option<String>| {
        let mut r = Request::get("/");
        if let Some(t) = token { r = r.header("authorization", format!("Bearer {t}")); }
        let r = app.clone().oneshot(r.body(Body::empty()).unwrap()).await.unwrap();
        println!("{} {:?}", r.status(), r.headers().get("www-authenticate"));
        r.status().as_u16()
    };
    assert_eq!(call(Some(issuer.token().scope("read:events").mint())).await, 200);
    assert_eq!(call(Some(issuer.token().scope("x").mint())).await, 403);
    assert_eq!(call(None).await, 401);
    assert_eq!(call(Some(issuer.token().expires_in(-60).mint())).await, 401);
}
