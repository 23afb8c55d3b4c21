//! Tokens that are always the same, with their public keys: what is counted to the instruction must not
//! depend on chance. Their private keys are gone; they are good until the year 2100.

use portcullis::{JwtVerifier, StaticJwks};
use serde_json::{Value, json};

use super::tokens::{self, AUDIENCE, ISSUER, RawCheck};

/// A token and its key.
pub struct Fixed {
    /// Its algorithm.
    pub alg: String,
    /// The token.
    pub token: &'static str,
    jwk: Value,
}

const LINES: &str = include_str!("fixed.txt");

/// The one of `alg`.
pub fn of(alg: &str) -> Fixed {
    let find = |line: &'static str| {
        let mut fields = line.split('\t');
        let (name, token, jwk) = (fields.next()?, fields.next()?, fields.next()?);
        (name == alg).then(|| Fixed {
            alg: name.to_owned(),
            token,
            jwk: serde_json::from_str(jwk).unwrap(),
        })
    };
    LINES.lines().find_map(find).expect("there is one of each")
}

impl Fixed {
    /// Its verifier.
    pub fn verifier(&self) -> JwtVerifier {
        let keys = json!({ "keys": [self.jwk] }).to_string();
        JwtVerifier::builder(ISSUER, AUDIENCE)
            .algorithms([self.alg.parse().unwrap()])
            .remember_accepted(std::time::Duration::from_secs(86_400))
            .keys(StaticJwks::from_json(&keys).unwrap())
            .build()
            .unwrap()
    }

    /// The check of its signature alone.
    pub fn raw_check(&self) -> RawCheck {
        tokens::raw_check_of(&self.jwk)
    }
}

/// Makes new ones, for `fixed.txt`.
pub fn sign() -> String {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let left = 4_102_444_800 - now.as_secs() as i64;
    let mut lines = String::new();
    for alg in ["RS256", "ES256", "EdDSA"] {
        let key = tokens::signing_key(alg);
        let payload = tokens::payload(1, ISSUER, tokens::SCOPE, left);
        let token = tokens::signed(&key, &payload);
        lines.push_str(&format!("{alg}\t{token}\t{}\n", key.jwk()));
    }
    lines
}
