//! Tokens that say nothing by themselves: the server remembers what introspection answers.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::claims::{Changes, LIFETIME, claim_methods, default_claims, random_text};
use super::state::Shared;
use crate::clock::UnixTime;

/// Makes opaque tokens that one server's introspection endpoint (RFC 7662) knows.
///
/// Untouched, a token is active for 300 seconds and its answer has `active`, `token_type`
/// `Bearer`, `iss`, `sub`, `aud`, `client_id`, `scope`, `iat` and `exp`. After its `exp`, or once
/// [`revoke`](super::AuthorizationServer::revoke)d, the answer is `{"active":false}`.
///
/// # Examples
///
/// ```
/// use portcullis::testing::AuthorizationServer;
///
/// let server = AuthorizationServer::new();
/// let token = server.opaque().scope("read:events").prefix("tk_").mint();
/// assert!(token.starts_with("tk_"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct OpaqueBuilder {
    server: Arc<Shared>,
    claims: Changes,
    lifetime: i64,
    prefix: String,
    refresh: bool,
    response: Option<Value>,
}

impl OpaqueBuilder {
    pub(super) fn new(server: Arc<Shared>) -> OpaqueBuilder {
        OpaqueBuilder {
            server,
            claims: Changes::default(),
            lifetime: LIFETIME,
            prefix: String::new(),
            refresh: false,
            response: None,
        }
    }

    claim_methods!();

    /// Starts the token with this text. Default: nothing.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.to_owned();
        self
    }

    /// Makes a refresh token: introspection calls it active, but its answer has no `aud` and no
    /// `token_type`. A gate must not take it for an access token.
    pub fn refresh_token(mut self) -> Self {
        self.refresh = true;
        self
    }

    /// Lets introspection answer exactly this, whatever the time. Only revoking the token changes
    /// it. For an answer that is not even JSON there is [`Trouble::Body`](super::Trouble::Body).
    pub fn response(mut self, response: Value) -> Self {
        self.response = Some(response);
        self
    }

    /// Makes a token and makes it known to the server.
    ///
    /// # Panics
    ///
    /// If the machine has no randomness.
    #[track_caller]
    pub fn mint(&self) -> String {
        let mut answer = default_claims(&self.server, self.lifetime);
        answer.insert("active".to_owned(), json!(true));
        answer.insert("token_type".to_owned(), json!("Bearer"));
        let mut answer = self.claims.apply(answer);
        if self.refresh {
            // Whatever was asked for: this is how real servers tell the two apart.
            answer.remove("aud");
            answer.remove("token_type");
        }
        let token = format!("{}{}", self.prefix, random_text(32));
        let issued = Issued {
            answer,
            response: self.response.clone(),
        };
        self.server.state().tokens.insert(token.clone(), issued);
        token
    }
}

impl fmt::Debug for OpaqueBuilder {
    /// Prints the claims that were changed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueBuilder")
            .field("issuer", &self.server.site.issuer)
            .field("refresh", &self.refresh)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// What the server knows of a token.
pub(super) struct Issued {
    answer: Map<String, Value>,
    response: Option<Value>,
}

impl Issued {
    /// Of a JWT with these claims.
    pub(super) fn of_jwt(claims: Map<String, Value>) -> Issued {
        let mut answer = claims;
        answer.insert("active".to_owned(), json!(true));
        answer.insert("token_type".to_owned(), json!("Bearer"));
        Issued {
            answer,
            response: None,
        }
    }

    pub(super) fn introspected(&self, now: UnixTime) -> Value {
        if let Some(response) = &self.response {
            return response.clone();
        }
        let expires = self.answer.get("exp").and_then(Value::as_f64);
        match expires.and_then(UnixTime::from_numeric_date) {
            Some(expires) if expires <= now => json!({"active": false}),
            _ => Value::Object(self.answer.clone()),
        }
    }

    /// Whether `client` may revoke it (RFC 7009 §2.1): its own tokens, and those of nobody.
    pub(super) fn belongs_to(&self, client: &str) -> bool {
        let owner = self.answer.get("client_id");
        owner.is_none_or(|owner| owner == client)
    }
}
