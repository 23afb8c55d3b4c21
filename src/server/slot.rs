//! One credential slot: the places it may sit in, who proves it, and what kinds it may be of.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::one_of::{Candidate, OneOf};
use super::proving::Strangers;
#[cfg(feature = "testing")]
use crate::claims::ClaimSet;
use crate::credential::{Carrier, Credential};
use crate::error::{ConfigError, Error, Reason};
#[cfg(feature = "testing")]
use crate::kind::exactly_one;
use crate::kind::{ACCESS_TOKEN, Kind, KindError, Kinds};
use crate::route::When;
use crate::text::quote;
use crate::token::SecondSlot;
use crate::verified::Verified;
use crate::verify::{ErasedVerifier, Verifier};

/// One credential of a request: where it may sit, who proves it, what kinds it may be of.
///
/// A [`ResourceServer`](crate::ResourceServer) has one, set up by its builder's own methods; this is
/// for the [second](crate::ResourceServerBuilder::second_slot).
///
/// # Examples
///
/// ```
/// # fn set_up(
/// #     access: portcullis::LookupVerifier,
/// #     session: portcullis::LookupVerifier,
/// # ) -> Result<(), portcullis::ConfigError> {
/// use portcullis::{Carrier, CredentialSlot, Kind, ResourceServer};
///
/// let server = ResourceServer::builder()
///     .kind(Kind::named("applicant"), access)
///     .second_slot(
///         CredentialSlot::new()
///             .carrier(Carrier::header("request_token")?)
///             .kind(Kind::named("job session"), session),
///     )
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct CredentialSlot {
    carriers: Vec<Carrier>,
    routes: Vec<(When, Box<dyn ErasedVerifier>)>,
    kinds: Option<Kinds>,
    own: Vec<(Kind, Box<dyn ErasedVerifier>)>,
    required: bool,
}

impl CredentialSlot {
    /// Begins a slot without carriers and verifiers.
    #[allow(clippy::new_without_default)] // One that cannot be built is no default.
    pub fn new() -> CredentialSlot {
        CredentialSlot {
            carriers: Vec::new(),
            routes: Vec::new(),
            kinds: None,
            own: Vec::new(),
            required: false,
        }
    }

    /// As [`ResourceServerBuilder::carrier`](crate::ResourceServerBuilder::carrier).
    pub fn carrier(mut self, carrier: Carrier) -> CredentialSlot {
        self.carriers.push(carrier);
        self
    }

    /// As [`ResourceServerBuilder::verifier`](crate::ResourceServerBuilder::verifier).
    pub fn verifier(self, verifier: impl Verifier) -> CredentialSlot {
        self.route(When::always(), verifier)
    }

    /// As [`ResourceServerBuilder::route`](crate::ResourceServerBuilder::route).
    pub fn route(mut self, when: When, verifier: impl Verifier) -> CredentialSlot {
        self.routes.push((when, Box::new(verifier)));
        self
    }

    /// As [`ResourceServerBuilder::kinds`](crate::ResourceServerBuilder::kinds).
    pub fn kinds(mut self, kinds: Kinds) -> CredentialSlot {
        self.kinds = Some(kinds);
        self
    }

    /// As [`ResourceServerBuilder::kind`](crate::ResourceServerBuilder::kind).
    pub fn kind(mut self, kind: Kind, verifier: impl Verifier) -> CredentialSlot {
        self.own.push((kind, Box::new(verifier)));
        self
    }

    /// Has [`ResourceServer::layer`](crate::ResourceServer::layer) refuse requests whose slot is
    /// empty. Default: the handlers say whether they need it, by the extractors they name.
    pub fn required(mut self) -> CredentialSlot {
        self.required = true;
        self
    }

    pub(super) fn build(mut self) -> Result<Slot, ConfigError> {
        if self.carriers.is_empty() {
            return Err(ConfigError::new(
                "a credential slot has no carrier, wanted at least one",
            ));
        }
        let kinds = self.kinds.map(|kinds| kinds.bound_to(&self.carriers));
        if let Some(kinds) = &kinds {
            kinds.check(|_, _| false)?;
        }
        let own: Vec<Candidate> = self
            .own
            .into_iter()
            .map(|(kind, verifier)| Candidate {
                kind: Arc::new(kind.bound_to(&self.carriers)),
                verifier,
            })
            .collect();
        let own_kinds = own.iter().map(|candidate| candidate.kind.clone()).collect();
        if !own.is_empty() {
            self.routes
                .push((When::always(), Box::new(OneOf::new(own)?)));
        }
        check_routes(&mut self.routes)?;
        let slot = Slot {
            carriers: self.carriers,
            routes: self.routes,
            kinds,
            own_kinds: Kinds::of(own_kinds),
            default_kind: ACCESS_TOKEN.into(),
            required: self.required,
        };
        slot.check_headers()?;
        Ok(slot)
    }
}

