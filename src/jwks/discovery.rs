//! Where an issuer says its keys are: RFC 8414, then OpenID Connect Discovery.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderValue, Request, StatusCode, Uri};

use crate::clock::Clock;
use crate::error::ConfigError;
use crate::fetch::{Fetcher, secure_url};
use crate::json::{self, Json};
use crate::text::quote;

/// Where the keys are.
#[derive(Clone)]
pub(super) enum Source {
    At(Uri),
    Discover { issuer: Box<str>, urls: [Uri; 2] },
}

impl Source {
    /// What is asked first.
    pub(super) fn uri(&self) -> &Uri {
        match self {
            Source::At(uri) => uri,
            Source::Discover { urls, .. } => &urls[0],
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::At(uri) => uri.fmt(f),
            Source::Discover { issuer, .. } => f.write_str(issuer),
        }
    }
}

/// The two places where an issuer's metadata may be.
///
/// RFC 8414 §3.1 inserts the well-known part between host and path; OpenID Connect Discovery §4
/// appends it. Neither normalises anything.
pub(super) fn metadata_urls(issuer: &str) -> Result<[Uri; 2], ConfigError> {
    let uri = secure_url("issuer", issuer)?;
    // RFC 8414 §2.
    if uri.query().is_some() {
        return Err(ConfigError::new(format!(
            "issuer is {}, wanted a URL without query",
            quote(issuer)
        )));
    }
    let path = uri.path().trim_end_matches('/');
    let origin = origin(&uri);
    let inserted = format!("{origin}/.well-known/oauth-authorization-server{path}");
    let appended = format!("{origin}{path}/.well-known/openid-configuration");
    Ok([
        secure_url("issuer", &inserted)?,
        secure_url("issuer", &appended)?,
    ])
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", uri.scheme_str().unwrap_or("https"))
}

/// Finds the `jwks_uri` of `issuer`.
///
/// # Errors
///
/// A sentence that says what each of the two places answered.
pub(super) async fn find_jwks_uri(
    issuer: &str,
    urls: &[Uri; 2],
    fetcher: &Fetcher,
    clock: &Arc<dyn Clock>,
) -> Result<Uri, String> {
    let mut faults = Vec::new();
    for url in urls {
        let found = match get(url, fetcher, clock).await {
            Ok(document) => read_jwks_uri(&document, issuer, url),
            Err(why) => Err(why),
        };
        match found {
            Ok(uri) => return Ok(uri),
            Err(why) => faults.push(format!("{}: {why}", url.path())),
        }
    }
    Err(format!(
        "metadata of {issuer} cannot be had ({})",
        faults.join("; ")
    ))
}

/// Brings a JSON document. Content types vary in the field and are not looked at.
///
/// # Errors
///
/// A sentence, unless the answer is a 200 with UTF-8 text.
pub(super) async fn get(
    url: &Uri,
    fetcher: &Fetcher,
    clock: &Arc<dyn Clock>,
) -> Result<String, String> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = url.clone();
    request.headers_mut().insert(
        ACCEPT,
        HeaderValue::from_static("application/json, application/jwk-set+json"),
    );
    let response = fetcher
        .send(request, clock)
        .await
        .map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!(
            "status is {}, wanted 200",
            response.status().as_u16()
        ));
    }
    String::from_utf8(response.into_body()).map_err(|_| "answer is no UTF-8".to_owned())
}

/// Reads the metadata document that `url` gave.
fn read_jwks_uri(document: &str, issuer: &str, url: &Uri) -> Result<Uri, String> {
    let (mut named, mut jwks_uri) = (None, None);
    json::members(document, |name, value| {
        if let Json::String(text) = value {
            match &*name {
                "issuer" => named = Some(text.into_owned()),
                "jwks_uri" => jwks_uri = Some(text.into_owned()),
                _ => {}
            }
        }
    })
    .map_err(|error| format!("answer is no strict JSON object: {error}"))?;
    // RFC 8414 §3.3: identical, or none of it may be used. Else one issuer could name another's
    // keys as its own.
    if named.as_deref() != Some(issuer) {
        let found = named.map_or(Cow::Borrowed("absent"), |named| Cow::Owned(quote(&named)));
        return Err(format!("issuer is {found}, wanted {}", quote(issuer)));
    }
    let jwks_uri = jwks_uri.ok_or("there is no jwks_uri")?;
    let found = secure_url("jwks_uri", &jwks_uri).map_err(|error| error.to_string())?;
    // What an https document says is not fetched without TLS, not even from this machine.
    if found.scheme_str() == Some("http") && url.scheme_str() == Some("https") {
        return Err(format!("jwks_uri is {}, wanted https", quote(&jwks_uri)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_is_inserted_or_appended() {
        let urls = |issuer| metadata_urls(issuer).unwrap().map(|uri| uri.to_string());
        assert_eq!(
            urls("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            urls("https://as.example/"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            urls("https://as.example:8443/tenant/a"),
            [
                "https://as.example:8443/.well-known/oauth-authorization-server/tenant/a",
                "https://as.example:8443/tenant/a/.well-known/openid-configuration"
            ]
        );
        assert!(metadata_urls("as.example").is_err());
        assert!(metadata_urls("http://as.example").is_err());
    }

    #[test]
    fn the_document_must_name_the_same_issuer() {
        let url = Uri::from_static("https://as.example/x");
        let read = |document: &str| read_jwks_uri(document, "https://as.example", &url);
        assert_eq!(
            read(r#"{"issuer":"https://as.example","jwks_uri":"https://as.example//jwks"}"#),
            Ok(Uri::from_static("https://as.example//jwks"))
        );
        assert_eq!(
            read(r#"{"issuer":"https://as.example/","jwks_uri":"https://as.example/jwks"}"#),
            Err("issuer is \"https://as.example/\", wanted \"https://as.example\"".to_owned())
        );
        assert_eq!(
            read(r#"{"jwks_uri":"https://as.example/jwks"}"#),
            Err("issuer is absent, wanted \"https://as.example\"".to_owned())
        );
        assert_eq!(
            read(r#"{"issuer":"https://as.example"}"#),
            Err("there is no jwks_uri".to_owned())
        );
        assert_eq!(
            read(r#"{"issuer":"https://as.example","jwks_uri":"http://127.0.0.1/jwks"}"#),
            Err("jwks_uri is \"http://127.0.0.1/jwks\", wanted https".to_owned())
        );
        assert!(read("{").is_err());
    }
}
