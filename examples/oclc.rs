//! OCLC: what a library's WSKey opens, and what it does not.
//!
//! ```text
//! cargo run --example oclc
//! ```
//!
//! A lending service behind a gate, an issuer beside it, and a client that goes from its WSKey to its
//! last token. The story plays itself and ends with exit code 0 if every answer was as it should be.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use portcullis::profile::oclc::{self, User};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    Claims, Clock, ConfigError, Lookup, RequireScope, ResourceGuard, ResourceServer, SystemClock,
};

#[path = "issuers/oclc.rs"]
mod issuer;
#[path = "stage/mod.rs"]
mod stage;
use issuer::{Patron, Wskey};
use stage::Stage;

portcullis::scopes! {
    /// Lend, and take back.
    Ncip = "WMS_NCIP";
    /// Order from vendors.
    Acquisitions = "WMS_ACQ";
}

/// The gate.
fn gate(tokens: impl Lookup, clock: impl Clock) -> Result<ResourceServer, ConfigError> {
    let tokens = oclc::look_up(tokens).build()?;
    oclc::gate(tokens)?
        .renderer(oclc::XmlErrors)
        .clock(clock)
        .build()
}

/// The service. What belongs to an institution is open to tokens in its context.
fn service(server: &ResourceServer) -> Result<Router, ConfigError> {
    let own = ResourceGuard::path("/institutions/{id}/{*rest}")
        .param_is("id", [oclc::CONTEXT_INSTITUTION])
        .build()?;
    Ok(Router::new()
        .route("/institutions/{id}/loans", post(lend))
        .route("/institutions/{id}/orders", post(order))
        .route_layer(own.layer())
        .route("/me", get(me))
        .layer(server.layer()))
}

async fn lend(_: RequireScope<Ncip>) -> &'static str {
    "lent\n"
}

/// What is ordered for a reader is lent at once.
async fn order(_: RequireScope<(Ncip, Acquisitions)>) -> &'static str {
    "ordered\n"
}

async fn me(user: Claims<User>) -> String {
    format!("{} of {}\n", user.principal_id, user.institution)
}

