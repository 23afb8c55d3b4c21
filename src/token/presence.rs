//! Where a request keeps its proven tokens, and how handlers get at them.

use std::sync::Arc;

use http::Extensions;

use super::AccessToken;
use crate::error::Error;
use crate::scope::{Scope, Scopes};

/// The one slot in a request's extensions where layers and extractors meet. That it is there says
/// that the gate ran; without it every guard answers 500.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) token: Option<AccessToken>,
    second: Option<(Option<AccessToken>, Arc<SecondSlot>)>,
    /// What scope layers outside have already demanded.
    pub(crate) outer_scopes: Vec<Scope>,
}

/// What a request that lacks a token of the second slot is told.
#[derive(Debug)]
pub(crate) struct SecondSlot {
    /// The carrier to name where none fits better.
    pub(crate) carrier: Box<str>,
    /// The kinds of this slot, each with the carrier it is bound to.
    pub(crate) kinds: Vec<(Arc<str>, Option<Box<str>>)>,
}

impl SecondSlot {
    /// The carrier that should hold a token of the kind `name`, if it belongs into this slot.
    fn carrier_of(&self, name: &str) -> Option<&str> {
        let (_, carrier) = self.kinds.iter().find(|(kind, _)| **kind == *name)?;
        Some(carrier.as_deref().unwrap_or(&self.carrier))
    }
}

impl Presence {
    pub(crate) fn new(token: Option<AccessToken>) -> Presence {
        Presence {
            token,
            second: None,
            outer_scopes: Vec::new(),
        }
    }

    /// The same, with what the second slot holds.
    pub(crate) fn with_second(
        mut self,
        token: Option<AccessToken>,
        slot: Arc<SecondSlot>,
    ) -> Presence {
        self.second = Some((token, slot));
        self
    }

    /// Takes its place in a request. The gate nearest to the handler decides who asks; what scope
    /// layers further outside demand stays known.
    pub(crate) fn enter(mut self, extensions: &mut Extensions) {
        if let Some(outer) = extensions.remove::<Presence>() {
            self.outer_scopes = outer.outer_scopes;
        }
        extensions.insert(self);
    }

    /// What the gate has left in a request that `wanted` reads.
    pub(crate) fn expect<'a>(
        extensions: &'a Extensions,
        wanted: &str,
    ) -> Result<&'a Presence, Error> {
        extensions
            .get::<Presence>()
            .ok_or_else(|| Error::missing_layer(wanted))
    }

    /// The token of a request that a guard named `wanted` needs.
    pub(crate) fn demand<'a>(
        extensions: &'a Extensions,
        wanted: &str,
    ) -> Result<&'a AccessToken, Error> {
        Presence::expect(extensions, wanted)?.first()
    }

    /// The token of the first slot.
    pub(crate) fn first(&self) -> Result<&AccessToken, Error> {
        self.token.as_ref().ok_or_else(Error::missing_credential)
    }

    /// The token of the kind `name`, from whichever slot.
    pub(crate) fn of_kind(&self, name: &str) -> Result<&AccessToken, Error> {
        let second = self.second.as_ref();
        let held = second.and_then(|(token, _)| token.as_ref());
        let mut tokens = self.token.iter().chain(held);
        if let Some(token) = tokens.find(|token| token.kind() == name) {
            return Ok(token);
        }
        let place = second.and_then(|(_, slot)| slot.carrier_of(name));
        match (place, held) {
            (Some(carrier), None) => Err(Error::missing_in(carrier)),
            (Some(carrier), Some(other)) => Err(other.other_kind(name).about(carrier)),
            (None, _) => Err(self.first()?.other_kind(name)),
        }
    }

    /// Makes `T` of the tokens.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn make<T: FromToken>(&self) -> Result<T, Error> {
        T::from_tokens(&Tokens(self))
    }
}

/// The proven tokens of one request.
#[doc(hidden)]
pub struct Tokens<'a>(&'a Presence);

impl<'a> Tokens<'a> {
    pub(crate) fn first(&self) -> Result<&'a AccessToken, Error> {
        self.0.first()
    }

    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn of_kind(&self, name: &str) -> Result<&'a AccessToken, Error> {
        self.0.of_kind(name)
    }
}

/// Something made of a proven token. Extractors accept whatever implements it.
///
/// # Examples
///
/// ```
/// use portcullis::{AccessToken, Error, FromToken};
///
/// struct Tenant(String);
///
/// impl FromToken for Tenant {
///     fn from_token(token: &AccessToken) -> Result<Tenant, Error> {
///         let tenant = token.claims().get("tenant").and_then(|value| value.as_str());
///         tenant
///             .map(|name| Tenant(name.to_owned()))
///             .ok_or_else(|| Error::forbidden("token names no tenant"))
///     }
/// }
/// ```
pub trait FromToken: Sized {
    /// Makes it, or refuses.
    ///
    /// # Errors
    ///
    /// Whatever the token lacks.
    fn from_token(token: &AccessToken) -> Result<Self, Error>;

    /// Makes it of whichever of the request's tokens it is about. Default: of the first slot's.
    ///
    /// # Errors
    ///
    /// As [`from_token`](Self::from_token), and if there is no such token.
    #[doc(hidden)]
    fn from_tokens(tokens: &Tokens<'_>) -> Result<Self, Error> {
        Self::from_token(tokens.first()?)
    }
}

impl FromToken for AccessToken {
    fn from_token(token: &AccessToken) -> Result<AccessToken, Error> {
        Ok(token.clone())
    }
}

impl FromToken for Scopes {
    fn from_token(token: &AccessToken) -> Result<Scopes, Error> {
        Ok(token.scopes().clone())
    }
}
