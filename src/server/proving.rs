//! From a request to its proven tokens: what needs no waiting, and what does.

use std::future::Future;
use std::sync::Arc;
#[cfg(feature = "cache")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::request::Parts;

use super::check::ErasedCheck;
use super::slot::Slot;
use crate::challenge::Answers;
use crate::claims::ClaimSet;
use crate::clock::{Clock, UnixTime};
use crate::credential::Credential;
#[cfg(feature = "cache")]
use crate::error::ErrorKind;
use crate::error::{Error, Reason};
use crate::fetch::either;
use crate::freshness::Need;
use crate::hierarchy::ScopeHierarchy;
use crate::principal::PrincipalType;
use crate::token::{AccessToken, GateId, SecondSlot, Term};
#[cfg(feature = "cache")]
use crate::verdict::{Finding, Verdicts};
use crate::verified::Verified;
use crate::verify::{ErasedVerifier, Moment, VerdictLifetime};

/// A server's parts.
pub(super) struct Inner {
    pub(super) id: GateId,
    pub(super) first: Slot,
    pub(super) second: Option<(Arc<SecondSlot>, Slot)>,
    pub(super) tie: Option<Box<Tie>>,
    pub(super) checks: Vec<Box<dyn ErasedCheck>>,
    pub(super) principals: Option<Box<PrincipalRule>>,
    pub(super) hierarchy: Option<Arc<ScopeHierarchy>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) answers: Answers,
    pub(super) limit: usize,
    pub(super) preflight: bool,
    pub(super) guard_caches: bool,
    #[cfg(feature = "cache")]
    pub(super) verdicts: Arc<Verdicts>,
    /// Whether a verdict past its end serves since a verifier cannot be asked: told once.
    #[cfg(feature = "cache")]
    pub(super) in_need: AtomicBool,
}

pub(super) type Tie = dyn Fn(&AccessToken, &AccessToken) -> Result<(), Error> + Send + Sync;
pub(super) type PrincipalRule = dyn Fn(&ClaimSet) -> PrincipalType + Send + Sync;

/// What is known about a request without waiting.
pub(crate) enum Seen {
    Known(Proven),
    /// Somebody must be asked.
    Ask,
}

/// The proven tokens of a request, slot by slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proven {
    pub(crate) first: Option<AccessToken>,
    pub(super) second: Option<AccessToken>,
}

impl Proven {
    pub(crate) fn of(first: Option<AccessToken>) -> Proven {
        Proven {
            first,
            second: None,
        }
    }

    fn tokens(&self) -> impl Iterator<Item = &AccessToken> {
        self.first.iter().chain(&self.second)
    }

    pub(super) fn at(&mut self, side: Side) -> &mut Option<AccessToken> {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }
}

/// Whether a request may come without the credentials that the slots require.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Strangers {
    Pass,
    AreRefused,
}

/// What is known about one slot without waiting.
enum Look {
    Absent,
    Known(AccessToken),
    Ask,
}

/// How long a verifier may take.
const LONGEST_VERIFICATION: Duration = Duration::from_secs(30);

/// Which of the slots.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    First,
    Second,
}

impl Inner {
    /// Everything that needs no waiting. One slot after the other, so that which refusal a request
    /// gets does not depend on what is remembered.
    pub(super) fn see(&self, parts: &Parts, strangers: Strangers) -> Result<Seen, Error> {
        let first = match self.look(&self.first, parts, strangers)? {
            Look::Ask => return Ok(Seen::Ask),
            Look::Known(token) => Some(token),
            Look::Absent => None,
        };
        let mut proven = Proven::of(first);
        if let Some((_, slot)) = &self.second {
            proven.second = match self.look(slot, parts, strangers)? {
                Look::Ask => return Ok(Seen::Ask),
                Look::Known(token) => Some(token),
                Look::Absent => None,
            };
        }
        self.tied(&proven)?;
        for token in proven.tokens() {
            for check in &self.checks {
                match check.check_now(token, parts) {
                    Some(outcome) => outcome.map_err(|error| self.note(error))?,
                    None => return Ok(Seen::Ask),
                }
            }
        }
        Ok(Seen::Known(proven))
    }

    /// Asks whoever must be asked.
    pub(super) async fn ask(
        self: &Arc<Self>,
        parts: &Parts,
        strangers: Strangers,
    ) -> Result<Proven, Error> {
        let mut proven = Proven::of(self.ask_slot(Side::First, parts, strangers).await?);
        if self.second.is_some() {
            proven.second = self.ask_slot(Side::Second, parts, strangers).await?;
        }
        self.tied(&proven)?;
        for token in proven.tokens() {
            self.checked(token, parts).await?;
        }
        Ok(proven)
    }

