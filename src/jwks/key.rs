//! One public key of an issuer, checked and prepared for verification.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, OctetKeyPairParameters, PublicKeyUse,
    RSAKeyParameters,
};
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::lease::Lease;
use crate::text::quote;

/// What a signature is checked with: a parsed key and its one algorithm.
pub(crate) enum Prepared {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl Prepared {
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Prepared::Public(key) => key.verify_sig(message, signature).is_ok(),
            // Compares in constant time.
            Prepared::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// One key of a set.
pub(crate) struct Key {
    kid: Option<Box<str>>,
    /// One entry for a key that names its algorithm, or whose curve does. An RSA key without `alg`
    /// could serve six; [`Key::prepared`] pins it to one of them.
    algorithms: Vec<(Algorithm, Prepared)>,
    /// What makes two keys the same key: then the lease, and the verdicts on it, live on.
    identity: Value,
    lease: Lease,
}

const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Both names of Ed25519. Real issuers publish one and sign with the other.
const ED25519: [Algorithm; 2] = [Algorithm::EdDSA, Algorithm::Ed25519];

/// Members that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl Key {
    /// Reads a JWK (RFC 7517). `jwk` comes from a text without repeated members.
    ///
    /// # Errors
    ///
    /// A sentence that says why the key is left out.
    pub(crate) fn from_jwk(jwk: &Value, until: UnixTime) -> Result<Key, String> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("kty") == Some("oct") {
            return Err("it is symmetric, wanted a public key".to_owned());
        }
        // jsonwebtoken takes an object of the one member `Ed25519` for that name, as serde does with any
        // enumeration.
        for name in ["kty", "crv"] {
            let counts = name == "kty" || text("kty") != Some("RSA");
            if counts && jwk.get(name).is_some_and(|value| !value.is_string()) {
                return Err(format!("its {name} is no string"));
            }
        }
        // An issuer that publishes its private key has lost it; the key proves nothing.
        if let Some(name) = PRIVATE.iter().find(|name| jwk.get(**name).is_some()) {
            return Err(format!(
                "it holds private material ({name}), wanted a public key"
            ));
        }
        let declared = match jwk.get("alg") {
            None => None,
            // jsonwebtoken folds the names it does not know (ES512, Ed25519) into one.
            Some(Value::String(name)) => Some(
                name.parse::<Algorithm>()
                    .map_err(|error| error.to_string())?,
            ),
            Some(_) => return Err("its alg is no string".to_owned()),
        };
        let mut known = jwk.clone();
        if let Some(members) = known.as_object_mut() {
            // Certificates are not looked at, so an odd one must not spoil a good key.
            members.retain(|name, _| !name.starts_with("x5"));
        }
        let parsed: Jwk = serde_json::from_value(known)
            .map_err(|error| format!("it is no JWK: {}", quote(&error.to_string())))?;
        check_use(&parsed)?;
        let fitting: Vec<(Algorithm, Prepared)> = match &parsed.algorithm {
            AlgorithmParameters::RSA(rsa) => prepare_rsa(rsa)?,
            AlgorithmParameters::EllipticCurve(ec) => {
                vec![prepare_ec(&ec.curve, &ec.x, &ec.y)?]
            }
            AlgorithmParameters::OctetKeyPair(okp) => prepare_ed25519(okp)?,
            _ => {
                // A curve that jsonwebtoken does not know either makes the whole key unknown to it.
                let (name, found) = match (text("kty"), text("crv")) {
                    (Some("EC" | "OKP"), Some(curve)) => ("curve", curve),
                    (kty, _) => ("kty", kty.unwrap_or_default()),
                };
                let found = quote(found);
                return Err(format!("its {name} is {found}, which is not supported"));
            }
        };
        let algorithms = narrow(fitting, declared)?;
        Ok(Key {
            kid: parsed.common.key_id.map(Into::into),
            algorithms,
            identity: jwk.clone(),
            lease: Lease::until(until),
        })
    }

