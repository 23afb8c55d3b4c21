//! What may be said about a credential slot: where it may sit, who proves it, what kinds it may be of.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::apart::{Declared, Prover};
use super::one_of::{Candidate, OneOf};
use super::slot::Slot;
use crate::credential::Carrier;
use crate::error::ConfigError;
use crate::kind::{ACCESS_TOKEN, Kind, Kinds};
use crate::route::When;
use crate::verify::{ErasedVerifier, Provenance, Verifier};

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
    not_beside: Vec<Box<str>>,
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
            not_beside: Vec::new(),
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

    /// As [`ResourceServerBuilder::not_beside_query`](crate::ResourceServerBuilder::not_beside_query).
    pub fn not_beside_query(mut self, name: &str) -> CredentialSlot {
        self.not_beside.push(name.into());
        self
    }

    /// Has [`ResourceServer::layer`](crate::ResourceServer::layer) and
    /// [`Authenticated`](crate::Authenticated) refuse requests whose slot is empty. Default: the
    /// handlers say whether they need it, by the extractors they name.
    pub fn required(mut self) -> CredentialSlot {
        self.required = true;
        self
    }

    /// Makes the slot, and says what kinds of tokens it takes.
    pub(super) fn build(mut self) -> Result<(Slot, Vec<Declared>), ConfigError> {
        if self.carriers.is_empty() {
            return Err(ConfigError::new(
                "a credential slot has no carrier, wanted at least one",
            ));
        }
        let kinds = self.kinds.map(|kinds| kinds.bound_to(&self.carriers));
        if kinds.is_some() && self.routes.is_empty() {
            return Err(ConfigError::new(
                "there are kinds and no verifier of theirs, wanted one: each kind of one's own has its",
            ));
        }
        let default_kind = Arc::new(Kind::named(ACCESS_TOKEN));
        let mut declared: Vec<Declared> = Vec::new();
        if !self.routes.is_empty() {
            let alone = Kinds::of(vec![default_kind.clone()]);
            for kind in kinds.as_ref().unwrap_or(&alone).iter() {
                declared.push(declare(kind, &self.carriers, &self.routes));
            }
        }
        let own: Vec<Candidate> = self
            .own
            .into_iter()
            .map(|(kind, verifier)| Candidate {
                kind: Arc::new(kind.bound_to(&self.carriers)),
                verifier,
            })
            .collect();
        for (place, Candidate { kind, verifier }) in own.iter().enumerate() {
            let place = self.routes.len() + place;
            let provenance = verifier.provenance();
            declared.push(Declared {
                kind: kind.clone(),
                carriers: carriers_of(kind, &self.carriers),
                provers: vec![Prover { place, provenance }],
            });
        }
        let own_kinds = own.iter().map(|candidate| candidate.kind.clone()).collect();
        if !own.is_empty() {
            self.routes
                .push((When::always(), Box::new(OneOf::new(own))));
        }
        check_routes(&mut self.routes)?;
        let slot = Slot {
            carriers: self.carriers,
            routes: self.routes,
            kinds,
            own_kinds: Kinds::of(own_kinds),
            default_kind: default_kind.shared_name(),
            not_beside: self.not_beside,
            required: self.required,
        };
        slot.check_headers()?;
        Ok((slot, declared))
    }
}

/// The carriers that tokens of a kind may sit in.
fn carriers_of(kind: &Kind, carriers: &[Carrier]) -> Vec<Carrier> {
    let fits = |carrier: &&Carrier| kind.header().is_none_or(|name| carrier.is_header(name));
    carriers.iter().filter(fits).cloned().collect()
}

/// A kind of the tokens that `routes` prove.
fn declare(
    kind: &Arc<Kind>,
    carriers: &[Carrier],
    routes: &[(When, Box<dyn ErasedVerifier>)],
) -> Declared {
    let mut carriers = carriers_of(kind, carriers);
    carriers.retain(|carrier| routes.iter().any(|(when, _)| when.may_be_in(carrier)));
    let provers = (routes.iter().enumerate())
        .filter(|(_, (when, _))| carriers.iter().any(|carrier| when.may_be_in(carrier)))
        .map(|(place, (_, verifier))| Prover {
            place,
            provenance: verifier.provenance(),
        })
        .filter(|prover| !prover.provenance.as_ref().is_some_and(Provenance::is_empty));
    Declared {
        kind: kind.clone(),
        provers: provers.collect(),
        carriers,
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
        let mut earlier = routes[..place].iter();
        if when.is_impossible() {
            return Err(ConfigError::new(format!(
                "{when:?} never gets a credential, wanted conditions that may hold together"
            )));
        }
        let Some((hides, _)) = earlier.find(|(earlier, _)| earlier.covers(when)) else {
            continue;
        };
        if when.is_always() {
            return Err(ConfigError::new(
                "there are two verifiers for every credential, wanted one: for several issuers use \
                 `ByIssuer`, for credentials that look different `route`",
            ));
        }
        return Err(ConfigError::new(format!(
            "{when:?} never gets a credential, because {hides:?} before it takes them all: wanted \
             the narrower first"
        )));
    }
    Ok(())
}

/// Checks that each place is read by one carrier only, in whichever slot.
pub(super) fn check_carriers(carriers: &[&Carrier]) -> Result<(), ConfigError> {
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

impl fmt::Debug for CredentialSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSlot")
            .field("carriers", &self.carriers)
            .field("verifiers", &(self.routes.len() + self.own.len()))
            .finish_non_exhaustive()
    }
}
