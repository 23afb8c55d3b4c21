//! One credential slot at work: finds its credential, and who proves it.

use std::sync::Arc;

use http::request::Parts;

use super::proving::Strangers;
#[cfg(feature = "testing")]
use crate::claims::ClaimSet;
use crate::credential::{Carrier, Credential};
use crate::error::{ConfigError, Error, Reason};
#[cfg(feature = "testing")]
use crate::kind::exactly_one;
use crate::kind::{Kind, Kinds};
use crate::route::When;
use crate::text::quote;
use crate::token::SecondSlot;
use crate::verified::Verified;
use crate::verify::ErasedVerifier;

/// A slot that is set up.
pub(super) struct Slot {
    pub(super) carriers: Vec<Carrier>,
    pub(super) routes: Vec<(When, Box<dyn ErasedVerifier>)>,
    /// What the tokens of `routes` may be.
    pub(super) kinds: Option<Kinds>,
    /// Kinds with verifiers of their own.
    pub(super) own_kinds: Kinds,
    pub(super) default_kind: Arc<str>,
    /// Query parameters that must not stand beside a credential.
    pub(super) not_beside: Vec<Box<str>>,
    pub(super) required: bool,
}

impl Slot {
    /// Checks that routes and kinds name headers that are read.
    pub(super) fn check_headers(&self) -> Result<(), ConfigError> {
        let kinds = self.kinds().filter_map(|kind| kind.header());
        let routes = self.routes.iter().flat_map(|(when, _)| when.headers());
        for name in routes.chain(kinds) {
            if !self.carriers.iter().any(|carrier| carrier.is_header(name)) {
                return Err(ConfigError::new(format!(
                    "a route or kind names the header {}, wanted one of {:?}",
                    quote(name),
                    self.carriers
                )));
            }
        }
        Ok(())
    }