    /// Takes a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) for one algorithm.
    ///
    /// # Errors
    ///
    /// A sentence that says what does not fit.
    pub(crate) fn from_spki(der: &[u8], algorithm: Algorithm) -> Result<Key, String> {
        let misfit = |_| format!("the public key does not fit the algorithm {algorithm}");
        let algorithms = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                return Err(format!("{algorithm} needs a secret, not a public key"));
            }
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => {
                let key = ParsedPublicKey::new(ecdsa(algorithm), der).map_err(misfit)?;
                vec![(algorithm, Prepared::Public(key))]
            }
            Algorithm::EdDSA | Algorithm::Ed25519 => {
                let key = ParsedPublicKey::new(&signature::ED25519, der).map_err(misfit)?;
                // The raw key is the end of its SubjectPublicKeyInfo (RFC 8410 §4).
                check_order(der.get(der.len().saturating_sub(32)..).unwrap_or_default())?;
                both_names(&key)
            }
            _ => {
                // Checked through the components, so that PEM and JWK keys obey the same limits.
                let rsa = aws_lc_rs::rsa::PublicKey::from_der(der);
                let rsa = rsa.map_err(|_| {
                    format!("the public key does not fit the algorithm {algorithm}")
                })?;
                let n = rsa.modulus().big_endian_without_leading_zero().to_vec();
                let e = rsa.exponent().big_endian_without_leading_zero().to_vec();
                narrow(prepare_rsa_components(&n, &e)?, Some(algorithm))?
            }
        };
        Ok(Key {
            kid: None,
            algorithms,
            identity: Value::Null,
            lease: Lease::until(UnixTime::MAX),
        })
    }

    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn is_same_as(&self, other: &Key) -> bool {
        self.identity == other.identity && !self.identity.is_null()
    }

    /// The prepared key for `algorithm`, if this key is used with it.
    ///
    /// RFC 8725 §3.1: each key is used with exactly one algorithm. A key that does not say which
    /// is used with the first of `allowed` that fits it; the token's header does not decide.
    pub(crate) fn prepared(
        &self,
        algorithm: Algorithm,
        allowed: &[Algorithm],
    ) -> Option<&Prepared> {
        let pinned = if self.is_pinned() {
            algorithm
        } else {
            self.pin(allowed)?
        };
        let (_, prepared) = self
            .algorithms
            .iter()
            .find(|(name, _)| *name == algorithm)?;
        (pinned == algorithm).then_some(prepared)
    }

    /// Why [`prepared`](Self::prepared) says no, as a part of a sentence.
    pub(crate) fn say_used_with(
        &self,
        allowed: &[Algorithm],
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        if let (false, Some(pin)) = (self.is_pinned(), self.pin(allowed)) {
            return write!(f, "{pin} (the key names none, so the first allowed counts)");
        }
        for (place, (name, _)) in self.algorithms.iter().enumerate() {
            let or = if place == 0 { "" } else { " or " };
            write!(f, "{or}{name}")?;
        }
        Ok(())
    }

    fn is_pinned(&self) -> bool {
        self.algorithms.len() < RSA.len()
    }

    fn pin(&self, allowed: &[Algorithm]) -> Option<Algorithm> {
        let fits = |name: &&Algorithm| self.algorithms.iter().any(|(own, _)| own == *name);
        allowed.iter().find(fits).copied()
    }
}

/// Keeps the declared algorithm alone.
fn narrow(
    mut fitting: Vec<(Algorithm, Prepared)>,
    declared: Option<Algorithm>,
) -> Result<Vec<(Algorithm, Prepared)>, String> {
    if let Some(declared) = declared {
        fitting.retain(|(name, _)| {
            *name == declared || (ED25519.contains(name) && ED25519.contains(&declared))
        });
        if fitting.is_empty() {
            return Err(format!("its alg {declared} does not fit its key type"));
        }
    }
    Ok(fitting)
}

/// RFC 7517 §4.2, §4.3: a key says what it is for.
fn check_use(jwk: &Jwk) -> Result<(), String> {
    match &jwk.common.public_key_use {
        None | Some(PublicKeyUse::Signature) => {}
        Some(PublicKeyUse::Encryption) => return Err("its use is enc, wanted sig".to_owned()),
        Some(PublicKeyUse::Other(other)) => {
            return Err(format!("its use is {}, wanted sig", quote(other)));
        }
    }
    match &jwk.common.key_operations {
        Some(operations) if !operations.contains(&KeyOperations::Verify) => {
            Err("its key_ops lack verify".to_owned())
        }
        _ => Ok(()),
    }
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| format!("its {name} is no base64url"))
}

fn prepare_rsa(rsa: &RSAKeyParameters) -> Result<Vec<(Algorithm, Prepared)>, String> {
    prepare_rsa_components(&decode("n", &rsa.n)?, &decode("e", &rsa.e)?)
}

