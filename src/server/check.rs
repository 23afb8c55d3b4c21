//! What an application asks of each proven token, on each request, before any handler runs.

use std::future::Future;

use http::request::Parts;

use crate::clock::BoxFuture;
use crate::error::Error;
use crate::token::AccessToken;

/// Asked about every proven token of every request: is it revoked, is its user banned, does its scope
/// fit this URL?
///
/// Unlike a [`Verifier`](crate::Verifier) its answer is never remembered.
///
/// # Examples
///
/// ```
/// use http::request::Parts;
/// use portcullis::{AccessToken, Check, Error};
/// use std::collections::HashSet;
/// use std::sync::{Arc, RwLock};
/// use std::time::Duration;
///
/// /// Tokens that were logged out. As this list is in memory, `check_now` could answer, too.
/// #[derive(Clone, Default)]
/// struct LoggedOut(Arc<RwLock<HashSet<(String, String)>>>);
///
/// impl Check for LoggedOut {
///     async fn check(&self, token: &AccessToken, _: &Parts) -> Result<(), Error> {
///         // By both: the `jti` of some issuers is not unique.
///         let (Some(sub), Some(jti)) = (token.subject(), token.claims().token_id()) else {
///             return Err(Error::invalid_token("token cannot be logged out"));
///         };
///         let logged_out = self.0.read().map_err(|_| {
///             Error::unavailable(Duration::from_secs(5), "a thread panicked over the list")
///         })?;
///         match logged_out.contains(&(sub.to_owned(), jti.to_owned())) {
///             true => Err(Error::invalid_token("token was logged out")),
///             false => Ok(()),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no check of tokens",
    note = "a function or closure that needs no waiting goes to `check_with`; for everything else \
            implement `portcullis::Check`"
)]
pub trait Check: Send + Sync + 'static {
    /// Lets the request pass, or refuses it. What takes longer than 30 seconds is given up.
    ///
    /// # Errors
    ///
    /// [`Error::invalid_token`] if another token would help, [`Error::forbidden`] if none would,
    /// [`Error::unavailable`] if it cannot be found out now.
    fn check(
        &self,
        token: &AccessToken,
        parts: &Parts,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Answers at once, if nothing has to be waited for; else `None`, and [`check`](Self::check) is
    /// asked. For one request it may be asked twice, if something else has to be waited for, so it
    /// must not count. Default: `None`.
    fn check_now(&self, token: &AccessToken, parts: &Parts) -> Option<Result<(), Error>> {
        let _ = (token, parts);
        None
    }
}

/// A function that needs no waiting.
pub(super) struct Function<F>(pub(super) F);

impl<F> Check for Function<F>
where
    F: Fn(&AccessToken, &Parts) -> Result<(), Error> + Send + Sync + 'static,
{
    async fn check(&self, token: &AccessToken, parts: &Parts) -> Result<(), Error> {
        self.0(token, parts)
    }

    fn check_now(&self, token: &AccessToken, parts: &Parts) -> Option<Result<(), Error>> {
        Some(self.0(token, parts))
    }
}

/// [`Check`] behind a pointer.
pub(super) trait ErasedCheck: Send + Sync {
    fn check<'a>(
        &'a self,
        token: &'a AccessToken,
        parts: &'a Parts,
    ) -> BoxFuture<'a, Result<(), Error>>;

    fn check_now(&self, token: &AccessToken, parts: &Parts) -> Option<Result<(), Error>>;
}

impl<C: Check> ErasedCheck for C {
    fn check<'a>(
        &'a self,
        token: &'a AccessToken,
        parts: &'a Parts,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(Check::check(self, token, parts))
    }

    fn check_now(&self, token: &AccessToken, parts: &Parts) -> Option<Result<(), Error>> {
        Check::check_now(self, token, parts)
    }
}
