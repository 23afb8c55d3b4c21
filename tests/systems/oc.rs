//! OCLC, statements OC-1 to OC-16.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::request::Parts;
use portcullis::profile::oclc::{self, *};
use portcullis::testing::{AuthorizationServer, ManualClock, Trouble};
use portcullis::*;
use serde_json::{Value, json};

use crate::confusion::{Matrix, Place, Specimen};
use crate::service::{Answer, ask_issuer, authenticate, bearer, call, get as fetch, issuer_call};
use crate::watched;

#[path = "../../examples/issuers/oclc.rs"]
mod issuer;
use issuer::{Patron, STORE, Wskey, date};

scopes! {
    Ncip = "WMS_NCIP";
    Acquisitions = "WMS_ACQ";
    Metadata = "WorldCatMetadataAPI";
    ManageBibs = "WorldCatMetadataAPI:manage_bibs";
    /// What no route should ask for.
    Context = "context:128807";
    Refresh = "refresh_token";
}

const AUDIENCE: &str = "https://share.example.org/";
const NOW: i64 = 1_795_262_400;

static KEY: Wskey = Wskey {
    key: "colgate-keuka-ithaca",
    secret: "open sesame",
    institutions: &[("128807", &["WMS_NCIP"]), ("128808", &["WMS_ACQ"])],
};
static ADA: Patron = Patron {
    login: "ada",
    principal_id: "8eaa9f92",
    principal_idns: "urn:oclc:platform:127950",
    institution: "91475",
    grants: &["WMS_NCIP"],
};

/// An issuer, and a service whose gate asks its store.
struct World {
    clock: ManualClock,
    issuer: AuthorizationServer,
    server: ResourceServer,
    service: Router,
}

impl World {
    fn new() -> World {
        World::with(|_, gate| gate)
    }

