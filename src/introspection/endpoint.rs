//! An endpoint of the issuer that is asked about one token: the call, and what its failures are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode, Uri};

use crate::claims::ClaimSet;
use crate::clock::Clock;
use crate::error::Error;
use crate::fetch::Fetcher;

pub(super) struct Endpoint {
    /// What it is called in sentences.
    pub(super) what: &'static str,
    pub(super) uri: Uri,
    pub(super) fetcher: Fetcher,
}

impl Endpoint {
    /// Sends a request. An answer of any status is an answer.
    pub(super) async fn send(
        &self,
        request: Request<Vec<u8>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Response<Vec<u8>>, Error> {
        let response = self.fetcher.send(request, clock).await;
        response.map_err(|error| self.unavailable(&error))
    }

    /// The text of a good answer. Whatever else it answers, with another status or no text, is the
    /// endpoint's failure, and its `Retry-After` is ours.
    pub(super) fn text(&self, response: Response<Vec<u8>>) -> Result<String, Error> {
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            let error = self.unavailable(&format!("status is {status}, wanted 200"));
            let wait = response.headers().get(RETRY_AFTER);
            return Err(
                match wait.and_then(|value| value.to_str().ok()?.parse().ok()) {
                    Some(seconds) => error.with_retry_after(Duration::from_secs(seconds)),
                    None => error,
                },
            );
        }
        let text = String::from_utf8(response.into_body());
        text.map_err(|_| self.unavailable(&"answer is no UTF-8"))
    }

    /// The claims in the text of an answer.
    pub(super) fn claims(&self, text: String) -> Result<ClaimSet, Error> {
        ClaimSet::parse_answer(text).map_err(|error| self.unavailable(&error))
    }

    pub(super) fn unavailable(&self, why: &dyn fmt::Display) -> Error {
        Error::unavailable(
            Duration::from_secs(5),
            format!("the {} cannot be asked: {why}", self.what),
        )
    }
}
