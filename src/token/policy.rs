//! Who may touch what: policies, free of HTTP.

use std::future::Future;

use super::FromToken;
use crate::error::Error;

/// A policy in one sentence: may this token's holder touch this resource?
///
/// Where the answer is not in the token, ask a [`Policy`].
///
/// # Examples
///
/// ```
/// use portcullis::Permits;
///
/// struct Party { upid: String }
/// struct InterviewPath { upid: String }
///
/// impl Permits<InterviewPath> for Party {
///     fn permits(&self, path: &InterviewPath) -> bool {
///         self.upid == path.upid
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no policy for `{Resource}`",
    label = "nobody says whether access is permitted",
    note = "write it down: `impl portcullis::Permits<{Resource}> for {Self}`"
)]
pub trait Permits<Resource: ?Sized> {
    /// Whether a refusal hides that the resource exists: 404 instead of 403. Answer with
    /// [`Error::not_found`] for resources that do not exist, and nobody can tell the two apart.
    /// Default: 403.
    const HIDES: bool = false;

    /// Whether access is permitted. Absent data must deny.
    fn permits(&self, resource: &Resource) -> bool;
}

/// A policy that only the application can answer: is this person party to this interview?
///
/// It is part of the application's state ([`PermittedBy`](crate::PermittedBy) finds it there) and
/// answers with what the handler needs to know anyway, such as the person's role there.
///
/// # Examples
///
/// ```
/// use portcullis::{AccessToken, Error, Policy};
/// use std::collections::HashMap;
///
/// struct InterviewPath { id: String }
///
/// /// Stands for a database: who has which role in which interview.
/// #[derive(Clone, Default)]
/// struct Parties(HashMap<(String, String), &'static str>);
///
/// impl Policy<InterviewPath> for Parties {
///     type Holder = AccessToken;
///     type Answer = &'static str;
///
///     async fn decide(
///         &self,
///         holder: &AccessToken,
///         interview: &InterviewPath,
///     ) -> Result<Option<&'static str>, Error> {
///         let Some(upid) = holder.subject() else { return Ok(None) };
///         Ok(self.0.get(&(upid.to_owned(), interview.id.clone())).copied())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no policy for `{Resource}`",
    label = "nobody says whether access is permitted",
    note = "write it down: `impl portcullis::Policy<{Resource}> for {Self}`"
)]
pub trait Policy<Resource: ?Sized>: Send + Sync {
    /// Who asks: what the policy needs of the token.
    type Holder: FromToken + Send + Sync;
    /// What it answers if access is permitted.
    type Answer: Send;

    /// Whether a refusal hides that the resource exists: 404 instead of 403. A resource that does
    /// not exist is then to be refused in the same way. Default: 403.
    const HIDES: bool = false;

    /// Answers, or `None` if access is not permitted. Absent data must deny.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] if it cannot be found out now; any other to refuse in words of its own.
    fn decide(
        &self,
        holder: &Self::Holder,
        resource: &Resource,
    ) -> impl Future<Output = Result<Option<Self::Answer>, Error>> + Send;
}

/// Asks, and makes a refusal of a no.
pub(crate) async fn ask<P, Resource>(
    policy: &P,
    holder: &P::Holder,
    resource: &Resource,
) -> Result<P::Answer, Error>
where
    P: Policy<Resource>,
    Resource: ?Sized,
{
    match policy.decide(holder, resource).await? {
        Some(answer) => Ok(answer),
        None => Err(refusal(P::HIDES)),
    }
}

/// What a policy that says no answers.
pub(crate) fn refusal(hides: bool) -> Error {
    const SENTENCE: &str = "the policy of this resource says no";
    match hides {
        true => Error::not_found(SENTENCE),
        false => Error::forbidden(SENTENCE),
    }
}
