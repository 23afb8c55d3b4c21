//! Answers about a token: only what says so with `true`, for us and for now, accepts it; whatever is no
//! such answer is nobody's fault but the endpoint's.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode};
use portcullis::{Carrier, ClientAuth, Credential, Error, ErrorKind, Fetch, FetchError};
use portcullis::{IntrospectionVerifier, Moment, Reason, StaticJwks, Verifier};

use super::bounds::Bound;
use super::claims::{Demands, are_good, are_well_typed, millis};
use super::hush::Pieces;
use super::stage::{self, AUDIENCE, ISSUER, JWKS, NOW};
use super::tree::Tree;

/// The token that is asked about, and the secret that we ask with. The answer may repeat them, we must not.
const TOKEN: &str = "tk-W2mVtY9zKpL4nRfD8sGj-of-the-fuzz-target";
const SECRET: &str = "HushHush-7bQxW2mVtY9zKpL4nRfD8sGj";

/// The answer is read twice, once for `active` and once for its claims; then a tree is built, in which an
/// object of one member takes 632 bytes, of as few as five of text. The dearest is a refusal that quotes eight
/// audiences of 120 characters: each piece of the sentence takes 17 bytes in a table that doubles as it grows,
/// once for the token and once for the secret, and that twice for a signed answer. Three bytes of text may be
/// eight of the sentence.
const ASKING: Bound = Bound {
    fixed: 65_536,
    per_byte: 384,
};

/// Gives one answer, once.
struct Endpoint(Mutex<Option<Response<Vec<u8>>>>);

impl Fetch for Endpoint {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        // RFC 7662 §2.1: never in the URL.
        assert!(!request.uri().to_string().contains("tk-"));
        let answer = self.0.lock().expect("nobody panicked").take();
        answer.ok_or_else(|| FetchError::new("asked twice"))
    }
}

/// The input is the body of a 200. If it begins with `status: ` and a number, that is the status and the
/// body begins in the next line. With `signed: `, the rest is the payload of an answer with a good signature,
/// behind a line `typ: ` and JSON if its `typ` is not to be the right one; with `jws: `, what stands where a
/// signed answer should.
pub fn introspection_answer(data: &[u8]) {
    if let Some(payload) = data.strip_prefix(b"signed: ") {
        if let Ok(payload) = std::str::from_utf8(payload) {
            signed(payload);
        }
        return;
    }
    if let Some(answer) = data.strip_prefix(b"jws: ") {
        // Nobody who reads inputs can sign.
        let outcome = ask(Signed::Yes, StatusCode::OK, answer.to_vec());
        let error = outcome.expect_err("nobody has signed this");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        return;
    }
    let (status, body) = status(data);
    for lax in [false, true] {
        let signed = if lax { Signed::NoAndLax } else { Signed::No };
        let outcome = ask(signed, status, body.to_vec());
        let text = std::str::from_utf8(body).ok();
        let answer = text.and_then(Tree::read).filter(Tree::is_strict_object);
        let answer = answer.filter(|_| status == StatusCode::OK);
        hold(&outcome, answer.as_ref(), lax);
    }
}

fn status(data: &[u8]) -> (StatusCode, &[u8]) {
    let Some(rest) = data.strip_prefix(b"status: ") else {
        return (StatusCode::OK, data);
    };
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (number, body) = rest.split_at(end.unwrap_or(rest.len()));
    let status = StatusCode::from_bytes(number).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, body.get(1..).unwrap_or_default())
}

/// Which verifier asks.
#[derive(Clone, Copy, PartialEq)]
enum Signed {
    Yes,
    No,
    /// A `sub` may be a number and `iss` anything.
    NoAndLax,
}

/// A new verifier that asks `endpoint`, and what it sends beside the token.
fn verifier(signed: Signed, endpoint: Endpoint) -> (IntrospectionVerifier, String) {
    let (auth, sent) = match signed {
        Signed::NoAndLax => {
            let pair = STANDARD.encode(format!("gate:{SECRET}"));
            (ClientAuth::basic("gate", SECRET), pair)
        }
        _ => (ClientAuth::post("gate", SECRET), SECRET.to_owned()),
    };
    let builder = IntrospectionVerifier::builder("https://as.example/introspect", auth, AUDIENCE);
    let builder = match signed {
        Signed::NoAndLax => builder.numeric_subject(),
        Signed::No => builder.issuer(ISSUER),
        Signed::Yes => {
            let keys = StaticJwks::from_json(JWKS).expect("a key set");
            builder.issuer(ISSUER).signed_answers(keys)
        }
    };
    (builder.fetch(endpoint).build().expect("a verifier"), sent)
}

