//! What a test does to an authorization server: clients, keys, tokens, trouble, questions.

use http::{HeaderValue, Request};
use serde_json::Value;

use super::clients::Proof;
use super::keys::{PublicKey, new_key, pem};
use super::mint::TokenBuilder;
use super::opaque::OpaqueBuilder;
use super::server::AuthorizationServer;
use super::site::Endpoint;
use super::trouble::Trouble;
use crate::algorithm::Algorithm;

/// Clients of the token, introspection and revocation endpoints.
impl AuthorizationServer {
    /// Registers a client that proves itself by a secret, as `client_secret_basic` (id and secret
    /// form-encoded, RFC 6749 §2.3.1) or `client_secret_post`. Replaces a client of that id.
    pub fn client(&self, id: &str, secret: &str) {
        let proof = Proof::Secret(secret.to_owned());
        self.shared().state().clients.register(id, proof);
    }

    /// Registers a client that proves itself by `private_key_jwt` (RFC 7523 §2.2). `jwk` is its
    /// public key as a JWK. Replaces a client of that id.
    ///
    /// # Panics
    ///
    /// If `jwk` is no public key for `algorithm`.
    #[track_caller]
    pub fn client_with_key(&self, id: &str, jwk: &Value, algorithm: Algorithm) {
        let key = PublicKey::from_jwk(jwk, algorithm)
            .unwrap_or_else(|| panic!("JWK of client {id:?} is no public key for {algorithm}"));
        let proof = Proof::Key(key);
        self.shared().state().clients.register(id, proof);
    }

    /// Registers a client that proves itself by `private_key_jwt` with a new key, and returns that
    /// private key: PKCS#8 in PEM.
    ///
    /// # Panics
    ///
    /// If `algorithm` is symmetric, or the machine cannot make the key.
    #[track_caller]
    pub fn client_with_new_key(&self, id: &str, algorithm: Algorithm) -> String {
        assert!(
            !algorithm.is_symmetric(),
            "algorithm of client {id:?} is {algorithm}, wanted one with a public key"
        );
        let key = new_key(algorithm);
        self.client_with_key(id, &key.public_jwk(), algorithm);
        pem(&key)
    }
}

/// Signing keys. There is one current key for each algorithm, made when it is first used and named
/// `es256-1`, `es256-2` and so on; the default algorithm's is there from the start.
impl AuthorizationServer {
    /// Makes a new current key for each algorithm in use. The old ones stay published.
    ///
    /// # Panics
    ///
    /// If the machine cannot make a key.
    #[track_caller]
    pub fn rotate(&self) {
        self.shared().state().keys.rotate();
    }

    /// Takes a key out of the key set. A current key still signs: so does whoever stole it.
    ///
    /// # Panics
    ///
    /// If no published key has that `kid`.
    #[track_caller]
    pub fn withdraw(&self, kid: &str) {
        let withdrawn = self.shared().state().keys.withdraw(kid);
        assert!(withdrawn, "no published key has the kid {kid:?}");
    }

    /// Takes every key but the current ones out of the key set. Keys of
    /// [`publish_jwk`](Self::publish_jwk) stay.
    pub fn withdraw_old(&self) {
        self.shared().state().keys.withdraw_old();
    }

    /// The name of the current key of `algorithm`, which is made if there is none.
    ///
    /// # Panics
    ///
    /// If `algorithm` is symmetric, or the machine cannot make the key.
    #[track_caller]
    pub fn kid(&self, algorithm: Algorithm) -> String {
        self.shared().key(algorithm).kid
    }

    /// Adds anything to the key set: keys of other uses, broken ones, values that are no keys.
    pub fn publish_jwk(&self, jwk: Value) {
        self.shared().state().keys.publish(jwk);
    }

    /// The key set as it is published now.
    pub fn jwks(&self) -> Value {
        self.shared().state().keys.jwks()
    }

    /// Sends this `Cache-Control` with the key set. Default: none is sent.
    ///
    /// # Panics
    ///
    /// If it cannot stand in an HTTP header.
    #[track_caller]
    pub fn jwks_cache_control(&self, cache_control: Option<&str>) {
        let value = cache_control.map(|text| {
            HeaderValue::from_str(text)
                .unwrap_or_else(|_| panic!("Cache-Control is {text:?}, wanted visible ASCII"))
        });
        self.shared().state().jwks_cache_control = value;
    }
}

/// Tokens.
impl AuthorizationServer {
    /// Begins a JWT access token.
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new(self.shared().clone())
    }

    /// Begins an opaque token, an access token or a refresh token.
    pub fn opaque(&self) -> OpaqueBuilder {
        OpaqueBuilder::new(self.shared().clone())
    }

    /// Makes introspection call an opaque token inactive from now on. Returns whether it was known
    /// until now; a JWT never is.
    pub fn revoke(&self, token: &str) -> bool {
        self.shared().state().tokens.remove(token).is_some()
    }
}

/// Trouble, and what was asked.
impl AuthorizationServer {
    /// Puts an endpoint into trouble, until [`calm`](Self::calm) or another trouble.
    ///
    /// # Panics
    ///
    /// If a status is not of 100 to 999, or a location cannot stand in an HTTP header.
    #[track_caller]
    pub fn trouble(&self, endpoint: Endpoint, trouble: Trouble) {
        let prepared = trouble.prepare();
        self.shared().state().troubles.insert(endpoint, prepared);
    }

    /// Ends an endpoint's trouble for the requests to come.
    pub fn calm(&self, endpoint: Endpoint) {
        self.shared().state().troubles.remove(&endpoint);
    }

    /// How many requests arrived at an endpoint, those in trouble included.
    pub fn asked(&self, endpoint: Endpoint) -> usize {
        let state = self.shared().state();
        state.asked.get(&endpoint).copied().unwrap_or(0)
    }

    /// The last request that arrived at an endpoint, with the secrets it carried. Its URI is
    /// absolute if it came in process, a mere path if it came over the socket.
    pub fn last_request(&self, endpoint: Endpoint) -> Option<Request<Vec<u8>>> {
        self.shared().state().last.get(&endpoint).cloned()
    }
}
