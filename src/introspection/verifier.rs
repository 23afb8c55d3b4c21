//! Asks the issuer about a token (RFC 7662), and judges the answer ourselves.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde_json::Value;

use super::client_auth::ClientAuth;
use super::endpoint::{self, Endpoint, EndpointBuilder};
use super::form::Form;
use super::settings::{Settings, setters};
#[cfg(feature = "jwt")]
use super::signed::SignedAnswers;
use super::unsaid::Unsaid;
use super::upstream::Fault;
use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{ConfigError, Error, Reason};
use crate::fetch::{Fetch, without_query};
use crate::json::Json;
#[cfg(feature = "jwt")]
use crate::jws::Keys;
use crate::rules::{ClaimRules, MayLack};
use crate::status::Status;
use crate::text::quote;
use crate::verified::Verified;
use crate::verify::{Moment, VerdictLifetime, Verifier};

/// Proves opaque tokens by asking the issuer's introspection endpoint (RFC 7662).
///
/// The answer is judged, not believed: `active` must be the boolean `true`, and `aud`, `exp`,
/// `nbf`, `iat`, `iss` and `token_type` are checked here. Whatever goes wrong between us and the
/// endpoint is a 503, never a 401.
///
/// # When the endpoint fails
///
/// - A request waits [5 seconds](IntrospectionVerifierBuilder::deadline) at most, all in all. With the
///   feature `cache`, one of all that show the same token asks, and the others wait for its answer.
/// - At most [64 calls](IntrospectionVerifierBuilder::max_concurrent) are under way, and
///   [1,000 requests](IntrospectionVerifierBuilder::max_waiting) wait for their turn.
/// - A call whose connection breaks is made once more. One that was answered or timed out is not.
/// - After 5 failures in a row the endpoint is left alone for about 1 second. Then a single call is
///   let through; each time that fails, the pause is doubled, up to 30 seconds. A `Retry-After` of a
///   429 or 503 is kept, up to 30 seconds, even if it is the first. Meanwhile remembered tokens pass,
///   and requests with others are answered 503 at once, with a `Retry-After` that is true.
/// - A failure is no connection, a broken one, a timeout, an answer that is too large or no JSON
///   object, and a status of 429 or 500 and above. Every other answer shows that the endpoint is
///   there, also if it is of no use: whoever has a token that provokes a 400 must not be able to keep
///   all others from being asked about.
/// - [`ResourceServer::status`](crate::ResourceServer::status) tells how it is.
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
    #[cfg(feature = "jwt")]
    signed: Option<SignedAnswers>,
}

/// Sets up an [`IntrospectionVerifier`].
#[must_use]
pub struct IntrospectionVerifierBuilder {
    endpoint: EndpointBuilder,
    auth: ClientAuth,
    rules: ClaimRules,
    settings: Settings,
    #[cfg(feature = "jwt")]
    answer_keys: Option<Keys>,
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
            endpoint: EndpointBuilder::new("introspection endpoint", endpoint),
            auth,
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
            settings: Settings::default(),
            #[cfg(feature = "jwt")]
            answer_keys: None,
        }
    }

    async fn ask(
        &self,
        token: &str,
        unsaid: &Unsaid<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let request = || self.request(token, unsaid, moment.clock().now());
        #[cfg(feature = "jwt")]
        if let Some(signed) = &self.signed {
            let read = |response| endpoint::text(response, moment);
            let answer = self.endpoint.ask(moment, unsaid, request, read).await?;
            let opened = signed.open(&answer, moment).await;
            let unusable = |fault| self.endpoint.upstream.unusable(fault, unsaid);
            let (text, lease) = opened.map_err(Fault::of_this_call).map_err(unusable)?;
            let verified = self.judge(read_active(text).map_err(unusable)?, moment)?;
            return Ok(match lease {
                Some(lease) => verified.leased(lease),
                None => verified,
            });
        }
        let read = |response| read_active(endpoint::text(response, moment)?);
        let claims = self.endpoint.ask(moment, unsaid, request, read).await?;
        self.judge(claims, moment)
    }

    /// Judges the claims of an active token.
    fn judge(&self, claims: Option<ClaimSet>, moment: &Moment<'_>) -> Result<Verified, Error> {
        let claims = claims.ok_or_else(|| {
            Error::new(Reason::Inactive, "the issuer says the token is not active")
        })?;
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

    /// What the answer is to be (RFC 9701 §4).
    fn media_type(&self) -> &'static str {
        #[cfg(feature = "jwt")]
        if self.signed.is_some() {
            return "application/token-introspection+jwt";
        }
        "application/json"
    }

    /// The form of RFC 7662 §2.1. The token stands in the body, never in the URL, where logs would
    /// keep it.
    fn request(
        &self,
        token: &str,
        unsaid: &Unsaid<'_>,
        now: UnixTime,
    ) -> Result<Request<Vec<u8>>, ConfigError> {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(self.media_type()));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let mut form = Form::new();
        form.append("token", token);
        form.append("token_type_hint", "access_token");
        let endpoint = self.endpoint.uri.to_string();
        let audience = self.rules.issuer().unwrap_or(&endpoint);
        let sent = self.auth.authenticate(headers, &mut form, audience, now)?;
        sent.into_iter().for_each(|secret| unsaid.add(secret));
        *request.body_mut() = form.finish();
        Ok(request)
    }
}

