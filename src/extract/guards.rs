//! Extractors that demand something of the token, and the token itself.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::Rejection;
use crate::error::Error;
use crate::kind::TokenKind;
use crate::requirement::Requirement;
use crate::scope::Scopes;
use crate::token::{AccessToken, FromToken, Presence, Tokens};

/// Makes `T` of the request's token. `wanted` names the extractor for whoever forgot the layer.
pub(super) fn from_presence<T: FromToken>(parts: &Parts, wanted: &str) -> Result<T, Rejection> {
    let presence = Presence::expect(&parts.extensions, wanted)?;
    let made = presence.make();
    made.map_err(|error: Error| error.with_more_scopes(&presence.outer_scopes).into())
}

impl<S: Sync> FromRequestParts<S> for AccessToken {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<AccessToken, Rejection> {
        from_presence(parts, "AccessToken")
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for AccessToken {
    type Rejection = Rejection;

    /// `None` only if no credential was sent, behind
    /// [`optional_layer`](crate::ResourceServer::optional_layer). A bad one never gets here.
    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<AccessToken>, Rejection> {
        match parts.extensions.get::<Presence>() {
            Some(presence) => Ok(presence.token.clone()),
            None => Err(Error::missing_layer("Option<AccessToken>").into()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Scopes {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Scopes, Rejection> {
        from_presence(parts, "Scopes")
    }
}

/// A token that meets `R`: a scope declared with [`scopes!`](crate::scopes!), a tuple of
/// requirements (all of them), or [`AnyOf`](crate::AnyOf). Dereferences to the [`AccessToken`].
///
/// A refusal is a 403 that names all scopes of `R`; so demand them as one tuple, not as two
/// extractors.
///
/// # Examples
///
/// ```
/// use portcullis::RequireScope;
///
/// portcullis::scopes! {
///     /// See events.
///     pub EventsRead = "read:events";
///     /// Create and change events.
///     pub EventsWrite = "write:events";
/// }
///
/// async fn list(token: RequireScope<EventsRead>) -> String {
///     format!("the events of {}", token.principal())
/// }
///
/// async fn edit(_: RequireScope<(EventsRead, EventsWrite)>) {}
/// ```
pub struct RequireScope<R: Requirement> {
    token: AccessToken,
    requirement: PhantomData<fn() -> R>,
}

impl<R: Requirement> RequireScope<R> {
    /// The token that met the requirement.
    pub fn into_token(self) -> AccessToken {
        self.token
    }
}

impl<R: Requirement> FromToken for RequireScope<R> {
    fn from_token(token: &AccessToken) -> Result<RequireScope<R>, Error> {
        token.require::<R>()?;
        Ok(RequireScope {
            token: token.clone(),
            requirement: PhantomData,
        })
    }
}

impl<S: Sync, R: Requirement> FromRequestParts<S> for RequireScope<R> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<RequireScope<R>, Rejection> {
        from_presence(parts, "RequireScope")
    }
}

/// A token of the kind `K`. Dereferences to the [`AccessToken`]; another kind is a 403.
///
/// A server with a [second credential slot](crate::ResourceServerBuilder::second_slot) is asked for
/// the tokens of both with two of these extractors; a slot that holds no credential is then a 401.
///
/// # Examples
///
/// ```
/// use portcullis::{Token, TokenKind};
///
/// struct Applicant;
///
/// impl TokenKind for Applicant {
///     const NAME: &'static str = "applicant";
/// }
///
/// async fn apply(applicant: Token<Applicant>) -> String {
///     format!("thank you, {}", applicant.principal())
/// }
/// ```
pub struct Token<K: TokenKind> {
    token: AccessToken,
    kind: PhantomData<fn() -> K>,
}

impl<K: TokenKind> Token<K> {
    /// The token, without its kind.
    pub fn into_token(self) -> AccessToken {
        self.token
    }
}

impl<K: TokenKind> FromToken for Token<K> {
    fn from_token(token: &AccessToken) -> Result<Token<K>, Error> {
        token.require_kind::<K>()?;
        Ok(Token {
            token: token.clone(),
            kind: PhantomData,
        })
    }

    /// Whichever credential slot it is in.
    fn from_tokens(tokens: &Tokens<'_>) -> Result<Token<K>, Error> {
        Token::from_token(tokens.of_kind(K::NAME)?)
    }
}

impl<S: Sync, K: TokenKind> FromRequestParts<S> for Token<K> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Token<K>, Rejection> {
        from_presence(parts, "Token")
    }
}

macro_rules! wraps_token {
    ($($name:ident: $bound:ident),+) => { $(
        impl<T: $bound> Deref for $name<T> {
            type Target = AccessToken;

            fn deref(&self) -> &AccessToken {
                &self.token
            }
        }

        impl<T: $bound> Clone for $name<T> {
            fn clone(&self) -> $name<T> {
                $name { token: self.token.clone(), ..*self }
            }
        }

        impl<T: $bound> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.token).finish()
            }
        }
    )+ };
}

wraps_token!(RequireScope: Requirement, Token: TokenKind);

macro_rules! tuples {
    ($($(#[doc = $doc:literal])+ $($name:ident)+;)+) => { $(
        $(#[doc = $doc])+
        impl<$($name: FromToken),+> FromToken for ($($name,)+) {
            fn from_token(token: &AccessToken) -> Result<Self, Error> {
                Ok(($($name::from_token(token)?,)+))
            }

            fn from_tokens(tokens: &Tokens<'_>) -> Result<Self, Error> {
                Ok(($($name::from_tokens(tokens)?,)+))
            }
        }
    )+ };
}

tuples! {
    /// Both, in this order; for [`Authenticated`](super::Authenticated) and
    /// [`Permitted`](super::Permitted).
    A B;
    /// All three, in this order; for [`Authenticated`](super::Authenticated) and
    /// [`Permitted`](super::Permitted).
    A B C;
}
