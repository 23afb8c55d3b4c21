//! An issuer, a gate and its handlers, and every token worth showing to it.

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::{FromRef, Path};
use axum::routing::get;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use portcullis::testing::AuthorizationServer;
use portcullis::*;
use serde_json::json;

use crate::page::Page;
use crate::secrets::{Secrets, form_urlencoded};
use crate::watched;

pub(crate) const AUDIENCE: &str = "https://api.example.com/";
pub(crate) const HMAC_SECRET: &str = "HushHush-7bQxW2mVtY9zKpL4nRfD8sGj";
pub(crate) const CLIENT_SECRET: &str = "sesame/open:W2+mVtY9&zKpL4nRfD8sG";

scopes! {
    pub(crate) Read = "read:events";
    pub(crate) Write = "write:events";
}
/// A store that quotes whatever it is asked for when it is down.
pub(crate) struct Gossip;

impl Lookup for Gossip {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        if token.starts_with("lk_good") {
            return Ok(Some(ClaimSet::parse(
                r#"{"sub":"robot","scope":"read:events"}"#,
            )?));
        }
        if token.starts_with("lk_down") {
            return Err(std::io::Error::other(format!("no row {token} in {token:?}")).into());
        }
        Ok(None)
    }
}

/// The issuer, the gate, and what must not be heard of.
pub(crate) struct Scene {
    pub(crate) issuer: AuthorizationServer,
    pub(crate) server: ResourceServer,
    pub(crate) secrets: Secrets,
}

impl Scene {
    pub(crate) fn new(issuer: AuthorizationServer) -> Scene {
        watched::keep_all_lines();
        let mut secrets = Secrets::default();
        secrets.add(HMAC_SECRET);
        secrets.add(CLIENT_SECRET);
        secrets.add(&format!("gate:{}", form_urlencoded(CLIENT_SECRET)));
        issuer.client("gate", CLIENT_SECRET);
        let hmac = JwtVerifier::builder("https://hmac.example", AUDIENCE)
            .hmac_secret(Algorithm::HS256, HMAC_SECRET)
            .build()
            .unwrap();
        let introspection = IntrospectionVerifier::builder(
            &issuer.introspection_endpoint(),
            ClientAuth::basic("gate", CLIENT_SECRET),
            AUDIENCE,
        )
        .fetch(issuer.fetcher())
        .build()
        .unwrap();
        let server = issuer
            .resource_server()
            .carrier(Carrier::bearer())
            .carrier(Carrier::header("App-Token").unwrap())
            .carrier(Carrier::header("Hmac-Token").unwrap())
            .carrier(danger::websocket_query("access_token"))
            .route(When::header("Hmac-Token"), hmac)
            .route(When::jwt(), issuer.jwt_verifier(AUDIENCE).build().unwrap())
            .route(
                When::prefix("lk_"),
                LookupVerifier::builder(Gossip).build().unwrap(),
            )
            .verifier(introspection)
            .build()
            .unwrap();
        Scene {
            issuer,
            server,
            secrets,
        }
    }

    pub(crate) fn keep(&mut self, token: &str) {
        self.secrets.add(token);
        // Pieces of a part that start where the part starts are pieces of the token anyway.
        for part in token.split('.').filter(|part| part.len() >= 12) {
            self.secrets.add(part);
        }
    }

