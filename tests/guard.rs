//! The resource guard: only the token's own resource passes, however a request spells it, through
//! every door, and what passed is what the handler sees.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

mod watched;

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawPathParams};
use axum::routing::get;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use portcullis::testing::{self, AuthorizationServer};
use portcullis::*;
use proptest::prelude::*;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

const AUDIENCE: &str = "https://api.example.com/";

/// An issuer, and a gate that tells general tokens from those for one resource.
struct World {
    issuer: AuthorizationServer,
    server: ResourceServer,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let issuer = watched::issuer();
    let kinds = Kinds::new([
        Kind::named("general").without_claim("srv"),
        Kind::named("scoped").with_claim("srv"),
    ]);
    let jwt = issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let server = issuer.resource_server().kinds(kinds.unwrap()).verifier(jwt);
    let server = server.build().unwrap();
    World { issuer, server }
});

fn parts(uri: &str) -> Option<http::request::Parts> {
    let request = Request::get(uri).body(()).ok()?;
    Some(request.into_parts().0)
}

mod doors {
    use super::*;

    const DOORS: [&str; 3] = ["function", "tower", "router"];

    async fn through(door: &str, guard: &ResourceGuard, request: Request<Body>) -> u16 {
        let server = &WORLD.server;
        match door {
            "function" => {
                let (mut parts, _) = request.into_parts();
                let outcome = match server.authenticate(&mut parts).await {
                    Ok(Some(token)) => guard.check(&parts, &token),
                    Ok(None) => Err(Error::missing_credential()),
                    Err(error) => Err(error),
                };
                outcome.map_or_else(|error| server.answer(&error).status().as_u16(), |()| 200)
            }
            "tower" => {
                let operation = service_fn(async |_: Request<Body>| {
                    Ok::<_, Infallible>(Response::new(Body::empty()))
                });
                let service = ServiceBuilder::new()
                    .layer(server.layer())
                    .layer(guard.layer())
                    .service(operation);
                service.oneshot(request).await.unwrap().status().as_u16()
            }
            _ => {
                let app: Router = Router::new()
                    .route("/{*any}", get(|| async {}))
                    .layer(guard.layer())
                    .layer(server.layer());
                app.oneshot(request).await.unwrap().status().as_u16()
            }
        }
    }

