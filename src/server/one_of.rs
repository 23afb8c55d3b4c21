//! Several kinds of tokens in one place, each with a verifier of its own: exactly one must match.

use std::sync::Arc;

use crate::clock::BoxFuture;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind, Reason};
use crate::kind::{Kind, KindError, Kinds, exactly_one};
use crate::verified::Verified;
use crate::verify::{ErasedVerifier, Moment, Provenance, VerdictLifetime};

/// A kind, and what proves its tokens.
pub(super) struct Candidate {
    pub(super) kind: Arc<Kind>,
    pub(super) verifier: Box<dyn ErasedVerifier>,
}

impl Candidate {
    fn takes(&self, credential: &Credential<'_>) -> bool {
        let header = self.kind.header();
        header.is_none_or(|name| credential.carrier().is_header(name))
    }

    /// Whether no token can be of both kinds.
    fn excludes(&self, other: &Candidate) -> bool {
        let by_verifier = match (self.verifier.provenance(), other.verifier.provenance()) {
            (Some(one), Some(other)) => one.excludes(&other),
            _ => false,
        };
        by_verifier || self.kind.excludes(&other.kind)
    }
}

/// Asks the verifier of each kind that may sit in a credential's place.
pub(super) struct OneOf(Vec<Candidate>);

type Outcome<'a> = (&'a Candidate, Result<Verified, Error>);

impl OneOf {
    /// Takes kinds that something tells apart.
    pub(super) fn new(candidates: Vec<Candidate>) -> Result<OneOf, KindError> {
        let kinds = candidates.iter().map(|candidate| candidate.kind.clone());
        let apart = |one: usize, other: usize| candidates[one].excludes(&candidates[other]);
        Kinds::of(kinds.collect()).check(apart)?;
        Ok(OneOf(candidates))
    }

    fn candidates<'a>(
        &'a self,
        credential: &'a Credential<'_>,
    ) -> impl Iterator<Item = &'a Candidate> {
        self.0
            .iter()
            .filter(|candidate| candidate.takes(credential))
    }

    fn decide(credential: &Credential<'_>, outcomes: Vec<Outcome<'_>>) -> Result<Verified, Error> {
        let mut hit: Option<(&Candidate, Verified)> = None;
        let mut refusals: Vec<(&Candidate, Error)> = Vec::new();
        for (candidate, outcome) in outcomes {
            let kind = &candidate.kind;
            match outcome {
                Ok(verified)
                    if kind.matches(credential.carrier(), verified.typ(), verified.claims()) =>
                {
                    let before = hit.iter().map(|(candidate, _)| &candidate.kind);
                    let kind = exactly_one(before.chain([kind]))
                        .map_err(|why| Error::new(Reason::Kind, why))?;
                    hit = Some((candidate, verified.of_kind(kind)));
                }
                Ok(_) => {
                    let why = format!("token has not what tells the kind {}", kind.name());
                    refusals.push((candidate, Error::new(Reason::Kind, why)));
                }
                Err(error) => refusals.push((candidate, error)),
            }
        }
        // Who could not be asked might have known the token, too; unless it cannot be of both kinds.
        let in_doubt = refusals.iter().position(|(candidate, error)| {
            let told = hit.as_ref().is_some_and(|(hit, _)| hit.excludes(candidate));
            error.kind() == ErrorKind::Unavailable && !told
        });
        if let Some(place) = in_doubt {
            return Err(refusals.swap_remove(place).1);
        }
        if let Some((_, verified)) = hit {
            return Ok(verified);
        }
        let told = refusals.into_iter().map(|(_, error)| error);
        told.reduce(|one, other| match how_far(&other) > how_far(&one) {
            true => other,
            false => one,
        })
        .map_or_else(
            || {
                let why = "no kind of token belongs into this place";
                Err(Error::new(Reason::Unrecognized, why))
            },
            Err,
        )
    }
}

/// How far a token came with one of several verifiers. That the others' keys do not fit is as it
/// should be; who came furthest knows best what is wrong with it.
fn how_far(error: &Error) -> u8 {
    match error.reason() {
        Reason::Algorithm | Reason::Type => 0,
        Reason::UnknownKey => 1,
        Reason::Signature => 2,
        _ => 3,
    }
}

impl ErasedVerifier for OneOf {
    fn verify<'a>(
        &'a self,
        credential: &'a Credential<'_>,
        moment: &'a Moment<'_>,
    ) -> BoxFuture<'a, Result<Verified, Error>> {
        Box::pin(async move {
            let mut outcomes = Vec::new();
            for candidate in self.candidates(credential) {
                let outcome = match candidate.verifier.verify_now(credential, moment) {
                    Some(outcome) => outcome,
                    None => candidate.verifier.verify(credential, moment).await,
                };
                outcomes.push((candidate, outcome));
            }
            OneOf::decide(credential, outcomes)
        })
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        let outcomes: Option<Vec<Outcome<'_>>> = self
            .candidates(credential)
            .map(|candidate| {
                let outcome = candidate.verifier.verify_now(credential, moment)?;
                Some((candidate, outcome))
            })
            .collect();
        Some(OneOf::decide(credential, outcomes?))
    }

    /// The shortest of all: an answer may be any one's.
    fn lifetime(&self) -> VerdictLifetime {
        let lifetimes = self.0.iter().map(|candidate| candidate.verifier.lifetime());
        lifetimes
            .reduce(VerdictLifetime::shorter)
            .unwrap_or_default()
    }

    fn ready<'a>(&'a self, moment: &'a Moment<'_>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for candidate in &self.0 {
                candidate.verifier.ready(moment).await?;
            }
            Ok(())
        })
    }

    fn provenance(&self) -> Option<Provenance> {
        None
    }
}