    /// Asks the checks about a token.
    pub(super) async fn checked(&self, token: &AccessToken, parts: &Parts) -> Result<(), Error> {
        for check in &self.checks {
            let outcome = match check.check_now(token, parts) {
                Some(outcome) => outcome,
                None => self.in_time(check.check(token, parts)).await,
            };
            outcome.map_err(|error| self.note(error))?;
        }
        Ok(())
    }

    /// Proves what one slot holds.
    async fn ask_slot(
        self: &Arc<Self>,
        side: Side,
        parts: &Parts,
        strangers: Strangers,
    ) -> Result<Option<AccessToken>, Error> {
        let slot = self.slot(side);
        let Some(credential) = slot.find(parts, self.limit)? else {
            return slot.absent(strangers).map(|()| None);
        };
        let outcome = self.ask_verifier(side, &credential, Need::Proof).await;
        #[cfg(feature = "cache")]
        let outcome = outcome.or_else(|error| self.in_need(&credential, error));
        outcome.map(Some)
    }

    /// Asks the verifier of a credential, once for all who ask the same at the same time.
    #[cfg(feature = "cache")]
    pub(super) async fn ask_verifier(
        self: &Arc<Self>,
        side: Side,
        credential: &Credential<'_>,
        need: Need,
    ) -> Result<AccessToken, Error> {
        let digest = Verdicts::digest(credential);
        let now = self.clock.now();
        let flight = self.verdicts.one_flight(digest, need, now, || {
            let server = self.clone();
            let token: Box<str> = credential.token().into();
            let carrier = credential.carrier().clone();
            async move {
                let credential = Credential::new(&token, &carrier);
                let slot = server.slot(side);
                let (outcome, lifetime) = server.prove(slot, &credential, need).await;
                Finding {
                    outcome,
                    lifetime,
                    at: server.clock.now(),
                }
            }
        });
        flight.await
    }

    /// Asks the verifier of a credential.
    #[cfg(not(feature = "cache"))]
    pub(super) async fn ask_verifier(
        self: &Arc<Self>,
        side: Side,
        credential: &Credential<'_>,
        need: Need,
    ) -> Result<AccessToken, Error> {
        self.prove(self.slot(side), credential, need).await.0
    }

    /// While the verifier cannot be asked: what it has accepted before, if it let that serve.
    #[cfg(feature = "cache")]
    fn in_need(&self, credential: &Credential<'_>, error: Error) -> Result<AccessToken, Error> {
        if error.kind() != ErrorKind::Unavailable {
            return Err(error);
        }
        let digest = Verdicts::digest(credential);
        let known = self.verdicts.recall_in_need(&digest, self.clock.now());
        let token = known.ok_or(error)?;
        if !self.in_need.swap(true, Ordering::Relaxed) {
            tracing::warn!("tokens that were accepted before pass while nobody can be asked");
        }
        Ok(token)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let second = self.second.as_ref().map(|(_, slot)| slot);
        [&self.first].into_iter().chain(second)
    }

    pub(super) fn slot(&self, side: Side) -> &Slot {
        match (side, &self.second) {
            (Side::Second, Some((_, slot))) => slot,
            _ => &self.first,
        }
    }

    /// What is known about the credential of one slot.
    fn look(&self, slot: &Slot, parts: &Parts, strangers: Strangers) -> Result<Look, Error> {
        let Some(credential) = slot.find(parts, self.limit)? else {
            return slot.absent(strangers).map(|()| Look::Absent);
        };
        let moment = Moment::of(&self.clock);
        #[cfg(feature = "cache")]
        let digest = Verdicts::digest(&credential);
        #[cfg(feature = "cache")]
        if let Some(outcome) = self.verdicts.recall(&digest, moment.now()) {
            return outcome.map(Look::Known);
        }
        #[cfg(feature = "cache")]
        let memory = self.verdicts.memory(&digest);
        let verifier = slot.verifier_for(&credential)?;
        let Some(verdict) = verifier.verify_now(&credential, &moment) else {
            return Ok(Look::Ask);
        };
        let outcome = self.conclude(verdict, slot, &credential, verifier, moment.now());
        #[cfg(feature = "cache")]
        let outcome = {
            let finding = Finding {
                outcome,
                lifetime: verifier.lifetime(&credential),
                at: moment.now(),
            };
            self.verdicts.keep(digest, Need::Proof, &finding, memory);
            let outcome = finding.outcome;
            outcome.or_else(|error| self.in_need(&credential, error))
        };
        outcome.map(Look::Known)
    }

