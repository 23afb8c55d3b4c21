//! The name of a credential: what a verdict is remembered under.
//!
//! Two credentials must not meet by any feasible effort, and what stands in memory must be of no use to
//! whoever reads it. So a name is made in two steps:
//!
//! 1. The token's tag under a key of this memory's own: AES-GCM with nothing to encrypt, which is GHASH,
//!    a polynomial over GF(2^128) at a secret point. For two different tokens of at most `n` bytes the
//!    tags are equal at no more than `n / 16 + 2` of the 2^128 points, whichever the two are. The nonce is the
//!    same each time: nothing is encrypted, and no tag is ever shown, so all it does is to be constant.
//! 2. SHA-256 over that tag and the carrier, of which 128 bits are the name. It is one block, and makes
//!    the name of no use even beside the key: GHASH can be run backwards, SHA-256 cannot.
//!
//! Nobody learns anything about names but whether a made-up token passes. For
//! tokens of 16 KiB (2^10 blocks) against a million (2^20) names, 2^40 requests succeed with a
//! probability below 2^-57. SHA-256 alone would do the same for anybody's key, and takes four times as
//! long for a token of 830 bytes.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;

use crate::credential::Carrier;
use crate::error::ConfigError;
use crate::secret::Secret;

/// A credential's name, in one memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name([u8; 16]);

impl Name {
    /// A byte of it, each as likely as any other.
    pub(super) fn byte(&self) -> u8 {
        self.0[15]
    }

    pub(super) fn halves(&self) -> [u64; 2] {
        let all = u128::from_le_bytes(self.0);
        [all as u64, (all >> 64) as u64]
    }

    pub(super) fn of_halves([first, second]: [u64; 2]) -> Name {
        let all = u128::from(first) | u128::from(second) << 64;
        Name(all.to_le_bytes())
    }

    /// Where it belongs, and by what it is told from most others there.
    pub(super) fn place(&self) -> (u64, u32) {
        let [place, rest] = self.halves();
        (place, rest as u32)
    }
}

/// Names credentials.
pub(super) struct Namer(LessSafeKey);

impl Namer {
    /// With a key that nobody else has.
    pub(super) fn new() -> Result<Namer, ConfigError> {
        let mut key = Secret::new([0; 16]);
        rand::fill(&mut *key)
            .map_err(|_| ConfigError::new("the operating system gives no random numbers"))?;
        Namer::with(&key)
    }

    pub(super) fn with(key: &[u8; 16]) -> Result<Namer, ConfigError> {
        let key = UnboundKey::new(&AES_128_GCM, key)
            .map_err(|_| ConfigError::new("the cryptographic library takes no key"))?;
        Ok(Namer(LessSafeKey::new(key)))
    }

    pub(super) fn name(&self, carrier: &Carrier, token: &[u8]) -> Name {
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(token), &mut []);
        // It fails for more than 2^61 bytes, which is to say never. The token is a tag as good as any.
        let tag = tag.as_ref().map_or(token, AsRef::as_ref);
        let parts = [tag, &[carrier.place()], carrier.name().as_bytes()];
        let digest = match Block::of(parts) {
            Some(block) => digest(&SHA256, block.bytes()),
            None => digest(&SHA256, &parts.concat()),
        };
        let mut name = [0; 16];
        name.copy_from_slice(&digest.as_ref()[..16]);
        Name(name)
    }
}

/// What SHA-256 reads at once, put together without an allocation.
struct Block([u8; 55], usize);

impl Block {
    fn of(parts: [&[u8]; 3]) -> Option<Block> {
        let mut block = Block([0; 55], 0);
        for part in parts {
            let end = block.1 + part.len();
            block.0.get_mut(block.1..end)?.copy_from_slice(part);
            block.1 = end;
        }
        Some(block)
    }

    fn bytes(&self) -> &[u8] {
        self.0.get(..self.1).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Namer {
        Namer::with(&[7; 16]).unwrap()
    }

    #[test]
    fn one_credential_has_one_name_and_two_have_two() {
        let namer = names();
        let long = "x".repeat(60);
        let carriers = [
            Carrier::bearer(),
            Carrier::header("App-Token").unwrap(),
            Carrier::websocket_query("app-token"),
            Carrier::websocket_query("app-tokens"),
            Carrier::websocket_query(&long),
        ];
        let mut tokens: Vec<String> = (0..70).map(|length| "a".repeat(length)).collect();
        tokens.extend((0..40).map(|at| format!("{}b{}", "a".repeat(at), "a".repeat(40 - at))));
        let mut seen = std::collections::HashSet::new();
        for carrier in &carriers {
            for token in &tokens {
                let name = namer.name(carrier, token.as_bytes());
                assert!(name == namer.name(carrier, token.as_bytes()));
                assert!(seen.insert(name), "{carrier:?} {}", token.len());
            }
        }
    }

    #[test]
    fn two_memories_name_nothing_alike() {
        let bearer = Carrier::bearer();
        let (one, other) = (Namer::new().unwrap(), Namer::new().unwrap());
        assert!(one.name(&bearer, b"token") != other.name(&bearer, b"token"));
    }
}
