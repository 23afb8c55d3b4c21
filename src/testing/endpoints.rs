//! What the endpoints answer: request in, response out, no socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::claims::LIFETIME;
use super::mint::TokenBuilder;
use super::opaque::OpaqueBuilder;
use super::site::Endpoint;
use super::state::Shared;
use super::trouble::{Delivery, Manner, Prepared};
use crate::algorithm::Algorithm;

/// Answers one request, with the trouble its endpoint is in.
pub(super) fn answer(server: &Arc<Shared>, request: Request<Vec<u8>>) -> Delivery {
    let Some(endpoint) = server.site.endpoint_at(request.uri().path()) else {
        return Some((not_found(), Manner::Whole));
    };
    let trouble = {
        let mut state = server.state();
        *state.asked.entry(endpoint).or_default() += 1;
        state.last.insert(endpoint, request.clone());
        state.troubles.get(&endpoint).cloned()
    };
    let manner = match trouble {
        None => Manner::Whole,
        Some(Prepared::Manner(manner)) => manner,
        Some(Prepared::Instead(response)) => return Some((response, Manner::Whole)),
        Some(Prepared::Never) => return None,
    };
    let response = match endpoint {
        Endpoint::Jwks => jwks(server, &request),
        Endpoint::OauthMetadata if server.oauth_metadata => document(&request, metadata(server)),
        Endpoint::OpenidConfiguration if server.openid_configuration => {
            document(&request, openid_configuration(server))
        }
        Endpoint::OauthMetadata | Endpoint::OpenidConfiguration => Ok(not_found()),
        Endpoint::Token | Endpoint::Introspection | Endpoint::Revocation => {
            client_request(server, endpoint, &request)
        }
    };
    let response = response.unwrap_or_else(|refusal| refusal.response(&server.site.issuer));
    Some((response, manner))
}

/// An error answer of RFC 6749 §5.2.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

impl Refusal {
    pub(super) fn client(description: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description,
        }
    }

    pub(super) fn request(description: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            error: "invalid_request",
            description,
        }
    }

    fn method(allowed: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            error: "invalid_request",
            description: allowed,
        }
    }

    fn response(self, issuer: &str) -> Response<Vec<u8>> {
        let mut response = json_answer(&json!({
            "error": self.error,
            "error_description": self.description,
        }));
        *response.status_mut() = self.status;
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let challenge = format!("Basic realm=\"{issuer}\", error=\"{}\"", self.error);
                let challenge = HeaderValue::from_str(&challenge);
                let challenge = challenge.unwrap_or(HeaderValue::from_static("Basic"));
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = HeaderValue::from_static(self.description);
                response.headers_mut().insert(ALLOW, allowed);
            }
            _ => {}
        }
        response
    }
}

fn json_answer(value: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(value.to_string().into_bytes());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn not_found() -> Response<Vec<u8>> {
    let mut response = Response::new(b"not found\n".to_vec());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn document(request: &Request<Vec<u8>>, value: Value) -> Result<Response<Vec<u8>>, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::method("GET"));
    }
    Ok(json_answer(&value))
}

fn jwks(server: &Shared, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Refusal> {
    let state = server.state();
    let mut response = document(request, state.keys.jwks())?;
    let jwk_set = HeaderValue::from_static("application/jwk-set+json");
    response.headers_mut().insert(CONTENT_TYPE, jwk_set);
    if let Some(cache_control) = &state.jwks_cache_control {
        let cache_control = cache_control.clone();
        response.headers_mut().insert(CACHE_CONTROL, cache_control);
    }
    Ok(response)
}

fn metadata(server: &Shared) -> Value {
    let url = |endpoint| server.site.url(endpoint);
    let methods = [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ];
    let algorithms = Algorithm::ASYMMETRIC
        .iter()
        .map(|algorithm| algorithm.name())
        .collect::<Vec<_>>();
    json!({
        "issuer": server.site.issuer,
        "jwks_uri": url(Endpoint::Jwks),
        "token_endpoint": url(Endpoint::Token),
        "introspection_endpoint": url(Endpoint::Introspection),
        "revocation_endpoint": url(Endpoint::Revocation),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
    })
}

fn openid_configuration(server: &Shared) -> Value {
    let mut document = metadata(server);
    // OpenID Connect Discovery §3 demands these; nobody answers at the authorization endpoint.
    let issuer = server.site.issuer.trim_end_matches('/');
    document["authorization_endpoint"] = json!(format!("{issuer}/authorize"));
    document["response_types_supported"] = json!(["code"]);
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!([server.algorithm.name()]);
    document
}

/// A POSTed form of an authenticated client.
fn client_request(
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
        Endpoint::Introspection => introspect(server, &form)?,
        _ => revoke(server, &client, &form)?,
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    Ok(response)
}

fn form(request: &Request<Vec<u8>>) -> Result<BTreeMap<String, String>, Refusal> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
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
    Ok(json_answer(&json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": scope,
    })))
}

fn introspect(
    server: &Shared,
    form: &BTreeMap<String, String>,
) -> Result<Response<Vec<u8>>, Refusal> {
    let token = opaque_token(form)?;
    let state = server.state();
    let inactive = json!({"active": false});
    let answer = state.tokens.get(token);
    let answer = answer.map_or(inactive, |issued| issued.introspected(server.clock.now()));
    Ok(json_answer(&answer))
}

fn revoke(
    server: &Shared,
    client: &str,
    form: &BTreeMap<String, String>,
) -> Result<Response<Vec<u8>>, Refusal> {
    let token = opaque_token(form)?;
    let mut state = server.state();
    // RFC 7009 §2.2: a token nobody knows is as good as revoked.
    match state.tokens.get(token) {
        Some(issued) if !issued.belongs_to(client) => {
            return Err(Refusal::request("the token belongs to another client"));
        }
        _ => state.tokens.remove(token),
    };
    Ok(Response::new(Vec::new()))
}

/// The `token` parameter. A JWT is refused, as servers do that keep no record of those.
fn opaque_token(form: &BTreeMap<String, String>) -> Result<&str, Refusal> {
    let token = form.get("token").ok_or(Refusal::request("no token"))?;
    let mut segments = token.split('.');
    let header = segments.next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let is_object = serde_json::from_slice::<Value>(&header).is_ok_and(|header| header.is_object());
    if is_object && segments.count() == 2 {
        return Err(Refusal {
            // RFC 7009 §2.2.1 has the code; RFC 7662 has none for it.
            error: "unsupported_token_type",
            ..Refusal::request("the token is a JWT")
        });
    }
    Ok(token)
}