fn prepare_rsa_components(n: &[u8], e: &[u8]) -> Result<Vec<(Algorithm, Prepared)>, String> {
    // RFC 7518 §6.3.1.1 forbids leading zeros, some issuers write one; the number is the same.
    let trim = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes[zeros..].to_vec()
    };
    let (n, e) = (trim(n), trim(e));
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(format!(
            "its RSA modulus has {bits} bits, wanted 2048 to 8192"
        ));
    }
    // With an exponent of 1 every text is its own signature; an even one is no RSA key.
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte & 1 == 1);
    if !odd(&n) || !odd(&e) || e == [1] || e.len() > 4 {
        return Err("its RSA numbers are degenerate".to_owned());
    }
    let components = RsaPublicKeyComponents { n, e };
    RSA.iter()
        .map(|algorithm| {
            let parsed = components.to_parsed_public_key(rsa_parameters(*algorithm));
            let parsed = parsed.map_err(|_| "its RSA numbers are no key".to_owned())?;
            Ok((*algorithm, Prepared::Public(parsed)))
        })
        .collect()
}

fn rsa_parameters(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => &signature::RSA_PKCS1_2048_8192_SHA256,
    }
}

fn ecdsa(algorithm: Algorithm) -> &'static signature::EcdsaVerificationAlgorithm {
    match algorithm {
        Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::ES512 => &signature::ECDSA_P521_SHA512_FIXED,
        _ => &signature::ECDSA_P256_SHA256_FIXED,
    }
}

fn prepare_ec(curve: &EllipticCurve, x: &str, y: &str) -> Result<(Algorithm, Prepared), String> {
    let (algorithm, size) = match curve {
        EllipticCurve::P256 => (Algorithm::ES256, 32),
        EllipticCurve::P384 => (Algorithm::ES384, 48),
        EllipticCurve::P521 => (Algorithm::ES512, 66),
        _ => return Err("its curve is not one of P-256, P-384 and P-521".to_owned()),
    };
    let (x, y) = (decode("x", x)?, decode("y", y)?);
    // RFC 7518 §6.2.1.2: the full size, leading zeros included.
    if x.len() != size || y.len() != size {
        return Err(format!("its coordinates are not {size} bytes long"));
    }
    let point: Vec<u8> = [4].into_iter().chain(x).chain(y).collect();
    let parsed = ParsedPublicKey::new(ecdsa(algorithm), point)
        .map_err(|_| "its point is not on the curve".to_owned())?;
    Ok((algorithm, Prepared::Public(parsed)))
}

fn prepare_ed25519(okp: &OctetKeyPairParameters) -> Result<Vec<(Algorithm, Prepared)>, String> {
    if okp.curve != EllipticCurve::Ed25519 {
        return Err("its curve is not Ed25519".to_owned());
    }
    let x = decode("x", &okp.x)?;
    check_order(&x)?;
    let parsed = ParsedPublicKey::new(&signature::ED25519, x)
        .map_err(|_| "its point is no Ed25519 key".to_owned())?;
    Ok(both_names(&parsed))
}

fn both_names(key: &ParsedPublicKey) -> Vec<(Algorithm, Prepared)> {
    ED25519
        .map(|name| (name, Prepared::Public(key.clone())))
        .into()
}

/// Refuses the points of small order on edwards25519 (RFC 8725 §3.4): for them signatures exist
/// that fit any message. The sign bit is ignored.
fn check_order(point: &[u8]) -> Result<(), String> {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Ok(mut point) = <[u8; 32]>::try_from(point) else {
        return Err("its point is not 32 bytes long".to_owned());
    };
    point[31] &= 0x7f;
    // 0, 1 and, modulo p = 2^255 - 19, p - 1, p and p + 1.
    let tiny = point[0] <= 1 && point[1..].iter().all(|byte| *byte == 0);
    let near_p = matches!(point[0], 0xec..=0xee)
        && point[1..31].iter().all(|byte| *byte == 0xff)
        && point[31] == 0x7f;
    if tiny || near_p || ORDER_8.contains(&point) {
        return Err("its point has a small order".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_small_order_are_refused_and_their_neighbours_are_not() {
        let is_small = |first: u8, middle: u8, last: u8| {
            let mut point = [middle; 32];
            (point[0], point[31]) = (first, last);
            check_order(&point).is_err()
        };
        // 0, 1, p - 1, p and p + 1; the highest bit is the sign of x.
        for sign in [0, 0x80] {
            for first in [0, 1] {
                assert!(is_small(first, 0, sign), "{first}");
                assert!(!is_small(first, 0, sign | 1), "{first}");
                assert!(!is_small(first, 2, sign), "{first}");
            }
            assert!(!is_small(2, 0, sign));
            for first in [0xec, 0xed, 0xee] {
                assert!(is_small(first, 0xff, sign | 0x7f), "{first}");
                assert!(!is_small(first, 0xff, sign | 0x7e), "{first}");
                assert!(!is_small(first, 0xfe, sign | 0x7f), "{first}");
            }
            assert!(!is_small(0xeb, 0xff, sign | 0x7f));
            assert!(!is_small(0xef, 0xff, sign | 0x7f));
        }
    }
}
