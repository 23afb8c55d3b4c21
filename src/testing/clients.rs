//! Who may ask the token, introspection and revocation endpoints, and how they prove it.

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::exchange::basic_pair;
use super::keys::PublicKey;
use super::refusal::Refusal;
use crate::clock::UnixTime;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The registered clients.
#[derive(Default)]
pub(super) struct Clients {
    registered: HashMap<String, Proof>,
    /// Client and `jti` of each assertion taken.
    used: HashSet<(String, String)>,
}

pub(super) enum Proof {
    Secret(String),
    Key(PublicKey),
}

impl Clients {
    pub(super) fn register(&mut self, id: &str, proof: Proof) {
        self.registered.insert(id.to_owned(), proof);
    }

    /// Finds out which client asks (RFC 6749 §2.3). `audiences` is what an assertion may be for.
    pub(super) fn authenticate(
        &mut self,
        headers: &HeaderMap,
        form: &BTreeMap<String, String>,
        audiences: &[String],
        now: UnixTime,
    ) -> Result<String, Refusal> {
        let basic = headers.get(AUTHORIZATION);
        let secret = form.get("client_secret");
        let assertion = form.get("client_assertion");
        match (basic, secret, assertion) {
            (Some(basic), None, None) => {
                let (id, secret) = basic
                    .to_str()
                    .ok()
                    .and_then(client_pair)
                    .ok_or(Refusal::client("Authorization is no form-encoded Basic"))?;
                self.check_secret(id, &secret)
            }
            (None, Some(secret), None) => {
                let id = form.get("client_id").cloned();
                let id = id.ok_or(Refusal::client("client_secret without client_id"))?;
                self.check_secret(id, secret)
            }
            (None, None, Some(assertion)) => {
                if form.get("client_assertion_type").map(String::as_str) != Some(ASSERTION_TYPE) {
                    return Err(Refusal::client("client_assertion_type is not jwt-bearer"));
                }
                let client = self.check_assertion(assertion, audiences, now)?;
                // RFC 7521 §4.2: `client_id` is optional beside an assertion, but must not differ.
                match form.get("client_id") {
                    Some(id) if *id != client => Err(Refusal::client("client_id differs")),
                    _ => Ok(client),
                }
            }
            (None, None, None) => Err(Refusal::client("no client authentication")),
            // RFC 6749 §2.3: not more than one method in a request.
            _ => Err(Refusal::request("several client authentications")),
        }
    }

    fn check_secret(&self, id: String, secret: &str) -> Result<String, Refusal> {
        match self.registered.get(&id) {
            // Not in constant time: there is nothing to steal from a test.
            Some(Proof::Secret(wanted)) if wanted == secret => Ok(id),
            _ => Err(Refusal::client("no such client with such a secret")),
        }
    }

    /// Checks an assertion by the rules of RFC 7523 §3.
    fn check_assertion(
        &mut self,
        assertion: &str,
        audiences: &[String],
        now: UnixTime,
    ) -> Result<String, Refusal> {
        let refuse = Refusal::client;
        let (message, signature) = assertion
            .rsplit_once('.')
            .ok_or(refuse("assertion is no JWS"))?;
        let (header, payload) = message
            .split_once('.')
            .ok_or(refuse("assertion is no JWS"))?;
        let header = json(header).ok_or(refuse("assertion's header is no JSON"))?;
        let claims = json(payload).ok_or(refuse("assertion's payload is no JSON"))?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| refuse("assertion's signature is no base64url"))?;

        let client = claims["sub"].as_str().unwrap_or_default();
        let Some(Proof::Key(key)) = self.registered.get(client) else {
            return Err(refuse("assertion's sub is no client with a key"));
        };
        if header["alg"] != key.algorithm.name() {
            return Err(refuse("assertion's alg is not the registered one"));
        }
        if !key.verifies(message.as_bytes(), &signature) {
            return Err(refuse("assertion's signature does not match"));
        }
        if claims["iss"] != client {
            return Err(refuse("assertion's iss is not its sub"));
        }
        let meant = |audience: &Value| audiences.iter().any(|wanted| audience == wanted);
        let for_us = match &claims["aud"] {
            Value::Array(several) => several.iter().any(meant),
            one => meant(one),
        };
        if !for_us {
            return Err(refuse("assertion's aud is not this server"));
        }
        let date = |name: &str| claims[name].as_f64().and_then(UnixTime::from_numeric_date);
        if date("exp").is_none_or(|expires| expires <= now) {
            return Err(refuse("assertion has expired or has no exp"));
        }
        if date("nbf").is_some_and(|begins| begins > now) {
            return Err(refuse("assertion is not yet valid"));
        }
        let jti = claims["jti"].as_str().unwrap_or_default();
        if jti.is_empty() {
            return Err(refuse("assertion has no jti"));
        }
        if !self.used.insert((client.to_owned(), jti.to_owned())) {
            return Err(refuse("assertion was used before"));
        }
        Ok(client.to_owned())
    }
}

