//! The issuing side of Rocket Lawyer: access tokens, service tokens, scoped access tokens, in the
//! shapes its documentation shows, odd ones included.
#![allow(dead_code, unreachable_pub)] // Nobody needs all of it, and nobody imports an example.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response};
use portcullis::UnixTime;
use portcullis::profile::rocket_lawyer::{ACCESS_TOKENS, ISSUER, SERVICE_TOKENS};
use portcullis::testing::{
    AuthorizationServer, Desk, TokenBuilder, bearer_token, json_answer, json_body,
};
use serde_json::{Map, Value, json};

#[allow(clippy::duplicate_mod)] // The tests load several issuers, each with its own.
mod wire;

/// Signs all tokens.
pub const SECRET: &str = "the HMAC secret of all Rocket Lawyer tokens";

pub const ACCESS_TOKEN: &str = "/partners/v1/auth/accesstoken";
pub const SERVICE_TOKEN: &str = "/partners/v1/auth/servicetoken";

/// How long access tokens live, in seconds.
pub const TEN_HOURS: i64 = 36_000;
/// How long the service token of a new interview lives, in seconds.
pub const YEAR: i64 = 31_536_000;

/// A partner's application.
pub struct Application {
    pub id: &'static str,
    pub secret: &'static str,
}

/// The only one that may ask for service tokens.
pub const BACKEND: Application = Application {
    id: "acme-backend",
    secret: "backend-secret",
};
/// May exchange them, so that no backend's secret is ever in a browser.
pub const FRONTEND: Application = Application {
    id: "acme-frontend",
    secret: "frontend-secret",
};

/// What a service token must say for each purpose, and nothing beyond.
const PURPOSES: [(&str, &[&str]); 5] = [
    (
        "api.rocketlawyer.com/rocketdoc",
        &["interviewId", "partnerEndUserId"],
    ),
    ("api.rocketlawyer.com/binder-party-access", &["upid"]),
    (
        "api.rocketlawyer.com/document-manager/v1/binders",
        &["upid"],
    ),
    ("api.rocketlawyer.com/rocketsign/binder/sign", &["upid"]),
    ("api.rocketlawyer.com/demo/things", &["owner"]),
];

/// Knows the tokens it has issued, and by that which it is shown. Clones share the knowledge.
#[derive(Clone, Default)]
pub struct Issuer(Arc<Mutex<HashMap<String, Value>>>);

impl Issuer {
    /// Opens the issuing calls on a server.
    pub fn open(server: &AuthorizationServer) -> Issuer {
        let issuer = Issuer::default();
        let (access, service) = (issuer.clone(), issuer.clone());
        server.answer_at(Method::POST, ACCESS_TOKEN, move |desk, request| {
            access.access_token(desk, request)
        });
        server.answer_at(Method::POST, SERVICE_TOKEN, move |desk, request| {
            service.service_token(desk, request)
        });
        issuer
    }

    /// The service token of a new, ephemeral interview, for the header `rl-rdoc-servicetoken` of
    /// the answer to whoever created it.
    pub fn for_interview(&self, server: &AuthorizationServer, interview: &str) -> String {
        let now = server.clock().now().as_secs();
        let srv = json!({
            "purpose": "api.rocketlawyer.com/rocketdoc",
            "interviewId": interview,
            "expirationTime": now + YEAR,
            "originalClientId": BACKEND.id,
        });
        self.issue(server.token(), service_claims(srv, now))
    }

    /// `POST /accesstoken`: a general token for a client, a scoped one for a service token.
    fn access_token(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let body = json_body(request);
        let application = [BACKEND, FRONTEND]
            .into_iter()
            .find(|known| body["client_id"] == known.id && body["client_secret"] == known.secret);
        let Some(application) = application else {
            return fault(401, "Invalid client credentials", "Unauthorized");
        };
        let srv = match body["grant_type"].as_str() {
            Some("client_credentials") => Value::Null,
            // Not the code of OAuth: a service token, good for any number of exchanges.
            Some("authorization_code") => match self.known(desk, SERVICE_TOKENS, &body["code"]) {
                Some(service) => service["srv"].clone(),
                None => return fault(400, "Invalid code", "Bad Request"),
            },
            _ => return fault(400, "Invalid grant_type", "Bad Request"),
        };
        let now = desk.now();
        let claims = json!({
            "iss": ISSUER,
            "aud": ACCESS_TOKENS,
            "iat": now.as_secs(),
            "exp": now.as_secs() + TEN_HOURS,
            "rl_api_client_id": application.id,
            "rl_user_id": null,
            "srv": srv,
            "ci": null,
        });
        let token = self.issue(desk.token(), claims);
        json_answer(
            200,
            json!({
                "access_token": token,
                "token_type": "BearerToken",
                "expires_in": (TEN_HOURS - 1).to_string(),
                "issued_at": now.as_millis().to_string(),
                "client_id": application.id,
                "application_name": application.id,
                "organization_name": "acme",
                "developer.email": "developer@acme.example",
                "scope": "",
                "status": "approved",
                "api_product_list": "[RocketDocument, RocketSign]",
                "api_product_list_json": ["RocketDocument", "RocketSign"],
                "refresh_token_expires_in": "0",
                "refresh_count": "0",
            }),
        )
    }

