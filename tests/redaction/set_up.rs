//! Whatever is built before the first request.

use portcullis::testing::ManualClock;
use portcullis::*;
use serde_json::json;

use crate::page::Page;
use crate::scene::{AUDIENCE, CLIENT_SECRET, Gossip, HMAC_SECRET, Scene};
use crate::upstream::keep_pem;
use crate::watched;

#[tokio::test]
async fn set_up_prints_no_secret() {
    page().await;
}

pub(crate) async fn page() -> Page {
    let mut scene = Scene::new(watched::issuer());
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
    page.debug(&watched::builder());
    page.debug(&ManualClock::at(UnixTime::EPOCH));
    page.debug(&scene.issuer.clock().now());
    scene.hush("set-up", &page);
    page
}
