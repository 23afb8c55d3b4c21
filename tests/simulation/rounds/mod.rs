//! What is known from outside about the gate's fetching: its rounds, and the set they have brought.

mod pace;

use std::time::Duration;

use portcullis::{KeyStatus, UnixTime};

use crate::clocks::{MINUTE, SECOND, Time};
use crate::invariants::{Broken, Invariant, broken};
use crate::network::{Answer, Document, Told};
use crate::report::Seen;
use crate::schedule::Settings;

/// Between these is the lifetime, if the issuer says what it is.
const LIFETIME: (Time, Time) = (MINUTE, 24 * 60 * MINUTE);

/// A fetch of the keys that is over, with the metadata if they were asked for before.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) began: Time,
    wall: UnixTime,
    pub(crate) ended: Time,
    pub(crate) good: bool,
    /// How many requests had asked for it by its end.
    rings: usize,
}

impl Round {
    pub(crate) fn took(&self) -> Time {
        self.ended - self.began
    }
}

/// A round that runs.
struct Running {
    began: Time,
    wall: UnixTime,
    /// What is asked for next, or now.
    next: Document,
    leave: Option<u64>,
}

/// A set that the gate has.
#[derive(Clone, Debug)]
pub(crate) struct Adopted {
    pub(crate) keys: Vec<usize>,
    pub(crate) fetched: UnixTime,
    pub(crate) fresh_for: Time,
    pub(crate) trusted_until: UnixTime,
}

/// Rounds that succeed, and none between that fails.
pub(crate) struct Streak {
    pub(crate) since: Time,
    pub(crate) longest: Time,
}

/// Where the metadata said that the keys are.
struct Found {
    moves: usize,
    read: UnixTime,
    is_doubted: bool,
}

pub(crate) struct Rounds {
    pub(crate) settings: Settings,
    pub(crate) adopted: Option<Adopted>,
    /// Whether that came since everybody was at rest, and sets that came and went since then.
    anew: bool,
    pub(crate) recent: Vec<Adopted>,
    pub(crate) past: Vec<Round>,
    running: Option<Running>,
    found: Option<Found>,
    failures: u32,
    /// For how many seconds the issuer wanted to be left alone when the last round failed.
    leave: Option<u64>,
    pub(crate) streak: Option<Streak>,
    /// When requests came that were not answered at the first look: they may have asked for a fetch.
    pub(crate) asking: Vec<Time>,
    /// When requests came that have asked for a fetch, for certain.
    rings: Vec<Time>,
    /// When the clock on the wall was last set back, and ahead, and when the machine last stood still.
    back: Option<Time>,
    ahead: Option<Time>,
    frozen: Option<Time>,
    failed: u64,
    not_modified: u64,
}

impl Rounds {
    pub(crate) fn new(settings: Settings) -> Rounds {
        Rounds {
            settings,
            adopted: None,
            anew: false,
            recent: Vec::new(),
            past: Vec::new(),
            running: None,
            found: None,
            failures: 0,
            leave: None,
            streak: None,
            asking: Vec::new(),
            rings: Vec::new(),
            back: None,
            ahead: None,
            frozen: None,
            failed: 0,
            not_modified: 0,
        }
    }

    pub(crate) fn shifted(&mut self, by: i64, at: Time) {
        let last = if by < 0 {
            &mut self.back
        } else {
            &mut self.ahead
        };
        *last = Some(at);
        // The pace of before is one of another time.
        self.streak = None;
    }

    pub(crate) fn froze(&mut self, until: Time) {
        self.frozen = Some(until);
    }

    /// The newest round, if the gate may still go by it when it is asked for a key that the set lacks:
    /// for as long as `oldest`. The time that a machine stands still is none to it, and a clock that
    /// was set back shows once more what it showed then.
    pub(crate) fn newest_at(&self, (at, wall): (Time, UnixTime), oldest: Time) -> Option<&Round> {
        let last = self.past.last().filter(|last| last.good)?;
        let since = self.frozen_since(last.began);
        let once_more = wall <= last.wall + Duration::from_millis(oldest);
        let again = self.back >= Some(last.began) && once_more;
        (at <= since + oldest || again).then_some(last)
    }

