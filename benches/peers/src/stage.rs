//! The tokens of one run, made once and handed to each child that measures or serves.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::tokens::{Claims, Issuer, Signing, forged};

/// How many tokens are sent in turn.
pub const RING: u32 = 10_000;

/// One issuer with one key, as a gate is told of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Source {
    /// Where it is, and what `iss` says. Its metadata lie where OpenID Connect and RFC 8414 want them.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_url: String,
    /// The keys themselves.
    pub jwks: String,
    /// The name of its algorithm.
    pub algorithm: String,
}

/// What one gate is measured with.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    /// A good token first, and after it, for RS256 alone, the rest of the ring.
    pub good: Vec<String>,
    /// A token with a broken signature.
    pub forged: String,
}

/// All of it, for one kind of claims.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stage {
    pub sources: Vec<(Source, Tokens)>,
}

impl Stage {
    /// Signs the tokens.
    pub fn new(issuers: &[Issuer], claims: Claims) -> Stage {
        let sources = issuers.iter().map(|issuer| {
            let count = match issuer.signing() {
                Signing::Rs256 => RING,
                Signing::Es256 | Signing::EdDsa => 1,
            };
            let good: Vec<String> = (0..count)
                .map(|number| issuer.token(claims, number))
                .collect();
            let source = Source {
                issuer: issuer.url().to_owned(),
                jwks_url: format!("{}/jwks", issuer.url()),
                jwks: issuer.jwks(),
                algorithm: issuer.signing().name().to_owned(),
            };
            let forged = forged(&good[0]);
            (source, Tokens { good, forged })
        });
        Stage {
            sources: sources.collect(),
        }
    }

    pub fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub fn read(path: &Path) -> Result<Stage, String> {
        let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The source that signs with `algorithm`, and its tokens.
    pub fn of(&self, algorithm: &str) -> Result<&(Source, Tokens), String> {
        let found = self
            .sources
            .iter()
            .find(|(source, _)| source.algorithm == algorithm);
        found.ok_or_else(|| format!("no tokens for {algorithm}"))
    }
}
