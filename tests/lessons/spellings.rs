//! A public key in every spelling that somebody has once taken for a secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The first bytes of a SubjectPublicKeyInfo with a key on P-256 (RFC 5480 §2.1.1).
pub(crate) const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The first bytes of a SubjectPublicKeyInfo with an Ed25519 key (RFC 8410 §4).
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The algorithm identifier of an RSA key (RFC 3279 §2.3.1).
const RSA: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// The SubjectPublicKeyInfo of a JWK: what stands in a PEM file.
pub(crate) fn spki(jwk: &Value) -> Vec<u8> {
    let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    match jwk["kty"].as_str().unwrap() {
        "EC" => [&P256[..], &[4], &member("x"), &member("y")].concat(),
        "OKP" => [&ED25519[..], &member("x")].concat(),
        _ => {
            let bits = [&[0][..], &pkcs1(&member("n"), &member("e"))].concat();
            der(0x30, &[&RSA[..], &der(0x03, &bits)].concat())
        }
    }
}

/// RFC 8017 appendix A.1.1.
fn pkcs1(n: &[u8], e: &[u8]) -> Vec<u8> {
    let number = |octets: &[u8]| match octets[0] {
        0x80.. => der(0x02, &[&[0][..], octets].concat()),
        _ => der(0x02, octets),
    };
    der(0x30, &[number(n), number(e)].concat())
}

pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content.to_vec()].concat()
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// Every spelling that is long enough to be a secret.
pub(crate) fn of(jwk: &Value) -> Vec<Vec<u8>> {
    let spki = spki(jwk);
    let text = pem("PUBLIC KEY", &spki);
    let mut spellings = vec![
        jwk.to_string().into_bytes(),
        serde_json::to_vec_pretty(jwk).unwrap(),
        json!({ "keys": [jwk] }).to_string().into_bytes(),
        text.trim_end().as_bytes().to_vec(),
        text.replace('\n', "\r\n").into_bytes(),
        text.lines().collect::<String>().into_bytes(),
        format!(" {text}").into_bytes(),
        text.into_bytes(),
        STANDARD.encode(&spki).into_bytes(),
        URL_SAFE_NO_PAD.encode(&spki).into_bytes(),
        spki,
    ];
    for name in ["x", "y", "n", "e", "kid"] {
        let Some(member) = jwk[name].as_str() else {
            continue;
        };
        spellings.push(member.as_bytes().to_vec());
        spellings.extend(URL_SAFE_NO_PAD.decode(member));
    }
    if let (Some(n), Some(e)) = (jwk["n"].as_str(), jwk["e"].as_str()) {
        let decoded = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
        let der = pkcs1(&decoded(n), &decoded(e));
        spellings.push(pem("RSA PUBLIC KEY", &der).into_bytes());
        spellings.push(der);
    }
    spellings
}
