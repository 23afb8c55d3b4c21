//! Sessions: how the application's store tells of them, and what handlers learn.

use std::future::Future;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{AppToken, Role};
use crate::{
    ClaimSet, Error, Lookup, LookupAnswer, LookupVerifier, LookupVerifierBuilder, TokenKind,
    Unavailable,
};

/// The application's store of sessions.
pub trait Sessions: Send + Sync + 'static {
    /// Finds what `token` is, letter by letter and with case; `None` if it was never issued, or
    /// was deleted with `DELETE /session-tokens`.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the store cannot be asked.
    fn find(&self, token: &str) -> impl Future<Output = Result<Option<Found>, Unavailable>> + Send;
}

/// What a store finds under an `App-Token`.
#[derive(Clone, Debug)]
pub enum Found {
    /// A session: `appId`, `endpointId`, `expiryTime` and `forDevelopment` as `POST /tokens`
    /// answered them (one that is missing is the store's fault, and a 503), and `role` as
    /// `GET /roles/{id}` does (without it nothing is permitted that needs a role). A row whose
    /// `tokenId` or `id` is the very credential that was shown counts as a [`TokenId`](Self::TokenId):
    /// do not name the column of App-Tokens so.
    Session(LookupAnswer),
    /// A `tokenId` that waits to be exchanged. It buys a session and opens nothing itself.
    TokenId,
}

/// A store's sessions as claims.
pub(super) struct Finder<S> {
    store: S,
    development_mode: bool,
}

/// Whether the row is what `POST /tokens` answered, found by the `tokenId` it gave. In whatever
/// case, since that of some databases is none.
fn is_of_token_id(row: &LookupAnswer, token: &str) -> bool {
    let mut ids = row.each("token_id").chain(row.each("id"));
    ids.any(|id| (id.as_str()).is_some_and(|id| id.eq_ignore_ascii_case(token)))
}

impl<S: Sessions> Finder<S> {
    pub(super) fn verifier(store: S, development_mode: bool) -> LookupVerifierBuilder {
        let finder = Finder {
            store,
            development_mode,
        };
        LookupVerifier::builder(finder).leeway(Duration::ZERO)
    }
}

impl<S: Sessions> Lookup for Finder<S> {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        let row = match self.store.find(token).await? {
            Some(Found::Session(row)) if !is_of_token_id(&row, token) => row,
            Some(_) => {
                tracing::debug!("credential is a tokenId, wanted the session it buys");
                return Ok(None);
            }
            None => return Ok(None),
        };
        let app_id = row.demand("app_id", LookupAnswer::text)?;
        let endpoint_id = row.demand("endpoint_id", LookupAnswer::text)?;
        let expiry_time = row.demand("expiry_time", LookupAnswer::time)?;
        let for_development = row.demand("for_development", LookupAnswer::boolean)?;
        if for_development && !self.development_mode {
            tracing::debug!("session is for development, wanted development mode");
            return Ok(None);
        }
        Ok(Some(ClaimSet::from_serialize(&json!({
            "level": AppToken::NAME,
            "client_id": app_id,
            "sub": endpoint_id,
            "exp": expiry_time.as_secs(),
            "appId": app_id,
            "endpointId": endpoint_id,
            "forDevelopment": for_development,
            "role": row.value("role")?,
        }))?))
    }
}

/// An endpoint's session: `Claims<Session>`, a 403 for all who are no endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Session {
    /// The app the endpoint belongs to.
    pub app_id: String,
    /// Who acts, unique within the app.
    pub endpoint_id: String,
    /// Whether it was issued without a secret, in development mode.
    pub for_development: bool,
    /// What it may do.
    #[serde(default)]
    pub role: Role,
}

impl Session {
    /// Demands that the role permits calls to the phone number `number`, in E.164: `+14087672671`.
    /// Sessions for development call nobody.
    ///
    /// # Errors
    ///
    /// [`Reason::Denied`](crate::Reason::Denied) (403).
    pub fn require_call(&self, number: &str) -> Result<(), Error> {
        if self.for_development {
            let sentence = "session is for development, wanted one that may call phones";
            return Err(Error::forbidden(sentence));
        }
        self.role.require_number(number)
    }
}
