//! What a thread was shown again and again, near at hand: the token itself beside a copy of its verdict.
//!
//! Comparing a token costs a tenth of what making its [name](super::name) costs, and a copy that no other
//! thread has makes no two processors write to the same memory. The table stays the owner of every
//! verdict: a copy serves only while the table holds the entry it was made of, so what is forgotten,
//! refused, or gives way is served here no more from that moment on.
//!
//! The price is that each thread keeps up to [`PLACES`] tokens in clear text, until others take their places
//! or they are shown once more and stand no longer: also such as are forgotten meanwhile, or whose server is
//! gone. Then their text is wiped. A token gets a place when it is shown to the thread again before another
//! that belongs there.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::UnixTime;
use crate::credential::Carrier;
use crate::secret::Secret;
use crate::token::{AccessToken, Facts};

/// How many tokens a thread keeps, of all servers: about 2 KiB each, if they are as long as most.
const PLACES: usize = 64;

/// How long the tokens at hand may be. A shorter one is quickly named. A much longer one would take the
/// memory of many.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=4096;

thread_local! {
    static NEAR: RefCell<Near> = const { RefCell::new(Near(Vec::new())) };
}

/// One thread's places; none until the first is needed.
struct Near(Vec<Place>);

#[derive(Default)]
struct Place {
    at_hand: Option<AtHand>,
    /// Of what came here last and had no copy: if it comes again, it gets one.
    candidate: u64,
}

/// A token, and a copy of its verdict.
struct AtHand {
    /// Told apart by it, before memory that may be far away is read.
    mixed: u64,
    token: Secret<Box<[u8]>>,
    carrier: Carrier,
    /// Whose table it was made of.
    owner: Owner,
    /// What that table holds, or held.
    original: Arc<Facts>,
    verdict: AccessToken,
}

/// A table, among all of this process.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Owner(u64);

impl Owner {
    pub(super) fn new() -> Owner {
        static OWNERS: AtomicU64 = AtomicU64::new(0);
        Owner(OWNERS.fetch_add(1, Ordering::Relaxed))
    }

    /// The verdict on `token` as `carrier` carried it, if this thread has a copy that still stands.
    pub(super) fn recall(
        self,
        carrier: &Carrier,
        token: &[u8],
        now: UnixTime,
    ) -> Option<AccessToken> {
        let mixed = mixed(token);
        let recall = |near: &RefCell<Near>| {
            // Claims of an application's own may do anything when they are dropped, even come here.
            let mut near = near.try_borrow_mut().ok()?;
            let at_hand = &mut near.0.get_mut(place_of(mixed))?.at_hand;
            let it = at_hand.as_ref()?;
            let is_it = it.mixed == mixed
                && it.owner == self
                && is_same(&it.token, token)
                && it.carrier == *carrier;
            if !is_it {
                return None;
            }
            if it.original.kept().is_held() && it.verdict.facts().stands(now) {
                it.original.kept().mark_used();
                return Some(Ok(it.verdict.clone()));
            }
            at_hand.take().map(Err)
        };
        // A thread that ends has nothing at hand. What stands no more is dropped once the places are free.
        let found = NEAR.try_with(recall).ok().flatten()?;
        found.ok()
    }

    /// Notes that the table had `original` for this credential: a copy is made when it comes again before
    /// another takes its place.
    pub(super) fn note(self, carrier: &Carrier, token: &[u8], original: &Arc<Facts>) {
        if !LENGTHS.contains(&token.len()) {
            return;
        }
        let mixed = mixed(token);
        let note = |near: &RefCell<Near>| {
            let mut near = near.try_borrow_mut().ok()?;
            if near.0.is_empty() {
                near.0.resize_with(PLACES, Place::default);
            }
            let place = near.0.get_mut(place_of(mixed))?;
            let [candidate, _] = original.kept().name();
            if place.candidate != candidate {
                place.candidate = candidate;
                return None;
            }
            place.at_hand.replace(AtHand {
                mixed,
                token: Secret::new(token.into()),
                carrier: carrier.clone(),
                owner: self,
                verdict: AccessToken::of_facts(original).copy(),
                original: original.clone(),
            })
        };
        // Dropped once the thread's places are free again.
        drop(NEAR.try_with(note).ok().flatten());
    }
}

