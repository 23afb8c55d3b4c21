//! No response, log line or `Debug` ever holds a token or a secret.
//!
//! Everything public that could have seen one is formatted, every answer is read whole, every
//! `tracing` event is kept; and all of it is searched for pieces of every token and secret used.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

use std::collections::HashSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, Path};
use axum::routing::get;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble};
use portcullis::*;
use serde_json::json;
use tower::{Layer as _, Service as _, ServiceExt as _};

const AUDIENCE: &str = "https://api.example.com/";
const HMAC_SECRET: &str = "HushHush-7bQxW2mVtY9zKpL4nRfD8sGj";
const CLIENT_SECRET: &str = "sesame/open:W2+mVtY9&zKpL4nRfD8sG";

scopes! {
    Read = "read:events";
    Write = "write:events";
}

/// Tokens and secrets, cut into pieces: an error that quotes the first half of a token is no
/// better than one that quotes it all.
#[derive(Default)]
struct Secrets {
    pieces: HashSet<String>,
}

impl Secrets {
    /// Long enough that no piece stands in a text by chance.
    const PIECE: usize = 12;

    fn add(&mut self, secret: &str) {
        let printed = format!("{:?}", secret.as_bytes());
        let printed = printed.trim_matches(['[', ']']).to_owned();
        let escaped: String = form_urlencoded(secret);
        for form in [secret.to_owned(), escaped, base64(secret), printed] {
            let characters: Vec<char> = form.chars().collect();
            assert!(
                characters.len() >= Secrets::PIECE,
                "{secret:?} is too short"
            );
            for piece in characters.windows(Secrets::PIECE) {
                self.pieces.insert(piece.iter().collect());
            }
        }
    }

    /// Fails if `text` holds a piece of a secret. The message shows the place, which is fine here:
    /// all of them are made up.
    #[track_caller]
    fn hush(&self, what: &str, text: &str) {
        let characters: Vec<char> = text.chars().collect();
        for (at, piece) in characters.windows(Secrets::PIECE).enumerate() {
            let piece: String = piece.iter().collect();
            if self.pieces.contains(&piece) {
                let from = at.saturating_sub(80);
                let around: String = characters.iter().skip(from).take(200).collect();
                panic!("{what} holds a piece of a secret, {piece:?}, in: …{around}…");
            }
        }
    }
}

fn form_urlencoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let digit = bits >> (18 - 6 * place) & 63;
            encoded.push(char::from(DIGITS[digit as usize]));
        }
    }
    encoded
}

/// What was formatted, in all ways.
#[derive(Default)]
struct Page(String);

impl Page {
    fn debug(&mut self, value: &impl Debug) {
        let text = format!("{value:?}\n{value:#?}");
        // What shows nothing hides everything, and helps nobody.
        assert!(text.len() > 2, "{}", std::any::type_name_of_val(value));
        writeln!(self.0, "{text}").unwrap();
    }

    fn error(&mut self, error: &(dyn std::error::Error + 'static)) {
        writeln!(self.0, "{error}\n{error:#}\n{error:?}\n{error:#?}").unwrap();
        let mut source = error.source();
        while let Some(cause) = source {
            writeln!(self.0, "{cause}\n{cause:?}").unwrap();
            source = cause.source();
        }
    }
}

/// Keeps all events and spans of this process as text.
struct Log;

static LINES: Mutex<String> = Mutex::new(String::new());

impl Log {
    fn listen() {
        // Another test of this process was first.
        let _ = tracing::subscriber::set_global_default(Log);
    }

