//! Whatever else prints: what verifiers, requirements, policies and look-ups get to see, and what a gate is
//! made of.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use portcullis::testing::{Endpoint, Place, Trouble, json_answer};
use portcullis::*;
use serde_json::{Value, json};

use crate::page::Page;
use crate::scene::{AUDIENCE, CLIENT_SECRET, Gossip, HMAC_SECRET, Scene, requests};
use crate::watched;

#[tokio::test]
async fn nothing_else_prints_a_secret() {
    page().await;
}

pub(crate) async fn page() -> Page {
    let mut scene = Scene::new(watched::issuer());
    let mut page = Page::default();
    what_the_application_sees(&mut scene, &mut page).await;
    what_a_gate_is_made_of(&mut scene, &mut page);
    what_tests_are_made_of(&mut scene, &mut page).await;
    scene.hush("the rest", &page);
    page
}

/// What the types of this file have seen, who have nowhere else to put it.
static SEEN: LazyLock<Mutex<Page>> = LazyLock::new(Mutex::default);

/// Proves nothing of its own, and prints whatever it sees.
struct Nosy<V>(V);

impl<V: Verifier> Verifier for Nosy<V> {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let verdict = self.0.verify(credential, moment).await;
        let mut seen = SEEN.lock().unwrap();
        seen.debug(credential);
        seen.debug(moment);
        seen.outcome(&verdict);
        verdict
    }
}

/// A requirement that prints whom it is asked about.
struct Curious;

impl Requirement for Curious {
    fn met_by(grant: &Grant<'_>) -> bool {
        SEEN.lock().unwrap().debug(grant);
        true
    }
}

/// A policy that permits everything to everybody.
#[derive(Clone, Debug)]
struct Open;

impl Policy<str> for Open {
    type Holder = AccessToken;
    type Answer = AccessToken;

    async fn decide(&self, holder: &AccessToken, _: &str) -> Result<Option<AccessToken>, Error> {
        Ok(Some(holder.clone()))
    }
}

impl FromRef<()> for Open {
    fn from_ref((): &()) -> Open {
        Open
    }
}

impl Permits<str> for Everything {
    fn permits(&self, _: &str) -> bool {
        true
    }
}

