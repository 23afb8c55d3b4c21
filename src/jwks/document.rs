//! Brings one JSON document of the issuer's, whole or not at all.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, IF_NONE_MATCH};
use http::{HeaderValue, Request, StatusCode, Uri};

use crate::clock::Clock;
use crate::fetch::Fetcher;
use crate::hints;

/// A document, and what the issuer says about it.
pub(super) struct Document {
    pub(super) text: String,
    pub(super) etag: Option<HeaderValue>,
    pub(super) fresh_for: Option<Duration>,
}

/// What was answered.
pub(super) enum Answer {
    Whole(Document),
    /// What is known already, and how much longer it is fresh.
    NotModified(Option<Duration>),
}

/// Why a document cannot be had.
pub(super) struct Fault {
    pub(super) why: String,
    /// How long the issuer wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Fault {
    /// Says which document.
    pub(super) fn of(self, what: &str) -> Fault {
        Fault {
            why: format!("{what}: {}", self.why),
            ..self
        }
    }
}

impl From<String> for Fault {
    fn from(why: String) -> Fault {
        Fault {
            why,
            retry_after: None,
        }
    }
}

/// Asks for a document; with the `etag` of the one that is known, only for a newer one. Content types
/// vary in the field and are not looked at.
///
/// # Errors
///
/// [`Fault`], unless the answer is a 200 with UTF-8 text, or a 304 that was asked for.
pub(super) async fn get(
    url: &Uri,
    etag: Option<&HeaderValue>,
    fetcher: &Fetcher,
    clock: &Arc<dyn Clock>,
) -> Result<Answer, Fault> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, application/jwk-set+json"),
    );
    if let Some(etag) = etag {
        headers.insert(IF_NONE_MATCH, etag.clone());
    }
    let response = fetcher.send(request, clock).await;
    let response = response.map_err(|error| Fault::from(error.to_string()))?;
    let headers = response.headers();
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if etag.is_some() => {
            return Ok(Answer::NotModified(hints::fresh_for(headers)));
        }
        status => {
            return Err(Fault {
                why: format!("status is {}, wanted 200", status.as_u16()),
                retry_after: hints::retry_after(headers, clock.now()),
            });
        }
    }
    let (etag, fresh_for) = (hints::etag(headers), hints::fresh_for(headers));
    let text = String::from_utf8(response.into_body());
    Ok(Answer::Whole(Document {
        text: text.map_err(|_| Fault::from("answer is no UTF-8".to_owned()))?,
        etag,
        fresh_for,
    }))
}
