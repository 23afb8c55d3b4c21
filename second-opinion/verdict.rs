//! Our answer and those of the two others, each set up as strictly as it can be: the same key, issuer,
//! audience, leeway and, where it can be given, clock.

use std::collections::HashSet;

use http::{HeaderValue, Request};
use jwt_simple::prelude as simple;
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, EdDSAPublicKeyLike as _,
    MACLike as _, RSAPublicKeyLike as _,
};
use portcullis::testing::ManualClock;
use portcullis::{Algorithm, JwtVerifier, Reason, ResourceServer, StaticJwks, UnixTime};
use serde_json::{Map, Value, json};

use crate::draft::{AUDIENCE, ISSUER, NOW};
use crate::keys::{KID, Keys, OTHER_KID, SECRET};

/// How far the clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// What all three read of a token that they accept.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    issuer: Option<String>,
    /// In order, each once.
    audience: Vec<String>,
    subject: Option<String>,
    /// In whole seconds, as far as all three can count.
    expires_at: Option<u32>,
    /// In order, each once.
    scopes: Vec<String>,
}

/// Sorted, each once.
fn set<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut words: Vec<String> = words.into_iter().map(Into::into).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A string or a list of strings.
fn texts(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The words of a `scope`, as the others hand it out.
fn words(scope: &Value) -> Vec<String> {
    let words = texts(scope).into_iter().flat_map(|text| text.split(' '));
    set(words.filter(|word| !word.is_empty()))
}

/// An answer of somebody else's.
pub type Theirs = Result<Read, String>;

/// Our answer; without a reason if the token cannot be put into a header.
pub type Ours = Result<Read, Option<Reason>>;

/// The three verifiers of one algorithm.
pub struct Verifiers {
    gate: ResourceServer,
    jsonwebtoken: (jsonwebtoken::DecodingKey, jsonwebtoken::Validation),
    jwt_simple: Simple,
}

impl Verifiers {
    /// `other` has the second key of the issuer's set.
    pub fn new(algorithm: Algorithm, keys: &Keys, other: &Keys) -> Verifiers {
        let jwk = keys.jwk(algorithm, KID);
        Verifiers {
            gate: gate(algorithm, &[other.jwk(algorithm, OTHER_KID), jwk.clone()]),
            jsonwebtoken: jsonwebtoken(algorithm, &jwk),
            jwt_simple: Simple::new(algorithm, &jwk),
        }
    }

    pub async fn ours(&self, token: &str) -> Ours {
        let value = HeaderValue::from_bytes(format!("Bearer {token}").as_bytes());
        let value = value.map_err(|_| None)?;
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.headers.insert(http::header::AUTHORIZATION, value);
        match self.gate.authenticate(&mut parts).await {
            Ok(Some(token)) => Ok(Read {
                issuer: token.issuer().map(str::to_owned),
                audience: set(token.audience().iter()),
                subject: token.subject().map(str::to_owned),
                expires_at: (token.expires_at())
                    .map(|exp| exp.as_secs().clamp(0, u32::MAX.into()) as u32),
                scopes: set(token.scopes().iter()),
            }),
            Ok(None) => Err(None),
            Err(error) => Err(Some(error.reason())),
        }
    }

    /// As somebody uses it who looks a key up by its name.
    pub fn jsonwebtoken(&self, token: &str) -> Theirs {
        let told = |error: jsonwebtoken::errors::Error| format!("{:?}", error.kind());
        let header = jsonwebtoken::decode_header(token).map_err(told)?;
        if header.kid.is_some_and(|kid| kid != KID) {
            return Err("no such key".to_owned());
        }
        let (key, validation) = &self.jsonwebtoken;
        let data = jsonwebtoken::decode::<Value>(token, key, validation).map_err(told)?;
        let text = |name: &str| data.claims[name].as_str().map(str::to_owned);
        Ok(Read {
            issuer: text("iss"),
            audience: set(texts(&data.claims["aud"])),
            subject: text("sub"),
            // `as` saturates.
            expires_at: data.claims["exp"].as_f64().map(|exp| exp as u32),
            scopes: words(&data.claims["scope"]),
        })
    }

    pub fn jwt_simple(&self, token: &str) -> Theirs {
        let claims = self.jwt_simple.verify(token)?;
        Ok(Read {
            issuer: claims.issuer,
            audience: match claims.audiences {
                Some(simple::Audiences::AsSet(several)) => set(several),
                Some(simple::Audiences::AsString(one)) => vec![one],
                None => Vec::new(),
            },
            subject: claims.subject,
            expires_at: claims.expires_at.map(|exp| exp.as_secs() as u32),
            scopes: words(claims.custom.get("scope").unwrap_or(&Value::Null)),
        })
    }
}

fn gate(algorithm: Algorithm, keys: &[Value; 2]) -> ResourceServer {
    let builder = JwtVerifier::builder(ISSUER, AUDIENCE);
    let builder = match algorithm {
        Algorithm::HS256 => builder.hmac_secret(algorithm, SECRET),
        _ => {
            let keys = StaticJwks::from_json(&json!({ "keys": keys }).to_string()).unwrap();
            let names = match algorithm {
                Algorithm::EdDSA => vec![algorithm, Algorithm::Ed25519],
                _ => vec![algorithm],
            };
            builder.keys(keys).algorithms(names)
        }
    };
    ResourceServer::builder()
        .verifier(builder.build().unwrap())
        .clock(ManualClock::at(UnixTime::from_secs(NOW)))
        .build()
        .unwrap()
}

fn jsonwebtoken(
    algorithm: Algorithm,
    jwk: &Value,
) -> (jsonwebtoken::DecodingKey, jsonwebtoken::Validation) {
    let name: jsonwebtoken::Algorithm = algorithm.name().parse().unwrap();
    let mut validation = jsonwebtoken::Validation::new(name);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let key = match algorithm {
        Algorithm::HS256 => jsonwebtoken::DecodingKey::from_secret(SECRET),
        _ => {
            let jwk = serde_json::from_value(jwk.clone()).unwrap();
            jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap()
        }
    };
    (key, validation)
}

/// A key of jwt-simple's, whose types are one for each algorithm.
enum Simple {
    Rs256(simple::RS256PublicKey),
    Rs384(simple::RS384PublicKey),
    Rs512(simple::RS512PublicKey),
    Ps256(simple::PS256PublicKey),
    Ps384(simple::PS384PublicKey),
    Ps512(simple::PS512PublicKey),
    Es256(simple::ES256PublicKey),
    Es384(simple::ES384PublicKey),
    EdDsa(simple::Ed25519PublicKey),
    Hs256(simple::HS256Key),
}

impl Simple {
    fn new(algorithm: Algorithm, jwk: &Value) -> Simple {
        let jwk = jwk.to_string();
        match algorithm {
            Algorithm::RS256 => Simple::Rs256(simple::RS256PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::RS384 => Simple::Rs384(simple::RS384PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::RS512 => Simple::Rs512(simple::RS512PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::PS256 => Simple::Ps256(simple::PS256PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::PS384 => Simple::Ps384(simple::PS384PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::PS512 => Simple::Ps512(simple::PS512PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::ES256 => Simple::Es256(simple::ES256PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::ES384 => Simple::Es384(simple::ES384PublicKey::from_jwk(&jwk).unwrap()),
            Algorithm::EdDSA => Simple::EdDsa(simple::Ed25519PublicKey::from_jwk(&jwk).unwrap()),
            _ => Simple::Hs256(simple::HS256Key::from_bytes(SECRET)),
        }
    }

    fn verify(&self, token: &str) -> Result<simple::JWTClaims<Map<String, Value>>, String> {
        let set = |text: &str| HashSet::from([text.to_owned()]);
        let options = Some(simple::VerificationOptions {
            required_key_id: Some(KID.to_owned()),
            required_signature_type: Some("at+jwt".to_owned()),
            allowed_issuers: Some(set(ISSUER)),
            allowed_audiences: Some(set(AUDIENCE)),
            time_tolerance: Some(simple::Duration::from_secs(LEEWAY)),
            artificial_time: Some(simple::UnixTimeStamp::from_secs(NOW as u64)),
            ..simple::VerificationOptions::default()
        });
        let claims = match self {
            Simple::Rs256(key) => key.verify_token(token, options),
            Simple::Rs384(key) => key.verify_token(token, options),
            Simple::Rs512(key) => key.verify_token(token, options),
            Simple::Ps256(key) => key.verify_token(token, options),
            Simple::Ps384(key) => key.verify_token(token, options),
            Simple::Ps512(key) => key.verify_token(token, options),
            Simple::Es256(key) => key.verify_token(token, options),
            Simple::Es384(key) => key.verify_token(token, options),
            Simple::EdDsa(key) => key.verify_token(token, options),
            Simple::Hs256(key) => key.verify_token(token, options),
        };
        claims.map_err(|error| error.to_string())
    }
}
