//! Refusals in Embloy's words.

use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::{CLIENT_TOKEN, REQUEST_TOKEN};
use crate::{Error, ErrorKind, Reason, Renderer};

/// Refusals as Embloy words them: `{"<attribute>":[{"error":"ERR_…","description":"…"}]}`, without a
/// challenge. A token that is missing is a 400, as is a request token with half a session; a 503
/// stays as it is.
#[derive(Clone, Copy, Debug)]
pub struct ErrorStyle;

impl Renderer for ErrorStyle {
    fn render(&self, error: &Error, response: &mut Response<String>) {
        let attribute = match (error.carrier(), error.kind()) {
            (Some(CLIENT_TOKEN), _) => "client token",
            (Some(REQUEST_TOKEN), _) => "request token",
            (None, ErrorKind::Forbidden) => "user",
            _ => "token",
        };
        let is_missing = error.kind() == ErrorKind::MissingCredential;
        let is_half = error.reason() == Reason::MalformedClaims && attribute == "request token";
        if is_missing || is_half {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        let (code, description) = match response.status().as_u16() {
            400 if is_missing => ("ERR_BLANK", "Attribute can't be blank"),
            400 => ("ERR_INVALID", "Attribute is malformed"),
            401 => ("ERR_INVALID", "Attribute is invalid or expired"),
            403 => ("ERR_RAC", "Access is restricted"),
            404 => ("ERR_INVALID", "Attribute is unknown"),
            _ => return,
        };
        *response.body_mut() =
            format!(r#"{{"{attribute}":[{{"error":"{code}","description":"{description}"}}]}}"#);
        let headers = response.headers_mut();
        headers.remove(WWW_AUTHENTICATE);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
}