    /// The policies of token systems that bind tokens to resources.
    fn guards() -> [(&'static str, ResourceGuard); 5] {
        let interview = || {
            ResourceGuard::path("/interviews/{interviewId}/{*rest}")
                .param_is("interviewId", ["/srv/interviewId"])
        };
        let built = |builder: ResourceGuardBuilder| builder.build().unwrap();
        [
            ("interview", built(interview())),
            (
                "shared",
                built(
                    interview()
                        .broad("general")
                        .claim_is("/srv/partnerId", "pond"),
                ),
            ),
            ("hidden", built(interview().hiding())),
            (
                "party",
                built(ResourceGuard::path("/parties/{party}").param_is(
                    "party",
                    ["/srv/upid", "/srv/partnerEndUserId", "/srv/owner"],
                )),
            ),
            (
                "institution",
                built(
                    ResourceGuard::anywhere()
                        .query_is("x-registryId", ["/contextInstitutionId"])
                        .subdomain_is("share.example.org", ["/contextInstitutionId"]),
                ),
            ),
        ]
    }

    #[tokio::test]
    async fn one_table_through_three_doors() {
        let guards = guards();
        let a = json!({"srv": {"interviewId": "A", "partnerId": "pond"}});
        let institution = |id: Value| json!({"contextInstitutionId": id});
        let host = "128807.share.example.org";
        for (guard, uri, host, claims, wanted) in [
            ("interview", "/interviews/A/pages", "", a.clone(), 200),
            ("interview", "/interviews/%41/pages/3", "", a.clone(), 200),
            ("interview", "/interviews/B/pages", "", a.clone(), 403),
            ("interview", "/interviews/a/pages", "", a.clone(), 403),
            ("interview", "/interviews//pages", "", a.clone(), 403),
            ("interview", "/interviews/A", "", a.clone(), 403),
            ("interview", "/interviews/A/../B/pages", "", a.clone(), 403),
            ("interview", "/binders/A/pages", "", a.clone(), 403),
            ("interview", "/interviews/A/pages", "", json!({}), 403),
            (
                "interview",
                "/interviews/A/pages",
                "",
                json!({"srv": {}}),
                403,
            ),
            (
                "interview",
                "/interviews/A/pages",
                "",
                json!({"exp": 1}),
                401,
            ),
            ("interview", "/interviews/A/pages", "", Value::Null, 401),
            ("shared", "/interviews/A/pages", "", a.clone(), 200),
            ("shared", "/interviews/B/pages", "", a.clone(), 403),
            ("shared", "/interviews/B/pages", "", json!({}), 200),
            (
                "shared",
                "/interviews/A/pages",
                "",
                json!({"srv": {"interviewId": "A", "partnerId": "sea"}}),
                403,
            ),
            ("hidden", "/interviews/A/pages", "", a.clone(), 200),
            ("hidden", "/interviews/B/pages", "", a.clone(), 404),
            ("hidden", "/interviews/%zz/pages", "", a.clone(), 404),
            ("hidden", "/interviews/A/pages", "", json!({}), 404),
            ("hidden", "/interviews/A/pages", "", json!({"exp": 1}), 401),
            ("hidden", "/interviews/A/pages", "", Value::Null, 401),
            (
                "party",
                "/parties/7",
                "",
                json!({"srv": {"upid": "7"}}),
                200,
            ),
            ("party", "/parties/7", "", json!({"srv": {"owner": 7}}), 200),
            (
                "party",
                "/parties/7",
                "",
                json!({"srv": {"upid": "7", "owner": "8"}}),
                403,
            ),
            (
                "party",
                "/parties/7",
                "",
                json!({"srv": {"owner": [7]}}),
                403,
            ),
            (
                "institution",
                "/x?x-registryId=128807",
                host,
                institution(json!("128807")),
                200,
            ),
            (
                "institution",
                "/x?x-registryId=128807",
                host,
                institution(json!(128807)),
                200,
            ),
            (
                "institution",
                "/x?x-registryId=128808",
                host,
                institution(json!("128807")),
                403,
            ),
            (
                "institution",
                "/x?x-registryId=0128807",
                host,
                institution(json!("128807")),
                403,
            ),
            (
                "institution",
                "/x?x-registryId=128807&x%2DregistryId=128807",
                host,
                institution(json!("128807")),
                403,
            ),
            ("institution", "/x", host, institution(json!("128807")), 403),
            (
                "institution",
                "/x?x-registryId=128807",
                "",
                institution(json!("128807")),
                403,
            ),
            (
                "institution",
                "/x?x-registryId=128807",
                "128808.share.example.org",
                institution(json!("128807")),
                403,
            ),
            (
                "institution",
                "/x?x-registryId=128807",
                host,
                json!({}),
                403,
            ),
        ] {
            let guard = &guards.iter().find(|(name, _)| *name == guard).unwrap().1;
            for door in DOORS {
                let mut request = Request::get(uri);
                if !host.is_empty() {
                    request = request.header("host", host);
                }
                if let Value::Object(members) = &claims {
                    let mut token = WORLD.issuer.token();
                    for (name, value) in members {
                        token = token.claim(name, value);
                    }
                    request = request.header("authorization", format!("Bearer {}", token.mint()));
                }
                let request = request.body(Body::empty()).unwrap();
                let found = through(door, guard, request).await;
                assert_eq!(found, wanted, "{door}: {uri} on {host:?} with {claims}");
            }
        }
    }

    #[tokio::test]
    async fn a_guard_without_a_gate_says_what_is_missing() {
        for (_, guard) in guards() {
            let service = ServiceBuilder::new()
                .layer(guard.layer())
                .service(service_fn(async |_: Request<Body>| {
                    Ok::<_, Infallible>(Response::new(Body::empty()))
                }));
            let request = Request::get("/interviews/A/pages").body(Body::empty());
            let response = service.oneshot(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), 500);
            let error = response.extensions().get::<Error>().unwrap();
            assert_eq!(
                error.to_string(),
                "ResourceGuardLayer found no verified request, wanted ResourceServer::layer \
                 outside of it"
            );
        }
    }

    #[tokio::test]
    async fn strangers_do_not_pass_an_optional_gate() {
        for (_, guard) in guards() {
            let app: Router = Router::new()
                .route("/{*any}", get(|| async {}))
                .layer(guard.layer())
                .layer(WORLD.server.optional_layer());
            let request = Request::get("/interviews/A/pages").body(Body::empty());
            let response = app.oneshot(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), 401);
        }
    }
}

