//! JWT access tokens: good ones by default, and broken in any way a test wants.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::claims::{Changes, LIFETIME, claim_methods, default_claims, random_text};
use super::server::AuthorizationServer;
use super::state::Shared;
use crate::algorithm::Algorithm;

/// Makes JWT access tokens (RFC 9068) of one [`AuthorizationServer`].
///
/// Untouched, it mints what the gate should admit: header `alg`, `typ` `at+jwt` and `kid`, claims
/// `iss`, `sub`, `aud`, `client_id`, `scope`, `iat`, `exp` and a random `jti`. The methods change
/// that, in any order; times are read from the server's clock when [`mint`](Self::mint) is called,
/// so one builder mints many tokens.
///
/// # Examples
///
/// ```
/// use portcullis::testing::AuthorizationServer;
///
/// let server = AuthorizationServer::new();
/// let good = server.token().scope("read:events").claim("tenant", 7);
/// let expired = good.clone().expires_in(-60).mint();
/// let forged = good.clone().signed_by(&AuthorizationServer::new()).mint();
/// assert_eq!(good.mint().split('.').count(), 3);
/// # let _ = (expired, forged);
/// ```
#[derive(Clone)]
#[must_use]
pub struct TokenBuilder {
    server: Arc<Shared>,
    algorithm: Algorithm,
    signer: Signer,
    header: Changes,
    claims: Changes,
    lifetime: i64,
    raw_header: Option<Vec<u8>>,
    raw_payload: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Signer {
    Server(Arc<Shared>),
    Secret(Vec<u8>, Algorithm),
    Nobody,
}

impl TokenBuilder {
    pub(super) fn new(server: Arc<Shared>) -> TokenBuilder {
        TokenBuilder {
            algorithm: server.algorithm,
            signer: Signer::Server(Arc::clone(&server)),
            server,
            header: Changes::default(),
            claims: Changes::default(),
            lifetime: LIFETIME,
            raw_header: None,
            raw_payload: None,
            signature: None,
        }
    }

    claim_methods!();

    /// Sets a member of the header to anything that has a JSON form. A lie in `alg` does not
    /// change how the token is signed.
    ///
    /// # Panics
    ///
    /// If `value` has no JSON form.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl serde::Serialize) -> Self {
        self.header.set(name, value);
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Sets `typ`. Default: `at+jwt`.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// Signs with the server's current key of `algorithm`, which is made at minting time if there
    /// is none. Default: the server's default algorithm.
    ///
    /// # Panics
    ///
    /// [`mint`](Self::mint) does if `algorithm` is symmetric: that is [`hmac`](Self::hmac).
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Signs with the key of another server but names this server's `kid`: a forgery.
    pub fn signed_by(mut self, forger: &AuthorizationServer) -> Self {
        self.signer = Signer::Server(Arc::clone(forger.shared()));
        self
    }

    /// Signs with a shared secret. `kid` stays that of the server's key, as in the attack that
    /// takes a public key's text for the secret (RFC 8725 §2.1).
    ///
    /// # Panics
    ///
    /// [`mint`](Self::mint) does if `algorithm` is not symmetric.
    pub fn hmac(mut self, algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Self {
        self.signer = Signer::Secret(secret.as_ref().to_vec(), algorithm);
        self
    }

    /// Makes an unsecured JWT (RFC 7519 §6): `alg` is `none`, the signature is empty.
    pub fn unsecured(mut self) -> Self {
        self.signer = Signer::Nobody;
        self
    }

    /// Takes this text for the header, whatever it is, and signs it as it stands. The other header
    /// methods then do nothing.
    pub fn raw_header(mut self, header: impl AsRef<[u8]>) -> Self {
        self.raw_header = Some(header.as_ref().to_vec());
        self
    }

    /// Takes this text or these bytes for the payload and signs them as they stand: duplicate
    /// names, odd numbers, no UTF-8. The claim methods then do nothing.
    pub fn raw_payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.raw_payload = Some(payload.as_ref().to_vec());
        self
    }

