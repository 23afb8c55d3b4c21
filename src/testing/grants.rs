//! What registered clients ask for: a token, what a token is worth, that it be revoked.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde_json::json;

use super::claims::LIFETIME;
use super::exchange::{is_form, json_answer};
use super::mint::TokenBuilder;
use super::opaque::OpaqueBuilder;
use super::refusal::Refusal;
use super::site::Endpoint;
use super::state::Shared;

/// A POSTed form of an authenticated client.
pub(super) fn client_request(
    server: &Arc<Shared>,
    endpoint: Endpoint,
    request: &Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::method("POST"));
    }
    let form = form(request)?;
    let audiences = [
        server.site.issuer.clone(),
        server.site.url(Endpoint::Token),
        server.site.url(endpoint),
    ];
    let client = server.state().clients.authenticate(
        request.headers(),
        &form,
        &audiences,
        server.clock.now(),
    )?;
    let mut response = match endpoint {
        Endpoint::Token => token(server, &client, &form)?,
        Endpoint::Introspection => introspect(server, &client, request, &form)?,
        _ => revoke(server, &client, &form)?,
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    Ok(response)
}

fn form(request: &Request<Vec<u8>>) -> Result<BTreeMap<String, String>, Refusal> {
    if !is_form(request) {
        return Err(Refusal::request("Content-Type is no form"));
    }
    let mut form = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(request.body()).into_owned() {
        // RFC 6749 §3.2: a parameter must not be there twice.
        if form.insert(name, value).is_some() {
            return Err(Refusal::request("a parameter is there twice"));
        }
    }
    Ok(form)
}

fn token(
    server: &Arc<Shared>,
    client: &str,
    form: &BTreeMap<String, String>,
) -> Result<Response<Vec<u8>>, Refusal> {
    match form.get("grant_type").map(String::as_str) {
        Some("client_credentials") => {}
        None => return Err(Refusal::request("no grant_type")),
        Some(_) => {
            return Err(Refusal {
                error: "unsupported_grant_type",
                ..Refusal::request("grant_type is not client_credentials")
            });
        }
    }
    let scope = form.get("scope").map_or("", String::as_str);
    // RFC 8707 §2 calls it `resource`; `audience` is what others call it.
    let audience = form.get("resource").or(form.get("audience"));
    // RFC 9068 §2.2: no person is involved, so the client itself is the subject.
    let token = match form.get("token_format").map_or("jwt", String::as_str) {
        "jwt" => {
            let token = TokenBuilder::new(Arc::clone(server));
            let token = token.subject(client).client_id(client).scope(scope);
            match audience {
                Some(audience) => token.audience(audience).mint(),
                None => token.mint(),
            }
        }
        "opaque" => {
            let token = OpaqueBuilder::new(Arc::clone(server));
            let token = token.subject(client).client_id(client).scope(scope);
            match audience {
                Some(audience) => token.audience(audience).mint(),
                None => token.mint(),
            }
        }
        _ => return Err(Refusal::request("token_format is neither jwt nor opaque")),
    };
    Ok(json_answer(
        200,
        json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "scope": scope,
        }),
    ))
}

fn introspect(
    server: &Arc<Shared>,
    client: &str,
    request: &Request<Vec<u8>>,
    form: &BTreeMap<String, String>,
) -> Result<Response<Vec<u8>>, Refusal> {
    let answer = server.introspected(shown_token(form)?);
    // RFC 9701 §4: who asks for a signed answer says so.
    if request
        .headers()
        .get(ACCEPT)
        .is_none_or(|accept| accept != SIGNED_ANSWER)
    {
        return Ok(json_answer(200, answer));
    }
    let claims = json!({
        "iss": server.site.issuer,
        "aud": client,
        "iat": server.clock.now().as_secs(),
        "token_introspection": answer,
    });
    let signed = TokenBuilder::new(Arc::clone(server)).typ("token-introspection+jwt");
    let signed = signed.raw_payload(claims.to_string()).mint();
    let mut response = Response::new(signed.into_bytes());
    let content_type = HeaderValue::from_static(SIGNED_ANSWER);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

/// The media type of an introspection answer that is signed (RFC 9701 §5).
const SIGNED_ANSWER: &str = "application/token-introspection+jwt";

fn revoke(
    server: &Shared,
    client: &str,
    form: &BTreeMap<String, String>,
) -> Result<Response<Vec<u8>>, Refusal> {
    let token = shown_token(form)?;
    let mut state = server.state();
    // RFC 7009 §2.2: a token nobody knows is as good as revoked.
    if state.of_issued(token, |issued| issued.belongs_to(client)) == Some(false) {
        return Err(Refusal::request("the token belongs to another client"));
    }
    state.revoke(token);
    Ok(Response::new(Vec::new()))
}

fn shown_token(form: &BTreeMap<String, String>) -> Result<&str, Refusal> {
    let token = form.get("token").ok_or(Refusal::request("no token"))?;
    Ok(token)
}
