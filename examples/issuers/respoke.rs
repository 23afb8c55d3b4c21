//! Respoke's issuing side: admin sessions, roles, one-time tokens and the sessions they buy, all in
//! one store that the API looks into.
#![allow(dead_code, unreachable_pub)] // No story needs all of it, and nobody imports an example.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::{Method, Request};
use portcullis::profile::respoke::{AdminToken, Found, Sessions};
use portcullis::testing::{AuthorizationServer, Desk, json_answer, json_body, parameters};
use portcullis::{ClaimSet, Lookup, LookupAnswer, Unavailable};
use serde_json::{Value, json};

#[allow(clippy::duplicate_mod)] // The tests load several issuers, each with its own.
mod wire;
use wire::header;

/// The account, its administrator, and one of its apps.
pub const ACCOUNT: &str = "9628";
pub const USERNAME: &str = "spock@enterprise.example";
pub const PASSWORD: &str = "live long";
pub const APP: &str = "0DFC";
pub const APP_SECRET: &str = "28B061B9-A0D4-4E52-A0ED-EB6EA125F82A";
/// Another app, which is in development mode: its tokens need no secret.
pub const DEVELOPED_APP: &str = "D76D";

/// How long a token and its session are good unless `ttl` says otherwise, in seconds.
const TTL: i64 = 86_400;
const LONGEST_TTL: i64 = 365 * TTL;
/// How long a `tokenId` waits to be exchanged, in seconds. "Very short", the documents say.
const ACTIVATION: i64 = 60;

/// The issuer's desk and the API's store.
#[derive(Clone, Default)]
pub struct Respoke(Arc<Mutex<Rows>>);

#[derive(Default)]
struct Rows {
    /// Accounts by Admin-Token.
    admins: HashMap<String, String>,
    roles: HashMap<String, Value>,
    /// What was issued, by `tokenId`.
    tokens: HashMap<String, Value>,
    /// The same, with its role, by App-Token.
    sessions: HashMap<String, Value>,
    on_log_out: Vec<Hook>,
}

type Hook = Box<dyn Fn(&str) + Send>;

