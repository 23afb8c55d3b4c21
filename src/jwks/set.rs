//! A key set (RFC 7517 §5), and the choice of one key from it. Pure; who brings the document is
//! somebody else's matter.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::key::{Key, Prepared};
use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::json;
use crate::lease::Lease;
use crate::text::{quote, quoted};

/// How many keys a set may have. The largest issuers publish about twenty.
const MOST_KEYS: usize = 128;

/// The usable keys of one document.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<Arc<Key>>,
    by_kid: BTreeMap<Box<str>, Vec<usize>>,
    left_out: Vec<String>,
    /// The only key was given by hand: whatever a token calls it, it is meant.
    nameless: bool,
}

/// Why a set has no key for a token. Its sentence is written only if somebody wants it.
pub(crate) enum Miss<'a> {
    /// No key has the token's `kid`, or the token has none and no key fits. A newer set may help.
    Unknown(Asked<'a>),
    /// Several keys fit, and none is the right one more than another.
    Ambiguous(Asked<'a>),
    /// The key is for another algorithm. A newer set would not help.
    Unfit(Asked<'a>, Option<&'a Key>, &'a [Algorithm]),
}

/// What was asked for: a name, if that counts, and an algorithm.
pub(crate) type Asked<'a> = (Option<&'a str>, Algorithm);

impl fmt::Display for Miss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Miss::Unknown((Some(kid), _)) => write!(f, "no key is named {}", quoted(kid)),
            Miss::Unknown((None, algorithm)) => write!(
                f,
                "token names no key and the key set has none for {algorithm}"
            ),
            Miss::Ambiguous((Some(kid), algorithm)) => write!(
                f,
                "several keys named {} fit {algorithm}, wanted one",
                quoted(kid)
            ),
            Miss::Ambiguous((None, algorithm)) => write!(
                f,
                "token names no key and several keys fit {algorithm}, wanted a kid"
            ),
            Miss::Unfit((kid, algorithm), key, allowed) => {
                write!(f, "token is signed with {algorithm}, wanted ")?;
                if let Some(key) = key {
                    key.say_used_with(allowed, f)?;
                }
                write!(f, " for the key {}", quoted(kid.unwrap_or_default()))
            }
        }
    }
}

impl KeySet {
    /// Reads a JWK set key by key: what cannot be used is left out with a reason, the rest serves.
    /// Keys that `previous` had keep their lease, and verdicts that rest on it stay.
    ///
    /// # Errors
    ///
    /// A sentence, if the document is no key set, has more than 128 keys, or no usable one.
    pub(crate) fn parse(
        document: &str,
        until: UnixTime,
        previous: Option<&KeySet>,
    ) -> Result<KeySet, String> {
        json::check(document).map_err(|error| format!("key set is no strict JSON: {error}"))?;
        let document: Value =
            serde_json::from_str(document).map_err(|_| "key set is no strict JSON".to_owned())?;
        let Some(jwks) = document.get("keys").and_then(Value::as_array) else {
            return Err("key set has no array `keys`".to_owned());
        };
        if jwks.len() > MOST_KEYS {
            return Err(format!(
                "key set has {} keys, wanted at most {MOST_KEYS}",
                jwks.len()
            ));
        }
        let mut set = KeySet::default();
        for (place, jwk) in jwks.iter().enumerate() {
            match Key::from_jwk(jwk, until) {
                // Published twice is published.
                Ok(key) if set.same_as(&key).is_some() => {}
                Ok(key) => set.add(match previous.and_then(|set| set.same_as(&key)) {
                    Some(known) => known.clone(),
                    None => Arc::new(key),
                }),
                Err(why) => {
                    let kid = jwk.get("kid").and_then(Value::as_str);
                    let name = kid.map_or_else(|| format!("number {place}"), quote);
                    set.left_out.push(format!("key {name} is left out: {why}"));
                }
            }
        }
        if set.keys.is_empty() {
            let reasons = set.left_out.join("; ");
            return Err(if reasons.is_empty() {
                "key set is empty".to_owned()
            } else {
                format!("key set has no usable key: {reasons}")
            });
        }
        Ok(set)
    }

    /// A set of one key that was given by hand and serves every `kid`.
    pub(crate) fn of_one(key: Key) -> KeySet {
        let mut set = KeySet {
            nameless: true,
            ..KeySet::default()
        };
        set.add(Arc::new(key));
        set
    }

    fn add(&mut self, key: Arc<Key>) {
        if let Some(kid) = key.kid() {
            self.by_kid
                .entry(kid.into())
                .or_default()
                .push(self.keys.len());
        }
        self.keys.push(key);
    }

    fn same_as(&self, key: &Key) -> Option<&Arc<Key>> {
        self.keys.iter().find(|known| known.is_same_as(key))
    }

    /// What was left out and why, a sentence each.
    pub(crate) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The names of the keys, an empty one for a key without.
    pub(crate) fn kids(&self) -> Vec<String> {
        let kids = self.keys.iter().map(|key| key.kid().unwrap_or_default());
        kids.map(str::to_owned).collect()
    }

    /// Lets all leases of this set run until `until`.
    pub(crate) fn extend(&self, until: UnixTime) {
        for key in &self.keys {
            key.lease().extend(until);
        }
    }

    /// The leases of keys that `newer` no longer has.
    pub(crate) fn leases_but_those_of(&self, newer: &KeySet) -> impl Iterator<Item = &Lease> {
        let gone = |key: &&Arc<Key>| !newer.keys.iter().any(|kept| Arc::ptr_eq(kept, key));
        self.keys.iter().filter(gone).map(|key| key.lease())
    }

