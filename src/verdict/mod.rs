//! What was proven before: verdicts by the name of the credential.

mod flights;
mod forgetting;
mod name;
mod near;
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::sync::Cache;

use self::flights::Flights;
use self::forgetting::{Forgetting, Memory};
use self::name::Namer;
use self::near::Owner;
use self::table::Table;
use crate::clock::UnixTime;
use crate::credential::{Carrier, Credential};
use crate::error::{ConfigError, Error, ErrorKind};
use crate::freshness::Need;
use crate::token::AccessToken;
use crate::verify::VerdictLifetime;

pub(crate) use self::name::Name;

type Outcome = Result<AccessToken, Error>;

/// The verdicts of one server. It belongs to that server alone, so no verdict crosses policies.
pub(crate) struct Verdicts {
    namer: Namer,
    accepted: Table,
    /// Of `accepted`, for copies at hand, if there are any.
    owner: Option<Owner>,
    /// Apart, so that a flood of bad tokens evicts no good one.
    refused: Cache<Name, Refusal>,
    /// Whether there ever was one.
    has_refused: AtomicBool,
    flights: Mutex<Flights>,
    /// By a byte of the name. What was found out about one of these while something was forgotten is
    /// not remembered.
    forgetting: Forgetting<256>,
}

/// A refusal that is remembered, and until when.
#[derive(Clone)]
struct Refusal {
    what: Error,
    until: UnixTime,
    /// The time that was left when it came; on the machine's clock, to clear it away.
    left: Duration,
}

/// Clears away what is over. Whether it is over is judged on each use, by the server's clock.
struct ClearAway;

impl Expiry<Name, Refusal> for ClearAway {
    fn expire_after_create(&self, _: &Name, refusal: &Refusal, _: Instant) -> Option<Duration> {
        Some(refusal.left)
    }

    fn expire_after_update(
        &self,
        _: &Name,
        refusal: &Refusal,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(refusal.left)
    }
}

/// What a verifier with `lifetime` said at `at`.
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) lifetime: VerdictLifetime,
    pub(crate) at: UnixTime,
}

/// Refusals are worth less than verdicts: a tenth of the room.
const REFUSED_SHARE: usize = 10;

/// The table has its places from the beginning, and sixteen million verdicts are sixteen gigabytes.
const MOST_VERDICTS: usize = 1 << 24;

impl Verdicts {
    /// # Errors
    ///
    /// [`ConfigError`] if `capacity` is more than [`MOST_VERDICTS`], or there are no random numbers.
    pub(crate) fn new(capacity: usize, at_hand: bool) -> Result<Verdicts, ConfigError> {
        if capacity > MOST_VERDICTS {
            return Err(ConfigError::new(format!(
                "verdict capacity is {capacity}, wanted at most {MOST_VERDICTS}"
            )));
        }
        let owner = at_hand.then(Owner::new);
        Ok(Verdicts::with(capacity, Namer::new()?, owner))
    }

    fn with(capacity: usize, namer: Namer, owner: Option<Owner>) -> Verdicts {
        let refusals = (capacity / REFUSED_SHARE).max(1);
        Verdicts {
            namer,
            accepted: Table::new(capacity),
            owner,
            refused: Cache::builder()
                .max_capacity(refusals as u64)
                .expire_after(ClearAway)
                .build(),
            has_refused: AtomicBool::new(false),
            flights: Mutex::default(),
            forgetting: Forgetting::new(),
        }
    }

    /// What this thread has at hand about a token, if it still stands. It was found well-formed before.
    pub(crate) fn recall_at_hand(
        &self,
        carrier: &Carrier,
        token: &[u8],
        now: UnixTime,
    ) -> Option<AccessToken> {
        self.owner?.recall(carrier, token, now)
    }

    pub(crate) fn name(&self, carrier: &Carrier, token: &[u8]) -> Name {
        self.namer.name(carrier, token)
    }

    pub(crate) fn name_of(&self, credential: &Credential<'_>) -> Name {
        self.name(credential.carrier(), credential.token().as_bytes())
    }

    /// To be taken before a verification begins, and given to [`keep`](Self::keep) after it.
    pub(crate) fn memory(&self, name: &Name) -> Memory {
        self.forgetting.memory(name.byte())
    }

    /// As [`recall`](Self::recall), for the one who shows the token of that name. Whether the text is
    /// well-formed need not be judged again: nothing else that has this name was ever asked about.
    pub(crate) fn recall_shown(
        &self,
        carrier: &Carrier,
        token: &[u8],
        name: &Name,
        now: UnixTime,
    ) -> Option<Outcome> {
        let known = self.recall(name, now);
        if let (Some(Ok(accepted)), Some(owner)) = (&known, self.owner) {
            owner.note(carrier, token, accepted.facts());
        }
        known
    }