/// An axum application whose handlers tell the path parameters they see.
fn echo(guard: &ResourceGuard, claims: Value) -> Router {
    async fn tell(params: RawPathParams) -> String {
        let pairs: Vec<(&str, &str)> = params.iter().collect();
        serde_json::to_string(&pairs).unwrap()
    }
    Router::new()
        .route("/interviews/{id}", get(tell))
        .route("/interviews/{id}/{*rest}", get(tell))
        .layer(guard.layer())
        .layer(WORLD.server.with_claims(claims))
}

/// What a handler sees as `id`, if the request gets there.
async fn seen(app: Router, uri: &str) -> Option<String> {
    let request = Request::get(uri).body(Body::empty()).ok()?;
    let response = app.oneshot(request).await.unwrap();
    if response.status() != 200 {
        assert_eq!(response.status(), 403, "{uri}");
        return None;
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let pairs: Vec<(String, String)> = serde_json::from_slice(&body).unwrap();
    Some(pairs.into_iter().find(|(name, _)| name == "id").unwrap().1)
}

/// Paths put together from all that routers and proxies read in more than one way.
#[test]
fn no_path_that_passes_names_another_resource_to_the_router() {
    const ODD: &str = "(a|b|A|%61|%62|%41|\\.|%2[eE]|%2[fF]|/|%5[cC]|%00|%|%25|;|\\+){0,3}";
    let below = string_regex(&format!("/{ODD}")).unwrap();
    let path = (
        prop_oneof![4 => "/interviews/", 1 => "(/|//)interviews(/|//|%2[fF])"],
        prop_oneof![2 => "(a|%61)", 3 => ODD],
        prop_oneof![1 => "", 1 => "/(b|%62)", 3 => below],
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let apps = BY_PATH
        .each_ref()
        .map(|guard| echo(guard, json!({"srv": {"id": "a"}})));
    let passed = [Cell::new(0), Cell::new(0)];
    let config = ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&path, |(start, id, rest)| {
        let path = format!("{start}{id}{rest}");
        for (app, passed) in apps.iter().zip(&passed) {
            if let Some(found) = runtime.block_on(seen(app.clone(), &path)) {
                prop_assert_eq!(&found, "a", "{}", path);
                passed.set(passed.get() + 1);
            }
        }
        Ok(())
    });
    outcome.unwrap();
    // Else nothing was shown.
    for passed in passed {
        assert!(passed.get() >= 10, "only {} passed", passed.get());
    }
}

#[tokio::test]
async fn a_handler_sees_what_the_guard_admitted() {
    let guard = ResourceGuard::path("/interviews/{id}/pages").param_is("id", ["/srv/id"]);
    let guard = guard.build().unwrap();
    for (id, spelled) in [
        ("A 1", "A%201"),
        ("a+b", "a+b"),
        ("a+b", "a%2bb"),
        ("%41", "%2541"),
        ("café", "caf%C3%A9"),
        ("a;b=c", "a;b=c"),
        ("...", ".%2e."),
    ] {
        let app: Router = Router::new()
            .route(
                "/interviews/{id}/pages",
                get(|Path(id): Path<String>| async move { id }),
            )
            .layer(guard.layer())
            .layer(WORLD.server.with_claims(json!({"srv": {"id": id}})));
        let uri = format!("/interviews/{spelled}/pages");
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{spelled}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, id, "{spelled}");
    }
}

/// A nested router sees the path without the prefix, and so does a guard inside of it.
#[tokio::test]
async fn inside_of_nest_the_prefix_is_gone() {
    let guard = |pattern| {
        let guard = ResourceGuard::path(pattern).param_is("id", ["/srv/id"]);
        guard.build().unwrap()
    };
    let status = async |inner: Router, outer: Option<ResourceGuard>, id: &str| {
        let mut app = Router::new().nest("/api", inner);
        if let Some(outer) = outer {
            app = app.layer(outer.layer());
        }
        let claims = json!({"srv": {"id": id}});
        let app = app.layer(WORLD.server.with_claims(claims));
        let request = Request::get("/api/things/7").body(Body::empty()).unwrap();
        app.oneshot(request).await.unwrap().status().as_u16()
    };
    let inner = || Router::new().route("/things/{id}", get(|| async {}));
    for (id, wanted) in [("7", 200), ("8", 403)] {
        let within = inner().layer(guard("/things/{id}").layer());
        assert_eq!(status(within, None, id).await, wanted);
        let around = Some(guard("/api/things/{id}"));
        assert_eq!(status(inner(), around, id).await, wanted);
    }
    let with_prefix = inner().layer(guard("/api/things/{id}").layer());
    assert_eq!(status(with_prefix, None, "7").await, 403);
    let without = Some(guard("/things/{id}"));
    assert_eq!(status(inner(), without, "7").await, 403);
}

