//! From an [`Error`] to an answer: the only table of statuses, codes and words.
//!
//! RFC 6750 §3 names the parameters; field experience adds two rules. The Bearer challenge stands
//! first, always, and no text we choose may hold `scope=`, `error=` or `resource_metadata=`, because
//! common clients search the header instead of parsing it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::error::{ConfigError, Error, ErrorKind, Reason};
use crate::scope::Scope;

/// Gives refusals a shape of your own.
///
/// The gate has already put status, `WWW-Authenticate`, `Retry-After`, `Cache-Control` and a
/// problem document (RFC 9457) into `response`; change what your clients expect otherwise.
///
/// # Examples
///
/// ```
/// use portcullis::{Error, Renderer};
///
/// struct Fault;
///
/// impl Renderer for Fault {
///     fn render(&self, error: &Error, response: &mut http::Response<String>) {
///         *response.body_mut() = format!(r#"{{"fault":"{}"}}"#, error.reason().description());
///     }
/// }
/// ```
pub trait Renderer: Send + Sync + 'static {
    /// Changes the answer to `error`. Keep `error`'s text out of it: it is for your log.
    fn render(&self, error: &Error, response: &mut Response<String>);
}

/// Says in a response's extensions that a server has worded this refusal: a gate further outside
/// leaves it alone.
#[derive(Clone, Copy)]
pub(crate) struct Worded;

/// How one server words its refusals.
#[derive(Clone)]
pub(crate) struct Answers {
    realm: Box<str>,
    /// Scopes to name in the bare 401, if the server asks for that.
    bare_scopes: Vec<Scope>,
    renderer: Option<Arc<dyn Renderer>>,
}

impl Default for Answers {
    fn default() -> Answers {
        Answers {
            realm: "api".into(),
            bare_scopes: Vec::new(),
            renderer: None,
        }
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("realm", &self.realm)
            .field("bare_scopes", &self.bare_scopes)
            .finish_non_exhaustive()
    }
}

/// Texts that clients search for in the whole header.
const SEARCHED_FOR: [&str; 3] = ["scope=", "error=", "resource_metadata="];

/// Whether a client would find another parameter in `text`. Names of parameters have no case (RFC 9110
/// §11.2), so neither has the search.
fn is_searched_for(text: &str) -> bool {
    SEARCHED_FOR.map(str::as_bytes).iter().any(|searched| {
        let mut parts = text.as_bytes().windows(searched.len());
        parts.any(|part| part.eq_ignore_ascii_case(searched))
    })
}

impl Answers {
    pub(crate) fn set_realm(&mut self, realm: &str) -> Result<(), ConfigError> {
        let printable = realm.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
        if !printable || is_searched_for(realm) || realm.is_empty() {
            return Err(ConfigError::new(format!(
                "realm is {}, wanted printable ASCII without `scope=`, `error=` and \
                 `resource_metadata=`",
                crate::text::quote(realm)
            )));
        }
        self.realm = realm.into();
        Ok(())
    }

    pub(crate) fn set_bare_scopes(&mut self, scopes: Vec<Scope>) -> Result<(), ConfigError> {
        if let Some(scope) = scopes.iter().find(|scope| is_searched_for(scope.as_str())) {
            return Err(ConfigError::new(format!(
                "challenge scope is {}, which clients would take for another parameter",
                crate::text::quote(scope.as_str())
            )));
        }
        self.bare_scopes = scopes;
        Ok(())
    }

    pub(crate) fn set_renderer(&mut self, renderer: Arc<dyn Renderer>) {
        self.renderer = Some(renderer);
    }

    /// The whole answer to `error`.
    pub(crate) fn answer(&self, error: &Error) -> Response<String> {
        let wire = Wire::of(error.reason());
        let mut response = Response::new(problem(&wire));
        *response.status_mut() = wire.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        // RFC 9111 §4.2.2: no heuristics over an answer that depends on a credential.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge(error, &wire) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if error.kind() == ErrorKind::Unavailable {
            let wait = error.retry_after().unwrap_or(Duration::from_secs(5));
            let seconds = (wait.as_millis().div_ceil(1000)).clamp(1, 3600) as u64;
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(renderer) = &self.renderer {
            renderer.render(error, &mut response);
        }
        response.extensions_mut().insert(error.clone());
        response
    }

