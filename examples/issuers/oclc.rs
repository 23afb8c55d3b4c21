//! The issuing side of OCLC: access tokens for a WSKey from `/token`, authorization codes from
//! `/auth/{institution}`, and the store in which a web service looks tokens up.
#![allow(dead_code, unreachable_pub)] // No user needs all of it, and nobody imports an example.

use std::collections::BTreeMap;

use hyper::{Method, Request, Response};
use jiff::Timestamp;
use portcullis::profile::oclc;
use portcullis::testing::{
    AuthorizationServer, Desk, basic_credentials, json_answer, json_body, parameters,
};
use portcullis::{ClaimSet, Fetch, Lookup, Unavailable};
use serde_json::{Value, json};

/// A key to web services. It may be for several institutions, each with services of its own.
pub struct Wskey {
    pub key: &'static str,
    pub secret: &'static str,
    pub institutions: &'static [(&'static str, &'static [&'static str])],
}

/// Whoever logs in at an institution. The login page is left out: `login` in the query stands for it.
pub struct Patron {
    pub login: &'static str,
    pub principal_id: &'static str,
    pub principal_idns: &'static str,
    pub institution: &'static str,
    /// The scopes this user may and will give.
    pub grants: &'static [&'static str],
}

/// How long an access token for a user lives, in seconds.
pub const LIFETIME: i64 = 1199;
/// How long an access token of the key alone lives, in seconds.
pub const CLIENT_LIFETIME: i64 = 3599;
/// How long a refresh token lives, in seconds.
pub const REFRESH_LIFETIME: i64 = 604_799;
/// How long an authorization code lives, in seconds.
pub const CODE_LIFETIME: i64 = 300;

/// Where web services look tokens up.
pub const STORE: &str = "/store/token";

/// Lets the issuer serve this key and this user.
pub fn open(issuer: &AuthorizationServer, key: &'static Wskey, patron: &'static Patron) {
    issuer.answer_at(Method::POST, "/token", move |desk, request| {
        match key.token(desk, request) {
            Ok(answer) => json_answer(200, answer),
            Err(Refusal(status, body)) => json_answer(status, body),
        }
    });
    let auth = format!("/auth/{}", patron.institution);
    issuer.answer_at(Method::GET, &auth, move |desk, request| {
        match key.log_in(patron, desk, &parameters(request)) {
            Ok(back) => Response::builder()
                .status(302)
                .header("location", back)
                .body(Vec::new())
                .unwrap_or_default(),
            Err(Refusal(status, body)) => json_answer(status, body),
        }
    });
    issuer.answer_at(Method::POST, STORE, |desk, request| {
        json_answer(200, desk.introspect(text(&json_body(request)["token"])))
    });
}

/// What a token stands for; the store's row, in the spelling of the older documents.
fn row(scopes: &str, context: &str, patron: Option<&Patron>) -> Value {
    json!({
        "token_type": "bearer",
        "principalID": patron.map_or("", |patron| patron.principal_id),
        "principalIDNS": patron.map_or("", |patron| patron.principal_idns),
        "authenticatingInstitutionId": patron.map_or(context, |patron| patron.institution),
        "contextInstitutionId": context,
        "scopes": scopes,
    })
}

/// Status and body of a refusal.
struct Refusal(u16, Value);

impl Wskey {
    /// `POST /token?grant_type=…`, HTTP Basic with key and secret, an empty body.
    fn token(&self, desk: &Desk<'_>, request: &Request<Vec<u8>>) -> Result<Value, Refusal> {
        let (key, secret) = basic_credentials(request).unwrap_or_default();
        if (key.as_str(), secret.as_str()) != (self.key, self.secret) {
            let code = json!({"type": "http", "value": "401"});
            let message = format!("WSKey {key} is invalid");
            return Err(Refusal(401, json!({"code": code, "message": message})));
        }
        let asked = parameters(request);
        let row = match asked.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {
                let (context, scopes) = self.granted(&asked, None)?;
                row(&scopes, &context, None)
            }
            Some("authorization_code") => handed_in(desk, &asked, "code", "auth_")?,
            Some("refresh_token") => handed_in(desk, &asked, "refresh_token", "rt_")?,
            _ => return Err(forbidden("unauthorized_client")),
        };
        Ok(issued(desk, row))
    }

    /// `GET /auth/{institution}?response_type=code&client_id=…&redirect_uri=…&scope=…`; where to send
    /// the user back to, with a code.
    fn log_in(
        &self,
        patron: &Patron,
        desk: &Desk<'_>,
        asked: &BTreeMap<String, String>,
    ) -> Result<String, Refusal> {
        let is = |name: &str, wanted: &str| asked.get(name).is_some_and(|found| found == wanted);
        if !is("client_id", self.key) || !is("response_type", "code") {
            return Err(forbidden("unauthorized_client"));
        }
        if !is("login", patron.login) {
            return Err(forbidden("nobody of that name"));
        }
        let (context, scopes) = self.granted(asked, Some(patron))?;
        let row = row(&scopes, &context, Some(patron));
        let code = kept(desk, "auth_", row, CODE_LIFETIME);
        let redirect = asked.get("redirect_uri").map_or("", String::as_str);
        Ok(format!("{redirect}?code={code}"))
    }

    /// The context institution that is asked for, and those of the scopes that are granted there. A
    /// scope the key has nowhere refuses the request; one it lacks there is left out, and so is what
    /// the user does not give.
    fn granted(
        &self,
        asked: &BTreeMap<String, String>,
        patron: Option<&Patron>,
    ) -> Result<(String, String), Refusal> {
        let asked = asked.get("scope").map_or("", String::as_str).split(' ');
        let mut contexts = asked
            .clone()
            .filter_map(|word| word.strip_prefix("context:"));
        let context = contexts.next().unwrap_or(self.institutions[0].0);
        let here = self.institutions.iter().find(|(id, _)| *id == context);
        let (_, services) = here.ok_or_else(|| forbidden("unauthorized_client"))?;
        let (mut granted, mut invalid) = (Vec::new(), Vec::new());
        for word in asked {
            if word == "refresh_token" || word.starts_with("context:") {
                granted.push(word);
            } else if !self.institutions.iter().any(|(_, all)| all.contains(&word)) {
                invalid.push(word);
            } else if services.contains(&word)
                && patron.is_none_or(|patron| patron.grants.contains(&word))
            {
                granted.push(word);
            }
        }
        if !invalid.is_empty() {
            let why = "[Invalid service specified, Not on key]";
            let invalid = invalid.join(" ");
            return Err(forbidden(&format!("Invalid scope(s): {invalid} {why}")));
        }
        Ok((context.to_owned(), granted.join(" ")))
    }
}

