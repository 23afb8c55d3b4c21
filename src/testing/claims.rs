//! The claims a token has by itself, and what a test changes about them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::state::Shared;

/// How long a token lives unless told otherwise, in seconds.
pub(super) const LIFETIME: i64 = 300;

/// The claims both sorts of tokens start from.
pub(super) fn default_claims(server: &Shared, lifetime: i64) -> Map<String, Value> {
    let now = server.clock.now().as_secs();
    let expires = now.saturating_add(lifetime);
    // An expired token was issued before it expired, not after.
    let issued = if lifetime < 0 {
        expires.saturating_sub(LIFETIME)
    } else {
        now
    };
    let mut claims = Map::new();
    for (name, value) in [
        ("iss", json!(server.site.issuer)),
        ("sub", json!("alice")),
        ("aud", json!("https://api.example.com/")),
        ("client_id", json!("web")),
        ("scope", json!("")),
        ("iat", json!(issued)),
        ("exp", json!(expires)),
    ] {
        claims.insert(name.to_owned(), value);
    }
    claims
}

/// # Panics
///
/// If the machine has no randomness.
#[track_caller]
pub(super) fn random_text(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        panic!("no randomness on this machine");
    }
    URL_SAFE_NO_PAD.encode(random)
}

/// Members set and members left out, whatever the defaults turn out to be at minting time.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    set: Map<String, Value>,
    removed: BTreeSet<String>,
}

impl Changes {
    /// # Panics
    ///
    /// If `value` has no JSON form.
    #[track_caller]
    pub(super) fn set(&mut self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| panic!("value of {name:?} has no JSON form: {error}"));
        self.removed.remove(name);
        self.set.insert(name.to_owned(), value);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.set.remove(name);
        self.removed.insert(name.to_owned());
    }

    pub(super) fn apply(&self, mut members: Map<String, Value>) -> Map<String, Value> {
        members.extend(self.set.clone());
        members.retain(|name, _| !self.removed.contains(name));
        members
    }
}

/// The claim methods that both token builders have; each has fields `claims` and `lifetime`.
macro_rules! claim_methods {
    () => {
        /// Sets `sub`. Default: `alice`.
        pub fn subject(self, subject: &str) -> Self {
            self.claim("sub", subject)
        }

        /// Sets `aud` to this one string. Default: `https://api.example.com/`. For several, use
        /// [`claim`](Self::claim) with an array.
        pub fn audience(self, audience: &str) -> Self {
            self.claim("aud", audience)
        }

        /// Sets `scope` to these space-separated words. Default: none, as the empty string.
        pub fn scope(self, scope: &str) -> Self {
            self.claim("scope", scope)
        }

        /// Sets `client_id`. Default: `web`.
        pub fn client_id(self, client_id: &str) -> Self {
            self.claim("client_id", client_id)
        }

        /// Sets any claim to anything that has a JSON form, right or wrong.
        ///
        /// # Panics
        ///
        /// If `value` has no JSON form (a map whose keys are no strings, say).
        #[track_caller]
        pub fn claim(mut self, name: &str, value: impl serde::Serialize) -> Self {
            self.claims.set(name, value);
            self
        }

        /// Leaves a claim out.
        pub fn without(mut self, name: &str) -> Self {
            self.claims.remove(name);
            self
        }

        /// Sets `exp` to this many seconds after the moment of minting. Default: 300. Negative:
        /// the token has already expired, and `iat` is 300 seconds before its `exp`.
        pub fn expires_in(mut self, seconds: i64) -> Self {
            self.lifetime = seconds;
            self
        }
    };
}
pub(super) use claim_methods;