/// Asks once, and sees that nothing is told of the token and the secret.
fn ask(signed: Signed, status: StatusCode, body: Vec<u8>) -> Result<String, Error> {
    let input = body.len();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let (verifier, sent) = verifier(signed, Endpoint(Mutex::new(Some(answer))));
    let carrier = Carrier::bearer();
    let credential = Credential::new(TOKEN, &carrier);
    let moment = Moment::of(stage::the_clock());
    let verify = || stage::run(verifier.verify(&credential, &moment));
    let outcome = ASKING.hold(input, verify);
    for secret in [TOKEN, &sent] {
        let pieces = Pieces::of_secret(secret);
        if let Err(error) = &outcome {
            pieces.hush_error(error);
        }
        pieces.hush_debug(&verifier);
        pieces.hush_debug(&verifier.status(&moment));
    }
    outcome.map(|verified| verified.claims().as_json().to_owned())
}

/// Holds the outcome to what the answer says.
fn hold(outcome: &Result<String, Error>, answer: Option<&Tree>, lax: bool) {
    let Some(answer) = answer else {
        let error = outcome.as_ref().expect_err("this is no answer");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        return;
    };
    if !matches!(answer.get("active"), Some(Tree::Bool(true))) {
        let error = outcome.as_ref().expect_err("the token is not active");
        assert_eq!(error.reason(), Reason::Inactive, "{error}");
        return;
    }
    let typed = are_well_typed(answer, true);
    if !typed {
        let error = outcome.as_ref().expect_err("these are no claims");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        return;
    }
    let demands = Demands {
        all: false,
        numbers: lax,
        issuer: !lax,
        nulls: true,
    };
    let bearer = answer.some("token_type").is_none_or(|found| {
        let found = found.text();
        found.is_some_and(|found| found.eq_ignore_ascii_case("bearer"))
    });
    match outcome {
        Ok(_) => assert!(bearer && are_good(answer, &demands), "{answer:?}"),
        Err(error) => {
            assert!(
                !(bearer && are_good(answer, &demands)),
                "{error}: {answer:?}"
            );
            assert_eq!(error.kind(), ErrorKind::InvalidToken, "{error}");
        }
    }
}

/// RFC 9701: signed by the issuer, for us, just now.
fn signed(payload: &str) {
    let header = r#"{"alg":"EdDSA","typ":"token-introspection+jwt","kid":"okp"}"#;
    let (header, payload, is_answer) = match payload.strip_prefix("typ: ") {
        None => (header.to_owned(), payload, true),
        Some(rest) => {
            let Some((typ, payload)) = rest.split_once('\n') else {
                return;
            };
            let Some(read) = Tree::read(typ) else {
                return;
            };
            let header = format!(r#"{{"alg":"EdDSA","kid":"okp","typ":{typ}}}"#);
            (header, payload, is_of_an_answer(&read))
        }
    };
    let answer = stage::ed25519(&header, payload);
    let outcome = ask(Signed::Yes, StatusCode::OK, answer.into_bytes());

    let claims = Tree::read(payload).filter(Tree::is_strict_object);
    let typed = claims.filter(|claims| are_well_typed(claims, false));
    let ours = typed.filter(is_for_us);
    let object = ours.as_ref().and_then(|claims| {
        let object = claims.get("token_introspection")?;
        matches!(object, Tree::Object(_)).then_some(object)
    });
    hold(&outcome, object.filter(|_| is_answer), false);
}

/// RFC 9701 §5, RFC 7515 §4.1.9: the `typ` of an answer, so that no access token of the issuer is taken for one.
fn is_of_an_answer(typ: &Tree) -> bool {
    let typ = typ.text().unwrap_or_default().to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "token-introspection+jwt"
}

/// What an answer must say of itself, whatever it says of the token.
fn is_for_us(claims: &Tree) -> bool {
    let text = |name: &str| claims.get(name).and_then(Tree::text);
    let names = match claims.get("aud") {
        Some(Tree::Text(one)) => vec![one.as_str()],
        Some(several) => several.texts().unwrap_or_default(),
        None => Vec::new(),
    };
    let ours = names.iter().any(|name| [AUDIENCE, "gate"].contains(name));
    // Not before we asked, but for the leeway and the second that is not whole.
    let issued = millis(claims.get("iat"));
    let fresh = issued.is_some_and(|issued| issued.saturating_add(31_000) > NOW * 1000);
    // The rest is as with any claims, but that `aud` may name us otherwise.
    let mut rest = claims.clone();
    if let Tree::Object(members) = &mut rest {
        members.retain(|(name, _)| name != "aud");
        members.push(("aud".to_owned(), Tree::Text(AUDIENCE.to_owned())));
    }
    let demands = Demands {
        all: false,
        numbers: false,
        issuer: true,
        nulls: false,
    };
    text("iss").is_some() && ours && fresh && are_good(&rest, &demands)
}