    /// `WWW-Authenticate`, if `error` has one: 400, 401 and a 403 that a wider token would mend.
    /// A policy's 403 has none: no challenge could tell the client what to bring.
    fn challenge(&self, error: &Error, wire: &Wire) -> Option<HeaderValue> {
        let scopes = match error.kind() {
            ErrorKind::MissingCredential => &self.bare_scopes,
            ErrorKind::InvalidRequest | ErrorKind::InvalidToken => &[][..],
            ErrorKind::InsufficientScope => error.scopes(),
            ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::MissingLayer
            | ErrorKind::Unavailable => return None,
        };
        let mut challenge = String::from("Bearer ");
        parameter(&mut challenge, "realm", &self.realm);
        if let Some(code) = wire.error {
            parameter(&mut challenge, "error", code);
            parameter(&mut challenge, "error_description", wire.description);
        }
        let words: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
        // The words of a route's requirement are its programmer's; a client is told all of them, or none.
        if !words.is_empty() && !words.iter().any(|word| is_searched_for(word)) {
            parameter(&mut challenge, "scope", &words.join(" "));
        }
        HeaderValue::try_from(challenge).ok()
    }
}

/// The answer of nobody's server. A gate outside words it anew.
pub(crate) fn unworded(error: &Error) -> Response<String> {
    if error.reason() == Reason::MissingLayer {
        tracing::error!(reason = error.reason().label(), "{error}");
    }
    Answers::default().answer(error)
}

/// Appends `name="value"` as a quoted-string (RFC 9110 §5.6.4).
fn parameter(challenge: &mut String, name: &str, value: &str) {
    if !challenge.ends_with(' ') {
        challenge.push_str(", ");
    }
    challenge.push_str(name);
    challenge.push_str("=\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            challenge.push('\\');
        }
        challenge.push(character);
    }
    challenge.push('"');
}

/// The default body (RFC 9457). All its words are fixed, so no escaping is needed.
fn problem(wire: &Wire) -> String {
    let mut body = format!(
        r#"{{"type":"about:blank","title":"{}","status":{},"detail":"{}""#,
        wire.status.canonical_reason().unwrap_or_default(),
        wire.status.as_u16(),
        wire.description
    );
    if let Some(code) = wire.error {
        body.push_str(r#","error":""#);
        body.push_str(code);
        body.push('"');
    }
    body.push('}');
    body
}

impl Reason {
    /// The fixed words clients see: `error_description` and the problem's `detail`. For a
    /// [`Renderer`] that builds a body of its own.
    pub fn description(self) -> &'static str {
        Wire::of(self).description
    }
}

/// What a reason looks like on the wire.
struct Wire {
    status: StatusCode,
    error: Option<&'static str>,
    description: &'static str,
}

