//! OCLC: opaque tokens that are looked up, institutions as pseudo-scopes, partial grants.
//!
//! A client with a WSKey shows an access token as a Bearer token: `tk_…`, or a JWT. It stands for a
//! set of services (scopes, perhaps fewer than were asked for), for the data of one *context
//! institution*, and sometimes for a user whom an *authenticating institution* vouches for.
//! Institutions are registry ids; they compare as texts, so `00001` is not `1`.
//!
//! Neither introspection nor keys are published, so the gate is told where to [look up](look_up) a
//! token; [`claims`] reads the answer. From there on every token speaks alike, however it was spelled.
//!
//! # Examples
//!
//! ```
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::HashMap;
//!
//! use axum::{Router, routing::{get, post}};
//! use portcullis::profile::oclc::{self, User};
//! use portcullis::{
//!     ClaimSet, Claims, ConfigError, Lookup, RequireScope, ResourceGuard, ResourceServer, Unavailable,
//! };
//!
//! portcullis::scopes! {
//!     /// Lend, and take back.
//!     pub Ncip = "WMS_NCIP";
//! }
//!
//! /// Stands for the issuer's store: of each token, what the token endpoint answered.
//! struct Tokens(HashMap<&'static str, &'static str>);
//!
//! impl Lookup for Tokens {
//!     async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
//!         match self.0.get(token) {
//!             Some(answer) => oclc::claims(answer),
//!             None => Ok(None),
//!         }
//!     }
//! }
//!
//! fn gate(tokens: Tokens) -> Result<ResourceServer, ConfigError> {
//!     let tokens = oclc::look_up(tokens).build()?;
//!     oclc::gate(tokens)?.renderer(oclc::XmlErrors).build()
//! }
//!
//! async fn lend(token: RequireScope<Ncip>) -> String {
//!     format!("lent with {}", token.scopes())
//! }
//!
//! async fn me(user: Claims<User>) -> String {
//!     format!("{} of {}", user.principal_id, user.institution)
//! }
//!
//! // A token opens what belongs to its context institution.
//! let own = ResourceGuard::path("/institutions/{id}/loans")
//!     .param_is("id", [oclc::CONTEXT_INSTITUTION])
//!     .build()?;
//! let server = gate(Tokens(HashMap::from([(
//!     "tk_Yebz4BpEp9",
//!     r#"{"expires_at":"2999-12-31 23:59:59Z","scopes":"WMS_NCIP context:128807"}"#,
//! )])))?;
//! let api = Router::new()
//!     .route("/institutions/{id}/loans", post(lend).route_layer(own.layer()))
//!     .route("/me", get(me))
//!     .layer(server.layer());
//!
//! # use tower::ServiceExt;
//! for (id, status) in [("128807", 200), ("128808", 403)] {
//!     let request = http::Request::post(format!("/institutions/{id}/loans"))
//!         .header("Authorization", "Bearer tk_Yebz4BpEp9")
//!         .body(axum::body::Body::empty())?;
//!     assert_eq!(api.clone().oneshot(request).await?.status(), status);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What else an API may want
//!
//! Each of these is a method of the builder that [`gate`] gives:
//!
//! - JWTs: `.route(When::jwt(), oclc::jwt(verifier))`. Without it they are refused, not looked up.
//! - A service that implies its parts, so that `wcapi` will do for `wcapi:view_brief_bib`:
//!   `.scope_hierarchy(ScopeHierarchy::new().prefix_implies(':'))`.
//! - Tokens whose two lists of scopes differ: `.kinds(oclc::kinds(ScopeLists::Intersect)?)`.
//! - Refusals in JSON: `.renderer(oclc::JsonErrors)`.
//!
//! Clients that state their user beside the token are admitted by [`accept_asserted_principal`].
//! Institutions in the query or the host are a [`ResourceGuard`](crate::ResourceGuard)'s
//! `query_is("x-registryId", ..)` and `subdomain_is("share.example.org", ..)`.

mod answer;
mod asserted;
mod errors;

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

pub use self::answer::claims;
pub use self::asserted::{UnverifiedPrincipal, accept_asserted_principal};
pub use self::errors::{JsonErrors, XmlErrors};
use crate::text::quote_list;
use crate::{
    AnswerError, ClaimSet, ConfigError, Error, Grant, Kind, KindError, Kinds, Lookup, LookupAnswer,
    LookupVerifier, LookupVerifierBuilder, PrincipalType, Refuse, Requirement, ResourceServer,
    ResourceServerBuilder, Reworded, TokenKind, Verifier, When,
};

/// Begins the gate: `tk_…` is looked up with `tokens`, refresh tokens (`rt_…`) and authorization
/// codes (`auth_…`) are refused without being looked up, and so is every other text.
///
/// # Errors
///
/// None that a caller could bring about.
pub fn gate(tokens: LookupVerifier) -> Result<ResourceServerBuilder, ConfigError> {
    Ok(ResourceServer::builder()
        .route(
            When::prefix("rt_"),
            Refuse::because("a refresh token is for the issuer alone"),
        )
        .route(
            When::prefix("auth_"),
            Refuse::because("an authorization code is for the issuer alone"),
        )
        .route(When::prefix("tk_"), tokens)
        .kinds(kinds(ScopeLists::MustAgree)?)
        .principals(|claims| match claims.get(PRINCIPAL_ID) {
            Some(_) => PrincipalType::User,
            None => PrincipalType::Machine,
        }))
}

/// Begins the verifier that looks tokens up: without leeway, since the end that the issuer's store
/// names is the issuer's own.
pub fn look_up(tokens: impl Lookup) -> LookupVerifierBuilder {
    LookupVerifier::builder(tokens).leeway(Duration::ZERO)
}

