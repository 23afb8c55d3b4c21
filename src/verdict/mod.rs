//! What was proven before: verdicts by the digest of the credential.
//!
//! The key is SHA-256 over the place of the carrier, its name, a zero byte and the token. A place
//! is one byte, names hold no zero byte, so a credential has one spelling, and two of them meet
//! only if SHA-256 collides. No token stands in memory in clear text for longer than its request.

mod flights;
mod forgetting;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use moka::Expiry;
use moka::sync::Cache;

use self::flights::Flights;
use self::forgetting::{Forgetting, Memory};
use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::freshness::Need;
use crate::token::AccessToken;
use crate::verify::VerdictLifetime;

pub(crate) type Digest = [u8; 32];

type Outcome = Result<AccessToken, Error>;

/// The verdicts of one server. It belongs to that server alone, so no verdict crosses policies.
pub(crate) struct Verdicts {
    accepted: Cache<Digest, Kept<AccessToken>>,
    /// Apart, so that a flood of bad tokens evicts no good one.
    refused: Cache<Digest, Kept<Error>>,
    flights: Mutex<Flights>,
    /// By the first byte of the digest. What was found out about one of these while something was
    /// forgotten is not remembered.
    forgetting: Forgetting<256>,
}

/// What is remembered, and until when.
#[derive(Clone)]
struct Kept<T> {
    what: T,
    until: UnixTime,
    /// The time that was left when it came; on the machine's clock, to clear it away.
    left: Duration,
}

/// Clears away what is over. Whether it is over is judged on each use, by the server's clock.
struct ClearAway;

impl<T> Expiry<Digest, Kept<T>> for ClearAway {
    fn expire_after_create(&self, _: &Digest, kept: &Kept<T>, _: Instant) -> Option<Duration> {
        Some(kept.left)
    }

    fn expire_after_update(
        &self,
        _: &Digest,
        kept: &Kept<T>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.left)
    }
}

/// What a verifier with `lifetime` said at `at`.
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) lifetime: VerdictLifetime,
    pub(crate) at: UnixTime,
}

/// Refusals are worth less than verdicts: a tenth of the room.
const REFUSED_SHARE: u64 = 10;

impl Verdicts {
    pub(crate) fn new(capacity: u64) -> Verdicts {
        let refusals = (capacity / REFUSED_SHARE).max(1);
        Verdicts {
            accepted: Cache::builder()
                .max_capacity(capacity)
                .expire_after(ClearAway)
                .build(),
            refused: Cache::builder()
                .max_capacity(refusals)
                .expire_after(ClearAway)
                .build(),
            flights: Mutex::default(),
            forgetting: Forgetting::new(),
        }
    }

    pub(crate) fn digest(credential: &Credential<'_>) -> Digest {
        let carrier = credential.carrier();
        let mut context = Context::new(&SHA256);
        context.update(&[carrier.place()]);
        context.update(carrier.name().as_bytes());
        context.update(&[0]);
        context.update(credential.token().as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    /// To be taken before a verification begins, and given to [`keep`](Self::keep) after it.
    pub(crate) fn memory(&self, digest: &Digest) -> Memory {
        self.forgetting.memory(digest[0])
    }

    /// What is known, if it still stands.
    pub(crate) fn recall(&self, digest: &Digest, now: UnixTime) -> Option<Outcome> {
        if let Some(kept) = self.accepted.get(digest) {
            if kept.what.stands(now) {
                return Some(Ok(kept.what));
            }
            if !kept.serves_in_need(now) {
                self.accepted.invalidate(digest);
            }
        }
        let kept = self.refused.get(digest)?;
        if now < kept.until {
            return Some(Err(kept.what));
        }
        self.refused.invalidate(digest);
        None
    }

    /// What was accepted and would have to be asked again, for when nobody can be asked: it is not
    /// over for so long that it must not serve even then, and nobody has refused it since.
    pub(crate) fn recall_in_need(&self, digest: &Digest, now: UnixTime) -> Option<AccessToken> {
        let kept = self.accepted.get(digest)?;
        kept.serves_in_need(now).then_some(kept.what)
    }

    /// Remembers what was found out, unless something was forgotten since `memory`. A refusal of
    /// what was accepted before forgets that, as [`forget`](Self::forget) does.
    pub(crate) fn keep(&self, digest: Digest, need: Need, finding: &Finding, memory: Memory) {
        let &Finding { lifetime, at, .. } = finding;
        match &finding.outcome {
            Ok(token) => {
                let (until, what) = (token.in_need_until(), token.clone());
                let left = until.since(at);
                let kept = Kept { what, until, left };
                if kept.serves_in_need(at) {
                    let put = || self.accepted.insert(digest, kept);
                    // Only what was put: a refusal that was found out meanwhile stays.
                    let clear = || self.accepted.invalidate(&digest);
                    self.forgetting.keep(digest[0], memory, put, clear);
                }
            }
            // Only what the credential itself is to blame for. An outage is never remembered.
            Err(error) if error.kind() == ErrorKind::InvalidToken => {
                let left = match need {
                    Need::Proof => lifetime.of_refused(),
                    Need::Standing(_) => lifetime.of_revoked(),
                };
                let put = || {
                    let (what, until) = (error.clone(), at + left);
                    if left > Duration::ZERO {
                        self.refused.insert(digest, Kept { what, until, left });
                    }
                };
                // Not for every refusal: whoever sends bad tokens would keep those of others from
                // being remembered.
                match need {
                    Need::Proof if !self.accepted.contains_key(&digest) => {
                        let clear = || self.refused.invalidate(&digest);
                        self.forgetting.keep(digest[0], memory, put, clear);
                    }
                    _ => {
                        let clear = || self.unlist_and_clear(&digest);
                        self.forgetting.replace(digest[0], memory, put, clear);
                    }
                }
            }
            Err(_) => {}
        }
    }

    /// Forgets what is known, and what a verification under way is about to find out.
    pub(crate) fn forget(&self, digest: &Digest) {
        let clear = || self.unlist_and_clear(digest);
        self.forgetting.forget(digest[0], clear);
    }

    /// Forgets every acceptance of a token about `subject`, whoever issued it, and what any
    /// verification under way is about to find out: whose token that is is not known yet.
    pub(crate) fn forget_subject(&self, subject: &str) {
        self.forgetting.forget_all(|| {
            self.flights().unlist_all();
            for (digest, kept) in &self.accepted {
                if kept.what.subject() == Some(subject) {
                    self.accepted.invalidate(&*digest);
                }
            }
        });
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        self.forgetting.forget_all(|| {
            self.flights().unlist_all();
            // One by one: the cache's own way compares times, and an entry of the same tick stays.
            for (digest, _) in &self.accepted {
                self.accepted.invalidate(&*digest);
            }
            for (digest, _) in &self.refused {
                self.refused.invalidate(&*digest);
            }
        });
    }

    fn unlist_and_clear(&self, digest: &Digest) {
        self.flights().unlist(digest);
        self.clear(digest);
    }

    fn clear(&self, digest: &Digest) {
        self.accepted.invalidate(digest);
        self.refused.invalidate(digest);
    }
}

impl Kept<AccessToken> {
    /// Whether it may serve, if only while nobody can be asked.
    fn serves_in_need(&self, now: UnixTime) -> bool {
        now < self.until && self.what.is_trusted(now)
    }
}

#[cfg(test)]
mod tests;
