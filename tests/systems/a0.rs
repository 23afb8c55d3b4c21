//! Auth0, statements A0-1 to A0-17.

#[path = "../../examples/issuers/auth0.rs"]
mod issuer;

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get as on_get, post as on_post};
use http::Request;
use portcullis::profile::auth0::{
    self, ApiToken, ByAgent, InOrganization, Organizations, TenantClaims, UserinfoToken,
};
use portcullis::testing::{
    AuthorizationServer, Endpoint, ManualClock, TokenBuilder, Trouble, parameters,
};
use portcullis::{
    AccessToken, Algorithm, ByAnonymous, ByIssuer, ByMachine, ByUser, ClaimSet, Claims, Clock,
    JwtVerifierBuilder, OfKind, PrincipalType, Reason, RemoteJwks, RequireScope, ResourceGuard,
    ResourceServer, UnixTime, UserinfoVerifierBuilder, When, danger,
};
use serde_json::{Value, json};

use crate::confusion::{Matrix, Place, Specimen};
use crate::service::{Answer, ask_issuer, authenticate, bearer, get, issuer_call, send, text};
use crate::watched;
use issuer::{CALENDAR, DAY, HEALTH};

portcullis::scopes! {
    Read = "read";
    Write = "write";
    Delete = "delete";
}
portcullis::permissions! {
    MayRead = "read";
}

const START: UnixTime = UnixTime::from_secs(1_795_262_400);
const DOMAIN: &str = "tenant.eu.auth0.com";
const JWKS: &str = "/.well-known/jwks.json";
/// `{"alg":"RSA-OAEP-256","enc":"A256GCM"}`
const JWE_HEADER: &str = "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0";

/// A tenant in this process, on a clock turned by hand.
struct Tenant {
    issuer: AuthorizationServer,
    clock: ManualClock,
}

impl Tenant {
    fn new() -> Tenant {
        Tenant::at(DOMAIN)
    }

    fn at(domain: &str) -> Tenant {
        let clock = ManualClock::at(START);
        let builder = watched::builder().origin(&format!("https://{domain}"));
        let issuer = issuer::tenant(builder).clock(clock.clone()).build();
        issuer::open(&issuer);
        Tenant { issuer, clock }
    }

    /// Lets a verifier of the profile find its keys without a network.
    fn keys_for(&self, verifier: JwtVerifierBuilder) -> JwtVerifierBuilder {
        let keys = RemoteJwks::discover(self.issuer.issuer()).fetch(self.issuer.fetcher());
        verifier.keys(keys.build().unwrap())
    }

    fn verifier(&self) -> JwtVerifierBuilder {
        self.keys_for(auth0::verifier(DOMAIN, CALENDAR).unwrap())
    }

    fn strict_verifier(&self) -> JwtVerifierBuilder {
        self.keys_for(auth0::rfc9068_verifier(DOMAIN, CALENDAR).unwrap())
    }

    fn server(&self, verifier: JwtVerifierBuilder) -> ResourceServer {
        let server = auth0::server(Organizations::none()).clock(self.clock.clone());
        server.verifier(verifier.build().unwrap()).build().unwrap()
    }

    fn service(&self, verifier: JwtVerifierBuilder) -> Router {
        service(&self.server(verifier))
    }

    fn userinfo(&self) -> UserinfoVerifierBuilder {
        danger::userinfo(&self.issuer.url("/userinfo")).fetch(self.issuer.fetcher())
    }

    /// A gate that takes opaque tokens, too.
    fn open_server(&self) -> ResourceServer {
        let userinfo = self.userinfo().issuer(self.issuer.issuer());
        auth0::server(Organizations::any())
            .clock(self.clock.clone())
            .route(When::jwt(), self.verifier().build().unwrap())
            .route(When::opaque(), userinfo.build().unwrap())
            .kinds(auth0::kinds().unwrap())
            .build()
            .unwrap()
    }

    /// A user's token in the Auth0 profile.
    fn token(&self) -> TokenBuilder {
        let token = self.issuer.token().typ("JWT").without("client_id");
        let token = token.without("jti").claim("azp", "web").audience(CALENDAR);
        token.subject("auth0|usr_123").scope("read").expires_in(DAY)
    }

    /// A user's token in the RFC 9068 profile.
    fn at_jwt(&self) -> TokenBuilder {
        let token = self.issuer.token().audience(CALENDAR).client_id("web");
        token.subject("auth0|usr_123").scope("read").expires_in(DAY)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = Request::post(self.issuer.url(path));
        issuer_call(&self.issuer, request, &body).await.1
    }

    /// Logs alice in and trades the code for tokens.
    async fn log_in(&self, scope: &str, audience: &str) -> Value {
        let back = "https://web.example.com/callback";
        let url = format!(
            "{}?response_type=code&client_id=web&redirect_uri={back}&scope={}&audience={audience}&\
             login_hint=alice",
            self.issuer.url("/authorize"),
            scope.replace(' ', "+"),
        );
        let answer = ask_issuer(&self.issuer, Request::get(url), &Value::Null).await;
        let location = answer.headers()["location"].to_str().unwrap();
        let request = Request::get(location).body(Vec::new()).unwrap();
        let code = parameters(&request)["code"].clone();
        let trade = json!({
            "grant_type": "authorization_code",
            "client_id": "web",
            "client_secret": "the secret of web",
            "code": code,
            "redirect_uri": back,
        });
        self.post("/oauth/token", trade).await
    }

    async fn machine(&self, id: &str, audience: &str) -> String {
        let trade = json!({
            "grant_type": "client_credentials",
            "client_id": id,
            "client_secret": format!("the secret of {id}"),
            "audience": audience,
            "organization": "org_1",
        });
        text(&self.post("/oauth/token", trade).await, "access_token")
    }

