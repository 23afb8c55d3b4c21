//! What the targets have in common: one issuer, one audience, one moment, and keys that sign the same today
//! and tomorrow, so that a token of the corpus stays good.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use http::request::Parts;
use portcullis::testing::ManualClock;
use portcullis::{Algorithm, Carrier, Clock, Credential, Error, JwtVerifier, Moment, StaticJwks};
use portcullis::{JwtVerifierBuilder, ResourceServer, ResourceServerBuilder};
use portcullis::{UnixTime, Verified, Verifier};

pub const ISSUER: &str = "https://as.example";
pub const AUDIENCE: &str = "https://api.example.com/";
/// The present moment, in seconds since 1970. It never moves.
pub const NOW: i64 = 1_795_262_400;
pub const SECRET: &str = "Fz7-a-secret-of-the-fuzz-targets-alone-Q9";

/// The payload of a good token.
pub const CLAIMS: &str = r#"{"iss":"https://as.example","aud":"https://api.example.com/","sub":"alice","exp":1795266000,"iat":1795262400}"#;

/// The private key of RFC 8037 appendix A.1.
const ED25519_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

/// The public keys of RFC 7515 appendices A.2 and A.3, and of RFC 8037 appendix A.1.
pub const JWKS: &str = r#"{"keys":[
{"kty":"RSA","kid":"rsa","alg":"RS256","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
{"kty":"EC","kid":"ec","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
{"kty":"OKP","kid":"okp","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
]}"#;

static CLOCK: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(clock()));

/// A new server that remembers nothing from one input to the next.
pub fn forgetful() -> ResourceServerBuilder {
    let server = ResourceServer::builder().clock(clock());
    #[cfg(feature = "cache")]
    let server = server.verdict_capacity(0);
    server
}

/// A clock that stands still.
pub fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(NOW))
}

/// Runs what may have to wait, on a runtime of its own: no task is left over for the next input.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().expect("a runtime").block_on(work)
}

pub fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// What a base64url text without padding spells, if it is one.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn compact(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(payload.as_bytes())
    );
    let signature = base64url(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A token under this header, whatever that says, signed with HS256 and [`SECRET`].
pub fn hs256(header: &str, payload: &str) -> String {
    compact(header, payload, |message| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

/// A token under this header, whatever that says, signed with the key `okp` of [`JWKS`].
pub fn ed25519(header: &str, payload: &str) -> String {
    static KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
        let seed = from_base64url(ED25519_SEED).expect("base64url");
        Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed")
    });
    compact(header, payload, |message| {
        KEY.sign(message).as_ref().to_vec()
    })
}

fn builder() -> JwtVerifierBuilder {
    JwtVerifier::builder(ISSUER, AUDIENCE)
}

/// A new verifier of tokens that are signed with [`SECRET`].
pub fn by_secret() -> JwtVerifierBuilder {
    builder().hmac_secret(Algorithm::HS256, SECRET)
}

/// A new verifier of tokens that one of [`JWKS`] proves.
pub fn by_keys() -> JwtVerifierBuilder {
    static KEYS: LazyLock<StaticJwks> =
        LazyLock::new(|| StaticJwks::from_json(JWKS).expect("a key set"));
    builder().keys(KEYS.clone())
}

/// Shows a token to a verifier that waits for nobody, twice: what it has remembered of the first time must
/// make no difference.
#[track_caller]
pub fn prove(verifier: &JwtVerifier, token: &str) -> Result<Verified, Error> {
    static BEARER: Carrier = Carrier::bearer();
    let credential = Credential::new(token, &BEARER);
    let once = || {
        let answer = verifier.verify_now(&credential, &Moment::of(&CLOCK));
        answer.expect("the key is at hand")
    };
    let (first, second) = (once(), once());
    match (&first, &second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.claims().as_json(), second.claims().as_json());
        }
        (Err(first), Err(second)) => {
            assert_eq!(first.reason(), second.reason());
            assert_eq!(first.to_string(), second.to_string());
        }
        _ => panic!("first {first:?}, then {second:?}"),
    }
    first
}

/// The clock of [`prove`], for whoever asks a verifier by themselves.
pub fn the_clock() -> &'static Arc<dyn Clock> {
    &CLOCK
}

/// The head of a request for `/`.
pub fn bare() -> Parts {
    Request::new(()).into_parts().0
}

/// The head of a request with a token in the header `Authorization`, if such a header can be.
pub fn bearing(token: &str) -> Option<Parts> {
    let value = http::HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let mut parts = bare();
    parts.headers.insert(http::header::AUTHORIZATION, value);
    Some(parts)
}

/// The lines of an input that is text. What stands behind the last of so many is part of that one.
pub fn lines(data: &[u8], most: usize) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(data).ok()?;
    Some(text.splitn(most, '\n').collect())
}
