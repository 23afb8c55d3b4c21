//! Where an issuer says its keys are: RFC 8414, then OpenID Connect Discovery.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::Uri;

use super::document::{self, Answer, Fault};
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::fetch::{Fetcher, secure_url, without_query};
use crate::json::{self, Json};
use crate::text::quote;

/// Where the keys are.
#[derive(Clone)]
pub(super) enum Source {
    At(Uri),
    Discover(Metadata),
}

/// Where an issuer's metadata is, and where it may send us.
#[derive(Clone)]
pub(super) struct Metadata {
    issuer: Box<str>,
    urls: [Uri; 2],
    /// Where the `jwks_uri` may lie: the issuer's own origin first.
    origins: Vec<String>,
}

impl Source {
    /// What is asked first.
    pub(super) fn uri(&self) -> &Uri {
        match self {
            Source::At(uri) => uri,
            Source::Discover(metadata) => &metadata.urls[0],
        }
    }

    /// What no other source is called.
    pub(super) fn identity(&self) -> String {
        match self {
            Source::At(uri) => uri.to_string(),
            Source::Discover(metadata) => metadata.issuer.to_string(),
        }
    }
}

/// For logs and the status.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::At(uri) => f.write_str(&without_query(uri)),
            Source::Discover(metadata) => f.write_str(&metadata.issuer),
        }
    }
}

/// The two places where an issuer's metadata may be.
///
/// RFC 8414 §3.1 inserts the well-known part between host and path; OpenID Connect Discovery §4
/// appends it. Neither normalises anything.
fn metadata_urls(issuer: &str) -> Result<[Uri; 2], ConfigError> {
    let uri = secure_url("issuer", issuer)?;
    // RFC 8414 §2.
    if uri.query().is_some() {
        return Err(ConfigError::new(format!(
            "issuer is {}, wanted a URL without query",
            quote(issuer)
        )));
    }
    let path = uri.path().trim_end_matches('/');
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or("https"));
    let inserted = format!("{origin}/.well-known/oauth-authorization-server{path}");
    let appended = format!("{origin}{path}/.well-known/openid-configuration");
    Ok([
        secure_url("issuer", &inserted)?,
        secure_url("issuer", &appended)?,
    ])
}

/// Scheme, host and port (RFC 6454 §4), in one spelling.
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let host = uri.host().unwrap_or("").to_ascii_lowercase();
    match uri.port_u16() {
        None => format!("{scheme}://{host}"),
        Some(443) if scheme == "https" => format!("{scheme}://{host}"),
        Some(80) if scheme == "http" => format!("{scheme}://{host}"),
        Some(port) => format!("{scheme}://{host}:{port}"),
    }
}

/// Finds the `jwks_uri` of an issuer.
///
/// # Errors
///
/// A sentence that says what each of the two places answered.
pub(super) async fn find_jwks_uri(
    metadata: &Metadata,
    fetcher: &Fetcher,
    clock: &Arc<dyn Clock>,
) -> Result<Uri, Fault> {
    let mut faults = Vec::new();
    let mut retry_after = None;
    for url in &metadata.urls {
        let found = match document::get(url, None, fetcher, clock).await {
            Ok(Answer::Whole(document)) => metadata.read_jwks_uri(&document.text),
            // None that is known was named.
            Ok(Answer::NotModified(_)) => Err("status is 304, wanted 200".to_owned()),
            Err(fault) => {
                retry_after = retry_after.max(fault.retry_after);
                Err(fault.why)
            }
        };
        match found {
            Ok(uri) => return Ok(uri),
            Err(why) => faults.push(format!("{}: {why}", url.path())),
        }
    }
    Err(Fault {
        why: format!(
            "metadata of {} cannot be had ({})",
            metadata.issuer,
            faults.join("; ")
        ),
        retry_after,
    })
}

impl Metadata {
    /// Of `issuer`, at the two places where it may be.
    ///
    /// # Errors
    ///
    /// If `issuer` is no https URL (http on loopback) without query.
    pub(super) fn of(issuer: &str) -> Result<Metadata, ConfigError> {
        let urls = metadata_urls(issuer)?;
        Ok(Metadata {
            origins: vec![origin(&urls[0])],
            issuer: issuer.into(),
            urls,
        })
    }