    /// Lets time pass in small steps, so that every timer on the way has its turn.
    async fn pass(&self, seconds: u64) {
        let end = self.clock.now() + Duration::from_secs(seconds);
        while self.clock.now() < end {
            let next = self.clock.next_wake().unwrap_or(end).min(end);
            let least = self.clock.now() + Duration::from_millis(1);
            self.clock.set(next.max(least));
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Tenant {
    /// Lets time pass until `work` is done, for work that may have to wait.
    async fn while_time_passes<T>(&self, work: impl Future<Output = T>) -> T {
        let done = std::cell::Cell::new(false);
        let work = async {
            let outcome = work.await;
            done.set(true);
            outcome
        };
        let passing = async {
            while !done.get() {
                self.pass(1).await;
            }
        };
        tokio::join!(work, passing).0
    }
}

fn service(server: &ResourceServer) -> Router {
    let own = ResourceGuard::path("/organizations/{org_id}/events")
        .param_is("org_id", ["/org_id"])
        .build()
        .unwrap();
    let tenant = ResourceGuard::anywhere().subdomain_is("example.com", ["/org_name"]);
    Router::new()
        .route("/me", on_get(me))
        .route("/claims", on_get(claims))
        .route("/read", on_get(async |_: RequireScope<Read>| "ok"))
        .route("/read", on_post(async |_: RequireScope<Read>| "ok"))
        .route(
            "/read-write",
            on_get(async |_: RequireScope<(Read, Write)>| "ok"),
        )
        .route("/delete", on_get(async |_: RequireScope<Delete>| "ok"))
        .route("/may-read", on_get(async |_: RequireScope<MayRead>| "ok"))
        .route(
            "/both",
            on_get(async |_: RequireScope<(Read, MayRead)>| "ok"),
        )
        .route("/user", on_get(async |_: RequireScope<ByUser>| "ok"))
        .route("/agent", on_get(async |_: RequireScope<ByAgent>| "ok"))
        .route(
            "/in-organization",
            on_get(async |_: RequireScope<InOrganization>| "ok"),
        )
        .route(
            "/organizations/{org_id}/events",
            on_get(async |Path(id): Path<String>| id).layer(own.layer()),
        )
        .route(
            "/tenant",
            on_get(async || "ok").layer(tenant.build().unwrap().layer()),
        )
        .layer(server.layer())
}

async fn me(token: AccessToken) -> String {
    json!({
        "sub": token.subject(),
        "client": token.client_id(),
        "iss": token.issuer(),
        "scopes": token.scopes().to_string(),
        "permissions": token.permissions().to_string(),
        "who": format!("{:?}", token.principal()),
    })
    .to_string()
}

async fn claims(Claims(claims): Claims<TenantClaims>) -> String {
    let act = claims.act.as_ref().map(|actor| &*actor.sub);
    json!({"org_id": claims.org_id, "gty": claims.gty, "act": act}).to_string()
}

async fn show(service: &Router, path: &str, token: &TokenBuilder) -> Answer {
    get(service, path, &[("authorization", &bearer(&token.mint()))]).await
}

async fn status(service: &Router, path: &str, token: &TokenBuilder) -> u16 {
    show(service, path, token).await.status
}

/// Why the gate refuses a token, for its operator; the client learns whose fault it is.
async fn refusal(server: &ResourceServer, token: &str) -> (Reason, String) {
    let proven = authenticate(server, "authorization", &bearer(token)).await;
    let error = proven.unwrap_err();
    let wanted = match error.reason() {
        Reason::KeysUnavailable => 503,
        _ => 401,
    };
    assert_eq!(server.answer(&error).status(), wanted, "{error}");
    (error.reason(), error.to_string())
}

fn assert_invalid_token(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{what}: {challenge}"
    );
}

#[tokio::test]
async fn a0_01_a_good_token_passes_and_the_handler_sees_who_and_what() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    let by_hand = |token: TokenBuilder| {
        token
            .scope("read write")
            .claim("permissions", ["read", "delete"])
    };
    for token in [by_hand(tenant.token()), by_hand(tenant.at_jwt())] {
        let answer = show(&service, "/me", &token).await;
        let wanted = json!({
            "sub": "auth0|usr_123",
            "client": "web",
            "iss": "https://tenant.eu.auth0.com/",
            "scopes": "read write",
            "permissions": "delete read",
            "who": r#"Subject("auth0|usr_123")"#,
        });
        assert_eq!((answer.status, answer.json()), (200, wanted));
    }
    // From login to handler, in both profiles.
    let health = tenant.keys_for(auth0::verifier(DOMAIN, HEALTH).unwrap());
    for (verifier, audience) in [(tenant.verifier(), CALENDAR), (health, HEALTH)] {
        let token = text(
            &tenant.log_in("read delete", audience).await,
            "access_token",
        );
        let service = tenant.service(verifier);
        let answer = get(&service, "/me", &[("authorization", &bearer(&token))]).await;
        let seen = answer.json();
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            (&seen["sub"], &seen["client"]),
            (&json!("auth0|usr_123"), &json!("web"))
        );
        // The user may not delete, and may write without having been asked.
        assert_eq!(seen["scopes"], "read");
        assert_eq!(seen["permissions"], "read write");
    }
}

