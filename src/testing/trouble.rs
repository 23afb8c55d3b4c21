//! What can go wrong between a server and who asks it, and how each sort of trouble is played.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::clock::Clock;
use crate::fetch::FetchError;

/// The pause between two bytes of [`Trouble::Drip`].
pub(super) const DRIP: Duration = Duration::from_secs(1);

/// What an endpoint does instead of answering well.
///
/// Pauses are on the server's clock, so under a `ManualClock` they end when you turn it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Answers with this status and a line of text.
    Status(u16),
    /// Answers with this status and `Retry-After` in seconds.
    StatusWithRetryAfter(u16, u64),
    /// Answers 200 with an HTML page, as a captive portal would.
    Garbage,
    /// Answers 200 with this text, as JSON.
    Body(String),
    /// Answers rightly, under this `Content-Type`.
    ContentType(String),
    /// Answers rightly, but pads the JSON with blanks to this many bytes, sent without a
    /// `Content-Length`: whoever refuses it does so for its size.
    Huge(usize),
    /// Answers 302 to this location.
    Redirect(String),
    /// Takes the request and never answers.
    Hang,
    /// Answers rightly, this much later. The answer is that of the moment of asking.
    Late(Duration),
    /// Answers rightly, but sends one byte of the body a second.
    Drip,
    /// Drops the connection after half of the body.
    Reset,
    /// Takes the request and drops the connection without a byte of an answer.
    HangUp,
}

impl Trouble {
    /// # Panics
    ///
    /// If a status, a location or a content type cannot stand in an HTTP answer.
    #[track_caller]
    pub(super) fn prepare(self) -> Prepared {
        let instead = |status, header: (HeaderName, &str), body: String| {
            let (name, value) = header;
            let mut response = Response::new(body.into_bytes());
            *response.status_mut() = StatusCode::from_u16(status)
                .unwrap_or_else(|_| panic!("status is {status}, wanted 100 to 999"));
            let value = header_value(&name, value);
            response.headers_mut().insert(name, value);
            Prepared::Instead(response)
        };
        match self {
            Trouble::Status(status) => {
                instead(status, (CONTENT_TYPE, "text/plain"), "trouble\n".to_owned())
            }
            Trouble::StatusWithRetryAfter(status, seconds) => instead(
                status,
                (RETRY_AFTER, &seconds.to_string()),
                "trouble\n".to_owned(),
            ),
            Trouble::Garbage => instead(
                200,
                (CONTENT_TYPE, "text/html"),
                "<!doctype html><title>Please log in</title>\n".to_owned(),
            ),
            Trouble::Body(body) => instead(200, (CONTENT_TYPE, "application/json"), body),
            Trouble::Redirect(location) => instead(302, (LOCATION, &location), String::new()),
            Trouble::ContentType(value) => {
                Prepared::Relabelled(header_value(&CONTENT_TYPE, &value))
            }
            Trouble::Hang => Prepared::Never,
            Trouble::Huge(bytes) => Prepared::Manner(Manner::Padded(bytes)),
            Trouble::Late(duration) => Prepared::Manner(Manner::Late(duration)),
            Trouble::Drip => Prepared::Manner(Manner::Dripped),
            Trouble::Reset => Prepared::Manner(Manner::Cut),
            Trouble::HangUp => Prepared::Manner(Manner::Unanswered),
        }
    }
}

#[track_caller]
fn header_value(name: &HeaderName, value: &str) -> HeaderValue {
    HeaderValue::from_str(value)
        .unwrap_or_else(|_| panic!("{name} is {value:?}, wanted visible ASCII"))
}

/// A [`Trouble`] that is known to be playable.
#[derive(Clone)]
pub(super) enum Prepared {
    Instead(Response<Vec<u8>>),
    /// The right answer, under another content type.
    Relabelled(HeaderValue),
    Never,
    Manner(Manner),
}

/// How a right answer is sent.
#[derive(Clone, Copy)]
pub(super) enum Manner {
    Whole,
    Late(Duration),
    Padded(usize),
    Dripped,
    Cut,
    Unanswered,
}

/// What is to be sent, and how; `None` is never to answer.
pub(super) type Delivery = Option<(Response<Vec<u8>>, Manner)>;

/// Brings an answer to a caller in the same process.
pub(super) async fn collect(
    delivery: Delivery,
    clock: &Arc<dyn Clock>,
    max_bytes: usize,
) -> Result<Response<Vec<u8>>, FetchError> {
    let Some((mut response, manner)) = delivery else {
        return std::future::pending().await;
    };
    match manner {
        Manner::Whole => {}
        Manner::Late(duration) => clock.sleep(duration).await,
        Manner::Padded(bytes) => {
            // Never more than the caller reads, so a huge answer costs no memory.
            let padded = bytes.min(max_bytes.saturating_add(1));
            if response.body().len() < padded {
                response.body_mut().resize(padded, b' ');
            }
        }
        Manner::Dripped => {
            for _ in response.body().iter().take(max_bytes) {
                clock.sleep(DRIP).await;
            }
        }
        Manner::Cut | Manner::Unanswered => {
            return Err(FetchError::new(
                "connection closed before message completed",
            ));
        }
    }
    if response.body().len() > max_bytes {
        return Err(FetchError::too_large(max_bytes));
    }
    Ok(response)
}