/// Puts the route for all the rest last, wherever it was written, and finds routes that never get a
/// credential.
fn check_routes(routes: &mut [(When, Box<dyn ErasedVerifier>)]) -> Result<(), ConfigError> {
    if routes.is_empty() {
        return Err(ConfigError::new(
            "there is no verifier, wanted at least one",
        ));
    }
    routes.sort_by_key(|(when, _)| when.is_always());
    for (place, (when, _)) in routes.iter().enumerate() {
        let hidden = routes[..place]
            .iter()
            .any(|(earlier, _)| earlier.covers(when));
        if hidden || when.is_impossible() {
            return Err(ConfigError::new(format!(
                "{when:?} never gets a credential, wanted a route that none before it covers"
            )));
        }
    }
    Ok(())
}

/// Checks that each place is read by one carrier only, in whichever slot.
pub(super) fn check_carriers<'a>(
    carriers: impl Iterator<Item = &'a Carrier>,
) -> Result<(), ConfigError> {
    let mut names = HashSet::new();
    for carrier in carriers {
        for name in carrier.names() {
            if name == "?" {
                return Err(ConfigError::new("query parameter has no name, wanted one"));
            }
            // Within one carrier, too: its aliases are names like its own.
            if names.contains(&name) {
                return Err(ConfigError::new(format!(
                    "{carrier:?} reads {name}, which is read already"
                )));
            }
            names.insert(name);
        }
    }
    Ok(())
}

/// Checks that no kind's name stands for two.
pub(super) fn check_names(slots: &[&Slot]) -> Result<(), ConfigError> {
    let mut names = HashSet::new();
    for kind in slots.iter().flat_map(|slot| slot.kinds()) {
        if !names.insert(kind.name()) {
            return Err(KindError::twice(kind).into());
        }
    }
    Ok(())
}

/// A slot that is set up.
pub(super) struct Slot {
    pub(super) carriers: Vec<Carrier>,
    pub(super) routes: Vec<(When, Box<dyn ErasedVerifier>)>,
    /// What the tokens of `routes` may be.
    kinds: Option<Kinds>,
    /// Kinds with verifiers of their own.
    own_kinds: Kinds,
    default_kind: Arc<str>,
    pub(super) required: bool,
}

impl Slot {
    fn check_headers(&self) -> Result<(), ConfigError> {
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
    pub(super) fn as_second(&self) -> SecondSlot {
        let kinds = self.kinds();
        SecondSlot {
            carrier: self.carrier_name().into(),
            kinds: kinds
                .map(|kind| (kind.shared_name(), kind.header().map(Into::into)))
                .collect(),
        }
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
        Carrier::find(&self.carriers, parts, limit).map_err(|fault| {
            // Of two carriers in use, neither is at fault by itself.
            let is_unreadable = |carrier: &&Carrier| {
                Carrier::find(std::slice::from_ref(*carrier), parts, limit).is_err()
            };
            let error = Error::from(fault);
            match self.carriers.iter().find(is_unreadable) {
                Some(carrier) => error.about(carrier.name()),
                None => error,
            }
        })
    }

    /// Whether the slot may be empty.
    pub(super) fn absent(&self, strangers: Strangers) -> Result<(), Error> {
        if self.required && strangers == Strangers::AreRefused {
            return Err(Error::missing_credential().about(self.carrier_name()));
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

impl fmt::Debug for CredentialSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSlot")
            .field("carriers", &self.carriers)
            .field("verifiers", &(self.routes.len() + self.own.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Refuse;

    #[test]
    fn what_cannot_be_read_names_its_carrier() -> Result<(), ConfigError> {
        let slot = CredentialSlot::new()
            .carrier(Carrier::bearer())
            .carrier(Carrier::header("app_token")?.alias("App-Token")?)
            .verifier(Refuse::because("nobody comes in"))
            .build()?;
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
