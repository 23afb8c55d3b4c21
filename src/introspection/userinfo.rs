//! Asks the issuer who the user of an opaque token is (OpenID Connect Core §5.3), where it offers
//! no introspection.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, Response, StatusCode};

use super::endpoint::{self, Endpoint, EndpointBuilder};
use super::settings::{Settings, setters};
use super::unsaid::Unsaid;
use super::upstream::Fault;
use crate::claims::ClaimSet;
use crate::credential::Credential;
use crate::error::{ConfigError, Error, Reason};
use crate::fetch::{Fetch, without_query};
use crate::hints;
use crate::rules::{ClaimRules, MayLack};
use crate::secret::Secret;
use crate::status::Status;
use crate::verified::Verified;
use crate::verify::{Moment, VerdictLifetime, Verifier};

/// Proves opaque tokens at a UserInfo endpoint; made by
/// [`danger::userinfo`](crate::danger::userinfo), which says what that does not prove.
///
/// When the endpoint fails, it is treated as
/// [an introspection endpoint](crate::IntrospectionVerifier#when-the-endpoint-fails) is. Its 401 and 403
/// are about the token: 401.
pub struct UserinfoVerifier {
    endpoint: Endpoint,
    rules: ClaimRules,
    lifetime: VerdictLifetime,
}

/// Sets up a [`UserinfoVerifier`].
#[must_use]
pub struct UserinfoVerifierBuilder {
    endpoint: EndpointBuilder,
    issuer: Option<Box<str>>,
    settings: Settings,
}

impl UserinfoVerifierBuilder {
    pub(crate) fn new(endpoint: &str) -> UserinfoVerifierBuilder {
        UserinfoVerifierBuilder {
            endpoint: EndpointBuilder::new("UserInfo endpoint", endpoint),
            issuer: None,
            settings: Settings::default(),
        }
    }

    /// Uses an HTTP client of your own. Default: reqwest with rustls, if the feature `reqwest` is
    /// on.
    pub fn fetch(mut self, fetch: impl Fetch) -> UserinfoVerifierBuilder {
        self.endpoint.fetch(fetch);
        self
    }

    /// What [`AccessToken::issuer`](crate::AccessToken::issuer) says, since the answer does not.
    /// Default: nothing.
    pub fn issuer(mut self, issuer: &str) -> UserinfoVerifierBuilder {
        self.issuer = Some(issuer.into());
        self
    }

    setters!(
        "How long an accepted token is remembered; the answer says no end. It is how long a revoked \
         or expired token still passes."
    );

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the endpoint is not https (or http on loopback), the deadline or the number
    /// of calls at a time is zero, accepted tokens are trusted for more than an hour while it is down,
    /// or there is neither a [`fetch`](Self::fetch) nor the feature
    /// `reqwest`.
    pub fn build(self) -> Result<UserinfoVerifier, ConfigError> {
        let may_lack = MayLack {
            sub: false,
            ..MayLack::ALL
        };
        Ok(UserinfoVerifier {
            endpoint: self.endpoint.build(&self.settings)?,
            rules: ClaimRules::new(self.issuer.as_deref(), None, may_lack),
            lifetime: self.settings.lifetime()?,
        })
    }
}

impl UserinfoVerifier {
    async fn ask(
        &self,
        token: &str,
        unsaid: &Unsaid<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        // Its room is made for all of it at once.
        let bearer = Secret::new([b"Bearer ", token.as_bytes()].concat()).header();
        let bearer =
            bearer.ok_or_else(|| Error::new(Reason::Inactive, "token is no header value"))?;
        let request = || {
            let mut request = Request::new(Vec::new());
            *request.uri_mut() = self.endpoint.uri.clone();
            let headers = request.headers_mut();
            headers.insert(AUTHORIZATION, bearer.clone());
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            Ok(request)
        };
        let read = |response| read(response, moment);
        let claims = self.endpoint.ask(moment, unsaid, request, read).await?;
        let claims = claims.ok_or_else(|| {
            Error::new(
                Reason::Inactive,
                "the issuer does not tell whose token it is",
            )
        })?;
        self.rules.judge(&claims, moment.clock().now())?;
        // Words of a profile, which its user may have written.
        let verified = Verified::new(claims).without_grants();
        let verified = verified.confirmed_at(moment.now());
        Ok(match self.rules.issuer() {
            Some(issuer) => verified.with_issuer(issuer),
            None => verified,
        })
    }
}

impl Verifier for UserinfoVerifier {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let unsaid = Unsaid::new([credential.token()]);
        let verdict = self.ask(credential.token(), &unsaid, moment).await;
        verdict.map_err(|error| unsaid.withhold_from(error))
    }

    fn sees_revocation(&self) -> bool {
        true
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.lifetime
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        self.endpoint.upstream.status(moment)
    }
}

/// What the issuer tells of the token's user; `None` if it tells nothing.
fn read(response: Response<Vec<u8>>, moment: &Moment<'_>) -> Result<Option<ClaimSet>, Fault> {
    // RFC 6750 §3.1: these two are about the token, as everything else is about the endpoint.
    if let StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN = response.status() {
        return Ok(None);
    }
    // It is asked with the user's own token, so this is about the user, not about us.
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        let wait = hints::retry_after(response.headers(), moment.clock().now());
        let fault = Fault::of_this_call("status is 429, wanted 200");
        return Err(match wait {
            Some(wait) => fault.with_retry_after(wait),
            None => fault,
        });
    }
    let text = endpoint::text(response, moment)?;
    endpoint::members(&text, |_, _| ())?;
    endpoint::claims(text).map(Some)
}

impl fmt::Debug for UserinfoVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserinfoVerifier")
            .field("endpoint", &without_query(&self.endpoint.uri))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UserinfoVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserinfoVerifierBuilder")
            .field("endpoint", &self.endpoint.uri.as_ref().map(without_query))
            .finish_non_exhaustive()
    }
}