/// How each byte is spelled: whether it is encoded though it need not be, and each digit's case.
type Spelling = Vec<(bool, bool, bool)>;

fn spelling() -> impl Strategy<Value = Spelling> {
    proptest::collection::vec(any::<(bool, bool, bool)>(), 64)
}

fn spell(text: &str, spelling: &Spelling, plain: &str) -> String {
    let mut spelled = String::new();
    for (byte, (encode, first, second)) in text.bytes().zip(spelling.iter().cycle()) {
        let is_plain = byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte);
        if is_plain && !encode {
            spelled.push(char::from(byte));
            continue;
        }
        spelled.push('%');
        for (digit, upper) in [(byte >> 4, first), (byte & 15, second)] {
            let digit = char::from_digit(u32::from(digit), 16).unwrap();
            spelled.push(if *upper {
                digit.to_ascii_uppercase()
            } else {
                digit
            });
        }
    }
    spelled
}

/// What need not be encoded in a segment (RFC 3986 §3.3).
const SEGMENT: &str = "-._~!$&'()*+,;=:@";

/// Identifiers, plain and odd.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9]{1,6}",
        "[0-9]{1,4}",
        "[ -~]{1,8}",
        "[./%0-2a-f\\\\]{1,6}",
        "[\u{0}-\u{2ff}\u{4e00}-\u{4e0f}\u{1f600}]{1,4}",
    ]
}

/// An identifier that is nearly another one.
fn neighbour(id: &str, way: u8) -> String {
    match way % 10 {
        0 => id.to_owned(),
        1 => id.to_uppercase(),
        2 => id.to_lowercase(),
        3 => format!("0{id}"),
        4 => format!("{id}."),
        5 => format!("{id}/"),
        6 => format!("./{id}"),
        7 => format!("{id} "),
        8 => format!("{id}\0"),
        _ => id.chars().rev().collect(),
    }
}

/// What the guard admits in a path by rule.
fn is_plain(id: &str) -> bool {
    let odd = |c: char| matches!(c, '/' | '\\') || c.is_control();
    !id.is_empty() && id != "." && id != ".." && !id.contains(odd)
}