/// The body of an answer, or status and `error` of a refusal.
type Outcome = Result<Value, Refusal>;
type Refusal = (u16, &'static str);

impl Respoke {
    /// Opens for business at `server`.
    pub fn open(server: &AuthorizationServer) -> Respoke {
        let respoke = Respoke::default();
        type Call = fn(&Respoke, &Desk<'_>, &Request<Vec<u8>>) -> Outcome;
        let calls: [(Method, &str, Call); 5] = [
            (Method::POST, "/v1/admin-sessions", Respoke::log_admin_in),
            (Method::POST, "/v1/roles", Respoke::create_role),
            (Method::POST, "/v1/tokens", Respoke::issue_token),
            (Method::POST, "/v1/session-tokens", Respoke::begin_session),
            (Method::DELETE, "/v1/session-tokens", Respoke::end_session),
        ];
        for (method, path, call) in calls {
            let respoke = respoke.clone();
            server.answer_at(method, path, move |desk, request| {
                match call(&respoke, desk, request) {
                    Ok(body) => json_answer(200, body),
                    Err((status, error)) => json_answer(status, json!({ "error": error })),
                }
            });
        }
        respoke
    }

    /// Calls `hook` with the App-Token of each session that is ended.
    pub fn on_log_out(&self, hook: impl Fn(&str) + Send + 'static) {
        self.rows().on_log_out.push(Box::new(hook));
    }

    fn log_admin_in(&self, _: &Desk<'_>, request: &Request<Vec<u8>>) -> Outcome {
        let body = json_body(request);
        if body["username"] != USERNAME || body["password"] != PASSWORD {
            return Err((401, "wrong username or password"));
        }
        let token = uuid();
        let mut rows = self.rows();
        rows.admins.insert(token.clone(), ACCOUNT.to_owned());
        Ok(authorized(&token))
    }

    fn create_role(&self, _: &Desk<'_>, request: &Request<Vec<u8>>) -> Outcome {
        let body = json_body(request);
        let mut rows = self.rows();
        let app = rows.app_of(request, &body)?;
        let id = uuid();
        let mut role = json!({
            "id": &id, "appId": app, "accountId": ACCOUNT, "name": body["name"],
            // Absent is denied.
            "mediaRelay": false, "events": {}, "groups": {}, "pstnOut": [], "callerIds": [],
        });
        for member in ["mediaRelay", "events", "groups", "pstnOut", "callerIds"] {
            if let Some(value) = body.get(member) {
                role[member] = value.clone();
            }
        }
        rows.roles.insert(id, role.clone());
        Ok(role)
    }

    fn issue_token(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Outcome {
        // The mobile clients send a form.
        let body = match json_body(request) {
            Value::Null => json!(parameters(request)),
            body => body,
        };
        let mut rows = self.rows();
        let for_development = is_bare(request) && body["appId"] == DEVELOPED_APP;
        let app = match for_development {
            true => DEVELOPED_APP.to_owned(),
            false => rows.app_of(request, &body)?,
        };
        let endpoint = body["endpointId"].as_str().filter(|name| !name.is_empty());
        let endpoint = endpoint.ok_or((400, "endpointId is missing"))?;
        let ttl = match &body["ttl"] {
            Value::Null => Some(TTL),
            Value::String(digits) => digits.parse().ok(),
            number => number.as_i64(),
        };
        let ttl = ttl.filter(|ttl| (1..=LONGEST_TTL).contains(ttl));
        let ttl = ttl.ok_or((400, "ttl is not a number of seconds"))?;
        let role = rows.roles.values().find(|role| {
            let is = |member, named| body.get(named).is_some_and(|name| *name == role[member]);
            role["appId"] == app && (is("id", "roleId") || is("name", "roleName"))
        });
        let role_id = role.map(|role| role["id"].clone());
        if role_id.is_none() && !for_development {
            return Err((400, "there is no such role"));
        }
        let now = desk.now();
        let created = jiff::Timestamp::from_millisecond(now.as_millis());
        let created = created.map(|time| time.to_string()).unwrap_or_default();
        let id = uuid();
        let token = json!({
            "appId": app, "endpointId": endpoint, "roleId": role_id, "accountId": ACCOUNT,
            "createTime": now.as_secs(), "expiryTime": now.as_secs() + ttl,
            "id": &id, "tokenId": &id, "forDevelopment": for_development, "createdAt": created,
        });
        rows.tokens.insert(id, token.clone());
        Ok(token)
    }

    fn begin_session(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Outcome {
        let body = json_body(request);
        let mut rows = self.rows();
        // Used once, for good or ill.
        let id = body["tokenId"].as_str().unwrap_or_default();
        let token = rows.tokens.remove(id);
        let token = token.filter(|token| {
            let waited = desk.now().as_secs() - token["createTime"].as_i64().unwrap_or_default();
            let is_its_app = body.get("appId").is_none_or(|app| *app == token["appId"]);
            waited < ACTIVATION && is_its_app
        });
        let mut session = token.ok_or((401, "there is no such token"))?;
        let role = session["roleId"].as_str().and_then(|id| rows.roles.get(id));
        session["role"] = role.cloned().unwrap_or_else(development_role);
        let token = uuid();
        rows.sessions.insert(token.clone(), session);
        Ok(authorized(&token))
    }

    fn end_session(&self, _: &Desk<'_>, request: &Request<Vec<u8>>) -> Outcome {
        let token = header(request, "App-Token").unwrap_or_default();
        let mut rows = self.rows();
        if rows.sessions.remove(token).is_none() {
            return Err((401, "there is no such session"));
        }
        for hook in &rows.on_log_out {
            hook(token);
        }
        Ok(json!({"message": "Session ended"}))
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// The app that the secret is of, or that an administrator names.
    fn app_of(&self, request: &Request<Vec<u8>>, body: &Value) -> Result<String, Refusal> {
        let shown = |name| header(request, name).unwrap_or_default();
        if shown("App-Secret") == APP_SECRET {
            return Ok(APP.to_owned());
        }
        if self.sessions.contains_key(shown("App-Token")) {
            return Err((403, "an endpoint may not do this"));
        }
        if !self.admins.contains_key(shown("Admin-Token")) {
            return Err((401, "an App-Secret or Admin-Token is needed"));
        }
        match body["appId"].as_str() {
            Some(app @ (APP | DEVELOPED_APP)) => Ok(app.to_owned()),
            _ => Err((403, "the app is none of this account")),
        }
    }
}

impl Sessions for Respoke {
    async fn find(&self, token: &str) -> Result<Option<Found>, Unavailable> {
        let rows = self.rows();
        if rows.tokens.contains_key(token) {
            return Ok(Some(Found::TokenId));
        }
        match rows.sessions.get(token) {
            Some(row) => Ok(Some(Found::Session(LookupAnswer::from_serialize(row)?))),
            None => Ok(None),
        }
    }
}

/// The same store, asked for Admin-Tokens.
pub struct Admins(pub Respoke);

impl Lookup for Admins {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        let rows = self.0.rows();
        let account = rows.admins.get(token);
        Ok(account
            .map(|account| AdminToken::claims(account))
            .transpose()?)
    }
}

/// Everything an endpoint can do without money.
fn development_role() -> Value {
    let all = json!({
        "subscribe": true, "unsubscribe": true, "create": true, "destroy": true, "publish": true,
        "getsubscribers": true,
    });
    json!({"mediaRelay": true, "groups": {"list": true, "*": all}})
}

fn authorized(token: &str) -> Value {
    json!({"message": "Authorization successful", "token": token})
}

/// Whether it shows no credential at all.
fn is_bare(request: &Request<Vec<u8>>) -> bool {
    let headers = ["App-Token", "App-Secret", "Admin-Token"];
    headers
        .iter()
        .all(|name| !request.headers().contains_key(*name))
}

/// Random, in upper case.
fn uuid() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the machine has randomness");
    let hex = format!("{:032X}", u128::from_be_bytes(bytes));
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
