//! Extractors that demand something of the token, and the token itself.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::Rejection;
use crate::error::Error;
use crate::requirement::Requirement;
use crate::scope::Scopes;
use crate::token::{AccessToken, FromToken, Presence, TokenKind};

/// Makes `T` of the request's token. `wanted` names the extractor for whoever forgot the layer.
pub(super) fn from_presence<T: FromToken>(parts: &Parts, wanted: &str) -> Result<T, Rejection> {
    let token = Presence::demand(&parts.extensions, wanted)?;
    T::from_token(token).map_err(|error| {
        let outer = parts.extensions.get::<Presence>();
        let outer = outer.map_or(&[][..], |presence| &presence.outer_scopes);
        error.with_more_scopes(outer).into()
    })
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

/// Both, in this order; for [`Authenticated`](super::Authenticated).
impl<A: FromToken, B: FromToken> FromToken for (A, B) {
    fn from_token(token: &AccessToken) -> Result<(A, B), Error> {
        Ok((A::from_token(token)?, B::from_token(token)?))
    }
}

/// All three, in this order; for [`Authenticated`](super::Authenticated).
impl<A: FromToken, B: FromToken, C: FromToken> FromToken for (A, B, C) {
    fn from_token(token: &AccessToken) -> Result<(A, B, C), Error> {
        Ok((
            A::from_token(token)?,
            B::from_token(token)?,
            C::from_token(token)?,
        ))
    }
}
