//! The issuing side of an Auth0 tenant: logins, tokens for users, machines, agents and guests, keys.
#![allow(dead_code, unreachable_pub)] // The story and the tests each need a part of it.

use std::collections::BTreeMap;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, Request, Response};
use portcullis::Algorithm;
use portcullis::testing::{
    AuthorizationServer, AuthorizationServerBuilder, Desk, TokenBuilder, bearer_token, json_answer,
    json_body, parameters,
};
use serde_json::{Value, json};

/// An API whose tokens have the Auth0 profile.
pub const CALENDAR: &str = "https://api.example.com/calendar/v1/";
/// An API whose tokens have the RFC 9068 profile.
pub const HEALTH: &str = "https://api.example.com/health/";

/// How long an access token lives, in seconds.
pub const DAY: i64 = 86_400;

/// An application of the tenant.
struct Application {
    id: &'static str,
    secret: &'static str,
    /// What it may do on its own, if it may.
    client_grant: Option<&'static str>,
    /// The agent it is linked to.
    agent: Option<&'static str>,
}

const APPLICATIONS: [Application; 3] = [
    Application {
        id: "web",
        secret: "the secret of web",
        client_grant: None,
        agent: None,
    },
    Application {
        id: "geocoder",
        secret: "the secret of geocoder",
        client_grant: Some("read:places"),
        agent: None,
    },
    Application {
        id: "planner",
        secret: "the secret of planner",
        client_grant: Some("read:places"),
        agent: Some("agt_7"),
    },
];

/// Login, id and permissions of each user.
const USERS: [(&str, &str, &[&str]); 2] = [
    ("alice", "auth0|usr_123", &["read", "write"]),
    ("bob", "auth0|usr_456", &["read"]),
];

const ORGANIZATIONS: [(&str, &str); 2] = [("org_1", "acme"), ("org_2", "globex")];

/// Sets the tenant up: its issuer ends with a slash, and it signs with RS256.
pub fn tenant(builder: AuthorizationServerBuilder) -> AuthorizationServerBuilder {
    let builder = builder.path("/").algorithm(Algorithm::RS256);
    builder.without_oauth_metadata()
}

/// Opens the tenant's endpoints, and publishes the next key beside the current one.
pub fn open(tenant: &AuthorizationServer) {
    tenant.announce();
    let metadata = "/.well-known/openid-configuration";
    tenant.answer_at(Method::GET, metadata, |desk, _| {
        let at = |path: &str| format!("{}{path}", desk.issuer());
        json_answer(
            200,
            json!({
                "issuer": desk.issuer(),
                "authorization_endpoint": at("authorize"),
                "token_endpoint": at("oauth/token"),
                "userinfo_endpoint": at("userinfo"),
                "jwks_uri": at(".well-known/jwks.json"),
                "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
            }),
        )
    });
    tenant.answer_at(Method::GET, "/.well-known/jwks.json", |desk, _| {
        json_answer(200, desk.jwks())
    });
    tenant.answer_at(Method::GET, "/authorize", authorize);
    tenant.answer_at(Method::POST, "/oauth/token", |desk, request| {
        token(desk, &asked(request)).unwrap_or_else(Refusal::answer)
    });
    tenant.answer_at(Method::POST, "/anonymous/token", guest);
    tenant.answer_at(Method::GET, "/userinfo", userinfo);
}

type Asked = BTreeMap<String, String>;
type Answer = Response<Vec<u8>>;

/// What a request asks for, as a form or as JSON.
fn asked(request: &Request<Vec<u8>>) -> Asked {
    let Value::Object(members) = json_body(request) else {
        return parameters(request);
    };
    let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    members.into_iter().filter_map(text).collect()
}

