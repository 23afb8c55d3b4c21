//! Trouble with whoever is asked: their words, our client's, and what is told of it.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::Request;
use portcullis::testing::{Endpoint, Trouble};
use portcullis::*;
use serde_json::json;
use tower::{Layer as _, ServiceExt as _};

use crate::page::Page;
use crate::scene::{AUDIENCE, CLIENT_SECRET, HMAC_SECRET, Scene, read, requests};
use crate::secrets::{Secrets, form_urlencoded};
use crate::watched;

#[tokio::test]
async fn upstream_trouble_is_told_without_tokens() {
    trouble().await;
}

pub(crate) async fn trouble() -> Page {
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
        let scene = Scene::new(watched::issuer());
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
    let mut scene = Scene::new(watched::issuer());
    tokens.iter().for_each(|token| scene.keep(token));
    scene.hush("an outage", &page);
    assert!(watched::all_lines().contains("the issuer's keys cannot be had"));
    page
}

#[tokio::test]
async fn the_http_client_logs_no_token() {
    http_client().await;
}

/// A real socket and the real HTTP client, whose own logging counts, too.
pub(crate) async fn http_client() -> Page {
    let mut scene = Scene::new(watched::started().await);
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
            page.outcome(&proven);
            if down {
                scene.issuer.restart().await.unwrap();
            }
        }
    }
    scene.hush("introspection over HTTP", &page);
    page
}

pub(crate) fn keep_pem(secrets: &mut Secrets, pem: &str) {
    for line in pem.lines().filter(|line| !line.starts_with("-----")) {
        if line.len() >= Secrets::PIECE {
            secrets.add(line);
        }
    }
}

#[tokio::test]
async fn what_others_say_is_not_repeated() {
    words_of_others().await;
}

/// Stores, clients and endpoints are not ours; what they say may quote what they were asked.
pub(crate) async fn words_of_others() -> Page {
    let mut scene = Scene::new(watched::issuer());
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

    // A client whose error quotes the request, our own secret included; beside the token or without it.
    #[derive(Clone, Default)]
    struct Quoted(&'static str, Arc<Mutex<Vec<String>>>);
    impl Fetch for Quoted {
        async fn fetch(
            &self,
            request: Request<Vec<u8>>,
            _: usize,
        ) -> Result<http::Response<Vec<u8>>, FetchError> {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let header = request.headers().get("authorization");
            let header = header.map_or("", |header| header.to_str().unwrap());
            let at = body.find(self.0).unwrap_or(body.len());
            self.1.lock().unwrap().push(body.clone());
            let told = format!("cannot send {header} {}", &body[at..]);
            Err(FetchError::new(told))
        }
    }
    let odd = "q+7/Zk3+p9/aX2+Lw/8b+A==";
    scene.secrets.add(odd);
    let pem = scene.issuer.client_with_new_key("signer", Algorithm::ES256);
    keep_pem(&mut scene.secrets, &pem);
    for from in ["", "client_id"] {
        for auth in [
            ClientAuth::post("gate", CLIENT_SECRET),
            ClientAuth::post("gate", odd),
            ClientAuth::basic("gate", odd),
            ClientAuth::private_key_jwt("signer", &pem, Algorithm::ES256).unwrap(),
        ] {
            let client = Quoted(from, Arc::default());
            let verifier = IntrospectionVerifier::builder("https://as.example/i", auth, AUDIENCE);
            let verifier = verifier.fetch(client.clone()).build().unwrap();
            let server = ResourceServer::builder().verifier(verifier);
            let server = server.build().unwrap();
            let mut parts = requests(&token).remove(0);
            page.error(&server.authenticate(&mut parts).await.unwrap_err());
            page.debug(&server.status());
            for sent in client.1.lock().unwrap().iter() {
                if let Some((_, assertion)) = sent.split_once("client_assertion=") {
                    scene.keep(assertion);
                }
            }
        }
    }

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
    for line in page.text.lines() {
        if std::panic::catch_unwind(|| scene.secrets.hush("it", line)).is_err() {
            leaks.push(line);
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    page
}
