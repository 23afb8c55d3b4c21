//! Access to this one resource: the id comes out only through the gate.

use std::fmt;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use super::Rejection;
use super::guards::from_presence;
use crate::error::{Error, Reason};
use crate::token::{FromToken, Permits};

/// The token's holder `T` and the resource `E`, handed out only if `T` permits it.
///
/// `E` is any extractor that dereferences to the resource, such as `Path<InterviewPath>`; the
/// policy is [`Permits`], free of axum. A refusal is a 403.
///
/// # Examples
///
/// ```
/// use axum::extract::Path;
/// use portcullis::{Claims, Permits, Permitted};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Party { upid: String, interview_id: String }
///
/// #[derive(Deserialize)]
/// struct InterviewPath { upid: String, interview_id: String }
///
/// impl Permits<InterviewPath> for Party {
///     fn permits(&self, path: &InterviewPath) -> bool {
///         self.upid == path.upid && self.interview_id == path.interview_id
///     }
/// }
///
/// async fn answer(
///     Permitted(party, Path(path)): Permitted<Claims<Party>, Path<InterviewPath>>,
/// ) -> String {
///     format!("{} answers {}", party.upid, path.interview_id)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Permitted<T, E>(
    /// Who asks.
    pub T,
    /// What for.
    pub E,
);

/// Why [`Permitted`] refused: the gate's reason, or the resource's own rejection.
#[derive(Debug)]
#[non_exhaustive]
pub enum PermittedRejection<R> {
    /// The token, or the policy.
    Gate(Rejection),
    /// The resource could not be extracted. The policy was not asked.
    Resource(R),
}

impl<R: fmt::Display> fmt::Display for PermittedRejection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PermittedRejection::Gate(rejection) => rejection.fmt(f),
            PermittedRejection::Resource(rejection) => rejection.fmt(f),
        }
    }
}

impl<R: fmt::Debug + fmt::Display> std::error::Error for PermittedRejection<R> {}

impl<R: IntoResponse> IntoResponse for PermittedRejection<R> {
    fn into_response(self) -> Response {
        match self {
            PermittedRejection::Gate(rejection) => rejection.into_response(),
            PermittedRejection::Resource(rejection) => rejection.into_response(),
        }
    }
}

impl<S, T, E> FromRequestParts<S> for Permitted<T, E>
where
    S: Send + Sync,
    T: FromToken + Permits<E::Target> + Send,
    E: FromRequestParts<S> + Deref + Send,
{
    type Rejection = PermittedRejection<E::Rejection>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        // The token first: a stranger must not learn which resources exist.
        let holder: T = from_presence(parts, "Permitted").map_err(PermittedRejection::Gate)?;
        let resource = E::from_request_parts(parts, state)
            .await
            .map_err(PermittedRejection::Resource)?;
        if !holder.permits(&resource) {
            let error = Error::new(Reason::Denied, "the policy of this resource says no");
            return Err(PermittedRejection::Gate(error.into()));
        }
        Ok(Permitted(holder, resource))
    }
}