/// How much of each end of a token is compared at once: all of most opaque ones, and more of a signature than
/// anybody guesses.
const AT_ONCE: usize = 32;

/// Whether both are the same token. The time it takes tells nobody who guesses how much is right already:
/// both ends are compared at once, whatever differs in them, and must be right before more is compared.
///
/// To compare all of a JWT so would take twice the time. What stands between its header and the end of its
/// signature is claims and the signature's beginning, and they are looked at only if the end is right.
fn is_same(kept: &[u8], shown: &[u8]) -> bool {
    match (ends(kept), ends(shown)) {
        (Some((first, last)), Some((shown_first, shown_last))) => {
            let differences = differences(first, shown_first) | differences(last, shown_last);
            black_box(differences) == 0 && kept == shown
        }
        // A short one has no ends beside its middle.
        _ => {
            let pairs = kept.iter().zip(shown);
            let differences = pairs.fold(0, |all, (one, other)| all | (one ^ other));
            kept.len() == shown.len() && black_box(differences) == 0
        }
    }
}

fn ends(token: &[u8]) -> Option<(&[u8; AT_ONCE], &[u8; AT_ONCE])> {
    token.first_chunk().zip(token.last_chunk())
}

/// Zero, if there is none. There is no early end, and whoever asks hides from the compiler what for.
fn differences(one: &[u8; AT_ONCE], other: &[u8; AT_ONCE]) -> u64 {
    let (one, other) = (one.as_chunks().0, other.as_chunks().0);
    let differences =
        |(one, other): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other);
    let pairs = one.iter().zip(other);
    pairs.map(differences).fold(0, |all, some| all | some)
}

/// Of the end of the token, where a signature is, and of its middle, for tokens that end alike.
fn mixed(token: &[u8]) -> u64 {
    let eight = |from: usize| {
        let eight = token.get(from..).and_then(|rest| rest.first_chunk());
        eight.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let mixed = eight(token.len().saturating_sub(8)) ^ eight(token.len() / 2).rotate_left(29);
    // 2^64 divided by the golden ratio: the upper bits depend on all of them.
    mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn place_of(mixed: u64) -> usize {
    (mixed >> 58) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_begin_or_end_alike_have_places_of_their_own() {
        for make in [
            |number: usize| format!("{}{number:08x}", "a".repeat(400)),
            |number: usize| format!("{0}{number:08x}{0}", "a".repeat(20)),
        ] {
            let mut places: Vec<usize> = (0..1000)
                .map(|number| place_of(mixed(make(number).as_bytes())))
                .collect();
            places.sort_unstable();
            places.dedup();
            assert!(places.len() > PLACES / 2, "{} places", places.len());
        }
        // Too short to be told apart so: they share a place.
        assert_eq!(mixed(b"short"), mixed(b"shorter"));
    }

    #[test]
    fn a_token_is_the_same_by_all_of_it() {
        for length in (0..=260).chain([AT_ONCE * 20]) {
            let token: Vec<u8> = (0..length).map(|place| b'a' + (place % 23) as u8).collect();
            assert!(is_same(&token, &token.clone()), "{length}");
            for place in 0..length {
                let mut other = token.clone();
                other[place] ^= 1 << (place % 7);
                assert!(!is_same(&token, &other), "{place} of {length}");
            }
            for other in [&token[..length - length.min(1)], &token[length.min(1)..]] {
                assert_eq!(is_same(&token, other), length == 0, "{length}");
                assert_eq!(is_same(other, &token), length == 0, "{length}");
            }
        }
    }
}