static CONSORTIUM: Wskey = Wskey {
    key: "colgate-keuka-ithaca",
    secret: "open sesame",
    institutions: &[
        ("128807", &["WMS_NCIP"]),
        ("128808", &["WMS_NCIP", "WMS_ACQ"]),
    ],
};
static ADA: Patron = Patron {
    login: "ada",
    principal_id: "8eaa9f92",
    principal_idns: "urn:oclc:wms:da",
    institution: "91475",
    grants: &["WMS_NCIP"],
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut stage = Stage::begin("OCLC: what a library's WSKey opens, and what it does not.");
    let clock = ManualClock::at(SystemClock.now());
    let builder = AuthorizationServer::builder().clock(clock.clone());
    let oauth = builder.start().await?;
    issuer::open(&oauth, &CONSORTIUM, &ADA);
    let server = gate(issuer::store(&oauth), clock.clone())?;
    let api = stage.serve(service(&server)?).await?;
    stage.say(&format!("Issuer at {}", oauth.issuer()));
    let loans = format!("{api}/institutions/128807/loans");
    let orders = format!("{api}/institutions/128807/orders");
    let elsewhere = format!("{api}/institutions/128808/orders");
    let me = format!("{api}/me");
    let token = |query: &str| oauth.url("/token") + "?grant_type=" + query;
    let (key, secret) = (CONSORTIUM.key, CONSORTIUM.secret);

    let step = stage.step("Without a token nothing is lent.").post(&loans);
    step.expect(401).expect_body_contains("code").play().await;

    let step = stage.step("The issuer wants the key's secret, in HTTP Basic.");
    let step = step.post(token("client_credentials")).basic(key, "sesame");
    step.expect(401)
        .expect_body_contains("invalid")
        .play()
        .await;

    let step = stage.step("A service that is not on the key refuses the whole request.");
    let step = step.post(token("client_credentials&scope=WMS_NCIP%20SCIM:read_self"));
    let step = step.basic(key, secret).expect(403);
    step.expect_body_contains("Not on key").play().await;

    let asked = "client_credentials&scope=WMS_NCIP%20WMS_ACQ%20context:128807%20refresh_token";
    let step = stage.step(
        "A service this institution does not have is left out: a partial grant, without WMS_ACQ.",
    );
    let step = step.post(token(asked)).basic(key, secret);
    let granted = step.expect_body_contains("WMS_NCIP context:128807 refresh_token");
    let first = granted.play().await;
    let (library, refresh) = (first.text("access_token"), first.text("refresh_token"));

    let step = stage
        .step("The library's token lends, since WMS_NCIP was granted.")
        .post(&loans);
    step.bearer(&library).play().await;

    let step = stage
        .step("Ordering needs WMS_ACQ, too, and the challenge names both scopes.")
        .post(&orders);
    let step = step.bearer(&library).expect(403);
    step.expect_header("www-authenticate", "WMS_ACQ")
        .play()
        .await;

    let step = stage.step("The library's token does not open another library's data.");
    let step = step.post(&elsewhere).bearer(&library).expect(403);
    step.expect_body_contains("denied").play().await;

    let asked = "client_credentials&scope=WMS_NCIP%20WMS_ACQ%20context:128808";
    let step = stage.step("The same key gets a token for the other library, 128808.");
    let step = step.post(token(asked)).basic(key, secret).play();
    let other = step.await.text("access_token");
    let step = stage
        .step("The other library's token opens its own data.")
        .post(&elsewhere);
    step.bearer(&other).play().await;

    let step = stage.step("Behind a library's own token there is no user whom /me could name.");
    step.get(&me).bearer(&library).expect(403).play().await;

    let login = "?response_type=code&redirect_uri=https://app.example/back&login=ada";
    let asked = format!("&client_id={key}&scope=WMS_NCIP%20WMS_ACQ%20context:128807");
    let step = stage.step("Ada logs in at her own library, for a loan at another one.");
    let step = step
        .get(oauth.url("/auth/91475") + login + &asked)
        .expect(302);
    let back = step.expect_header("location", "code=auth_").play().await;
    let code = back
        .header("location")
        .split("code=")
        .last()
        .unwrap_or_default();

    let step = stage.step("The client exchanges the code for Ada's token.");
    let step = step.post(token(&format!("authorization_code&code={code}")));
    let ada = step.basic(key, secret).play().await.text("access_token");
    let step = stage.step("Ada's token names her, and the institution that vouches for her.");
    let step = step.get(&me).bearer(&ada);
    step.expect_body_contains("8eaa9f92 of 91475").play().await;
    let step =
        stage.step("Ada's token lends in the context of the library it was asked for, 128807.");
    step.post(&loans).bearer(&ada).play().await;

    let looked_up = oauth.asked(issuer::STORE);
    let step = stage
        .step("The API takes no refresh token: that is for the issuer alone.")
        .post(&loans);
    step.bearer(&refresh).expect(401).play().await;
    let step = stage
        .step("The API takes no authorization code: that is for the issuer alone, too.")
        .post(&loans);
    step.bearer(code).expect(401).play().await;
    let step = stage
        .step("A signature of the old scheme is no token, so the answer only tells how to log in.");
    let hmac = r#"http://www.worldcat.org/wskey/v2/hmac/v1 clientId="x", signature="y""#;
    let step = step.post(&loans).header("Authorization", hmac).expect(401);
    step.expect_header("www-authenticate", "Bearer")
        .play()
        .await;
    let step = stage.step("A client may not say beside the token who its user is.");
    let asserted = format!(r#"Bearer {library}, principalID="8eaa9f92""#);
    let step = step.post(&loans).header("Authorization", asserted);
    step.expect(400).play().await;
    assert_eq!(
        oauth.asked(issuer::STORE),
        looked_up,
        "none of these is looked up"
    );

    let tampered = format!("{library}x");
    let shown = tampered.clone();
    let step = stage.step("The answer to an unknown token does not repeat a letter of it.");
    let step = step.post(&loans).bearer(&tampered).expect(401);
    let judge = move |answer: &stage::Answer| match answer.body.contains(&shown) {
        true => Err("got the token back, wanted it kept".to_owned()),
        false => Ok(()),
    };
    step.expect_that(judge).play().await;

    oauth.revoke(&other);
    clock.advance(Duration::from_secs(30));
    stage.say("The issuer revokes the other library's token, and 30 seconds pass.");
    let step = stage
        .step("A revoked token opens nothing after 30 seconds, for so long the gate remembers.");
    step.post(&elsewhere)
        .bearer(&other)
        .expect(401)
        .play()
        .await;

    clock.advance(Duration::from_secs(issuer::CLIENT_LIFETIME as u64 - 30));
    stage.say("Time passes, until the library's first token is an hour old.");
    let step = stage.step("The library's first token is over.");
    let step = step.post(&loans).bearer(&library);
    step.expect(401).play().await;
    let step = stage.step("The refresh token buys the library its next token.");
    let step = step.post(token(&format!("refresh_token&refresh_token={refresh}")));
    let next = step.basic(key, secret).play().await.text("access_token");
    let step = stage
        .step("The library's next token lends as the first one did.")
        .post(&loans);
    step.bearer(&next).play().await;

    oauth.stop().await;
    stage.say("The store where the gate looks tokens up goes away.");
    let step =
        stage.step("Without the store a token looked up before is good for 30 seconds more.");
    step.post(&loans).bearer(&next).play().await;
    clock.advance(Duration::from_secs(30));
    stage.say("30 seconds pass.");
    let step = stage.step("Now nobody can tell if the token is good: 503, try again later.");
    let step = step.post(&loans).bearer(&next).expect(503);
    step.expect_header("retry-after", "5").play().await;
    Ok(stage.end())
}
