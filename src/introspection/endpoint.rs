//! An endpoint of the issuer that is asked about one token: the request, and which answers are none.

use std::borrow::Cow;

use http::{Request, Response, StatusCode, Uri};

use super::settings::Settings;
use super::unsaid::Unsaid;
use super::upstream::{Fault, Upstream, Words};
use crate::claims::ClaimSet;
use crate::error::{ConfigError, Error};
use crate::fetch::{Fetch, Fetcher, secure_url, without_query};
use crate::fetch_default::default_fetcher;
use crate::hints;
use crate::json::{self, Json, JsonError};
use crate::verify::Moment;

pub(super) struct Endpoint {
    pub(super) uri: Uri,
    pub(super) upstream: Upstream,
    fetcher: Fetcher,
}

/// What becomes an [`Endpoint`].
pub(super) struct EndpointBuilder {
    what: &'static str,
    pub(super) uri: Result<Uri, ConfigError>,
    fetcher: Option<Fetcher>,
}

impl EndpointBuilder {
    /// Begins with what it is called, and where it is.
    pub(super) fn new(what: &'static str, url: &str) -> EndpointBuilder {
        EndpointBuilder {
            what,
            uri: secure_url(what, url),
            fetcher: None,
        }
    }

    pub(super) fn fetch(&mut self, fetch: impl Fetch) {
        self.fetcher = Some(Fetcher::new(fetch));
    }

    /// # Errors
    ///
    /// If the URL or a setting is no good, or there is no HTTP client.
    pub(super) fn build(self, settings: &Settings) -> Result<Endpoint, ConfigError> {
        let (what, uri) = (self.what, self.uri?);
        settings.check()?;
        let fetcher = match self.fetcher {
            Some(fetcher) => fetcher,
            None => default_fetcher(&uri)?,
        };
        let place = without_query(&uri);
        let words = Words {
            name: format!("{what} {place}"),
            failed: format!("the {what} cannot be asked"),
            place,
        };
        Ok(Endpoint {
            upstream: Upstream::new(words, settings),
            uri,
            fetcher,
        })
    }
}

impl Endpoint {
    /// Asks, and lets `read` say what the answer tells. Each attempt has a request of its own, since
    /// some hold what is good only once.
    pub(super) async fn ask<T>(
        &self,
        moment: &Moment<'_>,
        unsaid: &Unsaid<'_>,
        request: impl Fn() -> Result<Request<Vec<u8>>, ConfigError>,
        read: impl Fn(Response<Vec<u8>>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let (request, read) = (&request, &read);
        let attempt = || async move {
            let request = request().map_err(Fault::of_this_call)?;
            read(self.fetcher.fetch(request).await?)
        };
        self.upstream.call(moment.clock(), unsaid, attempt).await
    }
}

/// The text of a good answer.
pub(super) fn text(response: Response<Vec<u8>>, moment: &Moment<'_>) -> Result<String, Fault> {
    let status = response.status();
    if status == StatusCode::OK {
        let text = String::from_utf8(response.into_body());
        return text.map_err(|_| Fault::failure("answer is no UTF-8"));
    }
    let why = format!("status is {}, wanted 200", status.as_u16());
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let now = moment.clock().now();
            Fault::pause(why, hints::retry_after(response.headers(), now))
        }
        status if status.is_server_error() => Fault::failure(why),
        // Its 401 is about *our* credentials, its 400 may mean that it does not know such tokens.
        // Both, and a redirect, show that it is there.
        _ => Fault::of_this_call(why),
    })
}

/// Reads the members of an answer that is a strict JSON object.
pub(super) fn members<'a>(
    answer: &'a str,
    member: impl FnMut(Cow<'a, str>, Json<'a>),
) -> Result<(), Fault> {
    json::members(answer, member).map_err(|error| {
        let why = format!("answer is no strict JSON object: {error}");
        match error {
            JsonError::Syntax(..) | JsonError::NoObject => Fault::failure(why),
            // An object all the same: claims of this one token may have made it so.
            JsonError::Repeated | JsonError::TooDeep | JsonError::Reserved => {
                Fault::of_this_call(why)
            }
        }
    })
}

/// The claims in the text of an answer.
pub(super) fn claims(text: String) -> Result<ClaimSet, Fault> {
    ClaimSet::parse_answer(text).map_err(Fault::of_this_call)
}