    /// Until when the machine stood still after that; that time itself if it did not.
    pub(crate) fn frozen_since(&self, time: Time) -> Time {
        self.frozen.map_or(time, |frozen| frozen.max(time))
    }

    /// Whether time has passed as it does since then.
    pub(crate) fn undisturbed_since(&self, time: Time) -> bool {
        let last = self.back.max(self.ahead).max(self.frozen);
        last.is_none_or(|last| last < time)
    }

    /// Somebody asks for a fetch, for certain.
    pub(crate) fn ring(&mut self, at: Time) {
        self.rings.push(at);
    }

    /// The first who asked since then.
    pub(crate) fn rung_since(&self, since: Time) -> Option<Time> {
        let first = self.rings.partition_point(|ring| *ring < since);
        self.rings.get(first).copied()
    }

    /// Since when a round runs.
    pub(crate) fn running_since(&self) -> Option<Time> {
        self.running.as_ref().map(|running| running.began)
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn knows(&self, key: usize, wall: UnixTime) -> bool {
        let adopted = self.adopted.as_ref();
        adopted.is_some_and(|set| set.keys.contains(&key) && wall < set.trusted_until)
    }

    /// A document was asked for, or answered. Returns the keys that the gate has lost by that.
    pub(crate) fn told(
        &mut self,
        told: &Told,
        (at, now): (Time, UnixTime),
        seen: &mut Seen,
    ) -> Result<Vec<usize>, Broken> {
        match told {
            Told::Asked {
                document,
                wall,
                under_way,
            } => {
                if *under_way != 1 {
                    let how = format!("{under_way} fetches are under way");
                    return broken(Invariant::OneFlight, how);
                }
                if self.running.is_none() {
                    self.keeps_pace(at)?;
                    self.running = Some(Running {
                        began: at,
                        wall: *wall,
                        next: self.first_document(*wall),
                        leave: None,
                    });
                    seen.fetches += 1;
                }
                let wanted = self.running.as_ref().map(|running| running.next);
                if wanted != Some(*document) {
                    let how = format!("{document:?} was asked for, wanted {wanted:?}");
                    return broken(Invariant::MetadataOnSchedule, how);
                }
                Ok(Vec::new())
            }
            Told::Answered(answer) => Ok(self.answered(answer, (at, now), seen)),
        }
    }

    /// What a round that begins now asks for first.
    fn first_document(&self, wall: UnixTime) -> Document {
        let Some(metadata) = self.settings.metadata else {
            return Document::Keys(0);
        };
        match &self.found {
            Some(Found {
                moves,
                read,
                is_doubted: false,
            }) if (*read..*read + Duration::from_millis(metadata)).contains(&wall) => {
                Document::Keys(*moves)
            }
            _ => Document::Metadata(0),
        }
    }

    fn answered(
        &mut self,
        answer: &Answer,
        (at, now): (Time, UnixTime),
        seen: &mut Seen,
    ) -> Vec<usize> {
        let Some(running) = &mut self.running else {
            return Vec::new();
        };
        if let Answer::Nothing(_, leave) = answer {
            running.leave = running.leave.max(*leave);
        }
        match (running.next, answer) {
            (Document::Metadata(0), Answer::Nothing(..)) => running.next = Document::Metadata(1),
            (Document::Metadata(_), Answer::Nothing(..)) => {
                let usable = self.settings.metadata.unwrap_or(0) + self.settings.stale;
                let usable = Duration::from_millis(usable);
                match &self.found {
                    Some(found) if running.wall < found.read + usable => {
                        running.next = Document::Keys(found.moves);
                        running.leave = None;
                    }
                    _ => self.failed(at, seen),
                }
            }
            (_, Answer::Metadata(moves)) => {
                running.next = Document::Keys(*moves);
                running.leave = None;
                self.found = Some(Found {
                    moves: *moves,
                    read: running.wall,
                    is_doubted: false,
                });
            }
            (_, Answer::Nothing(..)) => {
                if let Some(found) = &mut self.found {
                    found.is_doubted = true;
                }
                self.failed(at, seen);
            }
            (_, Answer::Keys(keys, said)) => {
                let fresh_for = said.map_or(self.settings.lifetime, clamped);
                return self.adopt(keys.clone(), fresh_for, (at, now), seen);
            }
            (_, Answer::Same(said)) => {
                let Some(known) = self.adopted.clone() else {
                    return Vec::new();
                };
                self.not_modified += 1;
                seen.not_modified += 1;
                let fresh_for = said.map_or(known.fresh_for, clamped);
                return self.adopt(known.keys, fresh_for, (at, now), seen);
            }
        }
        Vec::new()
    }

    fn failed(&mut self, at: Time, seen: &mut Seen) {
        self.leave = self.over(at, false).and_then(|running| running.leave);
        self.failures += 1;
        self.failed += 1;
        self.streak = None;
        seen.failed_fetches += 1;
    }

    fn over(&mut self, at: Time, good: bool) -> Option<Running> {
        let running = self.running.take()?;
        self.past.push(Round {
            began: running.began,
            wall: running.wall,
            ended: at,
            good,
            rings: self.rings.len(),
        });
        Some(running)
    }

    fn adopt(
        &mut self,
        keys: Vec<usize>,
        fresh_for: Time,
        (at, now): (Time, UnixTime),
        seen: &mut Seen,
    ) -> Vec<usize> {
        let Some(Running { began, wall, .. }) = self.over(at, true) else {
            return Vec::new();
        };
        seen.recoveries += usize::from(self.failures > 0);
        self.failures = 0;
        if let Some(found) = &mut self.found {
            found.is_doubted = false;
        }
        let streak = self.streak.get_or_insert(Streak {
            since: began,
            longest: 0,
        });
        streak.longest = streak.longest.max(at - began);
        // The clock may have been set back meanwhile.
        let fetched = wall.min(now);
        let before = self.adopted.replace(Adopted {
            keys,
            fetched,
            fresh_for,
            trusted_until: fetched + Duration::from_millis(fresh_for + self.settings.stale),
        });
        let anew = std::mem::replace(&mut self.anew, true);
        let Some((before, newest)) = before.zip(self.adopted.as_ref()) else {
            return Vec::new();
        };
        let lost = before.keys.iter().filter(|key| !newest.keys.contains(key));
        let lost: Vec<usize> = lost.copied().collect();
        if anew {
            self.recent.push(before);
        }
        seen.withdrawals += lost.len();
        lost
    }

    /// The newest set, if it came since everybody was at rest.
    pub(crate) fn newest_of_this_step(&self) -> Option<&Adopted> {
        self.adopted.as_ref().filter(|_| self.anew)
    }

    /// Everybody is at rest.
    pub(crate) fn rest(&mut self) {
        self.recent.clear();
        self.anew = false;
    }

    /// [`Invariant::StatusIsTrue`].
    pub(crate) fn tells(
        &self,
        status: &KeyStatus,
        kid: impl Fn(usize) -> String,
        wall: UnixTime,
    ) -> Result<(), Broken> {
        let set = self.adopted.as_ref();
        let trusted = set.filter(|set| wall < set.trusted_until);
        let mut kids = status.kids.clone();
        kids.sort();
        let mut wanted: Vec<String> = trusted
            .map(|set| set.keys.iter().map(|key| kid(*key)).collect())
            .unwrap_or_default();
        wanted.sort();
        let rounds = self.past.len() as u64 + u64::from(self.running.is_some());
        let good = self.past.last().is_none_or(|last| last.good);
        let is_true = kids == wanted
            && status.fetched_at == set.map(|set| set.fetched)
            && status.trusted_until == set.map(|set| set.trusted_until)
            && status.last_error.is_none() == good
            && status.failures == self.failed
            && status.not_modified == self.not_modified
            && status.fetches == rounds;
        match is_true {
            true => Ok(()),
            false => broken(
                Invariant::StatusIsTrue,
                format!(
                    "{status:?}, wanted {set:?}, {rounds} fetches, {} failed",
                    self.failed
                ),
            ),
        }
    }
}

fn clamped(seconds: u64) -> Time {
    (seconds * SECOND).clamp(LIFETIME.0, LIFETIME.1)
}