    /// Every token worth showing to the gate: good ones, broken ones, and what is no token at all.
    pub(crate) fn tokens(&mut self) -> Vec<String> {
        let good = self.issuer.token().scope("read:events");
        let with = |name: &str, value: serde_json::Value| good.clone().claim(name, value).mint();
        let whole = good.mint();
        let (signed, signature) = whole.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let tokens = vec![
            whole.clone(),
            good.clone().scope("read:events write:events").mint(),
            good.clone().scope("").mint(),
            good.clone().expires_in(-3600).mint(),
            good.clone().signed_by(&watched::issuer()).mint(),
            good.clone().audience("https://other.example/").mint(),
            good.clone().without("aud").mint(),
            good.clone().without("sub").mint(),
            good.clone().typ("JWT").mint(),
            good.clone().header("kid", "nobody-knows").mint(),
            good.clone().header("crit", json!(["x"])).mint(),
            good.clone().header("jku", "https://evil.example/").mint(),
            good.clone().unsecured().mint(),
            good.clone().hmac(Algorithm::HS256, HMAC_SECRET).mint(),
            good.clone()
                .claim("iss", "https://hmac.example")
                .hmac(Algorithm::HS256, HMAC_SECRET)
                .mint(),
            good.clone().raw_payload(r#"{"sub":"a","sub":"b"}"#).mint(),
            good.clone().raw_payload(b"\xff\xfe\xfd not utf-8").mint(),
            good.clone().raw_header("{not json at all}").mint(),
            good.clone().signature([7; 64]).mint(),
            with("iss", json!("https://other.example")),
            with("iss", json!(["https://as.example"])),
            with("exp", json!("tomorrow")),
            with("nbf", json!(99_999_999_999_i64)),
            with(
                "cnf",
                json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
            ),
            with("tenant", json!("a-number-was-wanted")),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.{signature}.{payload}.{signature}"),
            format!("{header}.{payload}.{signature}.{payload}"),
            format!("{header}.{payload}.{signature}="),
            format!("{payload}.{header}.{signature}"),
            format!("{whole}{}", "A".repeat(20_000)),
            self.issuer.opaque().scope("read:events").mint(),
            self.issuer.opaque().expires_in(-60).mint(),
            self.issuer.opaque().refresh_token().mint(),
            self.issuer.opaque().claim("token_type", "mac").mint(),
            self.issuer
                .opaque()
                .response(json!({"active": "true"}))
                .mint(),
            self.issuer.opaque().response(json!(["rubbish"])).mint(),
            "opaque-and-unknown_W2mVtY9zKpL4nRfD8sGj".to_owned(),
            "lk_good-W2mVtY9zKpL4nRfD8sGj7bQx".to_owned(),
            "lk_down-W2mVtY9zKpL4nRfD8sGj7bQx".to_owned(),
            "lk_gone-W2mVtY9zKpL4nRfD8sGj7bQx".to_owned(),
            "outside the grammar W2mVtY9zKpL4nRfD8sGj".to_owned(),
            "outside\"the\\grammar-W2mVtY9zKpL4nRfD8sGj".to_owned(),
            "commas,W2mVtY9zKpL4nRfD8sGj,7bQxW2mVtY9z".to_owned(),
        ];
        for token in &tokens {
            self.keep(token);
        }
        tokens
    }

    pub(crate) fn hush(&self, what: &str, page: &Page) {
        assert!(!page.text.is_empty(), "nothing was printed");
        self.secrets.hush(what, &page.text);
        self.secrets.hush("the log", &watched::all_lines());
    }
}

/// The ways to show a token: well, and in all wrong ways.
pub(crate) fn requests(token: &str) -> Vec<http::request::Parts> {
    let header = |headers: &[(&str, &str)]| {
        let mut request = Request::get("/events/7");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    };
    let bearer = &*format!("Bearer {token}");
    let mut requests = vec![
        header(&[("authorization", bearer)]),
        header(&[("app-token", token)]),
        header(&[("hmac-token", token)]),
        header(&[("authorization", bearer), ("app-token", token)]),
        header(&[("authorization", bearer), ("authorization", bearer)]),
        header(&[("app-token", token), ("app-token", token)]),
        header(&[("authorization", &format!("{bearer}, {bearer}"))]),
        header(&[("authorization", &format!("{bearer} {token}"))]),
        header(&[("authorization", &format!("bearer{token}"))]),
        header(&[("authorization", &format!("Basic {token}"))]),
        header(&[("authorization", token)]),
        header(&[("app-token", &format!("{token} {token}"))]),
    ];
    let uri = format!(
        "/events/7?access_token={}",
        token.replace([' ', '"', '\\'], "+")
    );
    if let Ok(request) = Request::get(uri).header("upgrade", "websocket").body(()) {
        requests.push(request.into_parts().0);
    }
    requests
}

#[derive(serde::Deserialize, Debug)]
pub(crate) struct Tenant {
    #[allow(dead_code)]
    tenant: u64,
}

impl Permits<String> for Tenant {
    fn permits(&self, _: &String) -> bool {
        false
    }
}

#[derive(Clone)]
pub(crate) struct App(pub(crate) ResourceServer);

impl FromRef<App> for ResourceServer {
    fn from_ref(app: &App) -> ResourceServer {
        app.0.clone()
    }
}

/// Handlers that ask for all there is. `/bare` has no layer around it.
pub(crate) fn app(server: &ResourceServer) -> axum::Router {
    type Wanted = Authenticated<(RequireScope<(Read, Write)>, Claims<Tenant>)>;
    axum::Router::new()
        .route(
            "/events/{id}",
            get(|token: RequireScope<Read>| async move { format!("{token:?}") }),
        )
        .route("/write", get(|_: RequireScope<Write>| async {}))
        .route(
            "/claims",
            get(|claims: Claims<Tenant>| async move { format!("{claims:?}") }),
        )
        .route(
            "/permitted/{id}",
            get(|_: Permitted<Claims<Tenant>, Path<String>>| async {}),
        )
        .route(
            "/headers",
            get(|headers: HeaderMap, token: AccessToken| async move {
                format!("{headers:?} {token:?}")
            }),
        )
        .route_layer(server.layer())
        .route("/bare", get(|_: AccessToken| async {}))
        .route("/authenticated", get(|_: Wanted| async {}))
        .with_state(App(server.clone()))
}

pub(crate) async fn read(page: &mut Page, response: http::Response<Body>) -> StatusCode {
    let (parts, body) = response.into_parts();
    page.debug(&parts);
    // `Debug` of a header map hides sensitive values, the wire does not.
    for (name, value) in &parts.headers {
        writeln!(
            page.text,
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        )
        .unwrap();
    }
    let body = body.collect().await.unwrap().to_bytes();
    page.text.push_str(&String::from_utf8_lossy(&body));
    parts.status
}