    /// `POST /servicetoken`: what the backend wants to hand to a frontend.
    fn service_token(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let refuse = |status: u16, error: &str, message: &str| {
            let body = json!({
                "timestamp": desk.now().as_millis(),
                "status": status,
                "error": error,
                "message": message,
                "path": SERVICE_TOKEN,
            });
            json_answer(status, body)
        };
        let bearer = json!(bearer_token(request));
        let Some(general) = self.known(desk, ACCESS_TOKENS, &bearer) else {
            let code = "keymanagement.service.invalid_access_token";
            return fault(401, "Invalid Access Token", code);
        };
        if general["rl_api_client_id"] != BACKEND.id || !general["srv"].is_null() {
            return refuse(
                403,
                "FORBIDDEN",
                "no system role may request service tokens",
            );
        }
        let Value::Object(wanted) = json_body(request) else {
            return refuse(400, "BAD_REQUEST", "a JSON object is needed");
        };
        let purpose = PURPOSES
            .into_iter()
            .find(|(purpose, _)| wanted.get("purpose").is_some_and(|name| name == purpose));
        let Some((purpose, properties)) = purpose else {
            return refuse(400, "BAD_REQUEST", "unknown purpose");
        };
        if !says_exactly(&wanted, properties) {
            return refuse(400, "BAD_REQUEST", "claim not allowed for purpose");
        }
        let now = desk.now().as_secs();
        let ends = wanted.get("expirationTime").and_then(Value::as_i64);
        let Some(ends) = ends.filter(|ends| *ends > now) else {
            return refuse(400, "BAD_REQUEST", "expirationTime is not in the future");
        };
        let mut srv = wanted.clone();
        for (name, id) in [
            ("originalTenantId", "t-acme"),
            ("partnerId", "p-acme"),
            ("brandId", "b-acme"),
            ("originalClientId", BACKEND.id),
        ] {
            srv.insert(name.to_owned(), json!(id));
        }
        let token = self.issue(desk.token(), service_claims(srv.into(), now));
        // The schema says integer, the guide shows a text.
        let answer = json!({
            "purpose": purpose,
            "expirationTime": ends.to_string(),
            "token": token,
        });
        json_answer(200, answer)
    }

    fn issue(&self, builder: TokenBuilder, claims: Value) -> String {
        let token = signed(builder, &claims);
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued.insert(token.clone(), claims);
        token
    }

    /// The claims of a token of ours that is not over.
    fn known(&self, desk: &Desk<'_>, audience: &str, token: &Value) -> Option<Value> {
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claims = issued.get(token.as_str()?)?;
        let ends = UnixTime::from_secs(claims["exp"].as_i64()?);
        let is_good = claims["aud"] == audience && desk.now() < ends;
        is_good.then(|| claims.clone())
    }
}

/// A token with these claims, signed as the issuer does.
pub fn signed(builder: TokenBuilder, claims: &Value) -> String {
    wire::signed(builder, r#"{"typ":"JWT","alg":"HS256"}"#, SECRET, claims)
}

fn service_claims(srv: Value, now: i64) -> Value {
    json!({
        "iss": ISSUER,
        "aud": SERVICE_TOKENS,
        "iat": now,
        "exp": srv["expirationTime"],
        "srv": srv,
    })
}

/// Whether a request for a service token has these properties and no others.
fn says_exactly(wanted: &Map<String, Value>, properties: &[&str]) -> bool {
    let general = ["purpose", "expirationTime"];
    let is_allowed = |name: &str| general.contains(&name) || properties.contains(&name);
    wanted.keys().all(|name| is_allowed(name))
        && properties
            .iter()
            .all(|name| wanted.get(*name).is_some_and(Value::is_string))
}

/// The fault of the Apigee gateway.
fn fault(status: u16, text: &str, code: &str) -> Response<Vec<u8>> {
    let fault = json!({"faultstring": text, "detail": {"errorcode": code}});
    json_answer(status, json!({"fault": fault}))
}