impl IntrospectionVerifierBuilder {
    /// Uses an HTTP client of your own. Default: reqwest with rustls, if the feature `reqwest` is
    /// on.
    pub fn fetch(mut self, fetch: impl Fetch) -> IntrospectionVerifierBuilder {
        self.endpoint.fetch(fetch);
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

    /// Demands answers that the [issuer](Self::issuer), which must be named, signs with one of these keys
    /// (RFC 9701), for us: `aud` is one of our audiences or our name as a client. Then nobody between us
    /// and the endpoint can change them. The algorithm is an [asymmetric](crate::Algorithm::ASYMMETRIC)
    /// one, and the answer signed since we asked, as far as clocks agree: one that is no older than the
    /// [leeway](Self::leeway) may be shown again, since such answers name no token. An answer that is not
    /// so is a 503. An unknown key of the issuer's is waited for beside the [deadline](Self::deadline).
    /// Encrypted answers are not supported. Default: answers are JSON, and TLS vouches for them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")] {
    /// use portcullis::{ClientAuth, IntrospectionVerifier, RemoteJwks};
    ///
    /// let verifier = IntrospectionVerifier::builder(
    ///     "https://as.example/introspect",
    ///     ClientAuth::basic("calendar", "s3cret"),
    ///     "https://api.example.com/",
    /// )
    /// .issuer("https://as.example")
    /// .signed_answers(RemoteJwks::discover("https://as.example").build()?)
    /// .build()?;
    /// # }
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    #[cfg(feature = "jwt")]
    pub fn signed_answers(mut self, keys: impl Into<Keys>) -> IntrospectionVerifierBuilder {
        self.answer_keys = Some(keys.into());
        self
    }

    setters!(
        "How long an accepted token is remembered, never past its `exp`. It is how long a revoked \
         token still passes (RFC 7662 §4)."
    );

    pub(crate) fn let_audience_be_absent(mut self) -> IntrospectionVerifierBuilder {
        self.rules.may_lack.aud = true;
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the endpoint is not https (or http on loopback), an audience is empty,
    /// the leeway is above 5 minutes, the deadline or the number of calls at a time is zero,
    /// accepted tokens are trusted for more than an hour while the endpoint is down, answers are to be
    /// signed by an issuer that is not named, or there is neither a [`fetch`](Self::fetch) nor the
    /// feature `reqwest`.
    pub fn build(self) -> Result<IntrospectionVerifier, ConfigError> {
        self.rules.check()?;
        Ok(IntrospectionVerifier {
            #[cfg(feature = "jwt")]
            signed: match (self.answer_keys, self.rules.issuer()) {
                (None, _) => None,
                (Some(keys), Some(issuer)) => {
                    let mut audiences = self.rules.audiences.clone();
                    audiences.push(self.auth.client_id().into());
                    let leeway = self.rules.leeway;
                    Some(SignedAnswers::new(keys.0, issuer, audiences, leeway))
                }
                (Some(_), None) => {
                    return Err(ConfigError::new(
                        "answers are to be signed by nobody in particular, wanted an issuer",
                    ));
                }
            },
            endpoint: self.endpoint.build(&self.settings)?,
            auth: self.auth,
            rules: self.rules,
            lifetime: self.settings.lifetime()?,
        })
    }
}

impl Verifier for IntrospectionVerifier {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let known = [credential.token()].into_iter().chain(self.auth.secrets());
        let unsaid = Unsaid::new(known);
        let verdict = self.ask(credential.token(), &unsaid, moment).await;
        // Neither a `Fetch` of somebody else's nor the claims of the answer can be trusted not to
        // repeat what was sent.
        verdict.map_err(|error| unsaid.withhold_from(error))
    }

    fn sees_revocation(&self) -> bool {
        true
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.lifetime
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        #[cfg_attr(not(feature = "jwt"), allow(unused_mut))]
        let mut status = self.endpoint.upstream.status(moment);
        #[cfg(feature = "jwt")]
        if let Some(signed) = &self.signed {
            signed.report(moment, &mut status);
        }
        status
    }

    #[cfg(feature = "jwt")]
    async fn ready(&self, moment: &Moment<'_>) -> Result<(), Error> {
        match &self.signed {
            Some(signed) => signed.ready(moment).await,
            None => Ok(()),
        }
    }
}

/// The claims of an active token; `None` unless the issuer says that it is active with the boolean
/// `true` and nothing else (RFC 7662 §2.2). That is looked at first, for an inactive answer may hold
/// whatever it likes besides.
fn read_active(text: String) -> Result<Option<ClaimSet>, Fault> {
    let mut active = false;
    endpoint::members(&text, |name, value| {
        active |= name == "active" && value == Json::Bool(true);
    })?;
    match active {
        true => endpoint::claims(text).map(Some),
        false => Ok(None),
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
            .field("endpoint", &without_query(&self.endpoint.uri))
            .field("auth", &self.auth)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IntrospectionVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionVerifierBuilder")
            .field("endpoint", &self.endpoint.uri.as_ref().map(without_query))
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
