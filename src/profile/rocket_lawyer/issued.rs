//! What the issuer answers when it hands out an access token, loose types read strictly.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::answer::{AnswerError, LookupAnswer};

/// The answer of `POST /accesstoken`, for a backend or a test that asks for tokens.
///
/// # Examples
///
/// ```
/// use portcullis::profile::rocket_lawyer::IssuedToken;
///
/// let answer = r#"{"access_token": "eyJ0", "token_type": "BearerToken", "expires_in": "35999",
///                  "api_product_list": "[RocketDocument, RocketSign]", "scope": ""}"#;
/// let issued = IssuedToken::parse(answer)?;
/// assert_eq!(issued.as_str(), "eyJ0");
/// assert_eq!(issued.expires_in().as_secs(), 35_999);
/// assert_eq!(issued.products(), ["RocketDocument", "RocketSign"]);
/// # Ok::<(), portcullis::AnswerError>(())
/// ```
#[derive(Clone)]
pub struct IssuedToken {
    token: String,
    expires_in: Duration,
    products: Vec<String>,
}

impl IssuedToken {
    /// Reads the answer's JSON text.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if it is no JSON object, lacks `access_token`, `token_type` or `expires_in`,
    /// names another type than `BearerToken` or `Bearer`, or has a list of products that is neither
    /// an array of texts nor a text in brackets.
    pub fn parse(json: &str) -> Result<IssuedToken, AnswerError> {
        let answer = LookupAnswer::parse(json)?;
        let kind = answer.demand("token_type", LookupAnswer::text)?;
        let known = ["BearerToken", "Bearer"];
        if !known.iter().any(|name| kind.eq_ignore_ascii_case(name)) {
            let wanted = "BearerToken or Bearer";
            return Err(AnswerError::wrong("token_type", "another text", wanted));
        }
        let seconds = answer.demand("expires_in", LookupAnswer::integer)?;
        let seconds = u64::try_from(seconds)
            .map_err(|_| AnswerError::wrong("expires_in", "below zero", "seconds"))?;
        Ok(IssuedToken {
            token: answer
                .demand("access_token", LookupAnswer::text)?
                .to_owned(),
            expires_in: Duration::from_secs(seconds),
            products: products(&answer)?,
        })
    }

    /// The token itself.
    pub fn as_str(&self) -> &str {
        &self.token
    }

    /// How long it is good from now on.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// The API products it opens.
    pub fn products(&self) -> &[String] {
        &self.products
    }
}

/// The list is an array, or a text in brackets with the array beside it.
fn products(answer: &LookupAnswer) -> Result<Vec<String>, AnswerError> {
    let name = "api_product_list";
    let beside = answer.value("api_product_list_json")?;
    let read: Option<Vec<&str>> = match beside.or(answer.value(name)?) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
        Some(Value::String(text)) => text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .map(|list| list.split(',').map(str::trim).collect()),
        Some(_) => None,
    };
    let read = read.ok_or_else(|| {
        AnswerError::wrong(name, "no list", "an array of texts or a text in brackets")
    })?;
    let named = read.into_iter().filter(|product| !product.is_empty());
    Ok(named.map(str::to_owned).collect())
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("expires_in", &self.expires_in)
            .field("products", &self.products)
            .finish_non_exhaustive()
    }
}
