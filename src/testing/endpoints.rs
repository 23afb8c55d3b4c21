//! What the endpoints answer: request in, response out, no socket.

use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::desk::{Desk, Found};
use super::exchange::json_answer;
use super::grants::client_request;
use super::refusal::Refusal;
use super::site::{Endpoint, Place};
use super::state::Shared;
use super::trouble::{Delivery, Manner, Prepared};
use crate::algorithm::Algorithm;

/// Answers one request, with the trouble its place is in.
pub(super) fn answer(server: &Arc<Shared>, request: Request<Vec<u8>>) -> Delivery {
    let path = request.uri().path();
    let endpoint = server.site.endpoint_at(path);
    let (trouble, found) = {
        let mut state = server.state();
        let found = state.handlers.find(request.method(), path);
        let place = match (endpoint, &found) {
            (Some(endpoint), _) => Place::from(endpoint),
            (None, Some(_)) => Place::from(path),
            (None, None) => return Some((not_found(), Manner::Whole)),
        };
        *state.asked.entry(place.clone()).or_default() += 1;
        let trouble = state.troubles.get(&place).cloned();
        state.last.insert(place, request.clone());
        (trouble, found)
    };
    let mut content_type = None;
    let manner = match trouble {
        None => Manner::Whole,
        Some(Prepared::Relabelled(other)) => {
            content_type = Some(other);
            Manner::Whole
        }
        Some(Prepared::Manner(manner)) => manner,
        Some(Prepared::Instead(response)) => return Some((response, Manner::Whole)),
        Some(Prepared::Never) => return None,
    };
    let mut response = match (found, endpoint) {
        // The state is not locked here: a handler mints tokens.
        (Some(Found::Handler(handler)), _) => handler(&Desk::new(server), &request),
        (_, Some(endpoint)) => standard(server, endpoint, &request)
            .unwrap_or_else(|refusal| refusal.response(&server.site.issuer)),
        (Some(Found::OtherMethods(allowed)), None) => method_not_allowed(&allowed),
        (None, None) => not_found(),
    };
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Some((response, manner))
}

fn standard(
    server: &Arc<Shared>,
    endpoint: Endpoint,
    request: &Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, Refusal> {
    match endpoint {
        Endpoint::Jwks => jwks(server, request),
        Endpoint::OauthMetadata if server.oauth_metadata => document(request, metadata(server)),
        Endpoint::OpenidConfiguration if server.openid_configuration => {
            document(request, openid_configuration(server))
        }
        Endpoint::OauthMetadata | Endpoint::OpenidConfiguration => Ok(not_found()),
        Endpoint::Token | Endpoint::Introspection | Endpoint::Revocation => {
            client_request(server, endpoint, request)
        }
    }
}

fn not_found() -> Response<Vec<u8>> {
    let mut response = Response::new(b"not found\n".to_vec());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn method_not_allowed(allowed: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(b"method not allowed\n".to_vec());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn document(request: &Request<Vec<u8>>, value: Value) -> Result<Response<Vec<u8>>, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::method("GET"));
    }
    Ok(json_answer(200, value))
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
    if state.jwks_etag {
        let etag = etag(response.body());
        if request.headers().get(IF_NONE_MATCH) == Some(&etag) {
            response.body_mut().clear();
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}

/// A name of the document that another document does not have.
fn etag(document: &[u8]) -> HeaderValue {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document);
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let etag = format!("\"{}\"", digits.collect::<String>());
    HeaderValue::from_str(&etag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
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
