//! Embloy's issuing side: a log-in buys a refresh token, that an access token, that a client token,
//! and that a request token.
#![allow(dead_code, unreachable_pub)] // Nobody needs all of it, and nobody imports an example.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response};
use portcullis::testing::{
    AuthorizationServer, Desk, TokenBuilder, basic_credentials, bearer_token, json_answer,
    json_body, parameters,
};
use serde_json::{Value, json};

#[allow(clippy::duplicate_mod)] // The tests load several issuers, each with its own.
mod wire;
use wire::header;

/// The secrets that Embloy keeps in its environment, one for each kind.
pub const REFRESH_SECRET: &str = "REFRESH_TOKEN_SECRET, 32 bytes or more";
pub const ACCESS_SECRET: &str = "ACCESS_TOKEN_SECRET, 32 bytes or more";
pub const CLIENT_SECRET: &str = "CLIENT_TOKEN_SECRET, 32 bytes or more";
pub const REQUEST_SECRET: &str = "REQUEST_TOKEN_SECRET, 32 bytes or more";

const ISSUER: &str = "api.embloy.com";

const HOUR: i64 = 3600;
const REFRESH_LIFETIME: i64 = 14 * 24 * HOUR;
const ACCESS_LIFETIME: i64 = 20 * 60;
const CLIENT_LIFETIME: i64 = 90 * 24 * HOUR;
const REQUEST_LIFETIME: i64 = 30 * 60;

/// Somebody with an account.
struct User {
    id: u64,
    email: &'static str,
    role: &'static str,
    account: &'static str,
    scope: &'static str,
    /// What the company pays for, if it is one that does.
    tier: Option<&'static str>,
}

/// All have the same password.
pub const PASSWORD: &str = "open sesame";

static USERS: [User; 3] = [
    User {
        id: 1,
        email: "ada@mail.example",
        role: "verified",
        account: "PrivateUser",
        scope: "https://api.embloy.com/api.write",
        tier: None,
    },
    User {
        id: 2,
        email: "jobs@acme.example",
        role: "verified",
        account: "CompanyUser",
        scope: "https://api.embloy.com/api.write",
        tier: Some("premium"),
    },
    User {
        id: 3,
        email: "max@embloy.example",
        role: "moderator",
        account: "PrivateUser",
        scope: "https://api.embloy.com/api/reports.read",
        tier: None,
    },
];

