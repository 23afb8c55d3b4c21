//! Where in the text the claims lie that the gate judges: small, since as much is remembered of each
//! token.

use crate::clock::UnixTime;

/// From where to where. A claim never lies at the very beginning, where the object's brace is: a span
/// that begins there is no claim.
pub(super) type Span<N> = (N, N);

/// The places of the claims. The text is the JSON, and behind it what that spells in another way.
#[derive(Clone, Copy, Default)]
pub(super) struct Places<N> {
    /// The end of the JSON.
    pub(super) json: N,
    pub(super) iss: Span<N>,
    pub(super) sub: Span<N>,
    /// One string, or, as [`Flags::LISTED`] says, an array with its quotation marks.
    pub(super) aud: Span<N>,
    pub(super) jti: Span<N>,
    /// `client_id`, else `azp`.
    pub(super) client: Span<N>,
}

/// `exp`, `nbf` and `iat`.
pub(super) type Dates = [Option<UnixTime>; 3];

/// What else is known, a bit each.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags(u16);

impl Flags {
    pub(super) const NUMBER: Flags = Flags(1);
    pub(super) const ADDRESSED: Flags = Flags(2);
    pub(super) const LISTED: Flags = Flags(4);
    pub(super) const BOUND: Flags = Flags(8);
    pub(super) const EVENTS: Flags = Flags(16);
    /// One bit for each of [`ID_TOKEN`].
    const ID_TOKEN: u32 = 8;

    pub(super) fn set(&mut self, flag: Flags) {
        self.0 |= flag.0;
    }

    pub(super) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    /// The mark of an ID token at this place of [`ID_TOKEN`].
    pub(super) fn id_token(place: usize) -> Flags {
        Flags(1 << (Flags::ID_TOKEN as usize + place))
    }

    /// Of several the first in that list.
    pub(super) fn of_id_token(self) -> Option<&'static str> {
        let marks = usize::from(self.0 >> Flags::ID_TOKEN);
        ID_TOKEN.get(marks.trailing_zeros() as usize).copied()
    }
}

/// Claims that only ID tokens carry.
pub(super) const ID_TOKEN: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

/// All of it, nearly always without an allocation.
#[derive(Clone)]
pub(super) enum Facts {
    Near(Near),
    Far(Box<Far>),
}

/// What nearly every token has: less than 64 KiB of text, and dates of whole seconds until 2106.
#[derive(Clone)]
pub(super) struct Near {
    flags: Flags,
    places: Places<u16>,
    /// One more than the second, zero for none.
    dates: [u32; 3],
}

/// What any token may have.
#[derive(Clone, Default)]
pub(super) struct Far {
    pub(super) flags: Flags,
    pub(super) places: Places<u32>,
    pub(super) dates: Dates,
    /// The audiences one by one, where the JSON spells one with escapes.
    pub(super) audiences: Box<[Span<u32>]>,
}

impl Facts {
    pub(super) fn new(far: Far) -> Facts {
        match near(&far) {
            Some(near) => Facts::Near(near),
            None => Facts::Far(Box::new(far)),
        }
    }

    pub(super) fn places(&self) -> Places<u32> {
        match self {
            Facts::Near(near) => near.places.map(u32::from),
            Facts::Far(far) => far.places,
        }
    }

    pub(super) fn flags(&self) -> Flags {
        match self {
            Facts::Near(near) => near.flags,
            Facts::Far(far) => far.flags,
        }
    }

    /// `exp`, `nbf` or `iat`, by its place.
    pub(super) fn date(&self, place: usize) -> Option<UnixTime> {
        match self {
            Facts::Near(near) => {
                let second = near.dates[place].checked_sub(1)?;
                Some(UnixTime::from_secs(second.into()))
            }
            Facts::Far(far) => far.dates[place],
        }
    }

    pub(super) fn audiences(&self) -> &[Span<u32>] {
        match self {
            Facts::Near(_) => &[],
            Facts::Far(far) => &far.audiences,
        }
    }
}

impl<N: Copy> Places<N> {
    fn map<M>(self, number: impl Fn(N) -> M) -> Places<M> {
        let span = |(start, end)| (number(start), number(end));
        Places {
            json: number(self.json),
            iss: span(self.iss),
            sub: span(self.sub),
            aud: span(self.aud),
            jti: span(self.jti),
            client: span(self.client),
        }
    }
}

/// The same in short, if that is the same.
fn near(far: &Far) -> Option<Near> {
    let ends = [
        far.places.json,
        far.places.iss.1,
        far.places.sub.1,
        far.places.aud.1,
        far.places.jti.1,
        far.places.client.1,
    ];
    let is_near = |end: &u32| u16::try_from(*end).is_ok();
    if !ends.iter().all(is_near) || !far.audiences.is_empty() {
        return None;
    }
    let mut dates = [0; 3];
    for (short, date) in dates.iter_mut().zip(far.dates) {
        if let Some(date) = date {
            *short = u32::try_from(date.as_secs()).ok()?.checked_add(1)?;
            if UnixTime::from_secs(date.as_secs()) != date {
                return None;
            }
        }
    }
    Some(Near {
        flags: far.flags,
        // Each start is no later than its end, which was looked at.
        places: far.places.map(|number| number as u16),
        dates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_lies_near_and_all_else_far() {
        let is_near = |change: &dyn Fn(&mut Far)| {
            let mut far = Far::default();
            far.places.json = 800;
            far.places.client = (790, 799);
            far.dates[0] = Some(UnixTime::from_secs(1_795_262_400));
            change(&mut far);
            matches!(Facts::new(far), Facts::Near(_))
        };
        assert!(is_near(&|_| {}));
        assert!(is_near(&|far| far.dates[1] = Some(UnixTime::from_secs(0))));
        assert!(!is_near(&|far| far.dates[1] = Some(UnixTime::from_secs(-1))));
        assert!(!is_near(
            &|far| far.dates[2] = Some(UnixTime::from_millis(1_500))
        ));
        let last = i64::from(u32::MAX) - 1;
        assert!(is_near(
            &|far| far.dates[0] = Some(UnixTime::from_secs(last))
        ));
        assert!(!is_near(
            &|far| far.dates[0] = Some(UnixTime::from_secs(last + 1))
        ));
        assert!(is_near(&|far| far.places.client.1 = 65_535));
        assert!(!is_near(&|far| far.places.client.1 = 65_536));
        assert!(!is_near(&|far| far.audiences = [(1, 2)].into()));
    }
}
