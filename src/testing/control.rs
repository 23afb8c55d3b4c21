//! What a test does to an authorization server: clients, keys, tokens, trouble, questions.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response};
use serde_json::Value;

use super::clients::Proof;
use super::desk::Desk;
use super::keys::{PublicKey, new_key, pem};
use super::mint::TokenBuilder;
use super::opaque::OpaqueBuilder;
use super::server::AuthorizationServer;
use super::site::{Place, is_absolute};
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
/// `es256-1`, `es256-2` and so on, after the [prefix](super::AuthorizationServerBuilder::kid_prefix)
/// if there is one; the default algorithm's is there from the start.
impl AuthorizationServer {
    /// Makes a new current key for each algorithm in use, or takes the one that was
    /// [announced](Self::announce). The old ones stay published.
    ///
    /// # Panics
    ///
    /// If the machine cannot make a key.
    #[track_caller]
    pub fn rotate(&self) {
        self.shared().state().keys.rotate();
    }

    /// Publishes the next key of each algorithm in use ahead of its rotation, as issuers do so that
    /// gates know it in time. Does nothing if that is done already.
    ///
    /// # Panics
    ///
    /// If the machine cannot make a key.
    #[track_caller]
    pub fn announce(&self) {
        self.shared().state().keys.announce();
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

    /// Takes every key but the current and the announced ones out of the key set. Keys of
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

    /// Sends an `ETag` with the key set, and answers 304 who asks with it in `If-None-Match` while
    /// nothing has changed. Default: off.
    pub fn jwks_etag(&self, on: bool) {
        self.shared().state().jwks_etag = on;
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

/// Endpoints of one's own.
impl AuthorizationServer {
    /// Lets `handler` answer this method at this path, over the socket and in process, for an
    /// issuer that speaks other calls than the standard ones. The path is whole and exact; the
    /// issuer's own path is not put before it.
    ///
    /// The handler of before is replaced; at the path of an [`Endpoint`](super::Endpoint) the
    /// standard answer is, for this method only. Outages and [`trouble`](Self::trouble) come first.
    /// At a path with handlers the other methods are a 405.
    ///
    /// A handler that holds a clone of this server keeps it alive for ever; what it needs of it,
    /// the [`Desk`] has.
    ///
    /// # Panics
    ///
    /// If `path` is no absolute path without query.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::Method;
    /// use portcullis::Fetch;
    /// use portcullis::testing::{AuthorizationServer, json_answer, json_body};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let issuer = AuthorizationServer::new();
    /// issuer.answer_at(Method::POST, "/badge", |desk, request| {
    ///     match json_body(request)["name"].as_str() {
    ///         Some(name) => json_answer(201, json!({"badge": desk.token().subject(name).mint()})),
    ///         None => json_answer(400, json!({"error": "who are you?"})),
    ///     }
    /// });
    ///
    /// let request = http::Request::post(issuer.url("/badge"));
    /// let request = request.body(br#"{"name": "alice"}"#.to_vec()).unwrap();
    /// let answer = issuer.fetcher().fetch(request, 4096).await.unwrap();
    /// assert_eq!(answer.status(), 201);
    /// assert_eq!(issuer.asked("/badge"), 1);
    /// # }
    /// ```
    #[track_caller]
    pub fn answer_at(
        &self,
        method: Method,
        path: &str,
        handler: impl Fn(&Desk<'_>, &Request<Vec<u8>>) -> Response<Vec<u8>> + Send + Sync + 'static,
    ) {
        assert!(
            is_absolute(path),
            "path is {path:?}, wanted an absolute path"
        );
        let handler = Arc::new(handler);
        self.shared().state().handlers.put(method, path, handler);
    }
}

/// Trouble, and what was asked. A place is an [`Endpoint`](super::Endpoint) or a path that
/// [`answer_at`](Self::answer_at) was given.
impl AuthorizationServer {
    /// Puts a place into trouble, until [`calm`](Self::calm) or another trouble.
    ///
    /// # Panics
    ///
    /// If nobody answers there, a status is not of 100 to 999, or a location or content type cannot
    /// stand in an HTTP header.
    #[track_caller]
    pub fn trouble(&self, place: impl Into<Place>, trouble: Trouble) {
        let place = self.shared().place(place.into());
        let prepared = trouble.prepare();
        self.shared().state().troubles.insert(place, prepared);
    }

    /// Ends a place's trouble for the requests to come.
    ///
    /// # Panics
    ///
    /// If nobody answers there.
    #[track_caller]
    pub fn calm(&self, place: impl Into<Place>) {
        let place = self.shared().place(place.into());
        self.shared().state().troubles.remove(&place);
    }

    /// How many requests arrived at a place, by whatever method, those in trouble included.
    ///
    /// # Panics
    ///
    /// If nobody answers there.
    #[track_caller]
    pub fn asked(&self, place: impl Into<Place>) -> usize {
        let place = self.shared().place(place.into());
        let state = self.shared().state();
        state.asked.get(&place).copied().unwrap_or(0)
    }

    /// The last request that arrived at a place, with the secrets it carried. Its URI is absolute
    /// if it came in process, a mere path if it came over the socket.
    ///
    /// # Panics
    ///
    /// If nobody answers there.
    #[track_caller]
    pub fn last_request(&self, place: impl Into<Place>) -> Option<Request<Vec<u8>>> {
        let place = self.shared().place(place.into());
        self.shared().state().last.get(&place).cloned()
    }
}