    fn with(
        set_up: impl FnOnce(&AuthorizationServer, ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> World {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let builder = watched::builder().clock(clock.clone());
        let issuer = builder.build();
        issuer::open(&issuer, &KEY, &ADA);
        let tokens = oclc::look_up(issuer::store(&issuer)).build().unwrap();
        let gate = oclc::gate(tokens).unwrap().clock(clock.clone());
        let server = set_up(&issuer, gate).build().unwrap();
        World {
            clock,
            issuer,
            service: service(&server),
            server,
        }
    }

    fn with_jwts() -> World {
        World::with(|issuer, gate| {
            let verifier = issuer.jwt_verifier(AUDIENCE).build().unwrap();
            gate.route(When::jwt(), oclc::jwt(verifier))
        })
    }

    fn lenient() -> World {
        World::with(|_, gate| accept_asserted_principal(gate))
    }

    /// A token of which the store says what the token endpoint would, but for `change`; a `null`
    /// there takes a field away.
    fn token(&self, change: Value) -> String {
        let mut row = json!({
            "token_type": "bearer",
            "expires_in": "1199",
            "expires_at": date(NOW + 1199),
            "principalID": "",
            "principalIDNS": "",
            "scopes": "WMS_NCIP context:128807",
        });
        for (name, value) in change.as_object().unwrap() {
            row[name] = value.clone();
        }
        let row = row.as_object().unwrap().iter();
        let row: serde_json::Map<_, _> = row
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let opaque = self.issuer.opaque().prefix("tk_");
        opaque.response(Value::Object(row)).mint()
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        fetch(&self.service, path, &[("authorization", &bearer(token))]).await
    }

    /// The status of `GET path` with a token of which the store says `change`.
    async fn status(&self, path: &str, change: Value) -> u16 {
        self.get(path, &self.token(change)).await.status
    }

    fn looked_up(&self) -> usize {
        self.issuer.asked(STORE)
    }
}

fn service(server: &ResourceServer) -> Router {
    let path = ResourceGuard::path("/institutions/{id}")
        .param_is("id", [CONTEXT_INSTITUTION])
        .build();
    let query = ResourceGuard::anywhere()
        .query_is("x-registryId", [CONTEXT_INSTITUTION])
        .build();
    let host = ResourceGuard::anywhere()
        .subdomain_is("share.example.org", [CONTEXT_INSTITUTION])
        .build();
    let open = || get(async || ());
    Router::new()
        .route("/institutions/{id}", open().layer(path.unwrap().layer()))
        .route("/query", open().layer(query.unwrap().layer()))
        .route("/host", open().layer(host.unwrap().layer()))
        .route("/open", open())
        .route("/ncip", get(async |_: RequireScope<Ncip>| ()))
        .route(
            "/order",
            get(async |_: RequireScope<(Ncip, Acquisitions)>| ()),
        )
        .route("/metadata", get(async |_: RequireScope<Metadata>| ()))
        .route("/bibs", get(async |_: RequireScope<ManageBibs>| ()))
        .route("/context", get(async |_: RequireScope<Context>| ()))
        .route("/refresh", get(async |_: RequireScope<Refresh>| ()))
        .route("/scopes", get(async |scopes: Scopes| scopes.to_string()))
        .route(
            "/institutions",
            get(async |claims: Claims<Institutions>| format!("{:?}", *claims.0)),
        )
        .route("/same", get(async |_: RequireScope<SameInstitution>| ()))
        .route(
            "/user",
            get(async |user: Claims<User>| {
                let (id, namespace) = (&user.principal_id, &user.principal_idns);
                format!("{id} {namespace} {}", user.institution)
            }),
        )
        .route("/user-token", get(async |_: Token<UserToken>| ()))
        .route("/by-user", get(async |_: RequireScope<ByUser>| ()))
        .route("/principal", get(principal))
        .layer(server.layer())
}

/// Who acts, and who the client says it is.
async fn principal(token: AccessToken, parts: Parts) -> Result<String, Error> {
    let UnverifiedPrincipal {
        principal_id,
        principal_idns,
    } = UnverifiedPrincipal::of(&parts)?;
    let asserted = format!("{principal_id:?} {principal_idns:?}");
    Ok(format!("{:?}, asserted {asserted}", token.principal()))
}

fn user() -> Value {
    json!({
        "principalID": "8eaa9f92",
        "principalIDNS": "urn:oclc:platform:127950",
        "authenticatingInstitutionId": "91475",
    })
}

#[tokio::test]
async fn oc_01_a_token_is_looked_up_once_and_read_in_every_spelling() {
    let institutions = r#"Institutions { context: "128807", authenticating: Some("91475") }"#;
    for spelling in [
        json!({"contextInstitutionId": "128807", "authenticatingInstitutionId": "91475"}),
        json!({"context_institution_id": "128807", "authenticating_institution_id": "91475"}),
        json!({"contextInstitutionId": 128807, "authenticating_institution_id": 91475}),
    ] {
        for expires_in in [json!("1199"), json!(1199), Value::Null] {
            let world = World::new();
            let mut change = spelling.clone();
            change["expires_in"] = expires_in;
            change["scopes"] = json!("WMS_NCIP");
            let token = world.token(change.clone());
            for _ in 0..3 {
                let answer = world.get("/institutions", &token).await;
                assert_eq!(answer.body, institutions, "{change}");
            }
            assert_eq!(world.get("/ncip", &token).await.status, 200);
            assert_eq!(world.looked_up(), 1);
        }
    }

    // As long as the cap says, and not longer than the token itself.
    for (life, asked_again_after) in [(1199, 30), (12, 12)] {
        let world = World::new();
        let token = world.token(json!({"expires_at": date(NOW + life)}));
        assert_eq!(world.get("/open", &token).await.status, 200);
        let last = Duration::from_secs(asked_again_after - 1);
        world.clock.advance(last);
        assert_eq!(world.get("/open", &token).await.status, 200);
        assert_eq!(world.looked_up(), 1, "{life}");
        world.clock.advance(Duration::from_secs(1));
        let status = if life > 30 { 200 } else { 401 };
        assert_eq!(world.get("/open", &token).await.status, status);
        assert_eq!(world.looked_up(), 2, "{life}");
    }

    // What cannot be read is the store's fault, not the caller's.
    for odd in [
        json!({"expires_at": Value::Null}),
        json!({"expires_at": "2026-11-24"}),
        json!({"expires_in": "soon"}),
        json!({"scopes": 7}),
    ] {
        assert_eq!(
            World::new().status("/open", odd.clone()).await,
            503,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn oc_02_three_parts_are_a_jwt_and_nothing_else() {
    let world = World::with_jwts();
    let jwt = world.issuer.token().audience(AUDIENCE).scope("WMS_NCIP");
    assert_eq!(world.get("/ncip", &jwt.mint()).await.status, 200);
    let forged = jwt.clone().signed_by(&watched::issuer()).mint();
    assert_eq!(world.get("/ncip", &forged).await.status, 401);
    assert_eq!(world.looked_up(), 0);

    // What cannot be read is the token's fault here.
    let odd = jwt.clone().claim("scopes", 7).mint();
    assert_eq!(world.get("/open", &odd).await.status, 401);
    assert_eq!(world.looked_up(), 0);

    // `tk_` decides, whatever follows: here a JWT that would be good without it.
    let dressed = format!("tk_{}", jwt.mint());
    assert_eq!(world.get("/ncip", &dressed).await.status, 401);
    assert_eq!(world.looked_up(), 1);

    // A gate without a verifier for JWTs refuses them, unless it is told to look them up.
    let world = World::new();
    assert_eq!(world.get("/ncip", &jwt.mint()).await.status, 401);
    assert_eq!(world.looked_up(), 0);
    let world = World::with(|issuer, gate| {
        let tokens = oclc::look_up(issuer::store(issuer)).build().unwrap();
        gate.route(When::jwt(), tokens)
    });
    assert_eq!(world.get("/ncip", &jwt.mint()).await.status, 401);
    assert_eq!(world.looked_up(), 1);
}

#[tokio::test]
async fn oc_03_refresh_tokens_and_codes_are_refused_without_a_look_up() {
    let strict = World::with_jwts();
    // Even a gate that looks everything else up knows that these are for the issuer alone.
    let broad = World::with(|issuer, gate| {
        let tokens = oclc::look_up(issuer::store(issuer)).build().unwrap();
        gate.verifier(tokens)
    });
    for world in [&strict, &broad] {
        for prefix in ["rt_", "auth_"] {
            // The store knows it, and would say what it stands for.
            let row = json!({"scopes": "WMS_NCIP", "expires_at": date(NOW + 60)});
            let token = world.issuer.opaque().prefix(prefix).response(row).mint();
            for token in [token.clone(), format!("{token}.b.c")] {
                let answer = world.get("/open", &token).await;
                assert_eq!(answer.status, 401, "{token}");
                assert!(answer.header("www-authenticate").contains("invalid_token"));
            }
        }
        assert_eq!(world.looked_up(), 0);
    }
    for (place, other) in ["TK_1", "tk", "8eaa9f92"].into_iter().enumerate() {
        assert_eq!(strict.get("/open", other).await.status, 401, "{other}");
        assert_eq!(broad.get("/open", other).await.status, 401, "{other}");
        assert_eq!((strict.looked_up(), broad.looked_up()), (0, place + 1));
    }
}

#[tokio::test]
async fn oc_04_what_is_over_is_401_and_what_cannot_be_asked_is_503() {
    for (change, status) in [
        (json!({"active": false}), 401),
        (json!({"active": true}), 200),
        (json!({"expires_in": 0}), 401),
        (json!({"expires_in": "-1"}), 401),
        (json!({"expires_at": date(NOW - 1)}), 401),
        (json!({"expires_at": date(NOW)}), 401),
        (json!({"expires_at": date(NOW + 1)}), 200),
    ] {
        let found = World::new().status("/open", change.clone()).await;
        assert_eq!(found, status, "{change}");
    }
    let world = World::new();
    assert_eq!(world.get("/open", "tk_unknown").await.status, 401);

    let token = world.token(json!({}));
    for trouble in [
        Trouble::Status(500),
        Trouble::Garbage,
        Trouble::Body("[]".to_owned()),
        Trouble::Reset,
    ] {
        world.issuer.trouble(STORE, trouble.clone());
        let answer = world.get("/open", &token).await;
        assert_eq!(answer.status, 503, "{trouble:?}");
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.header("www-authenticate"), "");
    }
    world.issuer.calm(STORE);
    assert_eq!(world.get("/open", &token).await.status, 200);
    world.issuer.stop().await;
    assert_eq!(world.get("/open", "tk_another").await.status, 503);
}

#[tokio::test]
async fn oc_05_a_partial_grant_is_good_for_what_was_granted() {
    let world = World::new();
    // The key has both services, but not for this institution.
    let asked = "grant_type=client_credentials&scope=WMS_NCIP%20WMS_ACQ%20context:128807";
    let answer = world.issue(asked).await;
    assert_eq!(answer["scopes"], "WMS_NCIP context:128807");
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(world.get("/ncip", token).await.status, 200);
    let refused = world.get("/order", token).await;
    assert_eq!(refused.status, 403);
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    assert!(challenge.contains("WMS_ACQ"), "{challenge}");
}

#[tokio::test]
async fn oc_06_two_lists_of_scopes_grant_what_is_in_both_or_nothing() {
    let strict = World::new;
    let lenient = || World::with(|_, gate| gate.kinds(oclc::kinds(ScopeLists::Intersect).unwrap()));
    for (scope, scopes, granted) in [
        (Some("WMS_NCIP"), None, Ok("WMS_NCIP")),
        (None, Some("WMS_NCIP"), Ok("WMS_NCIP")),
        (None, None, Ok("")),
        (
            Some("WMS_NCIP WMS_ACQ"),
            Some("WMS_ACQ WMS_NCIP"),
            Ok("WMS_ACQ WMS_NCIP"),
        ),
        (
            Some("WMS_NCIP WMS_ACQ"),
            Some("WMS_ACQ wcapi"),
            Err("WMS_ACQ"),
        ),
        (Some("WMS_NCIP"), Some("WMS_ACQ"), Err("")),
        // An empty list is a list.
        (Some(""), Some("WMS_NCIP"), Err("")),
        (Some("WMS_NCIP"), Some(""), Err("")),
        (Some(""), Some(""), Ok("")),
        (
            Some("WMS_NCIP context:1"),
            Some("WMS_NCIP"),
            Err("WMS_NCIP"),
        ),
    ] {
        let change = json!({"scope": scope, "scopes": scopes});
        let world = strict();
        let answer = world.get("/scopes", &world.token(change.clone())).await;
        match granted {
            Ok(scopes) => assert_eq!((answer.status, &*answer.body), (200, scopes), "{change}"),
            Err(_) => assert_eq!(answer.status, 401, "{change}"),
        }
        let world = lenient();
        let answer = world.get("/scopes", &world.token(change.clone())).await;
        let scopes = granted.unwrap_or_else(|in_both| in_both);
        assert_eq!((answer.status, &*answer.body), (200, scopes), "{change}");
    }
}

#[tokio::test]
async fn oc_07_a_service_implies_its_parts_only_where_that_is_said() {
    let strict = World::new();
    let opted =
        World::with(|_, gate| gate.scope_hierarchy(ScopeHierarchy::new().prefix_implies(':')));
    for (held, path, strictly, opted_in) in [
        ("WorldCatMetadataAPI", "/bibs", 403, 200),
        ("WorldCatMetadataAPI:manage_bibs", "/bibs", 200, 200),
        ("WorldCatMetadataAPI:manage_bibs", "/metadata", 403, 403),
        ("WorldCatMetadataAPI", "/metadata", 200, 200),
        ("WorldCatMetadata", "/bibs", 403, 403),
        ("WorldCatMetadataAPI:", "/bibs", 403, 403),
    ] {
        let change = json!({"scopes": held});
        assert_eq!(
            strict.status(path, change.clone()).await,
            strictly,
            "{held} {path}"
        );
        assert_eq!(opted.status(path, change).await, opted_in, "{held} {path}");
    }
}

#[tokio::test]
async fn oc_08_pseudo_scopes_are_no_scopes() {
    let scopes = "WMS_NCIP context:128807 refresh_token";
    let institutions = r#"Institutions { context: "128807", authenticating: None }"#;
    let world = World::with(|issuer, gate| {
        let verifier = issuer.jwt_verifier(AUDIENCE).build().unwrap();
        gate.route(When::jwt(), oclc::jwt(verifier))
            .scope_hierarchy(ScopeHierarchy::new().prefix_implies(':'))
    });
    let jwt = world.issuer.token().audience(AUDIENCE).scope(scopes);
    for token in [
        world.token(json!({"scopes": scopes})),
        world.token(json!({"scope": scopes, "scopes": scopes})),
        world.token(json!({"scopes": ["WMS_NCIP", "context:128807", "refresh_token"]})),
        jwt.mint(),
        jwt.claim("scopes", scopes).mint(),
    ] {
        assert_eq!(world.get("/scopes", &token).await.body, "WMS_NCIP");
        assert_eq!(world.get("/institutions", &token).await.body, institutions);
        assert_eq!(world.get("/context", &token).await.status, 403);
        assert_eq!(world.get("/refresh", &token).await.status, 403);
        assert_eq!(world.get("/ncip", &token).await.status, 200);
    }
}

#[tokio::test]
async fn oc_09_a_token_opens_its_own_institution_and_contradicts_itself_nowhere() {
    let world = World::new();
    let token = world.token(json!({}));
    for (path, host, status) in [
        ("/institutions/128807", "", 200),
        ("/institutions/128808", "", 403),
        ("/query?x-registryId=128807", "", 200),
        ("/query?x-registryId=128808", "", 403),
        ("/query", "", 403),
        ("/host", "128807.share.example.org", 200),
        ("/host", "128808.share.example.org", 403),
        ("/host", "128807.example.org", 403),
    ] {
        let headers = [("authorization", &*bearer(&token)), ("host", host)];
        let found = fetch(&world.service, path, &headers).await.status;
        assert_eq!(found, status, "{path} {host}");
    }
    for (named, asked, status) in [("00001", "1", 403), ("1", "00001", 403), ("1", "1", 200)] {
        let path = format!("/institutions/{asked}");
        let change = json!({"scopes": format!("context:{named}")});
        assert_eq!(world.status(&path, change).await, status, "{named} {asked}");
    }

    let jwts = World::with_jwts();
    for (change, status) in [
        (json!({"scopes": "context:128807 context:128808"}), 401),
        (json!({"scopes": "context:128807 context:0128807"}), 401),
        (json!({"contextInstitutionId": "128808"}), 401),
        (json!({"context_institution_id": "128808"}), 401),
        (
            json!({"scopes": "", "contextInstitutionId": "1", "context_institution_id": "2"}),
            401,
        ),
        (
            json!({"authenticatingInstitutionId": "1", "authenticating_institution_id": "2"}),
            401,
        ),
        (
            json!({"contextInstitutionId": "128807", "context_institution_id": 128807}),
            200,
        ),
        (
            json!({"contextInstitutionId": "", "context_institution_id": "128807"}),
            200,
        ),
    ] {
        assert_eq!(
            world.status("/open", change.clone()).await,
            status,
            "{change}"
        );
        // The two that differ in type compare as texts in a JWT, too.
        let mut jwt = jwts.issuer.token().audience(AUDIENCE);
        jwt = jwt.claim("scope", "context:128807");
        for (name, value) in change.as_object().unwrap() {
            jwt = jwt.claim(name.replace("scopes", "scope").as_str(), value);
        }
        let found = jwts.get("/open", &jwt.mint()).await.status;
        assert_eq!(found, status, "{change} in a JWT");
    }
}

#[tokio::test]
async fn oc_10_a_token_without_a_context_institution_opens_none() {
    let world = World::new();
    for change in [
        json!({"scopes": "WMS_NCIP"}),
        json!({"scopes": "WMS_NCIP context:", "contextInstitutionId": ""}),
        // Not even that of who vouches for the user.
        json!({"scopes": "WMS_NCIP", "authenticatingInstitutionId": "128807"}),
    ] {
        let token = world.token(change.clone());
        for (path, host, status) in [
            ("/institutions/128807", "", 403),
            // No route is so short.
            ("/institutions/", "", 404),
            ("/query?x-registryId=128807", "", 403),
            ("/query?x-registryId=", "", 403),
            ("/query", "", 403),
            ("/host", "128807.share.example.org", 403),
            ("/host", ".share.example.org", 403),
            ("/host", "share.example.org", 403),
            ("/host", "", 403),
            ("/institutions", "", 403),
            ("/same", "", 403),
            ("/ncip", "", 200),
        ] {
            let headers = [("authorization", &*bearer(&token)), ("host", host)];
            let found = fetch(&world.service, path, &headers).await.status;
            assert_eq!(found, status, "{change} {path} {host}");
        }
    }
}

#[tokio::test]
async fn oc_11_who_vouches_for_the_user_may_be_another_institution() {
    let world = World::new();
    // Ada's library is 91475, her namespace names 127950, the data is 128807's.
    let token = world.token(user());
    assert_eq!(world.get("/institutions/128807", &token).await.status, 200);
    for other in ["91475", "127950"] {
        let path = format!("/institutions/{other}");
        assert_eq!(world.get(&path, &token).await.status, 403, "{other}");
    }
    assert_eq!(
        world.get("/user", &token).await.body,
        "8eaa9f92 urn:oclc:platform:127950 91475"
    );
    for (authenticating, status) in [
        (json!("91475"), 403),
        (json!("128807"), 200),
        (json!(128807), 200),
        (json!("0128807"), 403),
        (json!(""), 403),
        (Value::Null, 403),
    ] {
        let change = json!({"authenticatingInstitutionId": authenticating});
        assert_eq!(
            world.status("/same", change.clone()).await,
            status,
            "{change}"
        );
    }
    // Without one nothing else takes its place.
    let mut change = user();
    change["authenticatingInstitutionId"] = Value::Null;
    assert_eq!(world.status("/user", change).await, 403);
}

#[tokio::test]
async fn oc_12_an_empty_principal_is_nobody() {
    let world = World::new();
    for (id, namespace) in [
        (json!(""), json!("")),
        (Value::Null, Value::Null),
        (json!("8eaa9f92"), json!("")),
        (json!(""), json!("urn:oclc:wms:da")),
    ] {
        let change = json!({
            "principalID": id,
            "principalIDNS": namespace,
            "authenticatingInstitutionId": "91475",
        });
        let token = world.token(change.clone());
        for path in ["/user", "/user-token", "/by-user"] {
            assert_eq!(world.get(path, &token).await.status, 403, "{change} {path}");
        }
        let answer = world.get("/principal", &token).await;
        assert!(answer.body.starts_with("Nobody, "), "{}", answer.body);
    }
    let token = world.token(user());
    for path in ["/user", "/user-token", "/by-user"] {
        assert_eq!(world.get(path, &token).await.status, 200, "{path}");
    }
    let answer = world.get("/principal", &token).await;
    assert!(
        answer.body.starts_with(r#"Subject("8eaa9f92"), "#),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn oc_13_an_asserted_principal_is_refused_or_stays_unverified() {
    const ADA: &str = r#"principalID="8eaa9f92", principalIDNS="urn:oclc:platform:127950""#;
    const PROVEN: &str = r#"Subject("8eaa9f92")"#;
    let strict = World::new();
    let token = strict.token(user());
    for beside in [ADA, r#"principalID="""#, r#"x="y""#] {
        let answer = strict
            .get("/principal", &format!("{token}, {beside}"))
            .await;
        assert_eq!(answer.status, 400, "{beside}");
    }
    assert_eq!(strict.looked_up(), 0);

    let world = World::lenient();
    let (ada, library) = (world.token(user()), world.token(json!({})));
    let agreed = r#"Some("8eaa9f92") Some("urn:oclc:platform:127950")"#;
    for (token, beside, answer) in [
        (
            &ada,
            String::new(),
            Ok(format!("{PROVEN}, asserted None None")),
        ),
        (
            &ada,
            format!(", {ADA}"),
            Ok(format!("{PROVEN}, asserted {agreed}")),
        ),
        (
            &ada,
            r#",PrincipalId="8eaa9f92", x="y""#.to_owned(),
            Ok(format!(r#"{PROVEN}, asserted Some("8eaa9f92") None"#)),
        ),
        (
            &ada,
            r#", principalID="", principalIDNS="""#.to_owned(),
            Ok(format!("{PROVEN}, asserted None None")),
        ),
        // Who asserts more than the token knows is believed no more.
        (
            &library,
            format!(", {ADA}"),
            Ok(format!("Nobody, asserted {agreed}")),
        ),
        (&ada, r#", principalID="mallory""#.to_owned(), Err(403)),
        (&ada, r#", principalid="mallory""#.to_owned(), Err(403)),
        (
            &ada,
            r#", principalIDNS="urn:oclc:wms:da""#.to_owned(),
            Err(403),
        ),
        (&ada, format!(r#", {ADA}, PRINCIPALID="mallory""#), Err(400)),
        (&ada, r#", principalID=8eaa9f92"#.to_owned(), Err(400)),
    ] {
        let found = world.get("/principal", &format!("{token}{beside}")).await;
        match answer {
            Ok(body) => assert_eq!((found.status, found.body), (200, body), "{beside}"),
            Err(status) => assert_eq!(found.status, status, "{beside}"),
        }
    }
    assert_eq!(world.looked_up(), 2, "the token ends at the comma");
    let asserted = format!("{library}, {ADA}");
    assert_eq!(world.get("/user", &asserted).await.status, 403);

    for (query, status) in [
        (
            "principalID=8eaa9f92&principalIDNS=urn%3Aoclc%3Aplatform%3A127950",
            200,
        ),
        ("principalID=mallory", 403),
        ("principal%49D=mallory", 403),
        ("principalID=8eaa9f92&principalID=mallory", 400),
    ] {
        let found = world.get(&format!("/principal?{query}"), &ada).await;
        assert_eq!(found.status, status, "{query}");
    }
    let both = format!(r#"{library}, principalID="ada""#);
    let found = world.get("/principal?principalID=bob", &both).await;
    assert_eq!(found.status, 400);
}

const HMAC: &str = r#"http://www.worldcat.org/wskey/v2/hmac/v1 clientId="tk_1", timestamp="1", nonce="2", signature="3", principalID="x""#;

#[tokio::test]
async fn oc_14_the_hmac_scheme_is_no_token() {
    for world in [World::new(), World::lenient()] {
        for scheme in [HMAC, "Basic dGtfOnRr", "tk_1"] {
            let answer = fetch(&world.service, "/open", &[("authorization", scheme)]).await;
            assert_eq!(answer.status, 401, "{scheme}");
            assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="api""#);
        }
        // As support sees it often: the token without the name of its header.
        let request = http::Request::get("/open").header("bearer", "tk_1");
        assert_eq!(call(&world.service, request).await.status, 401);
        assert_eq!(world.looked_up(), 0);
    }
}

#[tokio::test]
async fn oc_15_refusals_have_their_shape_and_no_token() {
    let xml = |status, message, detail| {
        format!(
            r#"<error><code type="http">{status}</code><message>{message}</message>{detail}</error>"#
        )
    };
    let json =
        |kind, title, detail| json!({"type": kind, "title": title, "detail": detail}).to_string();
    let unauthorized = r#"{"message":"Unauthorized"}"#.to_owned();
    let worlds = [
        (
            World::with(|_, gate| gate.renderer(XmlErrors)),
            "application/xml",
        ),
        (
            World::with(|_, gate| gate.renderer(JsonErrors)),
            "application/json",
        ),
        (World::new(), "application/problem+json"),
    ];
    for (world, content_type) in &worlds {
        let token = world.token(json!({}));
        let unavailable = world.token(json!({"expires_at": Value::Null}));
        for (path, shown, status, as_xml, as_json) in [
            (
                "/open",
                "tk_unknown-token".to_owned(),
                401,
                xml(401, "the access token is not active", ""),
                unauthorized.clone(),
            ),
            (
                "/open",
                "rt_refresh-token".to_owned(),
                401,
                xml(401, "the access token was refused", ""),
                unauthorized.clone(),
            ),
            (
                "/order",
                token.clone(),
                403,
                xml(
                    403,
                    "the access token lacks a scope that is needed",
                    "<detail>scope: WMS_NCIP WMS_ACQ</detail>",
                ),
                json(
                    "scope",
                    "Forbidden",
                    "the access token lacks a scope that is needed",
                ),
            ),
            (
                "/institutions/128808",
                token.clone(),
                403,
                xml(403, "access to this resource is denied", ""),
                json("denied", "Forbidden", "access to this resource is denied"),
            ),
            (
                "/open",
                format!("{token}, principalID=\"x\""),
                400,
                xml(400, "the credential is malformed", ""),
                json(
                    "malformed_credential",
                    "Bad Request",
                    "the credential is malformed",
                ),
            ),
            (
                "/open",
                unavailable,
                503,
                xml(503, "the access token cannot be checked at the moment", ""),
                json(
                    "lookup_unavailable",
                    "Service Unavailable",
                    "the access token cannot be checked at the moment",
                ),
            ),
        ] {
            let answer = world.get(path, &shown).await;
            assert_eq!(answer.status, status, "{path} {shown}");
            assert_eq!(answer.header("content-type"), *content_type);
            match *content_type {
                "application/xml" => assert_eq!(answer.body, as_xml),
                "application/json" => assert_eq!(answer.body, as_json),
                _ => {}
            }
            let told = format!("{} {:?}", answer.body, answer.headers);
            let token = shown.split(',').next().unwrap();
            assert!(!told.contains(&token[3..]), "{told}");
        }
        let bare = fetch(&world.service, "/open", &[]).await;
        assert_eq!(bare.header("www-authenticate"), r#"Bearer realm="api""#);
    }
}

#[tokio::test]
async fn oc_16_a_bad_token_is_asked_about_once_and_first_uses_share_one_look_up() {
    let world = World::new();
    let contradictory = world.token(json!({"contextInstitutionId": "128808"}));
    for (bad, asked) in [("tk_unknown", 1), (&*contradictory, 2)] {
        for _ in 0..10 {
            assert_eq!(world.get("/open", bad).await.status, 401);
        }
        assert_eq!(world.looked_up(), asked, "{bad}");
    }
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.get("/open", "tk_unknown").await.status, 401);
    assert_eq!(world.looked_up(), 3);

    for (tokens, asked) in [(1, 1), (20, 20)] {
        let world = World::new();
        let late = Duration::from_secs(1);
        world.issuer.trouble(STORE, Trouble::Late(late));
        let minted: Vec<String> = (0..tokens).map(|_| world.token(json!({}))).collect();
        let requests: Vec<_> = (0..20)
            .map(|place| {
                let (service, token) = (world.service.clone(), bearer(&minted[place % tokens]));
                tokio::spawn(async move {
                    fetch(&service, "/open", &[("authorization", &token)])
                        .await
                        .status
                })
            })
            .collect();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(requests.iter().all(|request| !request.is_finished()));
        assert_eq!(world.looked_up(), asked);
        world.clock.advance(late);
        for request in requests {
            assert_eq!(request.await.unwrap(), 200);
        }
        assert_eq!(world.looked_up(), asked);
    }
}

impl World {
    /// What the token endpoint answers to the owner of the key.
    async fn issue(&self, query: &str) -> Value {
        let request = http::Request::post(self.issuer.url("/token") + "?" + query)
            // colgate-keuka-ithaca:open sesame
            .header(
                "authorization",
                "Basic Y29sZ2F0ZS1rZXVrYS1pdGhhY2E6b3BlbiBzZXNhbWU=",
            );
        issuer_call(&self.issuer, request, &Value::Null).await.1
    }
}

#[tokio::test]
async fn published_samples_are_read() {
    let live = |change: Value| {
        let mut sample = json!({"access_token": "tk_Yebz4BpEp9dAsghA7KpWx6dYD1OZKWBlHjqW",
            "expires_at": "2019-04-08 14:31:50Z", "authenticating_institution_id": "128807",
            "principalID": "", "principalIDNS": "", "context_institution_id": "128807",
            "token_type": "bearer", "expires_in": 1199});
        let sample_fields = sample.as_object_mut().unwrap();
        sample_fields.extend(change.as_object().unwrap().clone());
        oclc::claims(&sample.to_string()).unwrap().unwrap()
    };
    let both = "configPlatform context:128807";
    for (sample, scopes) in [
        (live(json!({})), ""),
        (
            live(json!({"scope": both, "scopes": both})),
            "configPlatform",
        ),
    ] {
        assert_eq!(sample.scopes().to_string(), scopes);
        assert_eq!(
            sample.expires_at(),
            Some(UnixTime::from_secs(1_554_733_910))
        );
        let institution = || "128807".to_owned();
        let institutions = Institutions {
            context: institution(),
            authenticating: Some(institution()),
        };
        assert_eq!(sample.read::<Institutions>().unwrap(), institutions);
        assert!(sample.read::<User>().is_err());
        assert!(!sample.as_json().contains("tk_"), "{}", sample.as_json());
    }
    let documented = r#"{"access_token":"tk_x","token_type":"bearer","expires_in":"3599",
        "principalID":"","principalIDNS":"","scopes":"configPlatform context:128807",
        "contextInstitutionId":"128807","expires_at":"2013-08-23 18:45:29Z"}"#;
    let claims = oclc::claims(documented).unwrap().unwrap();
    assert_eq!(
        claims.expires_at(),
        Some(UnixTime::from_secs(1_377_283_529))
    );
    assert_eq!(claims.read::<Institutions>().unwrap().context, "128807");

    let me = r#"{"id":"412d","oclcPPID":"412d","institutionId":"128807",
        "oclcNamespace":"urn:oclc:platform:127950","meta":{"resourceType":"Self"}}"#;
    let user = User::from_me(me).unwrap();
    assert_eq!(user.principal_id, "412d");
    assert_eq!(user.principal_idns, "urn:oclc:platform:127950");
    assert_eq!(user.institution, "128807");
    assert_eq!(
        User::from_me(r#"{"oclcPPID":""}"#).unwrap_err().to_string(),
        "field oclc_ppid is absent, wanted it in the answer"
    );
}

#[tokio::test]
async fn refusals_say_what_contradicts_itself() {
    for (change, sentence) in [
        (
            json!({"scope": "a b", "scopes": "b c"}),
            r#"scope and scopes differ in ["a", "c"], wanted them equal"#,
        ),
        (
            json!({"scopes": "context:128807", "contextInstitutionId": "128808"}),
            r#"contextInstitutionId is ["128807", "128808"], wanted one"#,
        ),
    ] {
        let world = World::new();
        let token = bearer(&world.token(change));
        let proven = authenticate(&world.server, "authorization", &token).await;
        let error = proven.unwrap_err();
        assert_eq!(
            (error.reason(), &*error.to_string()),
            (Reason::Refused, sentence)
        );
    }
}

#[tokio::test]
async fn every_kind_in_every_place_before_every_guard() {
    let strict = World::with_jwts();
    let all = matrix(&strict, &["Bearer"], &["Bearer"]);
    all.hold(&strict.server).await;

    let lenient = World::with(|issuer, gate| {
        let verifier = issuer.jwt_verifier(AUDIENCE).build().unwrap();
        accept_asserted_principal(gate.route(When::jwt(), oclc::jwt(verifier)))
    });
    // A token that names nobody contradicts nobody; it remains nobody's.
    let of_client = &["Bearer", "Bearer, as Ada", "Bearer, as x"];
    let of_user = &["Bearer", "Bearer, as Ada"];
    let all = matrix(&lenient, of_user, of_client);
    all.hold(&lenient.server).await;
}

/// Everything the issuer hands out; its users' and clients' tokens are good in these places.
fn matrix(
    world: &World,
    of_user: &'static [&'static str],
    of_client: &'static [&'static str],
) -> Matrix {
    let asserting = |name, id, namespace| {
        Place::new(name, move |request, token| {
            let beside = format!(r#"principalID="{id}", principalIDNS="{namespace}""#);
            request.header("authorization", format!("Bearer {token}, {beside}"))
        })
    };
    let client_jwt = world.issuer.token().audience(AUDIENCE);
    let mut user_jwt = client_jwt.clone();
    for (name, value) in user().as_object().unwrap() {
        user_jwt = user_jwt.claim(name.as_str(), value);
    }
    let row = json!({"expires_at": date(NOW + 60), "scopes": "WMS_NCIP"});
    let opaque = |prefix| {
        let opaque = world.issuer.opaque().prefix(prefix);
        opaque.response(row.clone()).mint()
    };
    Matrix {
        places: vec![
            Place::bearer(),
            asserting("Bearer, as Ada", ADA.principal_id, ADA.principal_idns),
            asserting("Bearer, as x", "x", "y"),
            Place::header("Authorization"),
            Place::header("App-Token"),
            Place::header("wskey"),
            Place::header("bearer"),
            Place::query("access_token"),
        ],
        specimens: [
            (UserToken::NAME, of_user, world.token(user())),
            (UserToken::NAME, of_user, user_jwt.mint()),
            (ClientToken::NAME, of_client, world.token(json!({}))),
            (ClientToken::NAME, of_client, client_jwt.mint()),
            ("refresh", &[], opaque("rt_")),
            ("authorization code", &[], opaque("auth_")),
            ("WSKey", &[], opaque("")),
            ("HMAC", &[], HMAC.to_owned()),
        ]
        .map(|(kind, places, token)| Specimen {
            kind,
            places,
            token,
        })
        .into(),
        guards: vec![
            (&[UserToken::NAME], get(async |_: Token<UserToken>| ())),
            (&[UserToken::NAME], get(async |_: Claims<User>| ())),
            (&[ClientToken::NAME], get(async |_: Token<ClientToken>| ())),
        ],
        second_slot: &[],
    }
}

#[tokio::test]
async fn the_issuer_serves_a_user_from_login_to_refresh() {
    let world = World::new();
    let login = "/auth/91475?response_type=code&client_id=colgate-keuka-ithaca&login=ada&\
                 redirect_uri=x&scope=WMS_NCIP%20context:128807%20refresh_token";
    let request = http::Request::get(
        world
            .issuer
            .url("/auth/91475")
            .replace("/auth/91475", login),
    );
    let answer = ask_issuer(&world.issuer, request, &Value::Null).await;
    let location = answer.headers()["location"].to_str().unwrap();
    let code = location.strip_prefix("x?code=").unwrap();

    let query = format!("grant_type=authorization_code&code={code}");
    let first = world.issue(&query).await;
    let names: Vec<&str> = first
        .as_object()
        .unwrap()
        .keys()
        .map(|name| &**name)
        .collect();
    assert_eq!(
        names,
        [
            "access_token",
            "authenticating_institution_id",
            "context_institution_id",
            "expires_at",
            "expires_in",
            "principalID",
            "principalIDNS",
            "refresh_token",
            "refresh_token_expires_at",
            "refresh_token_expires_in",
            "scope",
            "scopes",
            "token_type",
        ]
    );
    assert_eq!(world.issue(&query).await["message"], "invalid_grant");

    let query = format!(
        "grant_type=refresh_token&refresh_token={}",
        first["refresh_token"].as_str().unwrap()
    );
    for answer in [first, world.issue(&query).await] {
        let token = answer["access_token"].as_str().unwrap();
        let found = world.get("/user", token).await;
        assert_eq!(found.body, "8eaa9f92 urn:oclc:platform:127950 91475");
        // The token endpoint's own words say the same as the store's.
        let claims = oclc::claims(&answer.to_string()).unwrap().unwrap();
        assert_eq!(claims.read::<Institutions>().unwrap().context, "128807");
    }
}

#[tokio::test]
async fn the_issuer_answers_as_published() {
    let world = World::new();
    let grant = "grant_type=client_credentials&scope=";
    let asked = format!("{grant}WMS_NCIP%20context:128807");
    let mut answer = world.issue(&asked).await;
    let token = answer.as_object_mut().unwrap().remove("access_token");
    assert_eq!(
        answer,
        json!({
            "token_type": "bearer", "expires_in": "3599", "expires_at": date(NOW + 3599),
            "principalID": "", "principalIDNS": "", "scopes": "WMS_NCIP context:128807",
            "contextInstitutionId": "128807",
        })
    );
    let token = token.unwrap();
    world.clock.advance(Duration::from_secs(3598));
    assert_eq!(
        world.get("/ncip", token.as_str().unwrap()).await.status,
        200
    );
    let refusal = world
        .issue(&format!("{grant}wcapi%20WMS_NCIP%20SCIM"))
        .await;
    assert_eq!(
        refusal["message"],
        "Invalid scope(s): wcapi SCIM [Invalid service specified, Not on key]"
    );
}

/// The gate of somebody who forgot `oclc::jwt`.
#[tokio::test]
async fn pseudo_scopes_that_nobody_has_read_are_refused() {
    let world = World::with(|issuer, gate| {
        gate.route(When::jwt(), issuer.jwt_verifier(AUDIENCE).build().unwrap())
    });
    let jwt = world.issuer.token().audience(AUDIENCE).scope("WMS_NCIP");
    assert_eq!(world.get("/ncip", &jwt.mint()).await.status, 200);
    for claim in ["scope", "scopes"] {
        for scopes in [
            json!("WMS_NCIP context:128807"),
            json!("refresh_token"),
            json!(["WMS_NCIP", "context:"]),
        ] {
            let token = bearer(&jwt.clone().claim(claim, &scopes).mint());
            let request = http::Request::get("/").header("authorization", token);
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let error = world.server.authenticate(&mut parts).await.unwrap_err();
            assert_eq!(
                (error.reason(), &*error.to_string()),
                (
                    Reason::Refused,
                    "token has pseudo-scopes, wanted its verifier inside oclc::jwt"
                ),
                "{claim} {scopes}"
            );
        }
    }
}

#[tokio::test]
async fn an_institution_is_a_text_or_a_whole_number() {
    let jwts = World::with_jwts();
    for name in ["contextInstitutionId", "authenticating_institution_id"] {
        for (id, readable) in [
            (json!("128807"), true),
            (json!(128807), true),
            (json!(true), false),
            (json!(128807.5), false),
            (json!(["128807"]), false),
            (json!({"id": "128807"}), false),
        ] {
            let change = json!({"scopes": "WMS_NCIP", name: id});
            // An answer is the store's fault, a JWT its bearer's.
            let found = World::new().status("/open", change.clone()).await;
            assert_eq!(found, if readable { 200 } else { 503 }, "{change}");
            let jwt = jwts.issuer.token().audience(AUDIENCE).claim(name, &id);
            let found = jwts.get("/open", &jwt.mint()).await.status;
            assert_eq!(found, if readable { 200 } else { 401 }, "{change} in a JWT");
        }
    }
    let answer = r#"{"expires_at":"2999-12-31 23:59:59Z","contextInstitutionId":true}"#;
    let unread = format!("{:?}", oclc::claims(answer).unwrap_err());
    let sentence = "field context_institution_id is a boolean, wanted a string or a whole number";
    assert!(unread.contains(sentence), "{unread}");
}