#[tokio::test]
async fn a0_02_issuers_compare_byte_for_byte_and_each_has_its_own_keys() {
    let tenant = Tenant::new();
    let without = "https://tenant.eu.auth0.com";
    let service = tenant.service(tenant.verifier());
    assert_eq!(status(&service, "/me", &tenant.token()).await, 200);
    assert_invalid_token(
        &show(&service, "/me", &tenant.token().claim("iss", without)).await,
        "a token without the slash",
    );
    let lacking = tenant.keys_for(auth0::verifier(without, CALENDAR).unwrap());
    let service = tenant.service(lacking);
    assert_invalid_token(
        &show(&service, "/me", &tenant.token()).await,
        "a gate without it",
    );
    assert_eq!(
        status(&service, "/me", &tenant.token().claim("iss", without)).await,
        200
    );

    let custom = Tenant::at("login.example.com");
    let own = custom.keys_for(auth0::verifier("login.example.com", CALENDAR).unwrap());
    let both = ByIssuer::new([tenant.verifier().build().unwrap(), own.build().unwrap()]);
    let server = auth0::server(Organizations::none())
        .clock(tenant.clock.clone())
        .verifier(both.unwrap());
    let server = server.build().unwrap();
    let service = self::service(&server);
    for one in [&tenant, &custom] {
        let answer = show(&service, "/me", &one.token()).await;
        assert_eq!(
            (answer.status, &answer.json()["iss"]),
            (200, &json!(one.issuer.issuer()))
        );
    }
    for (key, claimed) in [(&tenant, &custom), (&custom, &tenant)] {
        let forged = key.token().claim("iss", claimed.issuer.issuer());
        assert_eq!(refusal(&server, &forged.mint()).await.0, Reason::Signature);
    }
    let stranger = Tenant::at("other.eu.auth0.com").token().mint();
    assert_eq!(refusal(&server, &stranger).await.0, Reason::Issuer);

    for odd in [
        "",
        "tenant.eu.auth0.com/",
        "tenant.eu.auth0.com:443",
        "tenant name",
    ] {
        let error = auth0::verifier(odd, CALENDAR).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("domain is {odd:?}, wanted a host name or the whole issuer")
        );
    }
    let plain = auth0::verifier("http://tenant.eu.auth0.com/", CALENDAR).unwrap();
    assert!(plain.build().is_err(), "keys come over https");
    assert!(
        auth0::verifier("http://127.0.0.1:8080/", CALENDAR)
            .unwrap()
            .build()
            .is_ok()
    );
}

#[tokio::test]
async fn a0_03_the_audience_must_name_this_api() {
    let tenant = Tenant::new();
    let server = tenant.server(tenant.verifier());
    let service = service(&server);
    let userinfo = "https://tenant.eu.auth0.com/userinfo";
    for good in [
        json!(CALENDAR),
        json!([CALENDAR]),
        json!([CALENDAR, userinfo]),
    ] {
        let token = tenant.token().claim("aud", &good);
        assert_eq!(status(&service, "/me", &token).await, 200, "{good}");
    }
    for bad in [
        json!(HEALTH),
        json!([HEALTH, userinfo]),
        json!(userinfo),
        json!("web"),
        json!([]),
        json!("https://api.example.com/calandar/v1/"),
    ] {
        let token = tenant.token().claim("aud", &bad).mint();
        assert_eq!(refusal(&server, &token).await.0, Reason::Audience, "{bad}");
    }
    let tokens = tenant.log_in("openid read", CALENDAR).await;
    let status = async |token: String| {
        get(&service, "/me", &[("authorization", &bearer(&token))])
            .await
            .status
    };
    assert_eq!(status(text(&tokens, "access_token")).await, 200);
    assert_eq!(status(text(&tokens, "id_token")).await, 401);
    // Were the API named after the application, `nonce` would still give it away.
    let nonce = tenant.token().claim("nonce", "n-0S6_WzA2Mj").mint();
    assert_eq!(refusal(&server, &nonce).await.0, Reason::OtherToken);
}

#[tokio::test]
async fn a0_04_the_rfc_9068_profile_can_be_demanded() {
    let tenant = Tenant::new();
    let both = tenant.service(tenant.verifier());
    let strict = tenant.service(tenant.strict_verifier());
    let at_jwt = || tenant.at_jwt();
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        let token = at_jwt().typ(typ);
        assert_eq!(status(&strict, "/me", &token).await, 200, "{typ}");
        assert_eq!(status(&both, "/me", &token).await, 200, "{typ}");
    }
    for typ in ["JWT", "jwt", "application/jwt"] {
        assert_eq!(
            status(&strict, "/me", &at_jwt().typ(typ)).await,
            401,
            "{typ}"
        );
        assert_eq!(status(&both, "/me", &at_jwt().typ(typ)).await, 200, "{typ}");
    }
    for typ in ["dpop+jwt", "logout+jwt", ""] {
        assert_eq!(
            status(&strict, "/me", &at_jwt().typ(typ)).await,
            401,
            "{typ}"
        );
        assert_eq!(status(&both, "/me", &at_jwt().typ(typ)).await, 401, "{typ}");
    }
    let nameless = at_jwt().without_header("typ");
    assert_eq!(status(&strict, "/me", &nameless).await, 401);
    assert_eq!(status(&both, "/me", &nameless).await, 401);
    for claim in ["client_id", "jti", "iat"] {
        let token = at_jwt().without(claim);
        assert_invalid_token(&show(&strict, "/me", &token).await, claim);
        assert_eq!(status(&both, "/me", &token).await, 200, "{claim}");
    }
    assert_eq!(status(&strict, "/me", &at_jwt().without("sub")).await, 401);
    assert_eq!(status(&both, "/me", &at_jwt().without("sub")).await, 401);
    // `azp` is no `client_id` where that is demanded.
    let azp = at_jwt().without("client_id").claim("azp", "web");
    assert_eq!(status(&strict, "/me", &azp).await, 401);
}

