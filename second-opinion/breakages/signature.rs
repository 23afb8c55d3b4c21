//! Signatures that are another's, of another form, or changed.

use portcullis::Algorithm;

use crate::chance::Chance;
use crate::draft::Breakage;
use crate::draft::Edit::{Sign, Signature};

/// An ECDSA signature as ASN.1 writes it (RFC 3279 §2.2.3), where RFC 7518 §3.4 wants R and S alone.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |octets: &[u8]| {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let mut octets = octets[zeros..].to_vec();
        if octets.first().is_none_or(|octet| *octet >= 0x80) {
            octets.insert(0, 0);
        }
        [vec![2, octets.len() as u8], octets].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let both = [integer(r), integer(s)].concat();
    [vec![0x30, both.len() as u8], both].concat()
}

fn is_ecdsa(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::ES256 | Algorithm::ES384)
}

/// The other S that fits: the order of the curve less S.
fn turned(mut signature: Vec<u8>, algorithm: Algorithm) -> Vec<u8> {
    let order: &[u8] = match algorithm {
        Algorithm::ES256 => &[
            0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2,
            0xfc, 0x63, 0x25, 0x51,
        ],
        Algorithm::ES384 => &[
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81,
            0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec,
            0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
        ],
        _ => return signature,
    };
    let half = signature.len() / 2;
    let mut borrowed = 0;
    for (octet, order) in signature[half..].iter_mut().zip(order).rev() {
        let difference = i32::from(*order) - i32::from(*octet) - borrowed;
        borrowed = i32::from(difference < 0);
        *octet = difference.rem_euclid(256) as u8;
    }
    signature
}

fn flipped(mut signature: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    if !signature.is_empty() {
        let place = chance.below(signature.len());
        signature[place] ^= 1 << chance.below(8);
    }
    signature
}

pub const ALL: &[Breakage] = &[
    Breakage(
        "signature: of a forger",
        Sign(|_, forger, algorithm, message| forger.sign(algorithm, message)),
    ),
    Breakage(
        "signature: with another algorithm",
        Sign(|keys, _, algorithm, message| {
            let other = match algorithm {
                Algorithm::RS256 => Algorithm::PS256,
                Algorithm::RS384 => Algorithm::RS256,
                Algorithm::RS512 => Algorithm::RS384,
                Algorithm::PS256 => Algorithm::RS256,
                Algorithm::PS384 => Algorithm::PS512,
                Algorithm::PS512 => Algorithm::PS256,
                Algorithm::ES256 => Algorithm::ES384,
                Algorithm::ES384 => Algorithm::ES256,
                Algorithm::EdDSA => Algorithm::ES256,
                _ => Algorithm::EdDSA,
            };
            keys.sign(other, message)
        }),
    ),
    Breakage(
        "signature: with the public key for a secret",
        Sign(|keys, _, _, message| keys.sign_with_public_key(message)),
    ),
    Breakage(
        "signature: of the header alone",
        Sign(|keys, _, algorithm, message| {
            let header = message.split(|byte| *byte == b'.').next().unwrap();
            keys.sign(algorithm, header)
        }),
    ),
    Breakage(
        "signature: of another text",
        Sign(|keys, _, algorithm, message| keys.sign(algorithm, &[message, b" "].concat())),
    ),
    Breakage(
        "signature: a bit flipped",
        Signature(|signature, _, chance| flipped(signature, chance)),
    ),
    Breakage(
        "signature: two bits flipped",
        Signature(|signature, _, chance| {
            let signature = flipped(signature, chance);
            flipped(signature, chance)
        }),
    ),
    Breakage(
        "signature: an octet less",
        Signature(|mut signature, _, _| {
            signature.pop();
            signature
        }),
    ),
    Breakage(
        "signature: half of it",
        Signature(|signature, _, _| signature[..signature.len() / 2].to_vec()),
    ),
    Breakage("signature: empty", Signature(|_, _, _| Vec::new())),
    Breakage(
        "signature: an octet more",
        Signature(|signature, _, _| [signature, vec![0]].concat()),
    ),
    Breakage(
        "signature: a zero before",
        Signature(|signature, _, _| [vec![0], signature].concat()),
    ),
    Breakage(
        "signature: twice",
        Signature(|signature, _, _| [signature.clone(), signature].concat()),
    ),
    Breakage(
        "signature: zeros",
        Signature(|signature, _, _| vec![0; signature.len()]),
    ),
    Breakage(
        "signature: ones",
        Signature(|signature, _, _| vec![0xff; signature.len()]),
    ),
    Breakage(
        "signature: backwards",
        Signature(|signature, _, _| signature.into_iter().rev().collect()),
    ),
    Breakage(
        "signature: DER",
        Signature(|signature, algorithm, _| match is_ecdsa(algorithm) {
            true => der(&signature),
            false => signature,
        }),
    ),
    Breakage(
        "signature: R and S with a zero before each",
        Signature(|signature, algorithm, _| {
            let (r, s) = signature.split_at(signature.len() / 2);
            match is_ecdsa(algorithm) {
                true => [&[0], r, &[0], s].concat(),
                false => signature,
            }
        }),
    ),
    Breakage(
        "signature: R and S exchanged",
        Signature(|signature, algorithm, _| {
            let (r, s) = signature.split_at(signature.len() / 2);
            match is_ecdsa(algorithm) {
                true => [s, r].concat(),
                false => signature,
            }
        }),
    ),
    Breakage(
        "signature: the other S",
        Signature(|signature, algorithm, _| turned(signature, algorithm)),
    ),
];