    /// Puts these bytes, base64url-encoded, in place of the signature.
    pub fn signature(mut self, signature: impl AsRef<[u8]>) -> Self {
        self.signature = Some(signature.as_ref().to_vec());
        self
    }

    /// Makes the token, in compact form.
    ///
    /// # Panics
    ///
    /// If the algorithm does not fit the way of signing, or the machine cannot make a key.
    #[track_caller]
    pub fn mint(&self) -> String {
        let header = match &self.raw_header {
            Some(raw) => raw.clone(),
            None => self.header_members().to_string().into_bytes(),
        };
        let payload = match &self.raw_payload {
            Some(raw) => raw.clone(),
            None => self.claim_members().to_string().into_bytes(),
        };
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = match &self.signature {
            Some(replaced) => replaced.clone(),
            None => self.sign(token.as_bytes()),
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    #[track_caller]
    fn header_members(&self) -> Value {
        let algorithm = match &self.signer {
            Signer::Server(_) => self.algorithm.name(),
            Signer::Secret(_, algorithm) => algorithm.name(),
            Signer::Nobody => "none",
        };
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!(algorithm));
        header.insert("typ".to_owned(), json!("at+jwt"));
        header.insert("kid".to_owned(), json!(self.server.key(self.algorithm).kid));
        self.header.apply(header).into()
    }

    fn claim_members(&self) -> Value {
        let mut claims = default_claims(&self.server, self.lifetime);
        claims.insert("jti".to_owned(), json!(random_text(16)));
        self.claims.apply(claims).into()
    }

    #[track_caller]
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.signer {
            Signer::Server(server) => {
                let key = server.key(self.algorithm).signing;
                key.sign(message).unwrap_or_else(|error| panic!("{error}"))
            }
            Signer::Secret(secret, algorithm) => {
                let digest = match algorithm {
                    Algorithm::HS256 => hmac::HMAC_SHA256,
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    other => panic!("{other} signs with no secret, use `algorithm`"),
                };
                let tag = hmac::sign(&hmac::Key::new(digest, secret), message);
                tag.as_ref().to_vec()
            }
            Signer::Nobody => Vec::new(),
        }
    }
}

impl fmt::Debug for TokenBuilder {
    /// Prints the claims that were changed; no key and no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder")
            .field("issuer", &self.server.site.issuer)
            .field("algorithm", &self.algorithm)
            .field("header", &self.header)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::testing::ManualClock;
    use crate::testing::keys::PublicKey;

    fn server() -> AuthorizationServer {
        AuthorizationServer::builder()
            .clock(ManualClock::at(UnixTime::from_secs(1_000)))
            .build()
    }

    fn segment(token: &str, place: usize) -> Vec<u8> {
        let text = token.split('.').nth(place).unwrap();
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn part(token: &str, place: usize) -> Value {
        serde_json::from_slice(&segment(token, place)).unwrap()
    }

    fn verifies(server: &AuthorizationServer, token: &str) -> bool {
        let header = part(token, 0);
        let algorithm = header["alg"].as_str().unwrap().parse().unwrap();
        let jwks = server.jwks();
        let mut keys = jwks["keys"].as_array().unwrap().iter();
        let jwk = keys.find(|jwk| jwk["kid"] == header["kid"]).unwrap();
        let (message, _) = token.rsplit_once('.').unwrap();
        let key = PublicKey::from_jwk(jwk, algorithm).unwrap();
        key.verifies(message.as_bytes(), &segment(token, 2))
    }

    #[test]
    fn an_untouched_builder_mints_a_good_token() {
        let server = server();
        let token = server.token().mint();
        assert_eq!(
            part(&token, 0),
            json!({"alg": "ES256", "typ": "at+jwt", "kid": "es256-1"})
        );
        let mut claims = part(&token, 1);
        let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(
            claims,
            json!({
                "iss": "https://as.example",
                "sub": "alice",
                "aud": "https://api.example.com/",
                "client_id": "web",
                "scope": "",
                "iat": 1_000,
                "exp": 1_300,
            })
        );
        assert_ne!(part(&server.token().mint(), 1)["jti"], jti);
        assert!(verifies(&server, &token));
    }

    #[test]
    fn claims_and_headers_change_in_any_order() {
        let builder = server()
            .token()
            .without("aud")
            .subject("bob")
            .claim("n", [1]);
        let token = builder
            .audience("https://b.example")
            .without("sub")
            .typ("JWT")
            .header("crit", ["x"])
            .without_header("kid")
            .expires_in(-10)
            .mint();
        assert_eq!(
            part(&token, 0),
            json!({"alg": "ES256", "typ": "JWT", "crit": ["x"]})
        );
        let claims = part(&token, 1);
        assert_eq!(claims["aud"], "https://b.example");
        assert_eq!(claims["n"], json!([1]));
        assert!(claims.get("sub").is_none());
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(690), &json!(990)));
    }