    /// What is known, if it still stands.
    pub(crate) fn recall(&self, name: &Name, now: UnixTime) -> Option<Outcome> {
        match self.recall_accepted(name, now) {
            Some(token) => Some(Ok(token)),
            None => self.recall_refusal(name, now).map(Err),
        }
    }

    fn recall_accepted(&self, name: &Name, now: UnixTime) -> Option<AccessToken> {
        let found = self.accepted.get(name)?;
        let entry = found.as_ref().filter(|entry| entry.stands(now))?;
        entry.kept().mark_used();
        Some(AccessToken::of_facts(entry))
    }

    fn recall_refusal(&self, name: &Name, now: UnixTime) -> Option<Error> {
        // Where all tokens are JWTs there never is any, and looking takes as long as the rest.
        if !self.has_refused.load(Ordering::Relaxed) {
            return None;
        }
        let refusal = self.refused.get(name)?;
        if now < refusal.until {
            return Some(refusal.what);
        }
        self.refused.invalidate(name);
        None
    }

    /// What was accepted and would have to be asked again, for when nobody can be asked: it is not
    /// over for so long that it must not serve even then, and nobody has refused it since.
    pub(crate) fn recall_in_need(&self, name: &Name, now: UnixTime) -> Option<AccessToken> {
        let found = self.accepted.get(name)?;
        let entry = found.as_ref()?;
        entry
            .serves_in_need(now)
            .then(|| AccessToken::of_facts(entry))
    }

    /// Remembers what was found out, unless something was forgotten since `memory`. A refusal of
    /// what was accepted before forgets that, as [`forget`](Self::forget) does.
    pub(crate) fn keep(&self, name: Name, need: Need, finding: &Finding, memory: Memory) {
        let &Finding { lifetime, at, .. } = finding;
        match &finding.outcome {
            Ok(token) => {
                if token.facts().serves_in_need(at) {
                    let put = || self.accepted.insert(&name, token, at);
                    // Only what was put: a refusal that was found out meanwhile stays.
                    let clear = || self.accepted.remove(&name);
                    self.forgetting.keep(name.byte(), memory, put, clear);
                }
            }
            // Only what the credential itself is to blame for. An outage is never remembered.
            Err(error) if error.kind() == ErrorKind::InvalidToken => {
                let left = match need {
                    Need::Proof => lifetime.of_refused(),
                    Need::Standing(_) => lifetime.of_revoked(),
                };
                let put = || {
                    if left > Duration::ZERO {
                        let (what, until) = (error.clone(), at + left);
                        self.has_refused.store(true, Ordering::Relaxed);
                        self.refused.insert(name, Refusal { what, until, left });
                    }
                };
                // Not for every refusal: whoever sends bad tokens would keep those of others from
                // being remembered.
                match need {
                    Need::Proof if self.accepted.get(&name).is_none() => {
                        let clear = || self.refused.invalidate(&name);
                        self.forgetting.keep(name.byte(), memory, put, clear);
                    }
                    _ => {
                        let clear = || self.unlist_and_clear(&name);
                        self.forgetting.replace(name.byte(), memory, put, clear);
                    }
                }
            }
            Err(_) => {}
        }
    }

    /// Forgets what is known, and what a verification under way is about to find out.
    pub(crate) fn forget(&self, credential: &Credential<'_>) {
        let name = self.name_of(credential);
        let clear = || self.unlist_and_clear(&name);
        self.forgetting.forget(name.byte(), clear);
    }

    /// Forgets every acceptance of a token about `subject`, whoever issued it, and what any
    /// verification under way is about to find out: whose token that is is not known yet.
    pub(crate) fn forget_subject(&self, subject: &str) {
        self.forgetting.forget_all(|| {
            self.flights().unlist_all();
            self.accepted
                .remove_all(|facts| facts.subject() == Some(subject));
        });
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        self.forgetting.forget_all(|| {
            self.flights().unlist_all();
            self.accepted.remove_all(|_| true);
            // One by one: the cache's own way compares times, and an entry of the same tick stays.
            for (name, _) in &self.refused {
                self.refused.invalidate(&*name);
            }
        });
    }

    fn unlist_and_clear(&self, name: &Name) {
        self.flights().unlist(name);
        self.accepted.remove(name);
        self.refused.invalidate(name);
    }
}

#[cfg(test)]
mod tests;