/// A refusal as the tenant words it: status, error and description.
struct Refusal(u16, &'static str, String);

impl Refusal {
    fn answer(self) -> Answer {
        let Refusal(status, error, description) = self;
        json_answer(
            status,
            json!({"error": error, "error_description": description}),
        )
    }
}

fn refused(status: u16, error: &'static str, description: impl Into<String>) -> Refusal {
    Refusal(status, error, description.into())
}

/// `GET /authorize`. The login page is left out: the user is whoever `login_hint` names, and agrees.
fn authorize(desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Answer {
    let asked = parameters(request);
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    if !USERS.iter().any(|(login, ..)| *login == get("login_hint")) {
        return refused(401, "login_required", "Login required").answer();
    }
    let code = desk.opaque().claim("use", "code").claim("asked", &asked);
    let code = code.expires_in(60).mint();
    let target = format!("{}?code={code}&state={}", get("redirect_uri"), get("state"));
    let Ok(target) = HeaderValue::try_from(target) else {
        return refused(400, "invalid_request", "Invalid redirect_uri").answer();
    };
    let mut answer = Response::new(Vec::new());
    *answer.status_mut() = hyper::StatusCode::FOUND;
    answer.headers_mut().insert(LOCATION, target);
    answer
}

/// `POST /oauth/token`.
fn token(desk: &Desk<'_>, asked: &Asked) -> Result<Answer, Refusal> {
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    let application = APPLICATIONS
        .iter()
        .find(|known| known.id == get("client_id") && known.secret == get("client_secret"))
        .ok_or_else(|| refused(401, "access_denied", "Unauthorized"))?;
    match get("grant_type") {
        "client_credentials" => for_machine(desk, application, asked),
        "authorization_code" => {
            let code = spent(desk, get("code"), "code", application)
                .filter(|code| code["redirect_uri"] == get("redirect_uri"))
                .ok_or_else(|| refused(403, "invalid_grant", "Invalid authorization code"))?;
            for_user(desk, application, code, None)
        }
        "refresh_token" => {
            let known =
                spent(desk, get("refresh_token"), "refresh", application).ok_or_else(|| {
                    refused(403, "invalid_grant", "Unknown or invalid refresh token.")
                })?;
            for_user(desk, application, known, Some("refresh_token"))
        }
        other => {
            let why = format!("Unsupported grant type: {other}");
            Err(refused(403, "unsupported_grant_type", why))
        }
    }
}

/// What stands behind a code or a rotating refresh token of this application, which are good once.
fn spent(desk: &Desk<'_>, token: &str, used_as: &str, by: &Application) -> Option<Value> {
    let mut known = desk.introspect(token);
    let is_good = known["use"] == used_as && known["asked"]["client_id"] == by.id;
    (is_good && desk.revoke(token)).then(|| known["asked"].take())
}

/// Begins an access token for an API, in the profile of that API.
fn for_api(desk: &Desk<'_>, audience: &str, client: &str) -> Result<TokenBuilder, Refusal> {
    let token = desk.token().audience(audience).expires_in(DAY);
    match audience {
        CALENDAR => {
            let token = token.without("client_id").without("jti");
            Ok(token.typ("JWT").claim("azp", client))
        }
        HEALTH => Ok(token.client_id(client)),
        other => {
            let why = format!("Service not found: {other}");
            Err(refused(403, "access_denied", why))
        }
    }
}

/// A token for the application itself.
fn for_machine(desk: &Desk<'_>, by: &Application, asked: &Asked) -> Result<Answer, Refusal> {
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    let mut token = for_api(desk, get("audience"), by.id)?;
    let scope = by.client_grant.ok_or_else(|| {
        let why = format!("Client is not authorized to access {:?}.", get("audience"));
        refused(403, "access_denied", why)
    })?;
    token = match by.agent {
        None => token.subject(&format!("{}@clients", by.id)),
        Some(agent) => token
            .subject(agent)
            .claim("sub_profile", "ai_agent")
            .claim("client_profile", "service ai_agent"),
    };
    if get("audience") == CALENDAR {
        token = token.claim("gty", "client-credentials");
    }
    token = in_organization(token, get("organization"))?.scope(scope);
    Ok(json_answer(
        200,
        json!({
            "access_token": token.mint(),
            "scope": scope,
            "expires_in": DAY,
            "token_type": "Bearer",
        }),
    ))
}

fn in_organization(token: TokenBuilder, organization: &str) -> Result<TokenBuilder, Refusal> {
    if organization.is_empty() {
        return Ok(token);
    }
    let mut known = ORGANIZATIONS.iter();
    match known.find(|(id, name)| [*id, *name].contains(&organization)) {
        Some((id, name)) => Ok(token.claim("org_id", id).claim("org_name", name)),
        None => {
            let why = "parameter organization is invalid";
            Err(refused(400, "invalid_request", why))
        }
    }
}

/// Tokens for a user who has logged in and agreed to `asked`.
fn for_user(
    desk: &Desk<'_>,
    by: &Application,
    asked: Value,
    gty: Option<&str>,
) -> Result<Answer, Refusal> {
    let get = |name: &str| asked[name].as_str().unwrap_or_default();
    let (_, id, permissions) = USERS
        .into_iter()
        .find(|(login, ..)| *login == get("login_hint"))
        .ok_or_else(|| refused(403, "invalid_grant", "Unknown user"))?;
    let wanted: Vec<&str> = get("scope").split_whitespace().collect();
    // RBAC is on: no more than the user may do, and what is about the login itself.
    let about_login = ["openid", "profile", "offline_access"];
    let granted = wanted.iter().copied();
    let granted = granted.filter(|word| permissions.contains(word) || about_login.contains(word));
    let scope = granted.collect::<Vec<_>>().join(" ");

    let access_token = match get("audience") {
        // For no API in particular: opaque, and good for `/userinfo` alone.
        "" => {
            let token = desk.opaque().subject(id).claim("use", "userinfo");
            token.scope(&scope).expires_in(DAY).mint()
        }
        audience => {
            let mut token = for_api(desk, audience, by.id)?
                .subject(id)
                .scope(&scope)
                .claim("permissions", permissions);
            if wanted.contains(&"openid") {
                let userinfo = format!("{}userinfo", desk.issuer());
                token = token.claim("aud", [audience, &userinfo]);
            }
            if let Some(gty) = gty.filter(|_| audience == CALENDAR) {
                token = token.claim("gty", gty);
            }
            in_organization(token, get("organization"))?.mint()
        }
    };
    let mut answer = json!({
        "access_token": access_token,
        "scope": scope,
        "expires_in": DAY,
        "token_type": "Bearer",
    });
    if wanted.contains(&"openid") {
        let token = desk.token().typ("JWT").subject(id).audience(by.id);
        let token = token.without("scope").without("client_id").without("jti");
        answer["id_token"] = json!(token.claim("nickname", get("login_hint")).mint());
    }
    if wanted.contains(&"offline_access") {
        let token = desk.opaque().claim("use", "refresh").claim("asked", &asked);
        answer["refresh_token"] = json!(token.prefix("v1.").expires_in(30 * DAY).mint());
    }
    Ok(json_answer(200, answer))
}

/// `POST /anonymous/token`: a session for a guest.
fn guest(desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Answer {
    let asked = asked(request);
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    let session = desk.opaque().claim("use", "session").mint();
    let token = match for_api(desk, get("audience"), get("client_id")) {
        Ok(token) => token.subject(&format!("anon@{}", &session[..12])),
        Err(refusal) => return refusal.answer(),
    };
    json_answer(
        200,
        json!({
            "access_token": token.scope("read:places").mint(),
            "session_token": session,
            "expires_in": DAY,
            "token_type": "Bearer",
        }),
    )
}

/// `GET /userinfo`.
fn userinfo(desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Answer {
    let known = desk.introspect(&bearer_token(request).unwrap_or_default());
    let user = USERS.iter().find(|(_, id, _)| known["sub"] == *id);
    let mut scopes = known["scope"].as_str().unwrap_or_default().split(' ');
    match user {
        Some((login, id, _)) if known["use"] == "userinfo" && scopes.any(|s| s == "openid") => {
            json_answer(200, json!({"sub": id, "nickname": login}))
        }
        _ => refused(401, "invalid_token", "Unauthorized").answer(),
    }
}
