//! A forger with a certificate: it signs itself, and a token that names it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::testing::TokenBuilder;

use crate::spellings::{P256, der};

/// ecdsa-with-SHA256 (RFC 5758 §3.2).
const ECDSA_SHA256: [u8; 12] = [
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];

/// The type of a common name (RFC 5280 appendix A.1).
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// A key, in the encodings that a token and a certificate want, and its certificate.
pub(crate) struct Certified {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl Certified {
    pub(crate) fn new() -> Certified {
        let fixed = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate(fixed).unwrap();
        let pkcs8 = key.to_pkcs8v1().unwrap();
        let signs = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref());
        let certificate = self_signed(&signs.unwrap());
        Certified { key, certificate }
    }

    /// Its SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> Vec<u8> {
        spki(&self.key)
    }

    /// The token that `token` would be, with the certificate in its header and signed by its key.
    pub(crate) fn sign(&self, token: &TokenBuilder) -> String {
        let chain = [STANDARD.encode(&self.certificate)];
        let token = token.clone().header("x5c", chain).mint();
        let (message, _) = token.rsplit_once('.').unwrap();
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.unwrap());
        format!("{message}.{signature}")
    }
}

fn spki(key: &EcdsaKeyPair) -> Vec<u8> {
    [&P256[..], key.public_key().as_ref()].concat()
}

/// A certificate (RFC 5280 §4.1) that says nothing but whose key it is, and from 2020 to 2049.
fn self_signed(key: &EcdsaKeyPair) -> Vec<u8> {
    let name = [&COMMON_NAME[..], &der(0x0c, b"as.example")].concat();
    let name = der(0x30, &der(0x31, &der(0x30, &name)));
    let valid = [der(0x17, b"200101000000Z"), der(0x17, b"491231235959Z")].concat();
    let version = der(0xa0, &der(0x02, &[2]));
    let parts = [
        version,
        der(0x02, &[1]),
        ECDSA_SHA256.to_vec(),
        name.clone(),
        der(0x30, &valid),
        name,
        spki(key),
    ];
    let signed = der(0x30, &parts.concat());
    let signature = key.sign(&SystemRandom::new(), &signed).unwrap();
    let signature = der(0x03, &[&[0], signature.as_ref()].concat());
    der(0x30, &[signed, ECDSA_SHA256.to_vec(), signature].concat())
}