    #[test]
    fn every_algorithm_has_its_key() {
        let server = server();
        for algorithm in [Algorithm::PS256, Algorithm::ES512, Algorithm::Ed25519] {
            let token = server.token().algorithm(algorithm).mint();
            assert_eq!(part(&token, 0)["kid"], server.kid(algorithm));
            assert!(verifies(&server, &token), "{algorithm}");
        }
        assert_eq!(server.jwks()["keys"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn broken_tokens_are_broken_as_asked() {
        let server = server();
        let forged = server.token().signed_by(&self::server()).mint();
        assert_eq!(part(&forged, 0)["kid"], "es256-1");
        assert!(!verifies(&server, &forged));

        let raw = server.token().raw_header("{}").raw_payload([0xff]).mint();
        assert_eq!(
            (segment(&raw, 0), segment(&raw, 1)),
            (b"{}".into(), vec![0xff])
        );

        let unsecured = server.token().unsecured().mint();
        assert_eq!(part(&unsecured, 0)["alg"], "none");
        assert!(unsecured.ends_with('.'));

        let replaced = server.token().signature("xyz").mint();
        assert_eq!(segment(&replaced, 2), b"xyz");

        server.token().hmac(Algorithm::HS256, "").mint();
        let hmac = server.token().hmac(Algorithm::HS512, "secret").mint();
        assert_eq!(part(&hmac, 0)["alg"], "HS512");
        let (message, _) = hmac.rsplit_once('.').unwrap();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA512, b"secret");
        aws_lc_rs::hmac::verify(&key, message.as_bytes(), &segment(&hmac, 2)).unwrap();
    }

    /// Token systems older than RFC 9068 sign headers and claims of their own.
    #[test]
    fn other_dialects_are_minted_to_the_letter() {
        let secret = "a secret of thirty-two bytes or more";
        let claims = json!({"sub": 1, "exp": 1_060, "session": {"mode": "job", "n": null}});
        let token = server()
            .token()
            .hmac(Algorithm::HS256, secret)
            .raw_payload(claims.to_string());
        let bare = token.clone().without_header("typ").without_header("kid");
        for (token, header) in [
            (bare, r#"{"alg":"HS256"}"#),
            (
                token.raw_header(r#"{"typ":"JWT","alg":"HS256"}"#),
                r#"{"typ":"JWT","alg":"HS256"}"#,
            ),
        ] {
            let token = token.mint();
            assert_eq!(segment(&token, 0), header.as_bytes());
            assert_eq!(part(&token, 1), claims);
            let (message, _) = token.rsplit_once('.').unwrap();
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::verify(&key, message.as_bytes(), &segment(&token, 2)).unwrap();
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let builder = server().token().hmac(Algorithm::HS256, "hush");
        let shown = format!("{builder:?}");
        assert!(shown.contains("https://as.example"), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
        assert!(!shown.contains(&format!("{:?}", b"hush")), "{shown}");
    }
}
