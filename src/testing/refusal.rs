//! How the standard endpoints say no.

use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::exchange::json_answer;

/// An error answer of RFC 6749 §5.2.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

impl Refusal {
    pub(super) fn client(description: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description,
        }
    }

    pub(super) fn request(description: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            error: "invalid_request",
            description,
        }
    }

    pub(super) fn method(allowed: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            error: "invalid_request",
            description: allowed,
        }
    }

    pub(super) fn response(self, issuer: &str) -> Response<Vec<u8>> {
        let mut response = json_answer(
            self.status.as_u16(),
            json!({"error": self.error, "error_description": self.description}),
        );
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let challenge = format!("Basic realm=\"{issuer}\", error=\"{}\"", self.error);
                let challenge = HeaderValue::from_str(&challenge);
                let challenge = challenge.unwrap_or(HeaderValue::from_static("Basic"));
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = HeaderValue::from_static(self.description);
                response.headers_mut().insert(ALLOW, allowed);
            }
            _ => {}
        }
        response
    }
}
