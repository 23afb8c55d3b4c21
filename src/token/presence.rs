//! Where a request keeps its proven tokens, and how handlers get at them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Extensions;

use super::AccessToken;
use crate::error::Error;
use crate::scope::{Scope, Scopes};

/// The one slot in a request's extensions where layers and extractors meet. That it is there says
/// that the gate ran; without it every guard answers 500.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) token: Option<AccessToken>,
    /// Whose gate ran last.
    gate: GateId,
    /// Whether the tokens were made up, for tests of handlers.
    #[cfg(feature = "testing")]
    made_up: bool,
    second: Option<(Option<AccessToken>, Arc<SecondSlot>)>,
    /// What scope layers outside have already demanded.
    pub(crate) outer_scopes: Vec<Scope>,
}

/// Which server's gate a request has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GateId(u64);

impl GateId {
    /// Names a server.
    pub(crate) fn new() -> GateId {
        static NAMED: AtomicU64 = AtomicU64::new(0);
        GateId(NAMED.fetch_add(1, Ordering::Relaxed))
    }
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
    pub(crate) fn new(token: Option<AccessToken>, gate: GateId) -> Presence {
        Presence {
            token,
            gate,
            #[cfg(feature = "testing")]
            made_up: false,
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

    /// Notes that the tokens of a request were made up: there is nobody to ask about them.
    #[cfg(feature = "testing")]
    pub(crate) fn make_up(extensions: &mut Extensions) {
        if let Some(presence) = extensions.get_mut::<Presence>() {
            presence.made_up = true;
        }
    }

    pub(crate) fn is_made_up(&self) -> bool {
        #[cfg(feature = "testing")]
        return self.made_up;
        #[cfg(not(feature = "testing"))]
        false
    }

    /// Whether it was the gate of this server that ran last.
    pub(crate) fn is_of(&self, gate: GateId) -> bool {
        self.gate == gate
    }

    /// Takes its place in a request. The gate nearest to the handler decides who asks; what scope
    /// layers further outside demand stays known.
    pub(crate) fn enter(self, extensions: &mut Extensions) {
        let outer = extensions.insert(self);
        if let Some(outer) = outer
            && let Some(presence) = extensions.get_mut::<Presence>()
        {
            presence.outer_scopes = outer.outer_scopes;
        }
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

    /// The token of the second slot.
    pub(crate) fn second(&self) -> Option<&AccessToken> {
        let (token, _) = self.second.as_ref()?;
        token.as_ref()
    }

    /// The tokens of all slots.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &AccessToken> {
        self.token.iter().chain(self.second())
    }

    /// Puts these tokens in the place of those that were there.
    pub(crate) fn replace(&mut self, first: Option<AccessToken>, second: Option<AccessToken>) {
        self.token = first;
        if let Some((token, _)) = &mut self.second {
            *token = second;
        }
    }

    /// The token of the kind `name`, from whichever slot.
    pub(crate) fn of_kind(&self, name: &str) -> Result<&AccessToken, Error> {
        let (second, held) = (self.second.as_ref(), self.second());
        if let Some(token) = self.tokens().find(|token| token.kind() == name) {
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