/// A code or refresh token for this row.
fn kept(desk: &Desk<'_>, prefix: &str, mut row: Value, lifetime: i64) -> String {
    row["until"] = json!(desk.now().as_secs() + lifetime);
    desk.opaque().prefix(prefix).response(row).mint()
}

/// The row behind a code or refresh token, which is good once.
fn handed_in(
    desk: &Desk<'_>,
    asked: &BTreeMap<String, String>,
    name: &str,
    prefix: &str,
) -> Result<Value, Refusal> {
    let token = asked.get(name).filter(|token| token.starts_with(prefix));
    let token = token.ok_or_else(|| forbidden("invalid_grant"))?;
    let (row, now) = (desk.introspect(token), desk.now().as_secs());
    let in_time = row["until"].as_i64().is_some_and(|until| now < until);
    match desk.revoke(token) && in_time {
        true => Ok(row),
        false => Err(forbidden("invalid_grant")),
    }
}

/// A moment as OCLC writes it: `2026-11-24 15:20:00Z`.
pub fn date(seconds: i64) -> String {
    let date = Timestamp::from_second(seconds).unwrap_or_default();
    date.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The answer of `/token`: for a user as the service spells it today, for the key alone as the
/// documents do. Since 2019 neither says who the user is; only the store knows.
fn issued(desk: &Desk<'_>, mut row: Value) -> Value {
    let expires_at = |lifetime: i64| date(desk.now().as_secs() + lifetime);
    let (lifetime, mut answer) = match text(&row["principalID"]) {
        "" => {
            let answer = json!({
                "contextInstitutionId": row["contextInstitutionId"],
                "expires_in": CLIENT_LIFETIME.to_string(),
            });
            (CLIENT_LIFETIME, answer)
        }
        _ => {
            let answer = json!({
                "authenticating_institution_id": row["authenticatingInstitutionId"],
                "context_institution_id": row["contextInstitutionId"],
                "scope": row["scopes"],
                "expires_in": LIFETIME,
            });
            (LIFETIME, answer)
        }
    };
    answer["principalID"] = json!("");
    answer["principalIDNS"] = json!("");
    answer["scopes"] = row["scopes"].clone();
    answer["token_type"] = json!("bearer");
    answer["expires_at"] = json!(expires_at(lifetime));
    if text(&row["scopes"])
        .split(' ')
        .any(|word| word == "refresh_token")
    {
        answer["refresh_token"] = json!(kept(desk, "rt_", row.clone(), REFRESH_LIFETIME));
        answer["refresh_token_expires_in"] = json!(REFRESH_LIFETIME);
        answer["refresh_token_expires_at"] = json!(expires_at(REFRESH_LIFETIME));
    }
    row["expires_in"] = json!(lifetime.to_string());
    row["expires_at"] = answer["expires_at"].clone();
    answer["access_token"] = json!(desk.opaque().prefix("tk_").response(row).mint());
    answer
}

fn forbidden(message: &str) -> Refusal {
    Refusal(403, json!({"code": 403, "message": message}))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The issuer's store, as a web service reaches it.
pub struct Store<F> {
    fetch: F,
    url: String,
}

/// Reaches the store of `issuer`.
pub fn store(issuer: &AuthorizationServer) -> Store<impl Fetch + use<>> {
    Store {
        fetch: issuer.fetcher(),
        url: issuer.url(STORE),
    }
}

impl<F: Fetch> Lookup for Store<F> {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        let body = json!({"token": token}).to_string().into_bytes();
        let request = Request::post(&self.url).body(body)?;
        let answer = self.fetch.fetch(request, 64 * 1024).await?;
        if answer.status() != 200 {
            return Err(Unavailable::new(format!(
                "status is {}, wanted 200",
                answer.status()
            )));
        }
        oclc::claims(std::str::from_utf8(answer.body())?)
    }
}
