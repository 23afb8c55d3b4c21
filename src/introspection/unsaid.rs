//! What one call has sent and nobody may repeat, whoever words the sentence about its failure.

use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::secret::Secret;
use crate::text;

/// The secrets of one call.
pub(super) struct Unsaid<'a> {
    known: Vec<&'a str>,
    /// What is made anew for each attempt.
    sent: Mutex<Vec<Secret<String>>>,
}

impl<'a> Unsaid<'a> {
    pub(super) fn new(known: impl IntoIterator<Item = &'a str>) -> Unsaid<'a> {
        Unsaid {
            known: known.into_iter().collect(),
            sent: Mutex::default(),
        }
    }

    /// Adds what this call is about to send.
    pub(super) fn add(&self, secret: Secret<String>) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push(secret);
    }

    /// The sentence, unless it repeats one.
    pub(super) fn withhold(&self, sentence: String) -> String {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sent.iter().map(|secret| secret.as_str());
        text::withhold(sentence, self.known.iter().copied().chain(sent))
    }

    /// The error, with such a sentence.
    pub(super) fn withhold_from(&self, error: Error) -> Error {
        error.reworded(|sentence| self.withhold(sentence))
    }
}
