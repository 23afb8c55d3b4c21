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
    let step = stage.step("One that this institution has not is left out: a partial grant.");
    let step = step.post(token(asked)).basic(key, secret);
    let granted = step.expect_body_contains("WMS_NCIP context:128807 refresh_token");
    let first = granted.play().await;
    let (library, refresh) = (first.text("access_token"), first.text("refresh_token"));

    let step = stage.step("What was granted is good.").post(&loans);
    step.bearer(&library).play().await;

    let step = stage.step("What was not is named.").post(&orders);
    let step = step.bearer(&library).expect(403);
    step.expect_header("www-authenticate", "WMS_ACQ")
        .play()
        .await;

    let step = stage.step("Another library's data stays closed.");
    let step = step.post(&elsewhere).bearer(&library).expect(403);
    step.expect_body_contains("denied").play().await;

    let asked = "client_credentials&scope=WMS_NCIP%20WMS_ACQ%20context:128808";
    let step = stage.step("The same key gets a token for that library, too.");
    let step = step.post(token(asked)).basic(key, secret).play();
    let other = step.await.text("access_token");
    let step = stage.step("It opens there.").post(&elsewhere);
    step.bearer(&other).play().await;

    let step = stage.step("Behind the library's own token there is no user.");
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

    let step = stage.step("The client hands the code in.");
    let step = step.post(token(&format!("authorization_code&code={code}")));
    let ada = step.basic(key, secret).play().await.text("access_token");
    let step = stage.step("Now there is a user, and who vouches for her.");
    let step = step.get(&me).bearer(&ada);
    step.expect_body_contains("8eaa9f92 of 91475").play().await;
    let step = stage.step("She lends in the context of the other library.");
    step.post(&loans).bearer(&ada).play().await;

    let looked_up = oauth.asked(issuer::STORE);
    let step = stage
        .step("A refresh token is for the issuer alone.")
        .post(&loans);
    step.bearer(&refresh).expect(401).play().await;
    let step = stage.step("So is a code.").post(&loans);
    step.bearer(code).expect(401).play().await;
    let step = stage.step("The old signature scheme is no token: only the way to log in is told.");
    let hmac = r#"http://www.worldcat.org/wskey/v2/hmac/v1 clientId="x", signature="y""#;
    let step = step.post(&loans).header("Authorization", hmac).expect(401);
    step.expect_header("www-authenticate", "Bearer")
        .play()
        .await;
    let step = stage.step("Nor may a client say beside the token who its user is.");
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
    let step = stage.step("Of a token that nobody knows not a letter comes back.");
    let step = step.post(&loans).bearer(&tampered).expect(401);
    let judge = move |answer: &stage::Answer| match answer.body.contains(&shown) {
        true => Err("got the token back, wanted it kept".to_owned()),
        false => Ok(()),
    };
    step.expect_that(judge).play().await;

    oauth.revoke(&other);
    clock.advance(Duration::from_secs(30));
    let step = stage.step("What the issuer has taken back is closed within 30 seconds.");
    step.post(&elsewhere)
        .bearer(&other)
        .expect(401)
        .play()
        .await;

    clock.advance(Duration::from_secs(issuer::CLIENT_LIFETIME as u64 - 30));
    let step = stage.step("After an hour the first token is over.");
    let step = step.post(&loans).bearer(&library);
    step.expect(401).play().await;
    let step = stage.step("The refresh token brings the next one.");
    let step = step.post(token(&format!("refresh_token&refresh_token={refresh}")));
    let next = step.basic(key, secret).play().await.text("access_token");
    let step = stage.step("It opens as the first one did.").post(&loans);
    step.bearer(&next).play().await;

    oauth.stop().await;
    let step = stage.step("While the store is away, what is known is good for 30 seconds more.");
    step.post(&loans).bearer(&next).play().await;
    clock.advance(Duration::from_secs(30));
    let step = stage.step("Then it is nobody's fault here: come back later.");
    let step = step.post(&loans).bearer(&next).expect(503);
    step.expect_header("retry-after", "5").play().await;
    Ok(stage.end())
}