/// Claims that print whatever there is.
#[derive(Clone, Debug, serde::Deserialize)]
struct Everything(#[allow(dead_code)] HashMap<String, Value>);

/// The resource of a request, which is its path.
#[derive(Debug)]
struct Resource(String);

impl Deref for Resource {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Resource {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Resource, Infallible> {
        Ok(Resource(parts.uri.path().to_owned()))
    }
}

async fn what_the_application_sees(scene: &mut Scene, page: &mut Page) {
    let jwt = scene.issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let server = scene.issuer.resource_server().verifier(Nosy(jwt));
    let server = server.build().unwrap();
    let good = scene.issuer.token().scope("read:events");
    for token in [good.mint(), good.clone().expires_in(-600).mint()] {
        scene.keep(&token);
        let mut parts = requests(&token).remove(0);
        let shown = server.authenticate(&mut parts).await;
        page.outcome(&shown);
        if shown.is_err() {
            continue;
        }
        let wanted = RequireScope::<Curious>::from_request_parts(&mut parts, &()).await;
        page.outcome(&wanted);
        let wanted = Claims::<Everything>::from_request_parts(&mut parts, &()).await;
        page.debug(&wanted.unwrap());
        type Permission = Permitted<Claims<Everything>, Resource>;
        let wanted = Permission::from_request_parts(&mut parts, &()).await;
        page.debug(&wanted.unwrap());
        type Decision = PermittedBy<Open, Resource>;
        let wanted = Decision::from_request_parts(&mut parts, &()).await;
        page.debug(&wanted.unwrap());
    }
    page.add(std::mem::take(&mut *SEEN.lock().unwrap()));
}

fn what_a_gate_is_made_of(scene: &mut Scene, page: &mut Page) {
    let jwt = || scene.issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let hmac = || {
        let builder = JwtVerifier::builder("https://hmac.example", AUDIENCE);
        builder.hmac_secret(Algorithm::HS256, HMAC_SECRET).build()
    };
    page.debug(&ByIssuer::new([jwt(), hmac().unwrap()]).unwrap());
    page.error(&ByIssuer::new([hmac().unwrap(), hmac().unwrap()]).unwrap_err());
    page.debug(&Reworded::new(hmac().unwrap(), |claims| Ok(claims.clone())));
    page.debug(&Refuse::because("a refresh token is for the issuer alone"));
    page.debug(&VerdictLifetime::accepted(Duration::from_secs(30)));

    let claims = || ClaimSet::parse(r#"{"sub":"app"}"#).unwrap();
    let known = StaticTokens::new().token(HMAC_SECRET, claims()).unwrap();
    page.debug(&known);
    page.error(&known.token(HMAC_SECRET, claims()).unwrap_err());
    let short = StaticTokens::new().token(&CLIENT_SECRET[..15], claims());
    page.error(&short.unwrap_err());

    let userinfo = || {
        let builder = danger::userinfo("https://as.example/userinfo");
        builder.fetch(scene.issuer.fetcher())
    };
    page.debug(&userinfo());
    page.debug(&userinfo().build().unwrap());
    // Who writes a key into the address of an endpoint does not want to read it in a log.
    let url = format!("https://as.example/userinfo?key={HMAC_SECRET}");
    page.debug(&danger::userinfo(&url));
    page.error(
        &danger::userinfo(&format!("http://{url}"))
            .build()
            .unwrap_err(),
    );

    let kind = |name: &'static str| Kind::named(name).claim_is("use", "app");
    page.debug(&kind("app"));
    let kinds = Kinds::new([kind("app"), Kind::named("user").claim_is("use", "user")]);
    page.debug(&kinds.unwrap());
    page.error(&Kinds::new([kind("app"), kind("user")]).unwrap_err());
    let slot = CredentialSlot::new().carrier(Carrier::header("App-Secret").unwrap());
    page.debug(&slot.kind(kind("app"), hmac().unwrap()));
    page.debug(&Carrier::bearer());
    page.debug(&danger::websocket_query("access_token"));
    page.error(&Carrier::header("Cookie").unwrap_err());
    page.debug(&When::prefix("lk_"));

    page.debug(&scope!("read:events"));
    page.error(&Scope::new("two words").unwrap_err());
    page.error(&"none".parse::<Algorithm>().unwrap_err());
    page.debug(&ScopeHierarchy::new().implies(scope!("admin"), [scope!("read:events")]));
    page.debug(&RoleTree::read(&json!({"*": {"read": true}}), &[]));
    page.error(&FetchError::too_large(1));
}

async fn what_tests_are_made_of(scene: &mut Scene, page: &mut Page) {
    let token = scene.issuer.opaque().mint();
    scene.keep(&token);
    // An endpoint of one's own that was asked about a token, and keeps its desk's words.
    let said = Arc::new(Mutex::new(Page::default()));
    let saying = said.clone();
    scene
        .issuer
        .answer_at(http::Method::POST, "/sessions", move |desk, request| {
            assert_eq!(
                desk.introspect(&String::from_utf8_lossy(request.body()))["active"],
                true
            );
            saying.lock().unwrap().debug(desk);
            json_answer(200, json!({}))
        });
    let url = scene.issuer.url("/sessions");
    let request = http::Request::post(url).body(token.clone().into_bytes());
    let answer = scene.issuer.fetcher().fetch(request.unwrap(), 4096).await;
    assert_eq!(answer.unwrap().status(), 200);
    page.add(std::mem::take(&mut *said.lock().unwrap()));
    page.debug(&Place::from(Endpoint::Introspection));
    page.debug(&Trouble::Reset);

    // The state of a gate whose endpoint and keys are in trouble, which was told with the token.
    scene
        .issuer
        .trouble(Endpoint::Introspection, Trouble::Body(token.clone()));
    let mut parts = requests(&token).remove(0);
    page.error(&scene.server.authenticate(&mut parts).await.unwrap_err());
    let status = scene.server.status();
    assert!(!status.endpoints.is_empty() && !status.keys.is_empty());
    page.debug(&status);
    status.endpoints.iter().for_each(|it| page.debug(it));
    status.keys.iter().for_each(|it| page.debug(it));
    let lookup = LookupVerifier::builder(Gossip).build().unwrap();
    let server = ResourceServer::builder().verifier(lookup).build().unwrap();
    let token = "lk_down-W2mVtY9zKpL4nRfD8sGj7bQx";
    scene.keep(token);
    let mut parts = requests(token).remove(0);
    page.error(&server.authenticate(&mut parts).await.unwrap_err());
    page.debug(&server.status());
}
