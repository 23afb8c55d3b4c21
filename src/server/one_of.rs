//! Several kinds of tokens in one place, each with a verifier of its own: exactly one must match.

use std::sync::Arc;

use crate::clock::BoxFuture;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind, Reason};
use crate::kind::{Kind, exactly_one};
use crate::status::Status;
use crate::verified::Verified;
use crate::verify::{Blind, ErasedVerifier, Moment, Provenance, VerdictLifetime};

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

    fn hits(&self, credential: &Credential<'_>, verified: &Verified) -> bool {
        let carrier = credential.carrier();
        self.kind
            .matches(carrier, verified.typ(), verified.claims())
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
    /// Takes kinds that are told apart.
    pub(super) fn new(candidates: Vec<Candidate>) -> OneOf {
        OneOf(candidates)
    }

    fn candidates<'a>(
        &'a self,
        credential: &'a Credential<'_>,
    ) -> impl Iterator<Item = &'a Candidate> {
        self.0
            .iter()
            .filter(|candidate| candidate.takes(credential))
    }

    /// Asks everybody who can answer at once; the others must be waited for. Once a token is known to
    /// be of one kind, it is not shown to verifiers of kinds that it then cannot be of.
    fn ask_now<'a>(
        &'a self,
        credential: &'a Credential<'_>,
        moment: &Moment<'_>,
    ) -> (Vec<Outcome<'a>>, Vec<&'a Candidate>) {
        let (mut outcomes, mut waiting): (Vec<Outcome<'a>>, Vec<&Candidate>) = Default::default();
        for candidate in self.candidates(credential) {
            match candidate.verifier.verify_now(credential, moment) {
                Some(outcome) => outcomes.push((candidate, outcome)),
                None => waiting.push(candidate),
            }
        }
        let hits = outcomes.iter().filter(|(candidate, outcome)| {
            let verified = outcome.as_ref().ok();
            verified.is_some_and(|verified| candidate.hits(credential, verified))
        });
        let hits: Vec<&Candidate> = hits.map(|(candidate, _)| *candidate).collect();
        waiting.retain(|candidate| !hits.iter().any(|hit| hit.excludes(candidate)));
        (outcomes, waiting)
    }

    fn decide(credential: &Credential<'_>, outcomes: Vec<Outcome<'_>>) -> Result<Verified, Error> {
        let mut hit: Option<(&Candidate, Verified)> = None;
        let mut refusals: Vec<(&Candidate, Error)> = Vec::new();
        for (candidate, outcome) in outcomes {
            let kind = &candidate.kind;
            match outcome {
                Ok(verified) if candidate.hits(credential, &verified) => {
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
        Reason::Algorithm | Reason::Type | Reason::MalformedToken => 0,
        Reason::UnknownKey | Reason::Inactive => 1,
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
            let (mut outcomes, waiting) = self.ask_now(credential, moment);
            for candidate in waiting {
                let outcome = candidate.verifier.verify(credential, moment).await;
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
        let (outcomes, waiting) = self.ask_now(credential, moment);
        waiting
            .is_empty()
            .then(|| OneOf::decide(credential, outcomes))
    }

    /// Asks everybody who may know the token. Who has said no at once is not asked again, and a kind
    /// that has said yes at once decides.
    fn confirm<'a>(
        &'a self,
        credential: &'a Credential<'_>,
        moment: &'a Moment<'_>,
    ) -> BoxFuture<'a, Result<Verified, Error>> {
        Box::pin(async move {
            let (mut outcomes, waiting) = self.ask_now(credential, moment);
            for (candidate, outcome) in &mut outcomes {
                let verified = outcome.as_ref().ok();
                if verified.is_some_and(|verified| candidate.hits(credential, verified)) {
                    let confirmed = candidate.verifier.confirm(credential, moment).await;
                    // Of all refusals this is the one that is about the token.
                    *outcome = Ok(confirmed?);
                }
            }
            for candidate in waiting {
                let outcome = candidate.verifier.confirm(credential, moment).await;
                outcomes.push((candidate, outcome));
            }
            OneOf::decide(credential, outcomes)
        })
    }

    fn blind(&self) -> Option<Blind> {
        self.0.iter().find_map(|candidate| {
            let blind = candidate.verifier.blind()?;
            let whose = Some(format!("the kind {}", candidate.kind.name()));
            Some(Blind { whose, ..blind })
        })
    }

    /// The shortest of those who may be asked: an answer may be any one's.
    fn lifetime(&self, credential: &Credential<'_>) -> VerdictLifetime {
        let candidates = self.candidates(credential);
        let lifetimes = candidates.map(|candidate| candidate.verifier.lifetime(credential));
        lifetimes
            .reduce(VerdictLifetime::shorter)
            .unwrap_or_default()
    }

    fn ready<'a>(&'a self, moment: &'a Moment<'_>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for candidate in &self.0 {
                outcome = outcome.and(candidate.verifier.ready(moment).await);
            }
            outcome
        })
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        let mut status = Status::default();
        for candidate in &self.0 {
            status.extend(candidate.verifier.status(moment));
        }
        status
    }

    fn provenance(&self) -> Option<Provenance> {
        None
    }
}
