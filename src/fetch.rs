//! How documents and answers come from the issuer: one request, a size cap, one total deadline.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};

use crate::clock::BoxFuture;
use crate::error::ConfigError;
use crate::text;

/// Sends one HTTP request and brings the whole answer.
///
/// With the feature `reqwest` there is a default. Implement it for an HTTP client of your own, or
/// for a test without a network.
///
/// An implementation must not follow redirects, must stop reading after `max_bytes`, and must
/// check TLS certificates. It need not keep a deadline; the gate drops the future when time is up.
///
/// A request about a token holds that token, and perhaps a client secret, in its headers or its body. An
/// implementation keeps them out of logs, and wipes the body once it is sent, if it can: the default one
/// does, as far as the buffer is its own. The header `Authorization` wipes itself.
pub trait Fetch: Send + Sync + 'static {
    /// Sends `request` and reads at most `max_bytes` of the answer's body.
    ///
    /// # Errors
    ///
    /// [`FetchError`] if no whole answer could be had. An answer of any status is an answer.
    fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, FetchError>> + Send;
}

impl<F: Fetch> Fetch for Arc<F> {
    fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, FetchError>> + Send {
        F::fetch(self, request, max_bytes)
    }
}

/// Says why no answer could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    sentence: String,
    broken: bool,
}

impl FetchError {
    /// Makes an error of a sentence. It must not hold request headers or bodies: they carry
    /// secrets.
    pub fn new(sentence: impl Into<String>) -> FetchError {
        FetchError {
            sentence: sentence.into(),
            broken: false,
        }
    }

    /// As [`new`](Self::new), for a connection that was there and broke before the whole answer had
    /// come: an idle one that the other side closed at the same moment, a reset in mid-body. Who asks
    /// about a token tries once more after that. Not for a connection that could not be made, for a
    /// timeout, or for an answer.
    pub fn broken(sentence: impl Into<String>) -> FetchError {
        FetchError {
            broken: true,
            ..FetchError::new(sentence)
        }
    }

    /// The answer's body is larger than the caller reads.
    pub fn too_large(max_bytes: usize) -> FetchError {
        FetchError::new(format!("answer is larger than {max_bytes} bytes"))
    }

    /// Whether a connection broke that was there, so that the same request may well succeed if it is
    /// sent again at once.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for FetchError {}

trait ErasedFetch: Send + Sync {
    fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Response<Vec<u8>>, FetchError>>;
}

impl<F: Fetch> ErasedFetch for F {
    fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Response<Vec<u8>>, FetchError>> {
        Box::pin(Fetch::fetch(self, request, max_bytes))
    }
}

/// How long one exchange may take in all: a slow drip must not hold a request longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// How large an answer may be: a key set of 128 RSA keys has about 60 KiB.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// A [`Fetch`] with its limits.
#[derive(Clone)]
pub(crate) struct Fetcher {
    fetch: Arc<dyn ErasedFetch>,
    #[cfg(feature = "jwt")]
    deadline: Duration,
    max_bytes: usize,
}

impl Fetcher {
    pub(crate) fn new(fetch: impl Fetch) -> Fetcher {
        Fetcher {
            fetch: Arc::new(fetch),
            #[cfg(feature = "jwt")]
            deadline: DEADLINE,
            max_bytes: MAX_BYTES,
        }
    }

    #[cfg(feature = "jwt")]
    pub(crate) fn with_limits(mut self, deadline: Duration, max_bytes: usize) -> Fetcher {
        self.deadline = deadline;
        self.max_bytes = max_bytes;
        self
    }

    /// Sends `request` under the limits. One deadline spans connecting, waiting and reading.
    #[cfg(feature = "jwt")]
    pub(crate) async fn send(
        &self,
        request: Request<Vec<u8>>,
        clock: &Arc<dyn crate::clock::Clock>,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let timeout = clock.sleep(self.deadline);
        let response = either(self.fetch(request), timeout).await;
        response.unwrap_or_else(|| {
            Err(FetchError::new(format!(
                "no whole answer within {} ms",
                self.deadline.as_millis()
            )))
        })
    }

