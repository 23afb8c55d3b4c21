//! Turns a row's recipe into a token: good, odd or broken.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Algorithm;
use serde_json::{Value, json};

use crate::row::{Jwt, Opaque};
use crate::watched;
use crate::world::{SECRET, START, World, algorithm, jwk};

impl World {
    pub(crate) fn opaque(&self, recipe: &Opaque) -> String {
        let mut builder = self.issuer.opaque().prefix("tk_");
        for (name, value) in &recipe.claims {
            builder = builder.claim(name, self.timed(value));
        }
        for name in &recipe.without {
            builder = builder.without(name);
        }
        if let Some(seconds) = recipe.expires_in {
            builder = builder.expires_in(seconds);
        }
        if recipe.refresh {
            builder = builder.refresh_token();
        }
        if let Some(response) = &recipe.response {
            let response = match response {
                Value::Object(members) => members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.timed(value)))
                    .collect(),
                other => other.clone(),
            };
            builder = builder.response(response);
        }
        let token = builder.mint();
        if recipe.revoked {
            assert!(self.issuer.revoke(&token));
        }
        token
    }

    pub(crate) fn jwt(&self, recipe: &Jwt) -> String {
        let mut builder = self.issuer.token();
        if let Some(name) = &recipe.alg {
            builder = builder.algorithm(algorithm(name));
        }
        let other = watched::issuer();
        if recipe.forged {
            builder = builder.signed_by(&other);
        }
        let secret = match recipe.secret.as_deref() {
            None => SECRET.to_vec(),
            Some("<public key>") => self.jwk("ES256").to_string().into_bytes(),
            Some(text) => text.as_bytes().to_vec(),
        };
        if let Some(name) = &recipe.hmac {
            builder = builder.hmac(algorithm(name), &secret);
        }
        if recipe.unsecured {
            builder = builder.unsecured();
        }
        for (name, value) in &recipe.claims {
            builder = builder.claim(name, self.timed(value));
        }
        for name in &recipe.without {
            builder = builder.without(name);
        }
        for (name, value) in &recipe.header {
            builder = match value.as_str() {
                Some("<forger's key>") => builder.header(name, jwk(&other, Algorithm::ES256)),
                Some(text) => builder.header(name, self.fill(text)),
                None => builder.header(name, value),
            };
        }
        for name in &recipe.without_header {
            builder = builder.without_header(name);
        }
        let raw = |text: &str| match recipe.latin1 {
            true => latin1(&self.fill(text)),
            false => self.fill(text).into_bytes(),
        };
        if let Some(text) = &recipe.raw_header {
            builder = builder.raw_header(raw(text));
        }
        if let Some(text) = &recipe.raw_payload {
            builder = builder.raw_payload(raw(text));
        }
        if let Some(bytes) = recipe.zeros {
            builder = builder.signature(vec![0; bytes]);
        }
        let token = builder.mint();
        match &recipe.form {
            None => token,
            Some(form) => assemble(form, &token),
        }
    }

    /// `"now+60.5"` is a number, every other value itself.
    fn timed(&self, value: &Value) -> Value {
        match value.as_str().and_then(|text| self.time(text)) {
            Some(seconds) if seconds.fract() == 0.0 => json!(seconds as i64),
            Some(seconds) => json!(seconds),
            None => value.clone(),
        }
    }

    fn time(&self, text: &str) -> Option<f64> {
        let offset = text.strip_prefix("now")?;
        let now = START as f64;
        match offset {
            "" => Some(now),
            _ => Some(now + offset.parse::<f64>().ok()?),
        }
    }

    /// Fills in `<now+60>`, `<kid>` and `<long 5000>`.
    fn fill(&self, text: &str) -> String {
        fill(text, |name| match name.strip_prefix("long ") {
            Some(length) => Some("k".repeat(length.parse().ok()?)),
            None if name == "kid" => Some(self.issuer.kid(Algorithm::ES256)),
            None => self.time(name).map(|seconds| seconds.to_string()),
        })
    }
}

/// Replaces each `<name>` that `value` knows; other angles stay.
pub(crate) fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        filled.push_str(before);
        match after.split_once('>') {
            Some((name, behind)) => match value(name) {
                Some(found) => {
                    filled.push_str(&found);
                    rest = behind;
                }
                None => {
                    filled.push('<');
                    rest = after;
                }
            },
            None => {
                filled.push('<');
                rest = after;
            }
        }
    }
    filled + rest
}

/// Puts the parts of `token` together in another way.
fn assemble(form: &str, token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let put = |text: &str| {
        fill(text, |name| {
            let (name, change) = name.split_once(':').unwrap_or((name, ""));
            let place = ["header", "payload", "signature"]
                .iter()
                .position(|known| *known == name)?;
            Some(match change {
                "" => parts[place].to_owned(),
                "flipped" => flipped(parts[place]),
                "stray" => stray(parts[place]),
                "standard" => standard(parts[place]),
                other => panic!("there is no change {other:?}"),
            })
        })
    };
    // What comes before it is signed anew, with the shared secret.
    match form.strip_suffix(".<signed>") {
        None => put(form),
        Some(signed) => {
            let signed = put(signed);
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
            let tag = hmac::sign(&key, signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
        }
    }
}

/// Changes the first character, so the bytes differ.
pub(crate) fn flipped(part: &str) -> String {
    let first = if part.starts_with('A') { 'B' } else { 'A' };
    format!("{first}{}", &part[1..])
}

/// Sets a bit of the last character that decodes to nothing.
fn stray(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(part.len() % 4, 0, "{part} has no stray bits");
    let (body, last) = part.split_at(part.len() - 1);
    let place = ALPHABET.find(last).unwrap();
    format!("{body}{}", &ALPHABET[place + 1..place + 2])
}

/// The same in the alphabet of RFC 4648 §4.
fn standard(part: &str) -> String {
    assert!(part.contains(['-', '_']), "{part} is the same in both");
    part.replace('-', "+").replace('_', "/")
}

pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(character).unwrap())
        .collect()
}