    /// Asks the verifier, and says how long its answer may be remembered.
    async fn prove(
        &self,
        slot: &Slot,
        credential: &Credential<'_>,
        need: Need,
    ) -> (Result<AccessToken, Error>, VerdictLifetime) {
        let verifier = match slot.verifier_for(credential) {
            Ok(verifier) => verifier,
            Err(error) => return (Err(error), VerdictLifetime::default()),
        };
        let moment = Moment::of(&self.clock);
        let verdict = match need {
            Need::Proof => self.in_time(verifier.verify(credential, &moment)).await,
            Need::Standing(_) => {
                let confirmed = self.in_time(verifier.confirm(credential, &moment)).await;
                // Whoever was asked was asked now.
                confirmed.map(|verified| verified.confirmed_at(moment.now()))
            }
        };
        let outcome = self.conclude(verdict, slot, credential, verifier, moment.now());
        let lifetime = verifier.lifetime(credential);
        #[cfg(feature = "cache")]
        if !lifetime.of_while_down().is_zero() && !is_outage(&outcome) {
            self.in_need.store(false, Ordering::Relaxed);
        }
        (outcome, lifetime)
    }

    /// The verifiers of this crate end sooner. What never ends would hold its credential, and whoever
    /// shows it, for good.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = either(work, self.clock.sleep(LONGEST_VERIFICATION)).await;
        done.unwrap_or_else(|| {
            Err(Error::unavailable(
                Duration::from_secs(5),
                format!("no verdict within {} s", LONGEST_VERIFICATION.as_secs()),
            ))
        })
    }

    /// Decides the kind and how long the verdict stands of whoever was asked at `asked`.
    fn conclude(
        &self,
        verdict: Result<Verified, Error>,
        slot: &Slot,
        credential: &Credential<'_>,
        verifier: &dyn ErasedVerifier,
        asked: UnixTime,
    ) -> Result<AccessToken, Error> {
        let concluded = || {
            let verified = verdict.map_err(|error| self.note(error))?;
            // Whoever proved it: a verifier of somebody else's, or one that put it in other words.
            // The answer may have taken seconds.
            let (mut end, now) = (verified.ends(), self.clock.now());
            if now >= end {
                let why = format!("token ended at {end}, it is {now}");
                return Err(Error::new(Reason::Expired, why));
            }
            let kind = slot.classify(credential.carrier(), &verified)?;
            if let Some(kind) = &kind {
                end = end.min(kind.judge(verified.claims(), verified.leeway(), now)?);
            }
            let lifetime = verifier.lifetime(credential);
            let cap = asked + lifetime.of_accepted();
            let good_until = verified.remembered_until().min(end).min(cap);
            let longest = (end - verified.leeway()).max(good_until);
            let term = Term {
                good_until,
                in_need_until: longest.min(good_until + lifetime.of_while_down()),
            };
            Ok(self.token(verified, slot.kind_name(kind.as_ref()), term))
        };
        concluded().map_err(|error: Error| error.about(credential.carrier().name()))
    }

    pub(super) fn token(&self, verified: Verified, kind: Arc<str>, term: Term) -> AccessToken {
        let principal = match &self.principals {
            None => PrincipalType::of(verified.claims()),
            Some(rule) => rule(verified.claims()),
        };
        AccessToken::with(verified, kind, term, principal, self.hierarchy.clone())
    }

    /// An outage of a look-up or a check is told here, once per attempt; the keys' own engine tells
    /// its own.
    fn note(&self, error: Error) -> Error {
        if error.reason() == Reason::LookupUnavailable {
            tracing::warn!("{error}");
        }
        error
    }

    /// Whether two credentials that came together belong together.
    pub(super) fn tied(&self, proven: &Proven) -> Result<(), Error> {
        match (&self.tie, &proven.first, &proven.second) {
            (Some(tie), Some(first), Some(second)) => tie(first, second),
            _ => Ok(()),
        }
    }

    /// A proven token of the first slot with these claims, of the kind that they say.
    #[cfg(feature = "testing")]
    pub(super) fn token_with(&self, claims: ClaimSet) -> Result<AccessToken, String> {
        let kind = self.first.kind_of(&claims)?;
        Ok(self.token(Verified::new(claims), kind, Term::until(UnixTime::MAX)))
    }

    /// Adds a proven token of the kind `name`, in its slot.
    #[cfg(feature = "testing")]
    pub(super) fn add_token(
        &self,
        proven: &mut Proven,
        name: &str,
        claims: ClaimSet,
    ) -> Result<(), String> {
        let second = self.second.as_ref().map(|(_, slot)| slot);
        let place = match name {
            name if self.first.knows(name) => &mut proven.first,
            name if second.is_some_and(|slot| slot.knows(name)) => &mut proven.second,
            _ => return Err(format!("kind {name} is none of this server's")),
        };
        let term = Term::until(UnixTime::MAX);
        let token = self.token(Verified::new(claims), name.into(), term);
        match place.replace(token) {
            None => Ok(()),
            Some(other) => Err(format!(
                "kinds {} and {name} belong into one slot, wanted one of them",
                other.kind()
            )),
        }
    }
}

/// Whether it could not be found out.
#[cfg(feature = "cache")]
fn is_outage(outcome: &Result<AccessToken, Error>) -> bool {
    let error = outcome.as_ref().err();
    error.is_some_and(|error| error.kind() == ErrorKind::Unavailable)
}
