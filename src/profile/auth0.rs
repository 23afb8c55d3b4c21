//! Auth0: JWTs in two dialects, scopes and permissions apart, organisations, machines and agents.
//!
//! A tenant signs the access tokens of an API with RS256 or PS256, in its own dialect (`typ: JWT`,
//! `azp`) or in that of RFC 9068 (`typ: at+jwt`, `client_id`, `jti`); the settings of the API in the
//! tenant say which. `scope` is what the application asked for and the user granted; `permissions`,
//! if switched on, is all the user may do, asked for or not. Which of them opens a route, the route
//! says: [`scopes!`](crate::scopes!), [`permissions!`](crate::permissions!), or a tuple of both.
//!
//! # Examples
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "reqwest"))] {
//! use axum::{Router, routing::{get, post}};
//! use portcullis::profile::auth0::{self, Organizations};
//! use portcullis::{ByUser, ConfigError, RequireScope, ResourceGuard, ResourceServer};
//!
//! portcullis::scopes! { ReadEvents = "read:events"; WriteEvents = "write:events"; }
//! portcullis::permissions! { MayWriteEvents = "write:events"; }
//!
//! fn gate() -> Result<ResourceServer, ConfigError> {
//!     let jwt = auth0::verifier("tenant.eu.auth0.com", "https://api.example.com/calendar/v1/")?;
//!     let organizations = Organizations::none().named("org_vIK75NKFvaozQsFy", "acme");
//!     auth0::server(organizations).verifier(jwt.build()?).build()
//! }
//!
//! async fn list(token: RequireScope<(ReadEvents, ByUser)>) -> String {
//!     format!("the events of {}", token.principal())
//! }
//!
//! /// The user granted it to the application *and* may do it.
//! async fn edit(_: RequireScope<(WriteEvents, MayWriteEvents)>) {}
//!
//! let server = gate()?;
//! let own = ResourceGuard::path("/{org_id}/events").param_is("org_id", ["/org_id"]).build()?;
//! let app: Router = Router::new()
//!     .route("/events", get(list))
//!     .route("/{org_id}/events", post(edit).layer(own.layer()))
//!     .layer(server.layer());
//! # }
//! # Ok::<(), portcullis::ConfigError>(())
//! ```
//!
//! # Custom domains
//!
//! The `iss` of a token is the domain it was requested at. An API that serves several has a verifier
//! for each, with the keys of that domain alone:
//! `ByIssuer::new([verifier("tenant.eu.auth0.com", API)?.build()?, verifier("login.example.com",
//! API)?.build()?])`, see [`ByIssuer`](crate::ByIssuer).
//!
//! # Opaque tokens
//!
//! A token that was requested without an `audience` is opaque, and good for the tenant's `/userinfo`
//! alone. No API should take it; one that must, because everybody with an account may come in, says
//! so:
//!
//! ```
//! # #[cfg(feature = "reqwest")] {
//! use portcullis::profile::auth0::{self, Organizations};
//! use portcullis::{When, danger};
//!
//! let userinfo = danger::userinfo("https://tenant.eu.auth0.com/userinfo");
//! let server = auth0::server(Organizations::none())
//!     .route(When::jwt(), auth0::verifier("tenant.eu.auth0.com", "https://api.example.com/")?.build()?)
//!     .route(When::opaque(), userinfo.issuer("https://tenant.eu.auth0.com/").build()?)
//!     .kinds(auth0::kinds()?)
//!     .build()?;
//! # }
//! # Ok::<(), portcullis::ConfigError>(())
//! ```
//!
//! # What is not done
//!
//! Tokens bound to a key (DPoP, mTLS) and encrypted ones (JWE) are refused with 401. Refusals are
//! those of RFC 6750, so a missing scope is a 403. A request's body is never read, so a token there
//! is neither taken nor noticed.

use std::collections::HashMap;

use http::request::Parts;
use serde::Deserialize;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::claims::ClaimSet;
use crate::error::{ConfigError, Error};
use crate::jwt::{JwtVerifier, JwtVerifierBuilder};
use crate::kind::{Kind, KindError, Kinds, TokenKind};
use crate::principal::PrincipalType;
use crate::requirement::{Grant, Requirement};
use crate::server::{Check, ResourceServer, ResourceServerBuilder};
use crate::text::quote;
use crate::token::AccessToken;

/// Begins a verifier of the tenant's access tokens in either dialect, for the API whose identifier is
/// `audience`.
///
/// `domain` is the tenant's or a custom one, such as `tenant.eu.auth0.com`; the issuer is then
/// `https://{domain}/`. A whole issuer URL is taken as it stands, byte for byte;
/// http is for tests on loopback.
///
/// Keys are found through the tenant's metadata. RS256 and PS256 are allowed. A key has one algorithm
/// (RFC 8725 §3.1), and one that names none is taken for RS256: for a tenant that signs with PS256 and
/// leaves `alg` out of its keys, say `.algorithms([PS256])`. For an API that signs with HS256, say `.algorithms([HS256]).hmac_secret(HS256, ..)` with its signing secret.
///
/// # Errors
///
/// [`ConfigError`] if `domain` is neither a host name nor a URL.
pub fn verifier(domain: &str, audience: &str) -> Result<JwtVerifierBuilder, ConfigError> {
    Ok(begin(domain, audience)?.legacy_typ("JWT"))
}

/// As [`verifier`], for an API whose tokens all have the RFC 9068 profile: `typ` must be `at+jwt`, and
/// `client_id`, `iat` and `jti` must be there.
///
/// # Errors
///
/// As [`verifier`].
pub fn rfc9068_verifier(domain: &str, audience: &str) -> Result<JwtVerifierBuilder, ConfigError> {
    Ok(begin(domain, audience)?.require_claims(["client_id", "iat", "jti"]))
}

fn begin(domain: &str, audience: &str) -> Result<JwtVerifierBuilder, ConfigError> {
    let is_host = |name: &str| {
        let mut bytes = name.bytes();
        !name.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    let issuer = match domain {
        url if url.contains("://") => url.to_owned(),
        name if is_host(name) => format!("https://{name}/"),
        other => {
            return Err(ConfigError::new(format!(
                "domain is {}, wanted a host name or the whole issuer",
                quote(other)
            )));
        }
    };
    // Tenants sign with HMAC and RSA, never with ECDSA.
    let algorithms = [Algorithm::RS256, Algorithm::PS256];
    Ok(JwtVerifier::builder(&issuer, audience).algorithms(algorithms))
}

/// Begins a gate that knows who acts ([`principal_type`]), which organisations the API knows, and
/// that refuses a request (400) with a second token in `access_token` of its query. Add a verifier.
pub fn server(organizations: Organizations) -> ResourceServerBuilder {
    ResourceServer::builder()
        .principals(principal_type)
        .not_beside_query("access_token")
        .check(organizations)
}

/// A JWT for this API.
#[derive(Clone, Copy, Debug)]
pub struct ApiToken;

#[diagnostic::do_not_recommend]
impl TokenKind for ApiToken {
    /// The one kind of a server without [`kinds`], too.
    const NAME: &'static str = "access_token";
}

/// An opaque token whose user `/userinfo` has told. It has no scopes.
#[derive(Clone, Copy, Debug)]
pub struct UserinfoToken;

#[diagnostic::do_not_recommend]
impl TokenKind for UserinfoToken {
    const NAME: &'static str = "userinfo";
}

/// The kinds of a server that also takes opaque tokens: [`ApiToken`] and [`UserinfoToken`].
///
/// # Errors
///
/// None; these two differ.
pub fn kinds() -> Result<Kinds, KindError> {
    let api = ["iss", "aud", "exp"];
    let api_token = Kind::named(ApiToken::NAME);
    let userinfo = Kind::named(UserinfoToken::NAME);
    Kinds::new([
        api.into_iter().fold(api_token, Kind::with_claim),
        // An answer about a user must not pass for a token, nor grant anything.
        api.into_iter()
            .chain(["scope", "scp", "permissions"])
            .fold(userinfo, Kind::without_claim),
    ])
}

/// Says who acts. A machine shows by any one of these signs: `gty` is `client-credentials`, `sub`
/// equals the client or ends with `@clients`, or belongs to an agent or another application. The
/// `sub` of a guest (anonymous sessions) begins with `anon@` or `anon|`.
///
/// An agent that acts on its own has an id for `sub`: one that begins with `agt_`, or one of your own
/// choice. The latter, in the RFC 9068 dialect, is told from a user by `sub_profile` alone, so let the
/// tenant write that (`agent_subject_claims`). An agent that acts for a user leaves the user as the
/// principal; see [`ByAgent`].
pub fn principal_type(claims: &ClaimSet) -> PrincipalType {
    let subject = claims.subject().unwrap_or_default();
    let is = |name: &str, wanted: &str| claims.get(name).is_some_and(|value| value == wanted);
    if subject.starts_with("anon@") || subject.starts_with("anon|") {
        return PrincipalType::Anonymous;
    }
    let other_profile = claims.get("sub_profile").is_some() && !is("sub_profile", "user");
    if is("gty", "client-credentials")
        || subject.ends_with("@clients")
        || subject.starts_with("agt_")
        || other_profile
    {
        return PrincipalType::Machine;
    }
    PrincipalType::of(claims)
}

/// An agent acts, on its own or for a user ([`ByUser`](crate::ByUser) says which).
#[derive(Clone, Copy, Debug)]
pub struct ByAgent;

#[diagnostic::do_not_recommend]
impl Requirement for ByAgent {
    fn met_by(grant: &Grant<'_>) -> bool {
        let text = |pointer: &str| {
            let value = grant.claims.at(pointer).and_then(Value::as_str);
            value.unwrap_or_default()
        };
        let profiles = ["/sub_profile", "/client_profile", "/act/sub_profile"];
        let ids = ["/sub", "/act/sub"];
        let is_agent = |pointer: &str| text(pointer).split(' ').any(|word| word == "ai_agent");
        profiles.into_iter().any(is_agent) || ids.into_iter().any(|id| text(id).starts_with("agt_"))
    }
}

/// The token is for an organisation, whichever: it has an `org_id`.
///
/// To compare it with the organisation that a request names, use a
/// [`ResourceGuard`](crate::ResourceGuard).
#[derive(Clone, Copy, Debug)]
pub struct InOrganization;

#[diagnostic::do_not_recommend]
impl Requirement for InOrganization {
    fn met_by(grant: &Grant<'_>) -> bool {
        let org_id = grant.claims.get("org_id").and_then(Value::as_str);
        org_id.is_some_and(|id| !id.is_empty())
    }
}

/// The organisations an API knows: the token of any other is a 401. A token for no organisation
/// passes; [`InOrganization`] asks for one.
///
/// # Examples
///
/// ```
/// use portcullis::profile::auth0::{self, Organizations};
///
/// let builder = auth0::server(
///     Organizations::none()
///         .known("org_9ybsU1dN2dKfDkBi")
///         .named("org_vIK75NKFvaozQsFy", "acme"),
/// );
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Organizations {
    known: HashMap<Box<str>, Option<Box<str>>>,
    any: bool,
}

impl Organizations {
    /// Begins without any: then no token for an organisation passes.
    pub fn none() -> Organizations {
        Organizations {
            known: HashMap::new(),
            any: false,
        }
    }

    /// Lets the tokens of every organisation of the tenant pass, for an API that keeps no data apart
    /// by organisation, or checks that itself.
    pub fn any() -> Organizations {
        Organizations {
            any: true,
            ..Organizations::none()
        }
    }

    /// Adds an organisation by its id, whatever it is called.
    pub fn known(mut self, org_id: &str) -> Organizations {
        self.known.insert(org_id.into(), None);
        self
    }

    /// Adds an organisation whose tokens must have this `org_name`, for a tenant that writes names
    /// into tokens. Names can change hands: where an `org_name` decides, name all organisations.
    pub fn named(mut self, org_id: &str, org_name: &str) -> Organizations {
        self.known.insert(org_id.into(), Some(org_name.into()));
        self
    }

    fn judge(&self, claims: &ClaimSet) -> Result<(), Error> {
        let claim = |name| claims.get(name).filter(|value| !value.is_null());
        let shown = |value: Option<&Value>| match value {
            None => "absent".to_owned(),
            Some(Value::String(text)) => quote(text),
            Some(_) => "no string".to_owned(),
        };
        let (id, name) = (claim("org_id"), claim("org_name"));
        if id.is_none() && name.is_none() {
            return Ok(());
        }
        let known = id.and_then(Value::as_str).and_then(|id| self.known.get(id));
        let refused = match known {
            None if self.any => return Ok(()),
            None => format!("org_id is {}, wanted a known organisation", shown(id)),
            Some(Some(wanted)) if name.is_none_or(|name| *name != **wanted) => {
                format!("org_name is {}, wanted {}", shown(name), quote(wanted))
            }
            Some(_) => return Ok(()),
        };
        Err(Error::invalid_token(refused))
    }
}

impl Check for Organizations {
    async fn check(&self, token: &AccessToken, _: &Parts) -> Result<(), Error> {
        self.judge(token.claims())
    }

    fn check_now(&self, token: &AccessToken, _: &Parts) -> Option<Result<(), Error>> {
        Some(self.judge(token.claims()))
    }
}

/// What the access tokens of Auth0 say beyond the standard claims, for
/// [`Claims`](crate::Claims).
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct TenantClaims {
    /// The grant the token comes from, such as `client-credentials`; never in the RFC 9068 dialect.
    pub gty: Option<String>,
    /// The organisation.
    pub org_id: Option<String>,
    /// Its name, if the tenant writes names into tokens.
    pub org_name: Option<String>,
    /// What `sub` is: `user`, `ai_agent`, `service`, `browser_app` or `native_app`.
    pub sub_profile: Option<String>,
    /// What the client is: some of the same words.
    pub client_profile: Option<String>,
    /// Who acts for the subject.
    pub act: Option<Actor>,
    /// What was granted in detail (RFC 9396).
    pub authorization_details: Option<Value>,
}

/// Who acts for a subject (RFC 8693 §4.1).
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// The actor's id.
    pub sub: String,
    /// What the actor is.
    pub sub_profile: Option<String>,
    /// The client it uses.
    pub client_id: Option<String>,
    /// For whom it was asked to act, in turn.
    pub act: Option<Box<Actor>>,
}
