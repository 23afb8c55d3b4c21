//! Keys and tokens, made once for all schedules: a signature costs more than a simulated hour.

use std::time::Duration;

use portcullis::Algorithm;
use portcullis::testing::{AuthorizationServer, ManualClock};

use crate::clocks::BEGIN;
use crate::watched;

/// Each key is that of an authorization server of its own, so that tokens of all keys can be had at
/// any time, whatever is published.
pub(crate) struct Pool {
    keys: Vec<Key>,
    signers: Vec<AuthorizationServer>,
}

pub(crate) struct Key {
    pub(crate) kid: String,
    /// The public key, as it stands in a key set.
    pub(crate) jwk: String,
    /// Good tokens; several, since one that was shown before is answered from memory.
    pub(crate) tokens: Vec<String>,
    /// It names this key, but somebody else has signed it.
    pub(crate) forged: String,
}

/// How many keys an issuer may come to have within one schedule.
pub(crate) const MOST_KEYS: usize = 24;

const TOKENS: usize = 3;

/// Tokens are a month old and good for two: clocks are set back by hours and ahead by days here, and the
/// times of tokens are no matter of this simulation.
const DAY: u64 = 24 * 3600;

impl Pool {
    pub(crate) fn new() -> Pool {
        let issuer = || {
            watched::builder()
                .clock(ManualClock::at(BEGIN - Duration::from_secs(30 * DAY)))
                .algorithm(Algorithm::EdDSA)
                .build()
        };
        let signers: Vec<AuthorizationServer> = (0..MOST_KEYS).map(|_| issuer()).collect();
        let keys = signers.iter().enumerate().map(|(n, signer)| {
            let kid = format!("key-{n}");
            let token = signer
                .token()
                .header("kid", &kid)
                .expires_in(90 * DAY as i64);
            let mut jwk = signer.jwks()["keys"][0].clone();
            jwk["kid"] = kid.clone().into();
            let forger = &signers[(n + 1) % MOST_KEYS];
            Key {
                jwk: jwk.to_string(),
                tokens: (0..TOKENS).map(|_| token.mint()).collect(),
                forged: token.signed_by(forger).mint(),
                kid,
            }
        });
        Pool {
            keys: keys.collect(),
            signers,
        }
    }

    pub(crate) fn key(&self, n: usize) -> &Key {
        &self.keys[n]
    }

    pub(crate) fn jwks(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.jwk.clone()).collect()
    }

    /// A token that names a key nobody has.
    pub(crate) fn made_up(&self, n: u64) -> String {
        let token = self.signers[0]
            .token()
            .header("kid", format!("made-up-{n}"))
            .expires_in(90 * DAY as i64);
        token.signature([0; 64]).mint()
    }
}