fn json(segment: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
}

/// Client id and secret of a Basic credential, each form-encoded (RFC 6749 §2.3.1).
fn client_pair(authorization: &str) -> Option<(String, String)> {
    let (id, secret) = basic_pair(authorization)?;
    Some((form_decoded(&id)?, form_decoded(&secret)?))
}

/// `None` if `text` holds what form encoding would have escaped: a real server would take it for
/// something else, so a test must see it.
fn form_decoded(text: &str) -> Option<String> {
    if text.contains(['&', '=', ' ']) {
        return None;
    }
    let pair = form_urlencoded::parse(text.as_bytes()).next();
    Some(pair.map_or_else(String::new, |(text, _)| text.into_owned()))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::algorithm::Algorithm;
    use crate::signing::SigningKey;
    use serde_json::json;

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn basic(text: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(text));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn form(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs.map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn secrets_come_form_encoded_in_basic_or_in_the_form() {
        let mut clients = Clients::default();
        clients.register("a:b c", Proof::Secret("p&w=+/%".into()));
        let mut ask = |headers, form| clients.authenticate(&headers, &form, &[], NOW);

        let good = basic("a%3Ab+c:p%26w%3D%2B%2F%25");
        assert_eq!(ask(good.clone(), form(&[])).unwrap(), "a:b c");
        let posted = [("client_id", "a:b c"), ("client_secret", "p&w=+/%")];
        assert_eq!(ask(HeaderMap::new(), form(&posted)).unwrap(), "a:b c");

        for bad in [
            "a%3Ab+c:p&w=+/%",
            "a%3Ab+c:wrong",
            "nobody:p",
            "no colon",
            ":",
        ] {
            let refusal = ask(basic(bad), form(&[])).unwrap_err();
            assert_eq!(refusal.error, "invalid_client", "{bad}");
        }
        let none = ask(HeaderMap::new(), form(&[("client_id", "a:b c")])).unwrap_err();
        assert_eq!(none.error, "invalid_client");
        let two = ask(good, form(&posted)).unwrap_err();
        assert_eq!(two.error, "invalid_request");
    }

    #[test]
    fn assertions_are_checked_in_every_part() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let public = PublicKey::from_jwk(&key.public_jwk(), Algorithm::ES256).unwrap();
        let mut clients = Clients::default();
        clients.register("gate", Proof::Key(public));
        clients.register("post", Proof::Secret("s".into()));
        let audiences = ["https://as.example".to_owned()];
        let mut ask = |assertion: &str, more: &[(&str, &str)]| {
            let mut form = form(&[
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion),
            ]);
            form.extend(self::form(more));
            let asked = clients.authenticate(&HeaderMap::new(), &form, &audiences, NOW);
            asked.map_err(|refusal| refusal.description)
        };
        let good = |jti: &str| {
            json!({
                "iss": "gate", "sub": "gate", "aud": "https://as.example",
                "exp": 1_060, "jti": jti,
            })
        };
        let signed = |claims: Value| key.jws(r#"{"alg":"ES256"}"#, &claims.to_string()).unwrap();

        let once = signed(good("1"));
        assert_eq!(ask(&once, &[]), Ok("gate".to_owned()));
        assert_eq!(ask(&once, &[]), Err("assertion was used before"));
        let listed = {
            let mut claims = good("2");
            claims["aud"] = json!(["https://other.example", "https://as.example"]);
            signed(claims)
        };
        assert_eq!(ask(&listed, &[("client_id", "gate")]), Ok("gate".into()));
        let other = signed(good("3"));
        assert_eq!(
            ask(&other, &[("client_id", "post")]),
            Err("client_id differs")
        );
        for (member, value, sentence) in [
            ("iss", json!("post"), "assertion's iss is not its sub"),
            (
                "sub",
                json!("post"),
                "assertion's sub is no client with a key",
            ),
            (
                "aud",
                json!("https://x.example"),
                "assertion's aud is not this server",
            ),
            ("exp", json!(1_000), "assertion has expired or has no exp"),
            ("exp", json!(null), "assertion has expired or has no exp"),
            ("nbf", json!(1_001), "assertion is not yet valid"),
            ("jti", json!(""), "assertion has no jti"),
        ] {
            let mut claims = good("4");
            claims[member] = value;
            assert_eq!(ask(&signed(claims), &[]), Err(sentence));
        }
        let alg = key.jws(r#"{"alg":"none"}"#, &good("5").to_string());
        assert_eq!(
            ask(&alg.unwrap(), &[]),
            Err("assertion's alg is not the registered one")
        );
        let stranger = SigningKey::generate(Algorithm::ES256).unwrap();
        let forged = stranger.jws(r#"{"alg":"ES256"}"#, &good("6").to_string());
        assert_eq!(
            ask(&forged.unwrap(), &[]),
            Err("assertion's signature does not match")
        );
    }
}
