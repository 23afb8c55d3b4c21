//! What endpoints of one's own read from a request, and the answer they write.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// Makes an answer of this status with a JSON body. More headers may be set on what it returns.
///
/// # Panics
///
/// If `status` is not of 100 to 999, or `body` has no JSON form.
///
/// # Examples
///
/// ```
/// use portcullis::testing::json_answer;
///
/// let answer = json_answer(403, serde_json::json!({"error": "not for you"}));
/// assert_eq!(answer.body(), br#"{"error":"not for you"}"#);
/// ```
#[track_caller]
pub fn json_answer(status: u16, body: impl Serialize) -> Response<Vec<u8>> {
    let body = serde_json::to_vec(&body);
    let mut response =
        Response::new(body.unwrap_or_else(|error| panic!("body has no JSON form: {error}")));
    *response.status_mut() = StatusCode::from_u16(status)
        .unwrap_or_else(|_| panic!("status is {status}, wanted 100 to 999"));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Reads the body as JSON, whatever its `Content-Type`; `null` if it is none. Indexing `null` is
/// `null` again, so a handler may ask for a member straight away.
pub fn json_body(request: &Request<Vec<u8>>) -> Value {
    serde_json::from_slice(request.body()).unwrap_or_default()
}

/// Reads the parameters of the query and of a form in the body. Of a name that is there several
/// times it has the last value, the body's rather than the query's.
pub fn parameters(request: &Request<Vec<u8>>) -> BTreeMap<String, String> {
    let query = request.uri().query().unwrap_or_default();
    let body = Some(request.body()).filter(|_| is_form(request));
    form_urlencoded::parse(query.as_bytes())
        .chain(form_urlencoded::parse(body.map_or(b"", Vec::as_slice)))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// Reads user and password of Basic credentials as they stand (RFC 7617). An OAuth client
/// form-encodes both (RFC 6749 §2.3.1), which is not undone here.
pub fn basic_credentials(request: &Request<Vec<u8>>) -> Option<(String, String)> {
    let authorization = request.headers().get(AUTHORIZATION)?;
    basic_pair(authorization.to_str().ok()?)
}

/// Reads the token of Bearer credentials (RFC 6750 §2.1), whatever the case of `Bearer`. `None` if the
/// header is absent, or is not the scheme and one token after it.
///
/// # Examples
///
/// ```
/// use portcullis::testing::bearer_token;
///
/// let request = http::Request::post("/userinfo").header("authorization", "bearer 8xLOxBtZp8");
/// let token = bearer_token(&request.body(Vec::new())?);
/// assert_eq!(token.as_deref(), Some("8xLOxBtZp8"));
/// # Ok::<(), http::Error>(())
/// ```
pub fn bearer_token(request: &Request<Vec<u8>>) -> Option<String> {
    let authorization = request.headers().get(AUTHORIZATION)?;
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    let is_one = !token.is_empty() && !token.contains([' ', '\t', ',']);
    (is_one && scheme.eq_ignore_ascii_case("bearer")).then(|| token.to_owned())
}

pub(super) fn basic_pair(authorization: &str) -> Option<(String, String)> {
    let (scheme, credential) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(())?;
    let pair = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

pub(super) fn is_form(request: &Request<Vec<u8>>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(headers: &[(&str, &str)], uri: &str, body: &str) -> Request<Vec<u8>> {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn json_is_read_or_null() {
        let read = |body| json_body(&request(&[], "/", body));
        assert_eq!(read(r#"{"a":{"b":1}}"#)["a"]["b"], 1);
        for none in ["", "{", "a=b", "\u{feff}{}"] {
            assert_eq!(read(none)["a"]["b"], Value::Null, "{none}");
        }
    }

    #[test]
    fn json_is_written_with_its_status() {
        let answer = json_answer(201, json!({"a": 1}));
        assert_eq!(answer.status(), 201);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(answer.body(), br#"{"a":1}"#);
        assert!(std::panic::catch_unwind(|| json_answer(99, ())).is_err());
    }

    #[test]
    fn parameters_come_from_query_and_form() {
        const FORM: &[(&str, &str)] = &[(
            "content-type",
            "Application/x-www-form-urlencoded; charset=UTF-8",
        )];
        for (headers, uri, body, wanted) in [
            (FORM, "/", "a=1&b=x+y%26", json!({"a": "1", "b": "x y&"})),
            (&[], "/?a=%20&a=2", "a=3", json!({"a": "2"})),
            (FORM, "/?a=1&c=", "a=3", json!({"a": "3", "c": ""})),
            (&[], "/", "", json!({})),
        ] {
            let read = parameters(&request(headers, uri, body));
            assert_eq!(json!(read), wanted, "{uri} {body}");
        }
    }

    #[test]
    fn basic_credentials_are_read_as_they_stand() {
        let read = |value| basic_credentials(&request(&[("authorization", value)], "/", ""));
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        // ann@example.com:p:+%20
        let ann = "basic YW5uQGV4YW1wbGUuY29tOnA6KyUyMA==";
        assert_eq!(read(ann), pair("ann@example.com", "p:+%20"));
        assert_eq!(read("Basic Og=="), pair("", ""));
        for none in ["Basic", "Basic YQ==", "Basic Y", "Bearer Og==", ""] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(basic_credentials(&request(&[], "/", "")), None);
    }

    #[test]
    fn bearer_tokens_are_read_whatever_the_case_of_the_scheme() {
        let read = |value| bearer_token(&request(&[("authorization", value)], "/", ""));
        for one in ["Bearer aB.c_1==", "bearer aB.c_1==", "BEARER  aB.c_1== "] {
            assert_eq!(read(one).as_deref(), Some("aB.c_1=="), "{one}");
        }
        for none in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a, x=\"y\"",
            "Bearera",
            "Basic Og==",
            "a",
            "",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(bearer_token(&request(&[], "/", "")), None);
    }
}
