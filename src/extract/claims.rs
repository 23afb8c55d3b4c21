//! The claims as a type of the application's own.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::Rejection;
use super::guards::from_presence;
use crate::error::Error;
use crate::token::{AccessToken, FromToken, Permits};

/// The claims of the token as `T`, read once per token, or once for each thread that is shown it again and
/// again, and shared between requests.
///
/// Claims of another shape are a 403: the token is good, but not for this.
///
/// # Examples
///
/// ```
/// use portcullis::Claims;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Party { upid: String, interview_id: String }
///
/// async fn answer(party: Claims<Party>) -> String {
///     format!("{} answers {}", party.upid, party.interview_id)
/// }
/// ```
pub struct Claims<T>(
    /// The claims; shared with other requests that show the same token.
    pub Arc<T>,
);

impl<T: DeserializeOwned + Send + Sync + 'static> FromToken for Claims<T> {
    fn from_token(token: &AccessToken) -> Result<Claims<T>, Error> {
        token.claims_as().map(Claims)
    }
}

impl<S: Sync, T: DeserializeOwned + Send + Sync + 'static> FromRequestParts<S> for Claims<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Claims<T>, Rejection> {
        from_presence(parts, "Claims")
    }
}

/// So that `Permitted<Claims<Party>, Path<_>>` needs nothing but the policy.
impl<T: Permits<Resource>, Resource: ?Sized> Permits<Resource> for Claims<T> {
    const HIDES: bool = T::HIDES;

    fn permits(&self, resource: &Resource) -> bool {
        self.0.permits(resource)
    }
}

impl<T> Deref for Claims<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Claims<T> {
    fn clone(&self) -> Claims<T> {
        Claims(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Claims<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims").field(&self.0).finish()
    }
}
