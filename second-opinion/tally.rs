//! What came of all tokens.

use std::collections::BTreeMap;

use crate::classes::{self, CLASSES, Token};
use crate::verdict::{Ours, Theirs};

/// Whose answer ours is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Other {
    Jsonwebtoken,
    JwtSimple,
}

pub const OTHERS: [Other; 2] = [Other::Jsonwebtoken, Other::JwtSimple];

#[derive(Default)]
struct Counts {
    both_accept: usize,
    both_refuse: usize,
    differ: usize,
}

#[derive(Default)]
pub struct Tally {
    tokens: usize,
    counts: [Counts; 2],
    /// By place in the table, once for each of the others.
    met: BTreeMap<usize, [usize; 2]>,
    unexplained: Vec<String>,
}

impl Tally {
    pub fn count(&mut self) {
        self.tokens += 1;
    }

    /// Compares our answer with one of theirs.
    pub fn compare(
        &mut self,
        other: Other,
        ours: &Ours,
        theirs: &Theirs,
        token: &Token<'_>,
        shown: &dyn Fn() -> String,
    ) {
        let counts = &mut self.counts[other as usize];
        match (ours, theirs) {
            // That both accept is not enough: they must have read the same.
            (Ok(we), Ok(they)) if we == they => return counts.both_accept += 1,
            (Err(_), Err(_)) => return counts.both_refuse += 1,
            _ => counts.differ += 1,
        }
        match classes::find(other, ours, theirs, token) {
            Some(place) => self.met.entry(place).or_default()[other as usize] += 1,
            None => {
                let names: Vec<&str> = token.broken.iter().map(|breakage| breakage.0).collect();
                let found = format!("{other:?} {names:?}\n  ours {ours:?}\n  theirs {theirs:?}");
                self.unexplained.push(format!("{found}\n  {}", shown()));
            }
        }
    }

    /// Prints the totals, and says what must not be.
    pub fn close(&self) -> Vec<String> {
        println!("{} tokens, {} classes", self.tokens, CLASSES.len());
        for other in OTHERS {
            let counts = &self.counts[other as usize];
            println!(
                "{other:?}: both accept {}, both refuse {}, differ {}",
                counts.both_accept, counts.both_refuse, counts.differ
            );
        }
        println!("{:<64}{:>14}{:>12}", "", "jsonwebtoken", "jwt-simple");
        let mut faults = Vec::new();
        for (place, class) in CLASSES.iter().enumerate() {
            let met = self.met.get(&place).copied().unwrap_or_default();
            println!(
                "{:<64}{:>14}{:>12}  {}",
                class.name, met[0], met[1], class.why
            );
            for other in class.others {
                if met[*other as usize] == 0 {
                    faults.push(format!("{}: never met with {other:?}", class.name));
                }
            }
        }
        for found in self.unexplained.iter().take(20) {
            faults.push(format!("no class explains: {found}"));
        }
        if self.unexplained.len() > 20 {
            faults.push(format!("and {} more", self.unexplained.len() - 20));
        }
        faults
    }
}