static BY_PATH: LazyLock<[ResourceGuard; 2]> = LazyLock::new(|| {
    ["/interviews/{id}", "/interviews/{id}/{*rest}"].map(|pattern| {
        let guard = ResourceGuard::path(pattern).param_is("id", ["/srv/id"]);
        guard.build().unwrap()
    })
});

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_path_passes_if_its_id_is_the_claim_in_any_spelling(
        own in id(),
        other in id(),
        way in any::<u8>(),
        stranger in any::<bool>(),
        spelling in spelling(),
    ) {
        let asked = if stranger { other } else { neighbour(&own, way) };
        let token = testing::access_token(json!({"srv": {"id": own}}));
        let passes = own == asked && is_plain(&own);
        let spelled = spell(&asked, &spelling, SEGMENT);
        let [alone, below] = &*BY_PATH;
        for (guard, uri) in [
            (alone, format!("/interviews/{spelled}")),
            (below, format!("/interviews/{spelled}/pages/3")),
        ] {
            let parts = parts(&uri).unwrap();
            prop_assert_eq!(guard.check(&parts, &token).is_ok(), passes, "{}", uri);
        }
        // Another shape never passes, whatever the id.
        for (guard, uri) in [
            (alone, format!("/interviews/{spelled}/")),
            (alone, format!("/interviews//{spelled}")),
            (alone, format!("//interviews/{spelled}")),
            (alone, format!("/interviews/{spelled}/.")),
            (alone, format!("/interviews/x/../{spelled}")),
            (alone, format!("/interviews%2f{spelled}")),
            (alone, format!("/Interviews/{spelled}")),
            (below, format!("/interviews/{spelled}")),
            (below, format!("/interviews/{spelled}/")),
            (below, format!("/interviews/{spelled}//pages")),
            (below, format!("/interviews/{spelled}/pages/")),
            (below, format!("/interviews/{spelled}/../x")),
            (below, format!("/interviews/{spelled}/%2e%2E/x")),
            (below, format!("/interviews/{spelled}/x%2F..%2Fy")),
            (below, format!("/interviews/{spelled}/%zz")),
        ] {
            if let Some(parts) = parts(&uri) {
                prop_assert!(guard.check(&parts, &token).is_err(), "{}", uri);
            }
        }
    }

    #[test]
    fn a_query_passes_if_its_one_parameter_is_the_claim(
        own in id(),
        other in id(),
        way in any::<u8>(),
        stranger in any::<bool>(),
        spelling in spelling(),
    ) {
        let asked = if stranger { other } else { neighbour(&own, way) };
        let guard = ResourceGuard::anywhere().query_is("x-id", ["/id"]).build().unwrap();
        let token = testing::access_token(json!({"id": own}));
        let name = spell("x-id", &spelling, "-");
        let value = spell(&asked, &spelling, "-._~!$'()*,;:@/?=");
        let blank = value.replace("%20", "+");
        let check = |query: &str| {
            let parts = parts(&format!("/?{query}")).unwrap();
            guard.check(&parts, &token).is_ok()
        };
        for value in [&value, &blank] {
            prop_assert_eq!(check(&format!("{name}={value}")), own == asked, "{}", value);
            prop_assert_eq!(check(&format!("a=1&{name}={value}&b")), own == asked, "{}", value);
            for wrong in [
                format!("{name}={value}&x-id={value}"),
                format!("{name}={value}&%78-id"),
                format!("a{name}={value}"),
            ] {
                prop_assert!(!check(&wrong), "{}", wrong);
            }
        }
    }

    #[test]
    fn a_host_passes_if_its_one_label_is_the_claim(
        own in "[A-Ca-c0-1-]{1,4}",
        asked in "[A-Ca-c0-1.-]{0,4}",
        equal in any::<bool>(),
        shouting in proptest::collection::vec(any::<bool>(), 32),
        port in "(:[0-9]{0,5})?",
        in_target in any::<bool>(),
    ) {
        let asked = if equal { own.clone() } else { asked };
        let host: String = format!("{asked}.share.example.org")
            .chars()
            .zip(shouting.into_iter().cycle())
            .map(|(c, shout)| if shout { c.to_ascii_uppercase() } else { c })
            .collect();
        let guard = ResourceGuard::anywhere().subdomain_is("share.example.org", ["/id"]);
        let guard = guard.build().unwrap();
        let token = testing::access_token(json!({"id": own}));
        let host = format!("{host}{port}");
        let request = if in_target {
            Request::get(format!("http://{host}/"))
        } else {
            Request::get("/").header("host", &host)
        };
        // Host names know no case, identifiers do.
        let passes = asked.to_ascii_lowercase() == own;
        let Ok(request) = request.body(()) else { return Ok(()) };
        let (parts, ()) = request.into_parts();
        prop_assert_eq!(guard.check(&parts, &token).is_ok(), passes, "{}", host);
    }

    #[test]
    fn any_claim_and_any_request_get_an_answer(
        path in "/[ -~]{0,24}",
        claim in r#"("[ !#-~]{0,6}"|-?[0-9]{1,22}|null|true|\[\]|\{"x":1\})"#,
    ) {
        let guard = ResourceGuard::path("/{id}/{*rest}").param_is("id", ["/id", "/id/x"]);
        let guard = guard.query_is("q", ["/id"]).hiding().build().unwrap();
        let Ok(claim) = serde_json::from_str::<Value>(&claim) else { return Ok(()) };
        let token = testing::access_token(json!({"id": claim}));
        let Some(parts) = parts(&path) else { return Ok(()) };
        if let Err(error) = guard.check(&parts, &token) {
            prop_assert_eq!(error.reason(), Reason::Hidden);
            prop_assert!(error.to_string().is_ascii());
        }
    }
}
