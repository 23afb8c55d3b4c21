//! The bodies of refusals, without the token that the originals repeat.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::json;

use crate::{Error, Renderer, Scope};

/// Words refusals as the web services do in XML, `<error><code type="http">401</code><message>…`,
/// but never repeats the token. Scopes that are needed stand in `<detail>`.
#[derive(Clone, Copy, Debug)]
pub struct XmlErrors;

impl Renderer for XmlErrors {
    fn render(&self, error: &Error, response: &mut Response<String>) {
        let scopes: Vec<&str> = error.scopes().iter().map(Scope::as_str).collect();
        let detail = match scopes.join(" ").replace('&', "&amp;").replace('<', "&lt;") {
            none if none.is_empty() => none,
            scopes => format!("<detail>scope: {scopes}</detail>"),
        };
        let (status, message) = (response.status().as_u16(), error.reason().description());
        *response.body_mut() = format!(
            r#"<error><code type="http">{status}</code><message>{message}</message>{detail}</error>"#
        );
        set_content_type(response, "application/xml");
    }
}

/// Words refusals as the Metadata API 2.0 does in JSON: `{"message":"Unauthorized"}` for 401, else
/// `type`, `title` and `detail`. The type is the [label](crate::Reason::label) of the reason.
#[derive(Clone, Copy, Debug)]
pub struct JsonErrors;

impl Renderer for JsonErrors {
    fn render(&self, error: &Error, response: &mut Response<String>) {
        let status = response.status();
        let title = status.canonical_reason().unwrap_or_default();
        let body = match status.as_u16() {
            401 => json!({"message": title}),
            _ => json!({
                "type": error.reason().label(),
                "title": title,
                "detail": error.reason().description(),
            }),
        };
        *response.body_mut() = body.to_string();
        set_content_type(response, "application/json");
    }
}

fn set_content_type(response: &mut Response<String>, value: &'static str) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
}