    fn lines() -> MutexGuard<'static, String> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Fields<'a>(&'a mut String);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        writeln!(self.0, "{field} = {value:?}").unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut lines = Log::lines();
        writeln!(lines, "{}", span.metadata().name()).unwrap();
        span.record(&mut Fields(&mut lines));
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Fields(&mut Log::lines()));
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut lines = Log::lines();
        writeln!(lines, "{}", event.metadata().target()).unwrap();
        event.record(&mut Fields(&mut lines));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// A store that quotes whatever it is asked for when it is down.
struct Gossip;

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
struct Scene {
    issuer: AuthorizationServer,
    server: ResourceServer,
    secrets: Secrets,
}

impl Scene {
    fn new(issuer: AuthorizationServer) -> Scene {
        Log::listen();
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

    fn keep(&mut self, token: &str) {
        self.secrets.add(token);
        // Pieces of a part that start where the part starts are pieces of the token anyway.
        for part in token.split('.').filter(|part| part.len() >= 12) {
            self.secrets.add(part);
        }
    }

    /// Every token worth showing to the gate: good ones, broken ones, and what is no token at all.
    fn tokens(&mut self) -> Vec<String> {
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
            good.clone().signed_by(&AuthorizationServer::new()).mint(),
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

    fn hush(&self, what: &str, page: &Page) {
        assert!(!page.0.is_empty(), "nothing was printed");
        self.secrets.hush(what, &page.0);
        self.secrets.hush("the log", &Log::lines());
    }
}

/// The ways to show a token: well, and in all wrong ways.
fn requests(token: &str) -> Vec<http::request::Parts> {
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
struct Tenant {
    #[allow(dead_code)]
    tenant: u64,
}

impl Permits<String> for Tenant {
    fn permits(&self, _: &String) -> bool {
        false
    }
}

#[derive(Clone)]
struct App(ResourceServer);

impl FromRef<App> for ResourceServer {
    fn from_ref(app: &App) -> ResourceServer {
        app.0.clone()
    }
}

/// Handlers that ask for all there is. `/bare` has no layer around it.
fn app(server: &ResourceServer) -> axum::Router {
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

async fn read(page: &mut Page, response: http::Response<Body>) -> StatusCode {
    let (parts, body) = response.into_parts();
    page.debug(&parts);
    // `Debug` of a header map hides sensitive values, the wire does not.
    for (name, value) in &parts.headers {
        writeln!(
            page.0,
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        )
        .unwrap();
    }
    let body = body.collect().await.unwrap().to_bytes();
    page.0.push_str(&String::from_utf8_lossy(&body));
    parts.status
}

#[tokio::test]
async fn answers_and_logs_hold_no_token() {
    let mut scene = Scene::new(AuthorizationServer::new());
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
    assert!(Log::lines().contains("the look-up failed: [withheld: it repeats a secret]"));
    assert!(Log::lines().contains("AccessToken found no verified request"));
}

#[tokio::test]
async fn errors_and_requests_hold_no_token() {
    let mut scene = Scene::new(AuthorizationServer::new());
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
            page.debug(&extracted);
            let extracted = Claims::<Tenant>::from_request_parts(&mut parts, &app).await;
            page.debug(&extracted);
            let extracted =
                RequireScope::<(Read, Write)>::from_request_parts(&mut parts, &app).await;
            page.debug(&extracted);
            let extracted = Option::<AccessToken>::from_request_parts(&mut parts, &app).await;
            page.debug(&extracted);
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
}

/// What an application does with our sentence: it wraps it.
struct ConfigErrorLike(std::io::Error);

impl From<&Error> for ConfigErrorLike {
    fn from(error: &Error) -> ConfigErrorLike {
        ConfigErrorLike(std::io::Error::other(error.clone()))
    }
}

#[tokio::test]
async fn upstream_trouble_is_told_without_tokens() {
    let (mut page, mut tokens) = (Page::default(), Vec::new());
    for trouble in [
        Trouble::Status(401),
        Trouble::StatusWithRetryAfter(503, 7),
        Trouble::Garbage,
        Trouble::Body("[1, 2".to_owned()),
        Trouble::Body(r#"{"active":true,"active":true}"#.to_owned()),
        Trouble::Huge(1 << 20),
        Trouble::Redirect("https://elsewhere.example/".to_owned()),
        Trouble::Reset,
    ] {
        // Anew each time: who has failed is left alone for a while.
        let scene = Scene::new(AuthorizationServer::new());
        for &endpoint in Endpoint::ALL {
            scene.issuer.trouble(endpoint, trouble.clone());
        }
        let opaque = scene.issuer.opaque().mint();
        let jwt = scene.issuer.token().mint();
        for token in [opaque, jwt] {
            let mut parts = requests(&token).remove(0);
            let error = scene.server.authenticate(&mut parts).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            page.error(&error);
            page.debug(&parts);
            tokens.push(token);
        }
        if let Err(error) = scene.server.ready().await {
            page.error(&error);
        }
    }
    let mut scene = Scene::new(AuthorizationServer::new());
    tokens.iter().for_each(|token| scene.keep(token));
    scene.hush("an outage", &page);
    assert!(Log::lines().contains("the issuer's keys cannot be had"));
}

/// A real socket and the real HTTP client, whose own logging counts, too.
#[tokio::test]
async fn the_http_client_logs_no_token() {
    let mut scene = Scene::new(AuthorizationServer::start().await.unwrap());
    let mut page = Page::default();
    let pem = scene.issuer.client_with_new_key("signer", Algorithm::ES256);
    keep_pem(&mut scene.secrets, &pem);
    for auth in [
        ClientAuth::basic("gate", CLIENT_SECRET),
        ClientAuth::post("gate", CLIENT_SECRET),
        ClientAuth::private_key_jwt("signer", &pem, Algorithm::ES256).unwrap(),
    ] {
        page.debug(&auth);
        let verifier =
            IntrospectionVerifier::builder(&scene.issuer.introspection_endpoint(), auth, AUDIENCE);
        page.debug(&verifier);
        let verifier = verifier.build().unwrap();
        page.debug(&verifier);
        let server = scene.issuer.resource_server().verifier(verifier).build();
        let server = server.unwrap();
        for down in [false, true] {
            let token = scene.issuer.opaque().mint();
            scene.keep(&token);
            if down {
                scene.issuer.stop().await;
            }
            let mut parts = requests(&token).remove(0);
            let proven = server.authenticate(&mut parts).await;
            assert_eq!(proven.is_err(), down, "{proven:?}");
            page.debug(&proven);
            if down {
                scene.issuer.restart().await.unwrap();
            }
        }
    }
    scene.hush("introspection over HTTP", &page);
}

fn keep_pem(secrets: &mut Secrets, pem: &str) {
    for line in pem.lines().filter(|line| !line.starts_with("-----")) {
        if line.len() >= Secrets::PIECE {
            secrets.add(line);
        }
    }
}

#[tokio::test]
async fn set_up_prints_no_secret() {
    let mut scene = Scene::new(AuthorizationServer::new());
    let mut page = Page::default();
    let pem = scene.issuer.client_with_new_key("signer", Algorithm::ES256);
    keep_pem(&mut scene.secrets, &pem);

    // Client authentication, and verifiers that hold it.
    for auth in [
        || ClientAuth::basic("gate", CLIENT_SECRET),
        || ClientAuth::post("gate", CLIENT_SECRET),
    ] {
        page.debug(&auth());
        page.debug(&auth().kid("one"));
        let builder =
            IntrospectionVerifier::builder("https://as.example/introspect", auth(), AUDIENCE);
        page.debug(&builder);
        page.debug(&builder.build().unwrap());
        page.debug(&IntrospectionVerifier::builder(
            "ftp://as.example/",
            auth(),
            AUDIENCE,
        ));
    }
    let signer = ClientAuth::private_key_jwt("signer", &pem, Algorithm::ES256).unwrap();
    page.debug(&signer.kid("one"));
    page.error(&ClientAuth::private_key_jwt("signer", &pem, Algorithm::RS256).unwrap_err());
    page.error(&ClientAuth::private_key_jwt("signer", &pem, Algorithm::HS256).unwrap_err());
    let broken = pem.replace("-----END", "-----FIN");
    page.error(&ClientAuth::private_key_jwt("signer", &broken, Algorithm::ES256).unwrap_err());

    // Keys and secrets of JWT verifiers.
    let builder = || JwtVerifier::builder("https://as.example", AUDIENCE);
    let hmac = || builder().hmac_secret(Algorithm::HS256, HMAC_SECRET);
    page.debug(&hmac());
    page.debug(&hmac().build().unwrap());
    page.error(&hmac().algorithms([Algorithm::ES256]).build().unwrap_err());
    page.error(
        &builder()
            .hmac_secret(Algorithm::HS512, HMAC_SECRET)
            .build()
            .unwrap_err(),
    );
    page.error(
        &builder()
            .hmac_secret(Algorithm::ES256, HMAC_SECRET)
            .build()
            .unwrap_err(),
    );
    page.error(&StaticJwks::from_pem(&pem, Algorithm::ES256).unwrap_err());
    let jwks = scene.issuer.jwks().to_string();
    let keys = || StaticJwks::from_json(&jwks).unwrap();
    page.debug(&keys());
    page.debug(&Keys::from(keys()));
    page.error(&hmac().keys(keys()).build().unwrap_err());
    // A key set that holds a private and a symmetric key: left out, and logged with the reason.
    let private = json!({"kty": "EC", "crv": "P-256", "kid": "p", "d": HMAC_SECRET});
    let symmetric = json!({"kty": "oct", "kid": "s", "k": HMAC_SECRET});
    let mut mixed = scene.issuer.jwks();
    let list = mixed["keys"].as_array_mut().unwrap();
    list.extend([private.clone(), symmetric.clone()]);
    page.debug(&StaticJwks::from_json(&mixed.to_string()).unwrap());
    let only = json!({"keys": [private, symmetric]}).to_string();
    page.error(&StaticJwks::from_json(&only).unwrap_err());
    page.error(&StaticJwks::from_json(HMAC_SECRET).unwrap_err());
    let remote = RemoteJwks::discover(scene.issuer.issuer()).fetch(scene.issuer.fetcher());
    page.debug(&remote);
    let remote = remote.build().unwrap();
    page.debug(&remote);
    page.debug(&Keys::from(remote));

    // Look-ups, and whatever made it into the server.
    page.debug(&LookupVerifier::builder(Gossip));
    page.debug(&LookupVerifier::builder(Gossip).build().unwrap());
    page.debug(
        &scene
            .issuer
            .resource_server()
            .verifier(hmac().build().unwrap()),
    );
    page.debug(&scene.server);

    // The embedded issuer.
    let hmac_token = scene.issuer.token().hmac(Algorithm::HS256, HMAC_SECRET);
    page.debug(&hmac_token);
    let opaque = scene.issuer.opaque();
    scene.keep(&opaque.mint());
    page.debug(&opaque);
    page.debug(&scene.issuer);
    page.debug(&AuthorizationServer::builder());
    page.debug(&ManualClock::at(UnixTime::EPOCH));
    page.debug(&scene.issuer.clock().now());
    scene.hush("set-up", &page);
}

#[tokio::test]
async fn layers_services_and_futures_print_no_token() {
    let mut scene = Scene::new(AuthorizationServer::new());
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
}

/// Polls once and goes on.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx)))
        .await
}

/// Stores, clients and endpoints are not ours; what they say may quote what they were asked.
#[tokio::test]
async fn what_others_say_is_not_repeated() {
    let mut scene = Scene::new(AuthorizationServer::new());
    let mut page = Page::default();

    // A store that escapes, encodes or cuts what it quotes.
    struct Quoting(fn(&str) -> String);
    impl Lookup for Quoting {
        async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
            Err(Unavailable::new(format!("no row {}", self.0(token))))
        }
    }
    let ways: [fn(&str) -> String; 3] = [
        |token| format!("{token:?}"),
        form_urlencoded,
        |token| token[..30].to_owned(),
    ];
    let token = "a\"quote-and/a/slash-W2mVtY9zKpL4nRfD8sGj";
    scene.secrets.add(token);
    for way in ways {
        let store = LookupVerifier::builder(Quoting(way)).build().unwrap();
        let server = ResourceServer::builder()
            .carrier(Carrier::header("App-Token").unwrap())
            .verifier(store)
            .build()
            .unwrap();
        let mut parts = requests(token).remove(1);
        page.error(&server.authenticate(&mut parts).await.unwrap_err());
    }

    // An endpoint that echoes the token where we quote the answer.
    let token = scene.issuer.opaque().mint();
    scene.keep(&token);
    for member in ["token_type", "aud", "iss"] {
        let answer = json!({"active": true, member: token}).to_string();
        let body = Trouble::Body(answer);
        scene.issuer.trouble(Endpoint::Introspection, body);
        let mut parts = requests(&token).remove(0);
        page.error(&scene.server.authenticate(&mut parts).await.unwrap_err());
        let bearer = Carrier::bearer();
        scene.server.forget(&Credential::new(&token, &bearer));
    }

    // A look-up's answer that is not what was wanted, and whatever is said about it.
    let answer = json!({
        "access_token": token, "accessToken": [token], "user_id": token, "list": [token, 1],
        "nested": {&token: token},
    });
    let answer = LookupAnswer::from_serialize(&answer).unwrap();
    page.debug(&answer);
    for name in ["access_token", "user_id", "list", "nested"] {
        let errors = [
            answer.value(name).map(drop).err(),
            answer.text(name).map(drop).err(),
            answer.id(name).map(drop).err(),
            answer.integer(name).map(drop).err(),
            answer.boolean(name).map(drop).err(),
            answer.time(name).map(drop).err(),
            answer.words(name).map(drop).err(),
        ];
        for error in errors.into_iter().flatten() {
            page.error(&error);
            page.debug(&Unavailable::from(error));
        }
    }
    for broken in [
        format!("\"{token}\""),
        format!("{{\"a\":{token}}}"),
        token.clone(),
    ] {
        page.error(&LookupAnswer::parse(&broken).unwrap_err());
    }

    // A client whose error quotes the request, our own secret included.
    struct Quoted;
    impl Fetch for Quoted {
        async fn fetch(
            &self,
            request: Request<Vec<u8>>,
            _: usize,
        ) -> Result<http::Response<Vec<u8>>, FetchError> {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            Err(FetchError::new(format!("cannot send {body}")))
        }
    }
    let auth = ClientAuth::post("gate", CLIENT_SECRET);
    let verifier = IntrospectionVerifier::builder("https://as.example/i", auth, AUDIENCE);
    let verifier = verifier.fetch(Quoted).build().unwrap();
    let server = ResourceServer::builder()
        .verifier(verifier)
        .build()
        .unwrap();
    let mut parts = requests(&token).remove(0);
    page.error(&server.authenticate(&mut parts).await.unwrap_err());

    // A URL with a password in it.
    let url = format!("https://gate:{HMAC_SECRET}@as.example/jwks");
    page.error(&RemoteJwks::at(&url).build().unwrap_err());

    // A preflight that carries a token all the same.
    let server = scene.issuer.resource_server().allow_preflight();
    let verifier = scene.issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let server = server.verifier(verifier).build().unwrap();
    let echo = tower::service_fn(async |request: Request<Body>| {
        let headers = format!("{:?}", request.headers());
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::from(headers)))
    });
    let preflight = Request::options("/")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .unwrap();
    let gate = server.layer().layer(echo);
    read(&mut page, gate.oneshot(preflight).await.unwrap()).await;

    let mut leaks = Vec::new();
    for line in page.0.lines() {
        if std::panic::catch_unwind(|| scene.secrets.hush("it", line)).is_err() {
            leaks.push(line);
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn the_searcher_finds() {
    let mut secrets = Secrets::default();
    secrets.add(CLIENT_SECRET);
    let found = |text: &str| std::panic::catch_unwind(|| secrets.hush("it", text)).is_err();
    assert_eq!(base64("ab"), "YWI");
    assert_eq!(base64("abc"), "YWJj");
    assert_eq!(base64("abcd"), "YWJjZA");
    for text in [
        CLIENT_SECRET.to_owned(),
        format!("half of it: {}…", &CLIENT_SECRET[..15]),
        format!("{:?}", CLIENT_SECRET.as_bytes()),
        form_urlencoded(CLIENT_SECRET),
        base64(CLIENT_SECRET),
    ] {
        assert!(found(&text), "{text}");
    }
    assert!(!found("nothing of the sort"));
}
