//! From a request to its proven tokens: what needs no waiting, and what does.

use std::sync::Arc;
#[cfg(feature = "cache")]
use std::sync::atomic::AtomicBool;

use http::request::Parts;

use super::check::ErasedCheck;
use super::slot::Slot;
use crate::challenge::Answers;
use crate::claims::ClaimSet;
use crate::clock::{Clock, UnixTime};
use crate::credential::Credential;
use crate::error::{Error, Reason};
use crate::freshness::Need;
use crate::hierarchy::ScopeHierarchy;
use crate::principal::PrincipalType;
use crate::token::{AccessToken, GateId, SecondSlot, Term};
#[cfg(feature = "cache")]
use crate::verdict::{Finding, Name, Verdicts};
use crate::verified::Verified;
use crate::verify::{ErasedVerifier, Moment};

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
        let moment = Moment::of(&self.clock);
        #[cfg(feature = "cache")]
        let name = match self.remembered(slot, parts, moment.now()) {
            Ok(known) => return known.map(Look::Known),
            Err(name) => name,
        };
        let Some(credential) = slot.find(parts, self.limit)? else {
            return slot.absent(strangers).map(|()| Look::Absent);
        };
        #[cfg(feature = "cache")]
        let name = match name {
            Some(name) => name,
            None => {
                let name = self.verdicts.name_of(&credential);
                if let Some(known) = self.verdicts.recall(&name, moment.now()) {
                    return known.map(Look::Known);
                }
                name
            }
        };
        #[cfg(feature = "cache")]
        let memory = self.verdicts.memory(&name);
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
            self.verdicts.keep(name, Need::Proof, &finding, memory);
            let outcome = finding.outcome;
            outcome.or_else(|error| self.in_need(&credential, error))
        };
        outcome.map(Look::Known)
    }

    /// What is known about the token that the only carrier in use holds; else its name, as far as it could
    /// be told at a glance. Not even the grammar is judged: what is remembered has it.
    #[cfg(feature = "cache")]
    fn remembered(
        &self,
        slot: &Slot,
        parts: &Parts,
        now: UnixTime,
    ) -> Result<Result<AccessToken, Error>, Option<Name>> {
        let (carrier, token) = slot.glance(parts, self.limit).ok_or(None)?;
        if let Some(at_hand) = self.verdicts.recall_at_hand(carrier, token, now) {
            return Ok(Ok(at_hand));
        }
        let name = self.verdicts.name(carrier, token);
        let known = self.verdicts.recall_shown(carrier, token, &name, now);
        known.ok_or(Some(name))
    }

    /// Decides the kind and how long the verdict stands of whoever was asked at `asked`.
    pub(super) fn conclude(
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
        concluded().map_err(|error: Error| error.about(credential.carrier()))
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
    pub(super) fn note(&self, error: Error) -> Error {
        if error.reason() == Reason::LookupUnavailable && !error.is_told() {
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
