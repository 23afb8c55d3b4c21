//! Asks the issuer about a token (RFC 7662), and judges the answer ourselves.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use serde_json::Value;

use super::client_auth::ClientAuth;
use super::endpoint::Endpoint;
use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{ConfigError, Error, Reason};
use crate::fetch::{DEADLINE, Fetch, Fetcher, MAX_BYTES, secure_url};
use crate::fetch_default::default_fetcher;
use crate::json::{self, Json};
use crate::rules::{ClaimRules, MayLack};
use crate::text::quote;
use crate::verified::Verified;
use crate::verify::{Moment, VerdictLifetime, Verifier};

/// Proves opaque tokens by asking the issuer's introspection endpoint (RFC 7662).
///
/// The answer is judged, not believed: `active` must be the boolean `true`, and `aud`, `exp`,
/// `nbf`, `iat`, `iss` and `token_type` are checked here. Whatever goes wrong between us and the
/// endpoint is a 503, never a 401.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use portcullis::{ClientAuth, IntrospectionVerifier};
///
/// let verifier = IntrospectionVerifier::builder(
///     "https://as.example/introspect",
///     ClientAuth::basic("calendar", "s3cret"),
///     "https://api.example.com/",
/// )
/// .build()?;
/// # }
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
pub struct IntrospectionVerifier {
    endpoint: Endpoint,
    auth: ClientAuth,
    rules: ClaimRules,
    lifetime: VerdictLifetime,
}

/// Sets up an [`IntrospectionVerifier`].
#[must_use]
pub struct IntrospectionVerifierBuilder {
    endpoint: Result<Uri, ConfigError>,
    auth: ClientAuth,
    fetcher: Option<Fetcher>,
    deadline: Duration,
    rules: ClaimRules,
    accepted: Duration,
    refused: Duration,
    while_down: Duration,
}

impl IntrospectionVerifier {
    /// Begins a verifier that asks `endpoint` (https; http on loopback only), identifies itself
    /// with `auth`, and accepts tokens whose `aud` names `audience`.
    pub fn builder(
        endpoint: &str,
        auth: ClientAuth,
        audience: &str,
    ) -> IntrospectionVerifierBuilder {
        IntrospectionVerifierBuilder {
            endpoint: secure_url("introspection endpoint", endpoint),
            auth,
            fetcher: None,
            deadline: DEADLINE,
            // RFC 7662 §2.2 makes all of these optional. A missing `aud` is another matter: a refresh
            // token introspects as active on real servers, with its user's scopes, and only its
            // missing `aud` tells.
            rules: ClaimRules::new(
                None,
                Some(audience),
                MayLack {
                    aud: false,
                    ..MayLack::ALL
                },
            ),
            accepted: Duration::from_secs(30),
            refused: Duration::from_secs(10),
            while_down: Duration::ZERO,
        }
    }

    async fn ask(&self, token: &str, moment: &Moment<'_>) -> Result<Verified, Error> {
        let endpoint = &self.endpoint;
        let request = self
            .request(token, moment.now())
            .map_err(|error| endpoint.unavailable(&error))?;
        // Its 401 is about *our* credentials, its 400 may mean that it does not introspect such
        // tokens: neither is about this one.
        let text = endpoint.text(endpoint.send(request, moment.clock()).await?)?;
        self.judge_active(&text)?;
        let claims = endpoint.claims(text)?;
        judge_token_type(&claims)?;
        // The answer may have taken seconds.
        self.rules.judge(&claims, moment.clock().now())?;
        let verified = Verified::new(claims).with_leeway(self.rules.leeway);
        let verified = verified.asked_again_at_exp().confirmed_at(moment.now());
        Ok(match self.rules.issuer() {
            Some(issuer) => verified.with_issuer(issuer),
            None => verified,
        })
    }

    /// The form of RFC 7662 §2.1. The token stands in the body, never in the URL, where logs would
    /// keep it.
    fn request(&self, token: &str, now: UnixTime) -> Result<Request<Vec<u8>>, ConfigError> {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token);
        form.append_pair("token_type_hint", "access_token");
        let endpoint = self.endpoint.uri.to_string();
        let audience = self.rules.issuer().unwrap_or(&endpoint);
        self.auth.authenticate(headers, &mut form, audience, now)?;
        *request.body_mut() = form.finish().into_bytes();
        Ok(request)
    }

    /// Whether the issuer says that the token is active: with the boolean `true` and nothing else
    /// (RFC 7662 §2.2). Asked first, for an inactive answer may hold whatever it likes besides.
    fn judge_active(&self, answer: &str) -> Result<(), Error> {
        let mut active = false;
        json::members(answer, |name, value| {
            active |= name == "active" && value == Json::Bool(true);
        })
        .map_err(|error| {
            let why = format!("answer is no strict JSON object: {error}");
            self.endpoint.unavailable(&why)
        })?;
        if active {
            return Ok(());
        }
        Err(Error::new(
            Reason::Inactive,
            "the issuer says the token is not active",
        ))
    }
}

