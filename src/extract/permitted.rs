//! Access to this one resource: the id comes out only through the gate.

use std::fmt;
use std::ops::Deref;

use axum_core::extract::{FromRef, FromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use super::Rejection;
use super::guards::from_presence;
use crate::token::{FromToken, Permits, Policy, ask, refusal};

/// The token's holder `T` and the resource `E`, handed out only if `T` permits it.
///
/// `E` is any extractor that dereferences to the resource, such as `Path<InterviewPath>`; the
/// policy is [`Permits`], free of axum. A refusal is a 403, or a 404 if the policy
/// [hides](Permits::HIDES) what exists.
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
            return Err(PermittedRejection::Gate(refusal(T::HIDES).into()));
        }
        Ok(Permitted(holder, resource))
    }
}

/// What the application's policy `P` answers about the resource `E`, and the resource, handed out
/// only if it permits access.
///
/// `P` is a [`Policy`] that the router's state holds ([`FromRef`]); `E` is any extractor that
/// dereferences to the resource, such as `Path<InterviewPath>`. Order of refusals: the token, the
/// resource's own extractor, the policy.
///
/// # Examples
///
/// ```
/// use axum::extract::Path;
/// use portcullis::{AccessToken, Error, PermittedBy, Policy};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct InterviewPath { id: String }
///
/// /// Stands for a database.
/// #[derive(Clone)]
/// struct Parties;
///
/// struct Party { role: &'static str }
///
/// impl Policy<InterviewPath> for Parties {
///     type Holder = AccessToken;
///     type Answer = Party;
///
///     async fn decide(
///         &self,
///         holder: &AccessToken,
///         interview: &InterviewPath,
///     ) -> Result<Option<Party>, Error> {
///         let is_party = holder.subject() == Some("alice") && interview.id == "i-1";
///         Ok(is_party.then_some(Party { role: "signer" }))
///     }
/// }
///
/// async fn sign(
///     PermittedBy(party, Path(path)): PermittedBy<Parties, Path<InterviewPath>>,
/// ) -> String {
///     format!("{} of {}", party.role, path.id)
/// }
///
/// #[derive(Clone, axum::extract::FromRef)]
/// struct App { parties: Parties }
///
/// let router: axum::Router<App> =
///     axum::Router::new().route("/interviews/{id}/sign", axum::routing::post(sign));
/// ```
pub struct PermittedBy<P, E>(
    /// What the policy answers.
    pub P::Answer,
    /// What for.
    pub E,
)
where
    E: Deref,
    P: Policy<E::Target>;

impl<S, P, E> FromRequestParts<S> for PermittedBy<P, E>
where
    S: Send + Sync,
    P: Policy<E::Target> + FromRef<S>,
    E: FromRequestParts<S> + Deref + Send + Sync,
    E::Target: Sync,
{
    type Rejection = PermittedRejection<E::Rejection>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        // As in `Permitted`: a stranger must not learn which resources exist.
        let holder: P::Holder =
            from_presence(parts, "PermittedBy").map_err(PermittedRejection::Gate)?;
        let resource = E::from_request_parts(parts, state)
            .await
            .map_err(PermittedRejection::Resource)?;
        let answer = ask(&P::from_ref(state), &holder, &*resource)
            .await
            .map_err(|error| PermittedRejection::Gate(error.into()))?;
        Ok(PermittedBy(answer, resource))
    }
}

impl<P, E> fmt::Debug for PermittedBy<P, E>
where
    E: Deref + fmt::Debug,
    P: Policy<E::Target>,
    P::Answer: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PermittedBy")
            .field(&self.0)
            .field(&self.1)
            .finish()
    }
}