/// Signs claims as Embloy does: HS256, and nothing else in the header.
pub fn signed(token: TokenBuilder, secret: &str, claims: &Value) -> String {
    wire::signed(token, r#"{"alg":"HS256"}"#, secret, claims)
}

/// Has `server` issue as Embloy does, below `/api/v0`.
pub fn open(server: &AuthorizationServer) {
    let book = Arc::new(Book::default());
    let calls: [(&str, Call); 4] = [
        ("/api/v0/auth/token/refresh", Book::refresh),
        ("/api/v0/auth/token/access", Book::access),
        ("/api/v0/auth/token/client", Book::client),
        ("/api/v0/sdk/request/auth/token", Book::request),
    ];
    for (path, call) in calls {
        let book = Arc::clone(&book);
        server.answer_at(Method::POST, path, move |desk, request| {
            let answer = call(&book, desk, request);
            answer.unwrap_or_else(|refusal| refusal.answer())
        });
    }
}

type Answer = Response<Vec<u8>>;
type Call = fn(&Book, &Desk<'_>, &Request<Vec<u8>>) -> Result<Answer, Refusal>;

/// A status, what is wrong, and how.
struct Refusal(u16, &'static str, &'static str);

impl Refusal {
    fn answer(&self) -> Answer {
        let Refusal(status, attribute, error) = *self;
        let description = match (status, error) {
            (_, "ERR_BLANK") => "Attribute can't be blank",
            (_, "ERR_RAC") => "Access is restricted",
            (401, _) => "Attribute is invalid or expired",
            _ => "Attribute is malformed",
        };
        let error = json!({"error": error, "description": description});
        json_answer(status, json!({attribute: [error]}))
    }
}

/// What was issued: of which kind, to whom, until when.
#[derive(Default)]
struct Book(Mutex<HashMap<String, (&'static str, &'static User, i64)>>);

impl Book {
    /// For a password, in Basic credentials.
    fn refresh(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Result<Answer, Refusal> {
        let credentials = basic_credentials(request);
        let (email, password) = credentials.ok_or(Refusal(400, "email|password", "ERR_BLANK"))?;
        let user = USERS
            .iter()
            .find(|user| user.email == email && password == PASSWORD)
            .ok_or(Refusal(401, "email|password", "ERR_INVALID"))?;
        let lifetime = match parameters(request).get("refresh_token[validity]") {
            None => REFRESH_LIFETIME,
            Some(wish) => wish.parse().unwrap_or(0),
        };
        if !(2 * HOUR..=REFRESH_LIFETIME).contains(&lifetime) {
            return Err(Refusal(400, "validity", "ERR_INVALID"));
        }
        let now = desk.now().as_secs();
        let claims = json!({
            "sub": user.id,
            "exp": now + lifetime,
            // In place of MD5("iat:iss:secret"): as there, all of one second have the same.
            "jti": format!("{now:032x}"),
            "iat": now,
            "iss": ISSUER,
        });
        let token = self.issue("refresh", user, desk, REFRESH_SECRET, &claims);
        Ok(json_answer(200, json!({"refresh_token": token})))
    }

    /// For a refresh token, in the body.
    fn access(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Result<Answer, Refusal> {
        let body = json_body(request);
        if body["grant_type"] != "refresh_token" {
            return Err(Refusal(400, "grant_type", "ERR_INVALID"));
        }
        let user = self.holder("refresh", body["refresh_token"].as_str(), desk)?;
        let claims = json!({
            "sub": user.id,
            "exp": desk.now().as_secs() + ACCESS_LIFETIME,
            "typ": user.role,
            "mod": user.account,
            "scope": user.scope,
            "iss": ISSUER,
        });
        let token = self.issue("access", user, desk, ACCESS_SECRET, &claims);
        let answer = json!({
            "access_token": token,
            "token_type": "Bearer",
            "scope": user.scope,
            "expires_in": ACCESS_LIFETIME,
        });
        Ok(json_answer(200, answer))
    }

    /// For an access token, if its holder pays.
    fn client(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Result<Answer, Refusal> {
        let token = bearer_token(request);
        let user = self.holder("access", token.as_deref(), desk)?;
        let tier = user.tier.ok_or(Refusal(403, "user", "ERR_RAC"))?;
        let now = desk.now().as_secs();
        let exp = json_body(request)["exp"].as_i64();
        let claims = json!({
            "sub": user.id,
            "exp": exp.unwrap_or(now + CLIENT_LIFETIME),
            "typ": tier,
            "iat": now,
            "iss": ISSUER,
        });
        let token = self.issue("client", user, desk, CLIENT_SECRET, &claims);
        Ok(json_answer(200, json!({"client_token": token})))
    }

    /// For a client token, about one job.
    fn request(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Result<Answer, Refusal> {
        // Rails cannot tell the one from the other.
        let token = header(request, "client_token").or_else(|| header(request, "client-token"));
        let user = self.holder("client", token, desk)?;
        let body = json_body(request);
        let mode = body["mode"].as_str().unwrap_or("job");
        let slug = match (body["job_slug"].as_str(), mode) {
            (None, _) => return Err(Refusal(400, "job_slug", "ERR_BLANK")),
            (Some(slug), "job") => slug.to_owned(),
            (Some(slug), mode) => format!("{mode}__{slug}"),
        };
        let now = desk.now().as_secs();
        // What else the company says is kept, whatever it is; these four are Embloy's to say.
        let mut session = body.as_object().cloned().unwrap_or_default();
        session.retain(|_, said| !said.is_null());
        session.insert("mode".to_owned(), json!(mode));
        session.insert("job_slug".to_owned(), json!(slug));
        session.insert("user_id".to_owned(), json!(user.id));
        session.insert("subscription_type".to_owned(), json!(user.tier));
        let claims = json!({
            "sub": user.id,
            "exp": now + REQUEST_LIFETIME,
            "session": session,
            "iat": now,
            "iss": ISSUER,
        });
        let token = self.issue("request", user, desk, REQUEST_SECRET, &claims);
        Ok(json_answer(200, json!({"request_token": token})))
    }

    fn issue(
        &self,
        kind: &'static str,
        user: &'static User,
        desk: &Desk<'_>,
        secret: &str,
        claims: &Value,
    ) -> String {
        let token = signed(desk.token(), secret, claims);
        let until = claims["exp"].as_i64().unwrap_or_default();
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued.insert(token.clone(), (kind, user, until));
        token
    }

    /// Whose token of this kind it is.
    fn holder(
        &self,
        kind: &str,
        token: Option<&str>,
        desk: &Desk<'_>,
    ) -> Result<&'static User, Refusal> {
        let attribute = match kind {
            "client" => "client token",
            _ => "token",
        };
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or(Refusal(400, attribute, "ERR_BLANK"))?;
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match issued.get(token) {
            Some((found, user, until)) if *found == kind && desk.now().as_secs() < *until => {
                Ok(user)
            }
            _ => Err(Refusal(401, attribute, "ERR_INVALID")),
        }
    }
}