    /// Sends `request` under all limits but the deadline, which is the caller's to keep.
    pub(crate) async fn fetch(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let response = self.fetch.fetch(request, self.max_bytes).await?;
        // A `Fetch` that does not keep the cap must not make us parse what it brought.
        if response.body().len() > self.max_bytes {
            return Err(FetchError::too_large(self.max_bytes));
        }
        Ok(response)
    }
}

/// Runs `work` until `timeout` ends; `None` if that came first.
pub(crate) async fn either<T>(
    work: impl Future<Output = T>,
    timeout: impl Future<Output = ()>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut timeout = std::pin::pin!(timeout);
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(done) = work.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(done));
        }
        timeout.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// Reads a URL an issuer is asked at: https, or http on this very machine.
///
/// # Errors
///
/// A sentence that names the URL and what was wanted.
pub(crate) fn secure_url(what: &str, url: &str) -> Result<Uri, ConfigError> {
    // Whoever writes a password or a key into a URL does not want to read it in a log.
    let shown = match url.split_once('?') {
        _ if url.contains('@') => "a URL with a user".to_owned(),
        Some((before, _)) => format!("{} with a query", text::quote(before)),
        None => text::quote(url),
    };
    let refuse = || {
        ConfigError::new(format!(
            "{what} is {shown}, wanted an https URL (http only on loopback) without user and \
             fragment"
        ))
    };
    if url.contains('#') {
        return Err(refuse());
    }
    let uri: Uri = url.parse().map_err(|_| refuse())?;
    let authority = uri.authority().ok_or_else(refuse)?;
    let allowed = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_loopback(authority.host()),
        _ => false,
    };
    if !allowed || authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(refuse());
    }
    // RFC 3986 §3.2.3: digits. `Uri` takes other ports for none, so two origins would look like one.
    let port = authority.as_str().strip_prefix(authority.host());
    let port = port.and_then(|port| port.strip_prefix(':')).unwrap_or("");
    let is_number = port.bytes().all(|digit| digit.is_ascii_digit());
    if !port.is_empty() && (!is_number || port.parse::<u16>().is_err()) {
        return Err(refuse());
    }
    Ok(uri)
}

/// A URL as it may be shown: a query may hold a key.
pub(crate) fn without_query(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let scheme = uri.scheme_str().unwrap_or("https");
    format!("{scheme}://{authority}{}", uri.path())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_except_on_loopback() {
        for good in [
            "https://issuer.example/jwks",
            "http://127.0.0.1:4400/jwks",
            "http://127.9.9.9/",
            "http://localhost:4610//api/oidc/jwks",
            "http://[::1]:80/x",
            "https://issuer.example:/jwks",
            "https://[::1]/jwks",
        ] {
            assert!(secure_url("jwks_uri", good).is_ok(), "{good}");
        }
        for bad in [
            "http://issuer.example/jwks",
            "http://localhost.evil.example/",
            "http://127.0.0.1.evil.example/",
            "ftp://127.0.0.1/",
            "https://user@issuer.example/",
            "https://issuer.example/#x",
            "https://issuer.example:8!43/jwks",
            "https://issuer.example:+443/jwks",
            "https://issuer.example:65536/jwks",
            "https://issuer.example:443.evil.example/jwks",
            "https://[::1]:x/jwks",
            "/jwks",
            "",
            "https://",
        ] {
            assert!(secure_url("jwks_uri", bad).is_err(), "{bad}");
        }
        assert_eq!(
            secure_url("jwks_uri", "http://issuer.example/")
                .unwrap_err()
                .to_string(),
            "jwks_uri is \"http://issuer.example/\", wanted an https URL (http only on loopback) \
             without user and fragment"
        );
    }

    #[test]
    fn what_may_hold_a_key_is_not_repeated() {
        for (url, shown) in [
            (
                "http://issuer.example/jwks?key=s3cret",
                "\"http://issuer.example/jwks\" with a query",
            ),
            (
                "https://as.example/?s3cret#x",
                "\"https://as.example/\" with a query",
            ),
            ("https://gate:s3cret@as.example/", "a URL with a user"),
        ] {
            let error = secure_url("endpoint", url).unwrap_err().to_string();
            let wanted = "wanted an https URL (http only on loopback) without user and fragment";
            assert_eq!(error, format!("endpoint is {shown}, {wanted}"));
        }
    }

    #[test]
    fn a_double_slash_stays() {
        let uri = secure_url("jwks_uri", "http://localhost:4610//api/oidc/jwks").unwrap();
        assert_eq!(uri.path(), "//api/oidc/jwks");
    }
}