    /// Lets the `jwks_uri` lie at another origin, too.
    ///
    /// # Errors
    ///
    /// If `url` is no https URL (http on loopback) that ends after the host and its port.
    pub(super) fn allow_origin(&mut self, url: &str) -> Result<(), ConfigError> {
        let uri = secure_url("origin of the jwks_uri", url)?;
        if uri.path_and_query().is_some_and(|rest| rest != "/") {
            return Err(ConfigError::new(format!(
                "origin of the jwks_uri is {}, wanted a scheme and a host alone",
                quote(url)
            )));
        }
        self.origins.push(origin(&uri));
        Ok(())
    }

    /// Reads the metadata document.
    fn read_jwks_uri(&self, document: &str) -> Result<Uri, String> {
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
        if named.as_deref() != Some(&*self.issuer) {
            let found = named.map_or(Cow::Borrowed("absent"), |named| Cow::Owned(quote(&named)));
            return Err(format!("issuer is {found}, wanted {}", quote(&self.issuer)));
        }
        let jwks_uri = jwks_uri.ok_or("there is no jwks_uri")?;
        let found = secure_url("jwks_uri", &jwks_uri).map_err(|error| error.to_string())?;
        // Whoever can change one document of the issuer's must not lead us to keys of their own, nor
        // to a server in our own network.
        if !self.origins.contains(&origin(&found)) {
            return Err(format!(
                "jwks_uri is {}, wanted one at {}: another origin must be allowed by name",
                quote(&jwks_uri),
                self.origins.join(" or ")
            ));
        }
        Ok(found)
    }
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
    fn the_document_must_name_the_same_issuer_and_keys_of_its_own() {
        let mut metadata = Metadata::of("https://as.example").unwrap();
        let read = |metadata: &Metadata, document: &str| metadata.read_jwks_uri(document);
        for (document, found) in [
            (
                r#"{"issuer":"https://as.example","jwks_uri":"https://as.example//jwks"}"#,
                Ok(Uri::from_static("https://as.example//jwks")),
            ),
            (
                r#"{"issuer":"https://as.example","jwks_uri":"https://AS.example:443/jwks"}"#,
                Ok(Uri::from_static("https://AS.example:443/jwks")),
            ),
            (
                r#"{"issuer":"https://as.example/","jwks_uri":"https://as.example/jwks"}"#,
                Err("issuer is \"https://as.example/\", wanted \"https://as.example\""),
            ),
            (
                r#"{"jwks_uri":"https://as.example/jwks"}"#,
                Err("issuer is absent, wanted \"https://as.example\""),
            ),
            (
                r#"{"issuer":"https://as.example"}"#,
                Err("there is no jwks_uri"),
            ),
            (
                r#"{"issuer":"https://as.example","jwks_uri":"http://127.0.0.1/jwks"}"#,
                Err(
                    "jwks_uri is \"http://127.0.0.1/jwks\", wanted one at https://as.example: \
                     another origin must be allowed by name",
                ),
            ),
            (
                r#"{"issuer":"https://as.example","jwks_uri":"https://as.example:8443/jwks"}"#,
                Err(
                    "jwks_uri is \"https://as.example:8443/jwks\", wanted one at \
                     https://as.example: another origin must be allowed by name",
                ),
            ),
        ] {
            assert_eq!(
                read(&metadata, document),
                found.map_err(str::to_owned),
                "{document}"
            );
        }
        assert!(read(&metadata, "{").is_err());
        let no_port =
            r#"{"issuer":"https://as.example","jwks_uri":"https://as.example:8!43/jwks"}"#;
        assert!(read(&metadata, no_port).is_err());

        let elsewhere = r#"{"issuer":"https://as.example","jwks_uri":"https://keys.example/v3"}"#;
        assert!(read(&metadata, elsewhere).is_err());
        metadata.allow_origin("https://keys.example").unwrap();
        assert!(read(&metadata, elsewhere).is_ok());
        assert_eq!(
            metadata
                .allow_origin("https://keys.example/v3")
                .unwrap_err()
                .to_string(),
            "origin of the jwks_uri is \"https://keys.example/v3\", wanted a scheme and a host alone"
        );
        assert!(metadata.allow_origin("http://keys.example").is_err());
    }
}
