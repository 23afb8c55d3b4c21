//! What is sent to an issuer to ask about a token: the token, and what proves who asks.

use std::sync::Arc;

use portcullis::*;
use zeroize::Zeroizing;

use crate::hidden::Hidden;
use crate::memory::pieces_of;
use crate::private_key;
use crate::scene::{AUDIENCE, Endpoint, base64, show};

const URL: &str = "https://as.example/introspect";

/// Asks about a token, and says what the endpoint was sent.
async fn asks(verifier: impl Verifier, endpoint: &Endpoint) -> Hidden {
    let server = ResourceServer::builder().verifier(verifier);
    let server = server.build().unwrap();
    let token = Hidden::by_chance(40);
    show(&server, &token).await.unwrap();
    let sent = endpoint.sent();
    let place = |part: &Hidden| {
        let mut all = sent.masked().windows(part.masked().len());
        all.position(|window| window == part.masked())
    };
    assert!(place(&token).is_some(), "it was not asked about the token");
    drop(server);
    assert_eq!(pieces_of(&token), 0);
    sent
}

#[tokio::test]
async fn a_client_secret() {
    let secret = Hidden::by_chance(48);
    let pair = Zeroizing::new([b"gate:", secret.shown().as_bytes()].concat());
    let encoded = Hidden::of(base64(&pair).iter());
    drop(pair);
    for kept in [&encoded, &secret] {
        let text = secret.shown();
        let auth = match std::ptr::eq(kept, &encoded) {
            true => ClientAuth::basic("gate", &text),
            false => ClientAuth::post("gate", &text),
        };
        drop(text);
        assert!(pieces_of(kept) > 0);
        let endpoint = Arc::new(Endpoint::default());
        let verifier = IntrospectionVerifier::builder(URL, auth, AUDIENCE);
        let verifier = verifier.fetch(endpoint.clone()).build().unwrap();
        let sent = asks(verifier, &endpoint).await;
        let mut all = sent.masked().windows(kept.masked().len());
        assert!(all.any(|window| window == kept.masked()), "it was not sent");
        assert_eq!(pieces_of(&secret), 0);
        assert_eq!(pieces_of(&encoded), 0);
    }
}

#[tokio::test]
async fn a_client_assertion() {
    let (pem, digits) = private_key();
    let auth = ClientAuth::private_key_jwt("gate", &pem, Algorithm::ES256).unwrap();
    drop(pem);
    let endpoint = Arc::new(Endpoint::default());
    let verifier = IntrospectionVerifier::builder(URL, auth, AUDIENCE);
    let verifier = verifier.fetch(endpoint.clone()).build().unwrap();
    let sent = asks(verifier, &endpoint).await;
    // Its signature stands at the end of what is sent: 64 octets. Without that it is no secret.
    let end = sent.masked().len();
    assert_eq!(pieces_of(&sent.part(end - 86..end)), 0);
    assert_eq!(pieces_of(&digits), 0);
}

#[tokio::test]
async fn a_token_that_is_shown_to_its_issuer() {
    let endpoint = Arc::new(Endpoint::default());
    let verifier = danger::userinfo("https://as.example/userinfo").fetch(endpoint.clone());
    let sent = asks(verifier.build().unwrap(), &endpoint).await;
    assert_eq!(pieces_of(&sent), 0);
}
