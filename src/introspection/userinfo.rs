//! Asks the issuer who the user of an opaque token is (OpenID Connect Core §5.3), where it offers
//! no introspection.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode, Uri};

use super::endpoint::Endpoint;
use crate::credential::Credential;
use crate::error::{ConfigError, Error, Reason};
use crate::fetch::{DEADLINE, Fetch, Fetcher, MAX_BYTES, secure_url};
use crate::fetch_default::default_fetcher;
use crate::rules::{ClaimRules, MayLack};
use crate::verified::Verified;
use crate::verify::{Moment, VerdictLifetime, Verifier};

/// Proves opaque tokens at a UserInfo endpoint; made by
/// [`danger::userinfo`](crate::danger::userinfo), which says what that does not prove.
pub struct UserinfoVerifier {
    endpoint: Endpoint,
    rules: ClaimRules,
    lifetime: VerdictLifetime,
}

/// Sets up a [`UserinfoVerifier`].
#[must_use]
pub struct UserinfoVerifierBuilder {
    endpoint: Result<Uri, ConfigError>,
    fetcher: Option<Fetcher>,
    issuer: Option<Box<str>>,
    accepted: Duration,
    refused: Duration,
    while_down: Duration,
}

impl UserinfoVerifierBuilder {
    pub(crate) fn new(endpoint: &str) -> UserinfoVerifierBuilder {
        UserinfoVerifierBuilder {
            endpoint: secure_url("UserInfo endpoint", endpoint),
            fetcher: None,
            issuer: None,
            accepted: Duration::from_secs(30),
            refused: Duration::from_secs(10),
            while_down: Duration::ZERO,
        }
    }

    /// Uses an HTTP client of your own. Default: reqwest with rustls, if the feature `reqwest` is
    /// on.
    pub fn fetch(mut self, fetch: impl Fetch) -> UserinfoVerifierBuilder {
        self.fetcher = Some(Fetcher::new(fetch));
        self
    }

    /// What [`AccessToken::issuer`](crate::AccessToken::issuer) says, since the answer does not.
    /// Default: nothing.
    pub fn issuer(mut self, issuer: &str) -> UserinfoVerifierBuilder {
        self.issuer = Some(issuer.into());
        self
    }

    /// How long an accepted token is remembered; the answer says no end. It is how long a revoked or
    /// expired token still passes. Default: 30 seconds; zero asks each time.
    pub fn remember_accepted(mut self, lifetime: Duration) -> UserinfoVerifierBuilder {
        self.accepted = lifetime;
        self
    }

    /// How long a refused token is remembered. Default: 10 seconds; zero asks each time.
    pub fn remember_refused(mut self, lifetime: Duration) -> UserinfoVerifierBuilder {
        self.refused = lifetime;
        self
    }

    /// Lets an accepted token pass for `longer` than it is remembered while the endpoint cannot be asked.
    /// Default: zero; at most 1 hour. See [`VerdictLifetime::while_down`] for what ends it sooner. A
    /// token that is revoked during an outage passes for so much longer.
    pub fn trust_accepted_while_down(mut self, longer: Duration) -> UserinfoVerifierBuilder {
        self.while_down = longer;
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the endpoint is not https (or http on loopback), accepted tokens are trusted
    /// for more than an hour while it is down, or there is neither a [`fetch`](Self::fetch) nor the
    /// feature `reqwest`.
    pub fn build(self) -> Result<UserinfoVerifier, ConfigError> {
        let endpoint = self.endpoint?;
        let fetcher = match self.fetcher {
            Some(fetcher) => fetcher,
            None => default_fetcher(&endpoint)?,
        };
        let may_lack = MayLack {
            sub: false,
            ..MayLack::ALL
        };
        Ok(UserinfoVerifier {
            endpoint: Endpoint {
                what: "UserInfo endpoint",
                uri: endpoint,
                fetcher: fetcher.with_limits(DEADLINE, MAX_BYTES),
            },
            rules: ClaimRules::new(self.issuer.as_deref(), None, may_lack),
            lifetime: VerdictLifetime::accepted(self.accepted)
                .refused(self.refused)
                .checked_while_down(self.while_down)?,
        })
    }
}

impl UserinfoVerifier {
    async fn ask(&self, token: &str, moment: &Moment<'_>) -> Result<Verified, Error> {
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = self.endpoint.uri.clone();
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::new(Reason::Inactive, "token is no header value"))?;
        bearer.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.endpoint.send(request, moment.clock()).await?;
        // RFC 6750 §3.1: these two are about the token, as everything else is about the endpoint.
        if let StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN = response.status() {
            return Err(Error::new(
                Reason::Inactive,
                "the issuer does not tell whose token it is",
            ));
        }
        let claims = self.endpoint.claims(self.endpoint.text(response)?)?;
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
        let verdict = self.ask(credential.token(), moment).await;
        verdict.map_err(|error| error.withholding([credential.token()]))
    }

    fn sees_revocation(&self) -> bool {
        true
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.lifetime
    }
}

impl fmt::Debug for UserinfoVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserinfoVerifier")
            .field("endpoint", &self.endpoint.uri)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UserinfoVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserinfoVerifierBuilder")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