#[tokio::test]
async fn a0_05_the_key_and_the_allow_list_decide_about_the_algorithm() {
    let tenant = Tenant::new();
    let server = tenant.server(tenant.verifier());
    let jwk = tenant.issuer.jwks()["keys"][0].clone();
    for secret in [jwk.to_string(), text(&jwk, "n")] {
        let confused = tenant.token().hmac(Algorithm::HS256, secret).mint();
        assert_eq!(refusal(&server, &confused).await.0, Reason::Algorithm);
    }
    for none in [
        tenant.token().unsecured(),
        tenant.token().unsecured().header("alg", "NONE"),
    ] {
        assert_eq!(refusal(&server, &none.mint()).await.0, Reason::Algorithm);
    }
    let curve = tenant.token().algorithm(Algorithm::ES256).mint();
    assert_eq!(
        refusal(&server, &curve).await.0,
        Reason::Algorithm,
        "tenants have RSA keys"
    );

    let pss = tenant.token().algorithm(Algorithm::PS256);
    pss.mint();
    let mut jwks = tenant.issuer.jwks();
    let publish = |jwks: &Value| tenant.issuer.trouble(JWKS, Trouble::Body(jwks.to_string()));
    let ask = async |token: &TokenBuilder, verifier: JwtVerifierBuilder| {
        status(&tenant.service(verifier), "/me", token).await
    };
    publish(&jwks);
    assert_eq!(ask(&pss, tenant.verifier()).await, 200);
    // The key says RS256, the header PS256; each alone would be allowed.
    for key in jwks["keys"].as_array_mut().unwrap() {
        key["alg"] = json!("RS256");
    }
    publish(&jwks);
    let (reason, _) = refusal(&tenant.server(tenant.verifier()), &pss.mint()).await;
    assert_eq!(reason, Reason::Algorithm);
    // A key that does not say is used with the first of the list, never with what a token says.
    for key in jwks["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("alg");
    }
    publish(&jwks);
    assert_eq!(ask(&tenant.token(), tenant.verifier()).await, 200);
    assert_eq!(ask(&pss, tenant.verifier()).await, 401);
    let only = |algorithm| tenant.verifier().algorithms([algorithm]);
    assert_eq!(ask(&pss, only(Algorithm::PS256)).await, 200);
    assert_eq!(ask(&tenant.token(), only(Algorithm::PS256)).await, 401);

    // An API that signs with HS256 has a secret, and takes nothing else.
    let secret = "the signing secret of the calendar";
    let symmetric = auth0::verifier(DOMAIN, CALENDAR)
        .unwrap()
        .algorithms([Algorithm::HS256])
        .hmac_secret(Algorithm::HS256, secret);
    let service = tenant.service(symmetric);
    let signed = tenant.token().hmac(Algorithm::HS256, secret);
    assert_eq!(status(&service, "/me", &signed).await, 200);
    assert_eq!(status(&service, "/me", &tenant.token()).await, 401);
}

#[tokio::test]
async fn a0_06_unknown_keys_cost_one_fetch_and_known_ones_outlast_an_outage() {
    let tenant = Tenant::new();
    let server = tenant.server(tenant.verifier());
    let known = tenant.token().mint();
    let service = service(&server);
    let good = async || {
        get(&service, "/me", &[("authorization", &bearer(&known))])
            .await
            .status
    };
    assert_eq!(good().await, 200);
    assert_eq!(tenant.issuer.asked(JWKS), 1);

    tenant.pass(6).await;
    let unknown = tenant.token().header("kid", "made-up").mint();
    for _ in 0..3 {
        assert_eq!(refusal(&server, &unknown).await.0, Reason::UnknownKey);
        assert_eq!(
            tenant.issuer.asked(JWKS),
            2,
            "one, not one for each request"
        );
    }

    tenant.pass(6).await;
    let mut waiting = Vec::new();
    for number in 0..50 {
        let token = tenant.token().header("kid", format!("made-up-{number}"));
        let (service, token) = (service.clone(), token.mint());
        waiting.push(tokio::spawn(async move {
            get(&service, "/me", &[("authorization", &bearer(&token))])
                .await
                .status
        }));
    }
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), 401);
    }
    assert_eq!(tenant.issuer.asked(JWKS), 3);

    tenant.issuer.trouble(JWKS, Trouble::Status(500));
    tenant.pass(4_100).await;
    assert_eq!(good().await, 200, "ten minutes and an hour are not over");
    tenant.pass(200).await;
    // The next attempt may be so near that the request waits for it.
    let (reason, _) = tenant.while_time_passes(refusal(&server, &known)).await;
    assert_eq!(
        reason,
        Reason::KeysUnavailable,
        "503, and no 401 for an outage"
    );
}

#[tokio::test]
async fn a0_07_the_next_key_needs_no_fetch_and_a_revoked_one_ends() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    let old = tenant.token().mint();
    let ask = async |token: &str| {
        get(&service, "/me", &[("authorization", &bearer(token))])
            .await
            .status
    };
    assert_eq!(ask(&old).await, 200);
    tenant.issuer.rotate();
    let new = tenant.token().mint();
    assert_eq!(ask(&new).await, 200, "published ahead of its rotation");
    assert_eq!(tenant.issuer.asked(JWKS), 1);
    tenant.issuer.withdraw_old();
    assert_eq!(ask(&old).await, 200, "nobody has told the gate yet");
    tenant.pass(600).await;
    assert_eq!(ask(&old).await, 401, "within ten minutes it knows");
    assert_eq!(ask(&new).await, 200);
}