impl Wire {
    /// The table. Descriptions are fixed words, never input: they hold only `%x20-21`,
    /// `%x23-5B`, `%x5D-7E` (RFC 6750 §3).
    fn of(reason: Reason) -> Wire {
        let (status, error) = match reason.kind() {
            ErrorKind::MissingCredential => (StatusCode::UNAUTHORIZED, None),
            ErrorKind::InvalidRequest => (StatusCode::BAD_REQUEST, Some("invalid_request")),
            ErrorKind::InvalidToken => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
            ErrorKind::InsufficientScope => (StatusCode::FORBIDDEN, Some("insufficient_scope")),
            ErrorKind::Forbidden => (StatusCode::FORBIDDEN, None),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, None),
            ErrorKind::MissingLayer => (StatusCode::INTERNAL_SERVER_ERROR, None),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let description = match reason {
            Reason::NoCredential => "an access token is needed",
            Reason::SeveralCredentials => "the request carries more than one credential",
            Reason::MalformedCredential => "the credential is malformed",
            Reason::CredentialTooLong => "the credential is too long",
            Reason::Parameter => "a parameter that names the resource is missing or malformed",
            Reason::Unrecognized | Reason::MalformedToken => "the access token is malformed",
            Reason::Encrypted => "encrypted tokens are not supported",
            Reason::Critical => "the access token uses an extension that is not supported",
            Reason::Type | Reason::OtherToken => "the token is not an access token",
            Reason::Algorithm => "the signature algorithm is not accepted",
            Reason::UnknownKey => "the signing key is not known",
            Reason::Signature => "the signature does not match",
            Reason::MalformedClaims | Reason::MissingClaim | Reason::Subject => {
                "the claims of the access token are not acceptable"
            }
            Reason::Issuer => "the access token is from another issuer",
            Reason::Audience => "the access token is for another audience",
            Reason::Expired => "the access token expired",
            Reason::NotYetValid => "the access token is not valid yet",
            Reason::Bound => "the access token is bound to a key that was not proven",
            Reason::Inactive => "the access token is not active",
            Reason::Kind => "the access token is of no kind that is accepted here",
            Reason::Refused => "the access token was refused",
            Reason::Scope => "the access token lacks a scope that is needed",
            Reason::OtherKind => "another kind of access token is needed",
            Reason::ClaimShape => "the access token lacks claims that are needed",
            Reason::Denied => "access to this resource is denied",
            Reason::Hidden => "there is no such resource",
            Reason::MissingLayer => "the server is misconfigured",
            Reason::KeysUnavailable | Reason::LookupUnavailable => {
                "the access token cannot be checked at the moment"
            }
        };
        Wire {
            status,
            error,
            description,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A strict reader of one challenge (RFC 9110 §11.6.1): scheme, then `name="value"` pairs.
    fn parse(challenge: &str) -> Vec<(String, String)> {
        let mut rest = challenge
            .strip_prefix("Bearer ")
            .expect("the Bearer scheme comes first");
        let mut parameters = Vec::new();
        loop {
            let (name, after) = rest.split_once("=\"").expect("name and quote");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next().expect("closing quote") {
                    (_, '\\') => value.push(characters.next().expect("escaped").1),
                    (place, '"') => break place,
                    (_, other) => value.push(other),
                }
            };
            assert!(
                parameters.iter().all(|(n, _)| n != name),
                "{name} is repeated"
            );
            parameters.push((name.to_owned(), value));
            rest = &after[end + 1..];
            if rest.is_empty() {
                return parameters;
            }
            rest = rest.strip_prefix(", ").expect("comma and blank");
        }
    }

    fn challenge(answers: &Answers, error: &Error) -> Option<Vec<(String, String)>> {
        let response = answers.answer(error);
        let value = response.headers().get(WWW_AUTHENTICATE)?;
        Some(parse(value.to_str().unwrap()))
    }

    fn pairs(list: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(
            list.iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn no_credential_gets_a_bare_challenge() {
        let error = Error::new(Reason::NoCredential, "x");
        let mut answers = Answers::default();
        assert_eq!(challenge(&answers, &error), pairs(&[("realm", "api")]));
        answers
            .set_bare_scopes(vec![Scope::from_static("a"), Scope::from_static("b")])
            .unwrap();
        assert_eq!(
            challenge(&answers, &error),
            pairs(&[("realm", "api"), ("scope", "a b")])
        );
    }

    #[test]
    fn settings_show_themselves() {
        let shown = format!("{:?}", Answers::default());
        assert_eq!(shown, r#"Answers { realm: "api", bare_scopes: [], .. }"#);
    }

    #[test]
    fn a_missing_scope_is_named() {
        let error =
            Error::insufficient_scope(vec![Scope::from_static("a"), Scope::from_static("b")]);
        assert_eq!(
            challenge(&Answers::default(), &error),
            pairs(&[
                ("realm", "api"),
                ("error", "insufficient_scope"),
                (
                    "error_description",
                    "the access token lacks a scope that is needed"
                ),
                ("scope", "a b"),
            ])
        );
    }

    #[test]
    fn a_realm_is_escaped_and_read_back() {
        let mut answers = Answers::default();
        answers.set_realm(r#"the "inner" \ court, west"#).unwrap();
        let error = Error::new(Reason::NoCredential, "x");
        assert_eq!(
            challenge(&answers, &error),
            pairs(&[("realm", r#"the "inner" \ court, west"#)])
        );
        for bad in ["", "a\nb", "caf\u{e9}", "x scope=admin", "error=1"] {
            assert!(answers.set_realm(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_reason_has_an_answer_a_client_can_read() {
        for reason in Reason::ALL {
            let wire = Wire::of(*reason);
            let error = Error::new(*reason, "the internal sentence");
            let response = Answers::default().answer(&error);
            assert_eq!(response.status(), wire.status);
            assert!(!response.body().contains("internal sentence"));
            let problem: serde_json::Value = serde_json::from_str(response.body()).unwrap();
            assert_eq!(problem["status"], wire.status.as_u16());
            let words = wire.description;
            assert!(
                words
                    .bytes()
                    .all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E))
            );
            assert!(!is_searched_for(words), "{words}");
            let challenged = matches!(wire.status.as_u16(), 400 | 401) || *reason == Reason::Scope;
            assert_eq!(
                response.headers().contains_key(WWW_AUTHENTICATE),
                challenged
            );
            let retry = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, wire.status == StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[test]
    fn what_looks_like_a_parameter_is_written_nowhere() {
        for word in ["x:scope=admin", "ERROR=none", "Resource_Metadata=x"] {
            let scope = Scope::from_static(word);
            let error = Error::insufficient_scope(vec![Scope::from_static("a"), scope.clone()]);
            let told = challenge(&Answers::default(), &error).unwrap();
            assert!(told.iter().all(|(name, _)| name != "scope"), "{told:?}");
            assert!(Answers::default().set_bare_scopes(vec![scope]).is_err());
            assert!(Answers::default().set_realm(word).is_err());
        }
    }

    #[test]
    fn retry_after_is_whole_seconds_and_at_least_one() {
        let retry = |wait: Duration| {
            let response = Answers::default().answer(&Error::unavailable(wait, "x"));
            response.headers()[RETRY_AFTER].to_str().unwrap().to_owned()
        };
        assert_eq!(retry(Duration::ZERO), "1");
        assert_eq!(retry(Duration::from_millis(2_100)), "3");
        assert_eq!(retry(Duration::MAX), "3600");
    }
}
