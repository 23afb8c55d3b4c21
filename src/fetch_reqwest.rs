//! The default [`Fetch`](crate::Fetch): reqwest with rustls, no redirects, no proxies. The only
//! file that names reqwest.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::time::Duration;

use http::{Request, Response, Uri};

use crate::error::ConfigError;
use crate::fetch::{Fetch, FetchError};
use crate::secret::Secret;

/// Fetches over HTTP/1.1 with rustls and the platform's certificates.
#[derive(Clone)]
pub(crate) struct HttpFetch {
    client: reqwest::Client,
}

impl HttpFetch {
    /// Makes the client for `uri`. Only an https one needs the machine's certificates: an issuer
    /// on loopback must work on a machine that has none.
    ///
    /// # Errors
    ///
    /// If they are needed and cannot be read.
    pub(crate) fn new(uri: &Uri) -> Result<HttpFetch, ConfigError> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .pool_idle_timeout(Duration::from_secs(60))
                .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
        };
        let client = match builder().build() {
            Err(_) if uri.scheme_str() == Some("http") => builder().tls_certs_only([]).build(),
            built => built,
        };
        let client = client.map_err(|error| {
            ConfigError::new(format!("no HTTPS client can be made: {}", causes(&error)))
        })?;
        Ok(HttpFetch { client })
    }
}

impl Fetch for HttpFetch {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let failed = |error: reqwest::Error| {
            let error = error.without_url();
            let sentence = causes(&error);
            match is_broken(&error) {
                true => FetchError::broken(sentence),
                false => FetchError::new(sentence),
            }
        };
        let (parts, body) = request.into_parts();
        // It may hold a token and our own secret.
        let body = Secret::new(body).shared();
        let request = self
            .client
            .request(parts.method, parts.uri.to_string())
            .headers(parts.headers)
            .body(body);
        let mut answer = request.send().await.map_err(failed)?;
        let mut response = Response::new(Vec::new());
        *response.status_mut() = answer.status();
        std::mem::swap(response.headers_mut(), answer.headers_mut());
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if response.body().len() + chunk.len() > max_bytes {
                return Err(FetchError::too_large(max_bytes));
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }
}

/// Whether a connection that was there broke before the whole answer had come. What says so lies
/// deep among the causes: reqwest itself tells only in which step it stopped.
fn is_broken(error: &reqwest::Error) -> bool {
    if error.is_connect() || error.is_timeout() {
        return false;
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if says_broken(inner) {
            return true;
        }
        cause = inner.source();
    }
    false
}

fn says_broken(cause: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    }
    let error = cause.downcast_ref::<io::Error>();
    error.is_some_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::BrokenPipe
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::UnexpectedEof
        )
    })
}

/// An error with all its causes: reqwest's own sentence ends before the interesting part.
fn causes(error: &dyn StdError) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_sentence = inner.to_string();
        if !sentence.contains(&inner_sentence) {
            sentence.push_str(": ");
            sentence.push_str(&inner_sentence);
        }
        cause = inner.source();
    }
    sentence
}