#[tokio::test]
async fn a0_08_scopes_open_routes_and_a_refusal_names_them() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    let token = tenant.token().scope("read write");
    for path in ["/read", "/read-write"] {
        assert_eq!(status(&service, path, &token).await, 200, "{path}");
    }
    for token in [token, tenant.token().without("scope")] {
        let answer = show(&service, "/delete", &token).await;
        let challenge = answer.header("www-authenticate");
        assert_eq!(answer.status, 403);
        assert!(
            challenge.contains(r#"error="insufficient_scope""#),
            "{challenge}"
        );
        assert!(challenge.contains(r#"scope="delete""#), "{challenge}");
    }
    let answer = show(&service, "/read-write", &tenant.token().scope("write")).await;
    assert_eq!(answer.status, 403);
    assert!(
        answer
            .header("www-authenticate")
            .contains(r#"scope="read write""#)
    );
}

#[tokio::test]
async fn a0_09_scopes_are_whole_words_in_any_order() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    for good in [
        "read",
        "write read",
        "read write",
        "  write   read ",
        "read read",
    ] {
        assert_eq!(
            status(&service, "/read", &tenant.token().scope(good)).await,
            200,
            "{good:?}"
        );
    }
    for bad in [
        "read:users",
        "reader",
        "users:read",
        "READ",
        "rea",
        "write",
        " ",
        "read,write",
    ] {
        assert_eq!(
            status(&service, "/read", &tenant.token().scope(bad)).await,
            403,
            "{bad:?}"
        );
    }
}

#[tokio::test]
async fn a0_10_permissions_and_scopes_never_stand_in_for_each_other() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    let none: [&str; 0] = [];
    for (scope, permissions, read, may_read, both) in [
        ("read", json!(["read"]), 200, 200, 200),
        ("read", json!(none), 200, 403, 403),
        ("read", Value::Null, 200, 403, 403),
        ("", json!(["write", "read"]), 403, 200, 403),
        ("read:users", json!(["read:users", "reader"]), 403, 403, 403),
    ] {
        let mut token = tenant.token().scope(scope);
        if !permissions.is_null() {
            token = token.claim("permissions", &permissions);
        }
        let what = format!("{scope:?} and {permissions}");
        assert_eq!(status(&service, "/read", &token).await, read, "{what}");
        assert_eq!(
            status(&service, "/may-read", &token).await,
            may_read,
            "{what}"
        );
        let answer = show(&service, "/both", &token).await;
        assert_eq!(answer.status, both, "{what}");
        // A client that has the scope is not sent to fetch it again.
        let names = answer.header("www-authenticate").contains("scope=");
        assert_eq!(names, both == 403 && read == 403, "{what}");
    }
    // What is no list grants nothing, nor does the rest of its token.
    for odd in [json!("read"), json!({"read": true})] {
        let token = tenant.token().claim("permissions", &odd);
        for path in ["/may-read", "/both", "/read"] {
            let answer = show(&service, path, &token).await;
            assert_invalid_token(&answer, &format!("{odd} at {path}"));
        }
    }
}

#[tokio::test]
async fn a0_11_organisations_are_known_agree_and_keep_apart() {
    let tenant = Tenant::new();
    let gate = |organizations| {
        let server = auth0::server(organizations).clock(tenant.clock.clone());
        let server = server.verifier(tenant.verifier().build().unwrap());
        server.build().unwrap()
    };
    // Of those that the API does not know, none passes, unless it says that it does not care.
    let stranger = tenant.token().claim("org_id", "org_9");
    let closed = service(&gate(Organizations::none()));
    assert_eq!(status(&closed, "/me", &stranger).await, 401);
    assert_eq!(status(&closed, "/me", &tenant.token()).await, 200);
    let any = gate(Organizations::any().named("org_1", "acme"));
    let any = service(&any);
    assert_eq!(status(&any, "/me", &stranger).await, 200);
    let misnamed = tenant.token().claim("org_id", "org_1");
    assert_eq!(status(&any, "/me", &misnamed).await, 401);

    let known = Organizations::none().named("org_1", "acme").known("org_2");
    let server = gate(known);
    let service = service(&server);
    let acme = || {
        tenant
            .token()
            .claim("org_id", "org_1")
            .claim("org_name", "acme")
    };
    assert_eq!(status(&service, "/me", &acme()).await, 200);
    assert_eq!(status(&service, "/me", &tenant.token()).await, 200);
    assert_eq!(
        status(&service, "/me", &tenant.token().claim("org_id", "org_2")).await,
        200
    );
    for (token, sentence) in [
        (
            tenant.token().claim("org_id", "org_9"),
            r#"org_id is "org_9", wanted a known organisation"#,
        ),
        (
            tenant.token().claim("org_id", ["org_1"]),
            "org_id is no string, wanted a known organisation",
        ),
        (
            tenant.token().claim("org_name", "acme"),
            "org_id is absent, wanted a known organisation",
        ),
        (
            acme().claim("org_name", "globex"),
            r#"org_name is "globex", wanted "acme""#,
        ),
        (
            acme().without("org_name"),
            r#"org_name is absent, wanted "acme""#,
        ),
    ] {
        let (reason, why) = refusal(&server, &token.mint()).await;
        assert_eq!((reason, &*why), (Reason::Refused, sentence));
        assert_invalid_token(&show(&service, "/me", &token).await, sentence);
    }

    // Another organisation's resources, by path and by subdomain.
    let path = |id: &str| format!("/organizations/{id}/events");
    assert_eq!(status(&service, &path("org_1"), &acme()).await, 200);
    assert_eq!(status(&service, &path("org_2"), &acme()).await, 403);
    assert_eq!(status(&service, &path("org_1"), &tenant.token()).await, 403);
    let at = async |host: &str| {
        let token = bearer(&acme().mint());
        let headers = [("host", host), ("authorization", &token)];
        get(&service, "/tenant", &headers).await.status
    };
    assert_eq!(at("acme.example.com").await, 200);
    assert_eq!(at("globex.example.com").await, 403);

    assert_eq!(status(&service, "/in-organization", &acme()).await, 200);
    for token in [tenant.token(), tenant.token().claim("org_id", Value::Null)] {
        assert_eq!(status(&service, "/in-organization", &token).await, 403);
    }
    // A machine for an organisation, as the tenant issues it.
    let token = bearer(&tenant.machine("geocoder", CALENDAR).await);
    let answer = get(&service, "/claims", &[("authorization", &token)]).await;
    let wanted = json!({"org_id": "org_1", "gty": "client-credentials", "act": null});
    assert_eq!((answer.status, answer.json()), (200, wanted));
}

#[tokio::test]
async fn a0_12_a_token_ends_at_its_exp_and_leeway_is_one_for_all_times() {
    let tenant = Tenant::new();
    let seconds = Duration::from_secs;
    let now = START.as_secs();
    for (leeway, allowed) in [(None, 30), (Some(seconds(0)), 0), (Some(seconds(60)), 60)] {
        let verifier = match leeway {
            None => tenant.verifier(),
            Some(leeway) => tenant.verifier().leeway(leeway),
        };
        let service = tenant.service(verifier);
        // At the very second it is over: the SDK lets that pass, RFC 7519 §4.1.4 does not.
        for (claim, moment, wanted) in [
            ("exp", now - allowed, 401),
            ("exp", now - allowed + 1, 200),
            ("nbf", now + allowed, 200),
            ("nbf", now + allowed + 1, 401),
            ("iat", now + allowed, 200),
            ("iat", now + allowed + 1, 401),
        ] {
            let token = tenant.token().claim(claim, moment);
            let what = format!("{claim} {} with {allowed} s", moment - now);
            assert_eq!(status(&service, "/me", &token).await, wanted, "{what}");
        }
    }
    let service = tenant.service(tenant.verifier().leeway(seconds(0)));
    assert_invalid_token(
        &show(&service, "/me", &tenant.token().without("exp")).await,
        "no exp",
    );
    // Nor does a remembered verdict outlive it.
    let token = bearer(&tenant.token().expires_in(60).mint());
    let ask = async || {
        get(&service, "/me", &[("authorization", &token)])
            .await
            .status
    };
    assert_eq!(ask().await, 200);
    tenant.clock.advance(seconds(59));
    assert_eq!(ask().await, 200);
    tenant.clock.advance(seconds(1));
    assert_eq!(ask().await, 401);
}

#[tokio::test]
async fn a0_13_opaque_tokens_go_nowhere_unless_userinfo_is_set_up() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    let opaque = text(&tenant.log_in("openid read", "").await, "access_token");
    let authorization = bearer(&opaque);
    let headers = [("authorization", &*authorization)];
    for _ in 0..2 {
        assert_invalid_token(&get(&service, "/me", &headers).await, "opaque");
    }
    let asked = |path: &str| tenant.issuer.asked(path);
    assert_eq!((asked("/userinfo"), asked(JWKS)), (0, 0));
    assert_eq!(tenant.issuer.asked(Endpoint::OpenidConfiguration), 0);

    let server = tenant.open_server();
    let open = self::service(&server);
    let answer = get(&open, "/me", &headers).await;
    let seen = answer.json();
    assert_eq!((answer.status, asked("/userinfo")), (200, 1));
    assert_eq!(seen["who"], r#"Subject("auth0|usr_123")"#);
    assert_eq!(
        (&seen["iss"], &seen["scopes"]),
        (&json!(tenant.issuer.issuer()), &json!(""))
    );
    // It was granted `read`, but `/userinfo` says nothing about that.
    assert_eq!(get(&open, "/read", &headers).await.status, 403);
    assert_eq!(status(&open, "/read", &tenant.token()).await, 200);
    assert_eq!(asked("/userinfo"), 1, "a JWT is not sent there");
    let unknown = "an-opaque-token-of-somebody";
    assert_eq!(refusal(&server, unknown).await.0, Reason::Inactive);
    // Without `openid` the endpoint tells nothing.
    let silent = text(&tenant.log_in("read", "").await, "access_token");
    assert_eq!(refusal(&server, &silent).await.0, Reason::Inactive);
    // What looks like grants in an answer about a user grants nothing.
    let odd = json!({"sub": "auth0|usr_123", "permissions": ["read"]}).to_string();
    tenant.issuer.trouble("/userinfo", Trouble::Body(odd));
    assert_eq!(
        refusal(&server, "another-opaque-token").await.0,
        Reason::Kind
    );
    tenant
        .issuer
        .trouble("/userinfo", Trouble::StatusWithRetryAfter(429, 7));
    let answer = get(
        &open,
        "/me",
        &[("authorization", "Bearer yet-another-token")],
    )
    .await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
}

#[tokio::test]
async fn a0_14_users_machines_agents_and_guests_are_told_apart() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    let user = || tenant.token();
    let agent = json!({"sub": "agt_7", "sub_profile": "ai_agent", "client_id": "planner"});
    let (person, machine, guest) = (
        PrincipalType::User,
        PrincipalType::Machine,
        PrincipalType::Anonymous,
    );
    for (token, wanted, by_agent) in [
        (user(), person, false),
        (user().subject("usr_123"), person, false),
        (user().claim("gty", "refresh_token"), person, false),
        (
            user()
                .claim("sub_profile", "user")
                .claim("client_profile", "browser_app"),
            person,
            false,
        ),
        // An agent for a user: the user remains the subject.
        (user().claim("act", &agent), person, true),
        (
            user().claim("client_profile", "service ai_agent"),
            person,
            true,
        ),
        // By each sign alone.
        (
            user().subject("geocoder@clients").claim("azp", "geocoder"),
            machine,
            false,
        ),
        (user().subject("web"), machine, false),
        (tenant.at_jwt().subject("web"), machine, false),
        (user().claim("gty", "client-credentials"), machine, false),
        (user().subject("agt_7"), machine, true),
        (
            tenant
                .at_jwt()
                .subject("my-agent")
                .claim("sub_profile", "ai_agent"),
            machine,
            true,
        ),
        (user().claim("sub_profile", "service"), machine, false),
        (user().claim("sub_profile", ["user"]), machine, false),
        (user().subject("anon@abc123def456"), guest, false),
        (user().subject("anon|a7f3b2c9e1"), guest, false),
        (
            user()
                .subject("anon@x@clients")
                .claim("gty", "client-credentials"),
            guest,
            false,
        ),
    ] {
        let only_user = if wanted == person { 200 } else { 403 };
        assert_eq!(
            status(&service, "/user", &token).await,
            only_user,
            "{token:?}"
        );
        let agents = if by_agent { 200 } else { 403 };
        assert_eq!(
            status(&service, "/agent", &token).await,
            agents,
            "{token:?}"
        );
        let seen = show(&service, "/me", &token).await.json();
        let variant = match wanted {
            PrincipalType::User => "Subject(",
            PrincipalType::Machine => "Client(",
            _ => "Anonymous(",
        };
        assert!(seen["who"].as_str().unwrap().starts_with(variant), "{seen}");
    }
}