    /// All kinds its tokens may be of, as far as they are declared.
    fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds
            .iter()
            .flat_map(Kinds::iter)
            .chain(self.own_kinds.iter())
    }

    /// What a request that lacks a token of this slot is told.
    ///
    /// # Errors
    ///
    /// If no handler could name its tokens.
    pub(super) fn as_second(&self) -> Result<SecondSlot, ConfigError> {
        let kinds = self.kinds();
        let kinds: Vec<_> = kinds
            .map(|kind| (kind.shared_name(), kind.header().map(Into::into)))
            .collect();
        if kinds.is_empty() {
            return Err(ConfigError::new(
                "the second slot declares no kind, wanted one: handlers ask for its tokens by kind",
            ));
        }
        Ok(SecondSlot {
            carrier: self.carrier_name().into(),
            kinds,
        })
    }

    fn carrier_name(&self) -> &str {
        self.carriers.first().map_or("", Carrier::name)
    }

    /// The one credential of this slot.
    pub(super) fn find<'a>(
        &'a self,
        parts: &'a Parts,
        limit: usize,
    ) -> Result<Option<Credential<'a>>, Error> {
        let found = Carrier::find(&self.carriers, parts, limit).and_then(|found| {
            if found.is_some() {
                let mut names = self.not_beside.iter();
                names.try_for_each(|name| Carrier::alone(parts, name))?;
            }
            Ok(found)
        });
        found.map_err(|fault| {
            // Of two carriers in use, neither is at fault by itself.
            let is_unreadable = |carrier: &&Carrier| {
                Carrier::find(std::slice::from_ref(*carrier), parts, limit).is_err()
            };
            let error = Error::from(fault);
            match self.carriers.iter().find(is_unreadable) {
                Some(carrier) => error.about(carrier),
                None => error,
            }
        })
    }

    /// What the only carrier in use holds, unread; `None` if finding that takes a closer look.
    #[cfg(feature = "cache")]
    pub(super) fn glance<'a>(
        &'a self,
        parts: &'a Parts,
        limit: usize,
    ) -> Option<(&'a Carrier, &'a [u8])> {
        match self.not_beside.is_empty() || parts.uri.query().is_none() {
            true => {
                Carrier::glance(&self.carriers, parts).filter(|(_, token)| token.len() <= limit)
            }
            false => None,
        }
    }

    /// Whether the slot may be empty.
    pub(super) fn absent(&self, strangers: Strangers) -> Result<(), Error> {
        if self.required && strangers == Strangers::AreRefused {
            return Err(Error::missing_in(self.carrier_name()));
        }
        Ok(())
    }

    pub(super) fn verifier_for(
        &self,
        credential: &Credential<'_>,
    ) -> Result<&dyn ErasedVerifier, Error> {
        let mut routes = self.routes.iter();
        match routes.find(|(when, _)| when.matches(credential)) {
            Some((_, verifier)) => Ok(&**verifier),
            None => Err(Error::new(
                Reason::Unrecognized,
                "no verifier of this server is for such a credential",
            )),
        }
    }

    /// The kind of what was proven, if this server declares any.
    pub(super) fn classify(
        &self,
        carrier: &Carrier,
        verified: &Verified,
    ) -> Result<Option<Arc<Kind>>, Error> {
        if let Some(kind) = verified.kind() {
            return Ok(Some(kind.clone()));
        }
        let Some(kinds) = &self.kinds else {
            return Ok(None);
        };
        kinds
            .classify(carrier, verified.typ(), verified.claims())
            .map(Some)
            .map_err(|why| Error::new(Reason::Kind, why))
    }

    pub(super) fn kind_name(&self, kind: Option<&Arc<Kind>>) -> Arc<str> {
        kind.map_or_else(|| self.default_kind.clone(), |kind| kind.shared_name())
    }

    /// Whether tokens of the kind `name` belong into this slot.
    #[cfg(feature = "testing")]
    pub(super) fn knows(&self, name: &str) -> bool {
        let mut kinds = self.kinds().map(|kind| kind.name()).peekable();
        match kinds.peek() {
            None => *name == *self.default_kind,
            Some(_) => kinds.any(|kind| kind == name),
        }
    }

    /// The kind of a token with these claims, as if an `at+jwt` held them in the carrier its kind is
    /// bound to, or the first.
    #[cfg(feature = "testing")]
    pub(super) fn kind_of(&self, claims: &ClaimSet) -> Result<Arc<str>, String> {
        if self.kinds().next().is_none() {
            return Ok(self.default_kind.clone());
        }
        let fits = |kind: &&Arc<Kind>| {
            let mut carriers = self.carriers.iter();
            let bound =
                |carrier: &&Carrier| kind.header().is_none_or(|name| carrier.is_header(name));
            let carrier = carriers.find(bound);
            carrier.is_some_and(|carrier| kind.matches(carrier, Some("at+jwt"), claims))
        };
        exactly_one(self.kinds().filter(fits)).map(|kind| kind.shared_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::CredentialSlot;
    use crate::verify::Refuse;

    #[test]
    fn what_cannot_be_read_names_its_carrier() -> Result<(), ConfigError> {
        let slot = CredentialSlot::new()
            .carrier(Carrier::bearer())
            .carrier(Carrier::header("app_token")?.alias("App-Token")?)
            .verifier(Refuse::because("nobody comes in"))
            .build()?
            .0;
        for (headers, carrier) in [
            (
                &[("authorization", "Bearer a,b")][..],
                Some("Authorization"),
            ),
            (&[("app_token", "")], Some("app_token")),
            (&[("app_token", "much-too-long")], Some("app_token")),
            (&[("app_token", "a"), ("app-token", "a")], Some("app_token")),
            (&[("authorization", "Bearer a"), ("app_token", "a")], None),
        ] {
            let mut request = http::Request::get("/");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let error = slot.find(&parts, 8).unwrap_err();
            assert_eq!(error.carrier(), carrier, "{headers:?}");
        }
        Ok(())
    }
}