/// Proves JWTs with `verifier`, and reads in their claims what [`claims`] reads in an answer. Their
/// other claims stay as they are, `sub` among them.
pub fn jwt(verifier: impl Verifier) -> impl Verifier {
    Reworded::new(verifier, |claims| {
        let reworded = answer::reword(claims);
        reworded.map_err(|error| Error::invalid_token(error.to_string()))
    })
}

/// A token on behalf of a user, whom its claims name. Kind `user token`.
#[derive(Clone, Copy, Debug)]
pub struct UserToken;

#[diagnostic::do_not_recommend]
impl TokenKind for UserToken {
    const NAME: &'static str = "user token";
}

/// A token of a client alone, or of a user whom the issuer does not name. Kind `client token`.
#[derive(Clone, Copy, Debug)]
pub struct ClientToken;

#[diagnostic::do_not_recommend]
impl TokenKind for ClientToken {
    const NAME: &'static str = "client token";
}

/// What becomes of a token that has both `scope` and `scopes`, and they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeLists {
    /// It is refused.
    MustAgree,
    /// It grants what is in both. A context institution counts from either, as long as no other is
    /// named.
    Intersect,
}

/// The kinds of tokens. All are refused that contradict themselves about an institution, and those
/// whose scopes still hold `context:…` or `refresh_token`: nobody has read them, so their verifier
/// lacks [`jwt`] around it.
///
/// # Errors
///
/// None that a caller could bring about.
pub fn kinds(lists: ScopeLists) -> Result<Kinds, KindError> {
    Kinds::new(
        [
            Kind::named(UserToken::NAME).with_claim(PRINCIPAL_ID),
            Kind::named(ClientToken::NAME).without_claim(PRINCIPAL_ID),
        ]
        .map(|kind| kind.check(move |claims| consistent(claims, lists))),
    )
}

fn consistent(claims: &ClaimSet, lists: ScopeLists) -> Result<(), String> {
    if holds_pseudo_scopes(claims) {
        return Err("token has pseudo-scopes, wanted its verifier inside oclc::jwt".to_owned());
    }
    let several = |name: &str| match claims.get(name) {
        Some(Value::Array(texts)) => Some(quote_list(texts.iter().filter_map(Value::as_str))),
        _ => None,
    };
    for name in [CONTEXT, AUTHENTICATING] {
        if let Some(ids) = several(name) {
            return Err(format!("{name} is {ids}, wanted one"));
        }
    }
    match several(DISPUTED) {
        Some(words) if lists == ScopeLists::MustAgree => Err(format!(
            "scope and scopes differ in {words}, wanted them equal"
        )),
        _ => Ok(()),
    }
}

/// Whether either list of scopes is as the issuer wrote it. What has been read has no `scopes`.
fn holds_pseudo_scopes(claims: &ClaimSet) -> bool {
    let scopes = match claims.get("scopes") {
        Some(Value::String(words)) => words.split(' ').collect(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut words = scopes.into_iter();
    claims.scopes().iter().any(is_pseudo_scope) || words.any(is_pseudo_scope)
}

/// Whether the word stands among the scopes and is none.
fn is_pseudo_scope(word: &str) -> bool {
    word.starts_with("context:") || word == "refresh_token"
}

/// Where a [`ResourceGuard`](crate::ResourceGuard) finds the context institution.
pub const CONTEXT_INSTITUTION: &str = "/contextInstitutionId";

const CONTEXT: &str = "contextInstitutionId";
const AUTHENTICATING: &str = "authenticatingInstitutionId";
const PRINCIPAL_ID: &str = "principalID";
const PRINCIPAL_IDNS: &str = "principalIDNS";
/// The scopes that one of the two lists has and the other has not.
const DISPUTED: &str = "disputedScopes";

/// Whose data a token opens; what handlers get as `Claims<Institutions>`. A token without a context
/// institution is answered 403.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Institutions {
    /// The registry id of the institution whose data it is.
    #[serde(rename = "contextInstitutionId")]
    pub context: String,
    /// The registry id of the institution that vouches for the user. It may be another one.
    #[serde(rename = "authenticatingInstitutionId")]
    pub authenticating: Option<String>,
}

/// The user a token acts for; what handlers get as `Claims<User>`. A token without one is answered
/// 403. A user is all three together: the same principal id in another namespace is somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct User {
    /// `principalID`.
    #[serde(rename = "principalID")]
    pub principal_id: String,
    /// `principalIDNS`: the namespace of the principal id. It may hold a registry id, but that is
    /// not the user's institution.
    #[serde(rename = "principalIDNS")]
    pub principal_idns: String,
    /// The registry id of the institution that vouches for the user.
    #[serde(rename = "authenticatingInstitutionId")]
    pub institution: String,
}

impl User {
    /// Reads what `/Me` answered, for who asks there because the token names nobody.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] if one of the three is not a text, or is missing.
    pub fn from_me(answer: &str) -> Result<User, AnswerError> {
        let answer = LookupAnswer::parse(answer)?;
        let text = |name| answer.demand(name, LookupAnswer::text).map(str::to_owned);
        Ok(User {
            principal_id: text("oclc_ppid")?,
            principal_idns: text("oclc_namespace")?,
            institution: text("institution_id")?,
        })
    }
}

/// Asks that the authenticating institution is the context institution: no user acts on another
/// library's data.
#[derive(Clone, Copy, Debug)]
pub struct SameInstitution;

#[diagnostic::do_not_recommend]
impl Requirement for SameInstitution {
    fn met_by(grant: &Grant<'_>) -> bool {
        let context = grant.claims.get(CONTEXT);
        context.is_some_and(Value::is_string) && context == grant.claims.get(AUTHENTICATING)
    }
}