#[tokio::test]
async fn a0_15_a_token_bound_to_a_key_is_no_bearer_token() {
    let tenant = Tenant::new();
    let server = tenant.server(tenant.verifier());
    let service = service(&server);
    for cnf in [
        json!({"jkt": "NzbLsXh8uDCcd7MNwrnNZpX0ak8ACQ"}),
        json!({"x5t#S256": "A4Dt"}),
    ] {
        for token in [
            tenant.token().claim("cnf", &cnf),
            tenant.at_jwt().claim("cnf", &cnf),
        ] {
            let (reason, why) = refusal(&server, &token.mint()).await;
            assert_eq!(reason, Reason::Bound);
            assert_eq!(why, "token is bound to a key (cnf), wanted a bearer token");
            assert_invalid_token(&show(&service, "/me", &token).await, "bound");
        }
    }
    // The scheme of DPoP is no credential here, whatever stands beside it.
    let dpop = format!("DPoP {}", tenant.token().mint());
    let answer = get(
        &service,
        "/me",
        &[("authorization", &dpop), ("dpop", "e30.e30.")],
    )
    .await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="api""#);
}

#[tokio::test]
async fn a0_16_an_encrypted_token_is_refused_in_so_many_words() {
    let tenant = Tenant::new();
    let server = tenant.server(tenant.verifier());
    // And the header that swaps the two.
    for header in [
        JWE_HEADER,
        "eyJhbGciOiJBMjU2R0NNIiwiZW5jIjoiUlNBLU9BRVAtMjU2In0",
    ] {
        let jwe = format!("{header}.a2V5.aXY.Y2lwaGVydGV4dA.dGFn");
        let (reason, _) = refusal(&server, &jwe).await;
        assert_eq!(reason, Reason::Encrypted);
        let answer = get(
            &service(&server),
            "/me",
            &[("authorization", &bearer(&jwe))],
        )
        .await;
        assert_invalid_token(&answer, "encrypted");
        assert_eq!(answer.json()["detail"], Reason::Encrypted.description());
    }
    assert_eq!(tenant.issuer.asked(JWKS), 0);
}