impl IntrospectionVerifierBuilder {
    /// Uses an HTTP client of your own. Default: reqwest with rustls, if the feature `reqwest` is
    /// on.
    pub fn fetch(mut self, fetch: impl Fetch) -> IntrospectionVerifierBuilder {
        self.fetcher = Some(Fetcher::new(fetch));
        self
    }

    /// The issuer's identifier. If the answer holds an `iss`, it must be identical; if not, this is
    /// what [`AccessToken::issuer`](crate::AccessToken::issuer) says. A `private_key_jwt` assertion
    /// is addressed to it instead of the endpoint. Default: none.
    pub fn issuer(mut self, issuer: &str) -> IntrospectionVerifierBuilder {
        self.rules.issuers = vec![issuer.into()];
        self
    }

    /// Another identifier this server is known by. A token needs to name one of them.
    pub fn audience(mut self, audience: &str) -> IntrospectionVerifierBuilder {
        self.rules.audiences.push(audience.into());
        self
    }

    /// Admits a `sub` that is a JSON number. It reads as its digits.
    pub fn numeric_subject(mut self) -> IntrospectionVerifierBuilder {
        self.rules.numeric_subject = true;
        self
    }

    /// How far clocks may differ when `exp`, `nbf` and `iat` are judged. Default: 30 seconds; at
    /// most 5 minutes.
    pub fn leeway(mut self, leeway: Duration) -> IntrospectionVerifierBuilder {
        self.rules.leeway = leeway;
        self
    }

    /// How long one call may take in all, connecting and reading included. Default: 5 seconds.
    pub fn deadline(mut self, deadline: Duration) -> IntrospectionVerifierBuilder {
        self.deadline = deadline;
        self
    }

    /// How long an accepted token is remembered, never past its `exp`. It is how long a revoked
    /// token still passes (RFC 7662 §4). Default: 30 seconds; zero asks each time.
    pub fn remember_accepted(mut self, lifetime: Duration) -> IntrospectionVerifierBuilder {
        self.accepted = lifetime;
        self
    }

    /// How long a refused token is remembered. Default: 10 seconds; zero asks each time.
    pub fn remember_refused(mut self, lifetime: Duration) -> IntrospectionVerifierBuilder {
        self.refused = lifetime;
        self
    }

    /// Lets an accepted token pass for `longer` than it is remembered while the endpoint cannot be asked.
    /// Default: zero; at most 1 hour. See [`VerdictLifetime::while_down`] for what ends it sooner. A
    /// token that is revoked during an outage passes for so much longer.
    pub fn trust_accepted_while_down(mut self, longer: Duration) -> IntrospectionVerifierBuilder {
        self.while_down = longer;
        self
    }

    pub(crate) fn let_audience_be_absent(mut self) -> IntrospectionVerifierBuilder {
        self.rules.may_lack.aud = true;
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the endpoint is not https (or http on loopback), an audience is empty,
    /// the leeway is above 5 minutes, the deadline is zero, accepted tokens are trusted for more than
    /// an hour while the endpoint is down, or there is neither a [`fetch`](Self::fetch) nor the
    /// feature `reqwest`.
    pub fn build(self) -> Result<IntrospectionVerifier, ConfigError> {
        let endpoint = self.endpoint?;
        self.rules.check()?;
        if self.deadline.is_zero() {
            return Err(ConfigError::new("deadline is 0, wanted more"));
        }
        let fetcher = match self.fetcher {
            Some(fetcher) => fetcher,
            None => default_fetcher(&endpoint)?,
        };
        Ok(IntrospectionVerifier {
            endpoint: Endpoint {
                what: "introspection endpoint",
                uri: endpoint,
                fetcher: fetcher.with_limits(self.deadline, MAX_BYTES),
            },
            auth: self.auth,
            rules: self.rules,
            lifetime: VerdictLifetime::accepted(self.accepted)
                .refused(self.refused)
                .checked_while_down(self.while_down)?,
        })
    }
}

impl Verifier for IntrospectionVerifier {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let verdict = self.ask(credential.token(), moment).await;
        // Neither a `Fetch` of somebody else's nor the claims of the answer can be trusted not to
        // repeat what was sent.
        verdict.map_err(|error| error.withholding([credential.token(), self.auth.secret()]))
    }

    fn sees_revocation(&self) -> bool {
        true
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.lifetime
    }
}

fn judge_token_type(claims: &ClaimSet) -> Result<(), Error> {
    let found = match claims.get("token_type") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(found)) if found.eq_ignore_ascii_case("bearer") => return Ok(()),
        Some(Value::String(found)) => quote(found),
        Some(_) => "no string".to_owned(),
    };
    Err(Error::new(
        Reason::OtherToken,
        format!("token_type is {found}, wanted \"Bearer\" or none"),
    ))
}

impl fmt::Debug for IntrospectionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionVerifier")
            .field("endpoint", &self.endpoint.uri)
            .field("auth", &self.auth)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IntrospectionVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionVerifierBuilder")
            .field("endpoint", &self.endpoint)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
