//! Which key names the newest set is known to lack, so that a made-up one makes nobody wait twice.

use std::collections::HashSet;

/// Key names that a set lacks. They count until the issuer may be asked again; a newer set makes
/// them void.
#[derive(Default)]
pub(super) struct Absent {
    /// The number of the round that brought the set.
    round: u64,
    names: HashSet<Box<str>>,
    /// Whether it has no key for a token that names none.
    nameless: bool,
}

/// How many absent names are remembered; none has more than 256 bytes, or its token is refused
/// unseen. Beyond that a made-up name merely waits.
const MOST_ABSENT: usize = 1024;

impl Absent {
    pub(super) fn is_known(&self, round: u64, kid: Option<&str>) -> bool {
        self.round == round
            && match kid {
                Some(kid) => self.names.contains(kid),
                None => self.nameless,
            }
    }

    pub(super) fn note(&mut self, round: u64, kid: Option<&str>) {
        if round < self.round {
            return;
        }
        if self.round != round {
            self.round = round;
            self.names.clear();
            self.nameless = false;
        }
        match kid {
            None => self.nameless = true,
            Some(kid) if self.names.len() < MOST_ABSENT => {
                self.names.insert(kid.into());
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_names_are_remembered_until_a_newer_set() {
        let mut absent = Absent::default();
        let name = |n: usize| format!("made-up-{n}");
        for n in 0..1_025 {
            absent.note(1, Some(&name(n)));
        }
        assert!(absent.is_known(1, Some(&name(0))) && absent.is_known(1, Some(&name(1_023))));
        assert!(!absent.is_known(1, Some(&name(1_024))), "that is enough");
        absent.note(0, Some("late"));
        assert!(!absent.is_known(1, Some("late")), "said of an older set");
        absent.note(2, None);
        assert!(absent.is_known(2, None));
        assert!(!absent.is_known(2, Some(&name(0))) && !absent.is_known(1, None));
    }
}