    /// The key for a token of this `kid` and `algorithm`.
    ///
    /// # Errors
    ///
    /// [`Miss`]. The `kid` is hostile text: it is compared and quoted, nothing else.
    pub(crate) fn select<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
        allowed: &'a [Algorithm],
    ) -> Result<(&'a Key, &'a Prepared), Miss<'a>> {
        let fits = |key: &'a Arc<Key>| {
            let prepared = key.prepared(algorithm, allowed)?;
            Some((&**key, prepared))
        };
        let Some(kid) = kid.filter(|_| !self.nameless) else {
            let (mut fitting, asked) = (self.keys.iter().filter_map(fits), (None, algorithm));
            return match (fitting.next(), fitting.next()) {
                (Some(one), None) => Ok(one),
                (None, _) => Err(Miss::Unknown(asked)),
                (Some(_), Some(_)) => Err(Miss::Ambiguous(asked)),
            };
        };
        let asked = (Some(kid), algorithm);
        let Some(places) = self.by_kid.get(kid) else {
            return Err(Miss::Unknown(asked));
        };
        let named = || places.iter().filter_map(|place| self.keys.get(*place));
        let mut fitting = named().filter_map(fits);
        match (fitting.next(), fitting.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(Miss::Ambiguous(asked)),
            (None, _) => Err(Miss::Unfit(
                asked,
                named().next().map(|key| &**key),
                allowed,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The RSA key of RFC 7517 appendix A.1, which names no algorithm here, and the Ed25519 key of
    /// RFC 8037 appendix A.2.
    const KEYS: &str = concat!(
        r#"{"keys":[{"kty":"OKP","kid":"ed","crv":"Ed25519","#,
        r#""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},"#,
        r#"{"kty":"RSA","kid":"rsa","e":"AQAB","n":"#,
        r#""0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"#,
        r#"_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ"#,
        r#"R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF"#,
        r#"TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}]}"#,
    );

    fn select(kid: Option<&str>, algorithm: Algorithm, allowed: &[Algorithm]) -> String {
        let set = KeySet::parse(KEYS, UnixTime::MAX, None).unwrap();
        match set.select(kid, algorithm, allowed) {
            Ok((key, _)) => key.kid().unwrap_or_default().to_owned(),
            Err(miss) => miss.to_string(),
        }
    }

    #[test]
    fn a_key_has_one_algorithm_and_says_which() {
        use Algorithm::{Ed25519, EdDSA, PS256, RS256};
        let all = Algorithm::ASYMMETRIC;
        for (kid, algorithm, allowed, answer) in [
            ("rsa", RS256, all, "rsa"),
            ("rsa", PS256, &[PS256, RS256], "rsa"),
            (
                "rsa",
                PS256,
                all,
                "token is signed with PS256, wanted RS256 (the key names none, so the first allowed \
                 counts) for the key \"rsa\"",
            ),
            (
                "rsa",
                RS256,
                &[EdDSA, PS256, RS256],
                "token is signed with RS256, wanted PS256 (the key names none, so the first allowed \
                 counts) for the key \"rsa\"",
            ),
            // Two names of one algorithm.
            ("ed", EdDSA, all, "ed"),
            ("ed", Ed25519, all, "ed"),
            (
                "ed",
                RS256,
                all,
                "token is signed with RS256, wanted EdDSA or Ed25519 for the key \"ed\"",
            ),
            ("none", RS256, all, "no key is named \"none\""),
        ] {
            assert_eq!(select(Some(kid), algorithm, allowed), answer);
        }
    }

    #[test]
    fn published_twice_is_published() {
        let mut keys: Value = serde_json::from_str(KEYS).unwrap();
        let first = keys["keys"][0].clone();
        keys["keys"].as_array_mut().unwrap().push(first);
        let set = KeySet::parse(&keys.to_string(), UnixTime::MAX, None).unwrap();
        let all = Algorithm::ASYMMETRIC;
        assert!(set.select(Some("ed"), Algorithm::EdDSA, all).is_ok());
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn a_key_given_by_hand_serves_every_name() {
        let keys: Value = serde_json::from_str(KEYS).unwrap();
        let key = Key::from_jwk(&keys["keys"][0], UnixTime::MAX).unwrap();
        let set = KeySet::of_one(key);
        for kid in [None, Some("ed"), Some("another"), Some("")] {
            let found = set.select(kid, Algorithm::EdDSA, Algorithm::ASYMMETRIC);
            assert!(found.is_ok(), "{kid:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_told() {
        let odd = r#"{"keys":[{"kty":"OKP","kid":"odd","crv":"Ed25519","x":"AAAA"},"#;
        let keys = KEYS.replace(r#"{"keys":["#, odd);
        let set = KeySet::parse(&keys, UnixTime::MAX, None).unwrap();
        assert_eq!(
            (set.len(), set.kids()),
            (2, vec!["ed".to_owned(), "rsa".to_owned()])
        );
        let why = "key \"odd\" is left out: its point is not 32 bytes long";
        assert_eq!(set.left_out(), [why]);
    }

    #[test]
    fn a_token_that_names_no_key_needs_one_that_fits_alone() {
        let all = Algorithm::ASYMMETRIC;
        assert_eq!(select(None, Algorithm::RS256, all), "rsa");
        assert_eq!(select(None, Algorithm::Ed25519, all), "ed");
        assert_eq!(
            select(None, Algorithm::ES256, all),
            "token names no key and the key set has none for ES256"
        );
    }
}
