//! Whether every kind of a server is told from every other, wherever its tokens sit.

use std::sync::Arc;

use crate::credential::Carrier;
use crate::error::ConfigError;
use crate::kind::{Kind, Kinds};
use crate::verify::Provenance;

/// A kind, where its tokens may sit, and who may prove them.
pub(super) struct Declared {
    pub(super) kind: Arc<Kind>,
    /// The carriers its tokens may sit in.
    pub(super) carriers: Vec<Carrier>,
    pub(super) provers: Vec<Prover>,
}

/// A verifier, as far as two of them can be compared.
#[derive(Clone)]
pub(super) struct Prover {
    /// Its place in its slot.
    pub(super) place: usize,
    pub(super) provenance: Option<Provenance>,
}

impl Declared {
    fn is_apart_from(&self, other: &Declared, same_slot: bool) -> bool {
        let pairs = || {
            let each = |one| other.provers.iter().map(move |other| (one, other));
            self.provers.iter().flat_map(each)
        };
        let excluded = |(one, other): (&Prover, &Prover)| {
            let known = one.provenance.as_ref().zip(other.provenance.as_ref());
            known.map(|(one, other)| one.excludes(other))
        };
        if pairs().all(|pair| excluded(pair) == Some(true)) {
            return true;
        }
        // Where a token sits is its sender's choice. It tells kinds apart only if who proves the one
        // is not known to prove the other, too.
        let elsewhere = !self.carriers.iter().any(|one| other.carriers.contains(one));
        let same = |(one, other): (&Prover, &Prover)| same_slot && one.place == other.place;
        elsewhere && !pairs().any(|pair| same(pair) || excluded(pair) == Some(false))
    }
}

/// Checks all kinds of all slots; each slot is given by its own.
pub(super) fn check(slots: &[Vec<Declared>]) -> Result<(), ConfigError> {
    let all: Vec<(usize, &Declared)> = (slots.iter().enumerate())
        .flat_map(|(slot, kinds)| kinds.iter().map(move |kind| (slot, kind)))
        .collect();
    let kinds = all.iter().map(|(_, declared)| declared.kind.clone());
    let kinds = Kinds::of(kinds.collect());
    kinds.check(|one, other| {
        let ((slot, one), (other_slot, other)) = (all[one], all[other]);
        one.is_apart_from(other, slot == other_slot)
    })?;
    Ok(())
}