#[tokio::test]
async fn a0_17_one_token_in_one_place() {
    let tenant = Tenant::new();
    let service = tenant.service(tenant.verifier());
    let token = tenant.token().mint();
    let authorization = bearer(&token);
    let header = ("authorization", &*authorization);
    let answer = get(&service, "/me", &[header, header]).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .header("www-authenticate")
            .contains(r#"error="invalid_request""#)
    );

    for query in [
        "access_token=",
        "a=b&access%5Ftoken=",
        "access_token=x&access_token=",
    ] {
        let path = format!("/me?{query}{token}");
        let answer = get(&service, &path, &[header]).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(
            answer
                .header("www-authenticate")
                .contains(r#"error="invalid_request""#)
        );
        // It comes before any proof.
        let bad = bearer(&tenant.token().claim("aud", "x").mint());
        let answer = get(&service, &path, &[("authorization", &bad)]).await;
        assert_eq!(answer.status, 400, "{query}");
        let answer = get(&service, &path, &[]).await;
        assert_eq!(answer.status, 401, "the query is no place for tokens");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="api""#);
    }
    assert_eq!(
        get(&service, "/me?access_tokens=x&token=y", &[header])
            .await
            .status,
        200
    );

    // Bodies are the handler's. A gate that reads none cannot mistake what is in it for a token.
    let form = |request: http::request::Builder| {
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request
            .body(format!("access_token={token}").into())
            .unwrap()
    };
    assert_eq!(
        send(&service, form(Request::post("/read"))).await.status,
        401
    );
    let both = Request::post("/read").header(header.0, header.1);
    assert_eq!(send(&service, form(both)).await.status, 200);
}

/// Every kind of token, before the guard of every kind.
#[tokio::test]
async fn kinds_are_not_confused() {
    let tenant = Tenant::new();
    let server = tenant.open_server();
    let tokens = tenant.log_in("openid read offline_access", CALENDAR).await;
    let opaque = tenant.log_in("openid", "").await;
    let guest = json!({"client_id": "web", "audience": CALENDAR});
    let guest = tenant.post("/anonymous/token", guest).await;
    let of = |kind, token| Specimen {
        kind,
        places: &["Bearer"],
        token,
    };
    let nowhere = |kind, token| Specimen {
        kind,
        places: &[],
        token,
    };
    let specimens = vec![
        of("user", text(&tokens, "access_token")),
        of("user", tenant.at_jwt().mint()),
        of("machine", tenant.machine("geocoder", CALENDAR).await),
        of("machine", tenant.machine("planner", CALENDAR).await),
        of("guest", text(&guest, "access_token")),
        of("userinfo", text(&opaque, "access_token")),
        nowhere("ID", text(&tokens, "id_token")),
        nowhere("refresh", text(&tokens, "refresh_token")),
        nowhere("session", text(&guest, "session_token")),
        nowhere("other API's", tenant.machine("geocoder", HEALTH).await),
        nowhere(
            "bound",
            tenant.token().claim("cnf", json!({"jkt": "NzbL"})).mint(),
        ),
        nowhere(
            "encrypted",
            format!("{JWE_HEADER}.a2V5.aXY.Y2lwaGVydGV4dA.dGFn"),
        ),
    ];
    type Jwt<R> = RequireScope<(OfKind<ApiToken>, R)>;
    let matrix = Matrix {
        places: vec![
            Place::bearer(),
            Place::scheme("DPoP"),
            Place::header("x-access-token"),
            Place::header("dpop"),
            Place::header("cookie"),
            Place::query("access_token"),
        ],
        specimens,
        guards: vec![
            (&["user"], on_get(async |_: Jwt<ByUser>| "ok")),
            (&["machine"], on_get(async |_: Jwt<ByMachine>| "ok")),
            (&["guest"], on_get(async |_: Jwt<ByAnonymous>| "ok")),
            (
                &["user", "machine", "guest"],
                on_get(async |_: portcullis::Token<ApiToken>| "ok"),
            ),
            (
                &["userinfo"],
                on_get(async |_: portcullis::Token<UserinfoToken>| "ok"),
            ),
            (
                &["userinfo"],
                on_get(async |_: RequireScope<OfKind<UserinfoToken>>| "ok"),
            ),
        ],
        second_slot: &[],
    };
    matrix.hold(&server).await;
}

#[test]
fn published_samples_read_as_typed_claims() {
    let read = |claims: Value| ClaimSet::from_serialize(&claims).unwrap();
    let typed = |claims: &ClaimSet| claims.read::<TenantClaims>().unwrap();
    let mut sample = json!({
        "iss": "https://my-domain.auth0.com/",
        "sub": "auth0|123456",
        "aud": ["https://example.com/health-api", "https://my-domain.auth0.com/userinfo"],
        "azp": "my_client_id",
        "exp": 1_311_281_970,
        "iat": 1_311_280_970,
        "scope": "openid profile read:patients",
    });
    let claims = read(sample.clone());
    assert_eq!(claims.client_id(), Some("my_client_id"));
    assert!(claims.audience().contains("https://example.com/health-api"));
    assert_eq!((typed(&claims).gty, typed(&claims).org_id), (None, None));
    let members = sample.as_object_mut().unwrap();
    members.remove("azp");
    members.insert("client_id".into(), "my_client_id".into());
    members.insert("jti".into(), "73WakrfVbNJBaAmhQtEeDv".into());
    assert_eq!(read(sample).client_id(), Some("my_client_id"));

    let machine = read(json!({
        "sub": "CS2MNgcX1VZFCJaEzfKw2VPAAS0gzhqP@clients",
        "aud": "https://example-api",
        "scope": "scope1 scope2",
        "org_id": "org_vIK75NKFvaozQsFy",
        "org_name": "acme",
        "gty": "client-credentials",
        "azp": "CS2MNgcX1VZFCJaEzfKw2VPAAS0gzhqP",
    }));
    let claims = typed(&machine);
    assert_eq!(claims.gty.as_deref(), Some("client-credentials"));
    assert_eq!(claims.org_id.as_deref(), Some("org_vIK75NKFvaozQsFy"));
    assert_eq!(claims.org_name.as_deref(), Some("acme"));
    assert_eq!(auth0::principal_type(&machine), PrincipalType::Machine);

    let delegated = read(json!({
        "sub": "auth0|user123",
        "sub_profile": "user",
        "client_id": "agent-client-id",
        "client_profile": "service ai_agent",
        "scope": "read:data",
        "act": {
            "sub": "agt_1a2b3c",
            "sub_profile": "ai_agent",
            "client_id": "agent-client-id",
            "act": {"sub": "spa", "sub_profile": "browser_app", "client_id": "spa"},
        },
        "authorization_details": [{"type": "money_transfer"}],
    }));
    let claims = typed(&delegated);
    let agent = claims.act.unwrap();
    assert_eq!(
        (&*agent.sub, agent.client_id.as_deref()),
        ("agt_1a2b3c", Some("agent-client-id"))
    );
    assert_eq!(
        agent.act.unwrap().sub_profile.as_deref(),
        Some("browser_app")
    );
    assert_eq!(
        claims.authorization_details.unwrap()[0]["type"],
        "money_transfer"
    );
    assert_eq!(auth0::principal_type(&delegated), PrincipalType::User);
}
