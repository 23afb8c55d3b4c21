//! The surroundings of one row: an issuer, its clock, its tokens, and a record of who was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response};
use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble};
use portcullis::{Algorithm, Fetch, FetchError, UnixTime};
use serde_json::{Map, Value, json};

use crate::mint::{fill, flipped, latin1};
use crate::row::{Issuer, Row};
use crate::watched;

pub(crate) const AUDIENCE: &str = "https://api.example.com/";
pub(crate) const SECRET: &[u8] =
    b"a shared secret of sixty-four bytes, long enough for HS512 too..";
pub(crate) const CLIENT: (&str, &str) = ("gate one", "s3cret:+%/ &=");
pub(crate) const SIGNER: &str = "signer";
/// When every row begins.
pub(crate) const START: i64 = 1_795_262_400;

pub(crate) struct World {
    pub(crate) issuer: AuthorizationServer,
    pub(crate) clock: ManualClock,
    /// The issuer's public key for ES256.
    pub(crate) key: Value,
    /// The private key of the client [`SIGNER`].
    pub(crate) signer: String,
    asked: Arc<Mutex<Vec<Request<Vec<u8>>>>>,
    /// The row's token.
    pub(crate) token: String,
    /// Everything that must not come back in an answer.
    pub(crate) secrets: Vec<String>,
}

impl World {
    pub(crate) async fn of(row: &Row) -> World {
        let clock = ManualClock::at(UnixTime::from_secs(START));
        let issuer = watched::builder().clock(clock.clone()).build();
        issuer.client(CLIENT.0, CLIENT.1);
        let signer = issuer.client_with_new_key(SIGNER, Algorithm::ES256);
        let mut world = World {
            key: jwk(&issuer, Algorithm::ES256),
            issuer,
            clock,
            signer,
            asked: Arc::default(),
            token: String::new(),
            secrets: Vec::new(),
        };
        world.token = match (&row.jwt, &row.opaque) {
            (_, Some(opaque)) => world.opaque(opaque),
            (Some(jwt), None) => world.jwt(jwt),
            (None, None) => world.issuer.token().mint(),
        };
        world.prepare(&row.issuer).await;
        let token = world.token.clone();
        world.keep_secret(&token);
        world
    }

    /// Brings the issuer into the state a row wants.
    async fn prepare(&self, wanted: &Issuer) {
        for name in &wanted.also {
            self.issuer.kid(algorithm(name));
        }
        let odd: Vec<Value> = wanted.publish.iter().map(|jwk| self.odd_key(jwk)).collect();
        for name in &wanted.hide {
            self.issuer.withdraw(&self.issuer.kid(algorithm(name)));
        }
        if wanted.rotate {
            self.issuer.rotate();
        }
        odd.into_iter().for_each(|jwk| self.issuer.publish_jwk(jwk));
        self.make_trouble(&wanted.trouble);
        if wanted.down {
            self.issuer.stop().await;
        }
    }

    fn odd_key(&self, recipe: &Value) -> Value {
        let Some(name) = recipe["of"].as_str() else {
            return recipe.clone();
        };
        let mut jwk = self.jwk(name);
        let members = jwk.as_object_mut().unwrap();
        for (name, value) in recipe.as_object().unwrap() {
            match (name.as_str(), value) {
                ("of", _) => {}
                (_, Value::Null) => drop(members.remove(name)),
                // A point beside the curve.
                (_, Value::String(text)) if text == "<flipped>" => {
                    let flipped = flipped(members[name].as_str().unwrap());
                    members.insert(name.clone(), json!(flipped));
                }
                _ => drop(members.insert(name.clone(), value.clone())),
            }
        }
        jwk
    }

    pub(crate) fn jwk(&self, name: &str) -> Value {
        jwk(&self.issuer, algorithm(name))
    }

    pub(crate) fn make_trouble(&self, troubles: &Map<String, Value>) {
        for (place, trouble) in troubles {
            let trouble = match trouble {
                Value::Number(status) => Trouble::Status(status.as_u64().unwrap() as u16),
                Value::String(name) => match name.as_str() {
                    "garbage" => Trouble::Garbage,
                    "huge" => Trouble::Huge(usize::MAX),
                    "redirect" => Trouble::Redirect(self.issuer.jwks_uri()),
                    "hang" => Trouble::Hang,
                    "drip" => Trouble::Drip,
                    "reset" => Trouble::Reset,
                    "busy for 7" => Trouble::StatusWithRetryAfter(503, 7),
                    "late by 1" => Trouble::Late(Duration::from_secs(1)),
                    body => Trouble::Body(body.to_owned()),
                },
                body => Trouble::Body(body.to_string()),
            };
            self.issuer.trouble(endpoint(place), trouble);
        }
    }

    pub(crate) fn calm(&self) {
        for &endpoint in Endpoint::ALL {
            self.issuer.calm(endpoint);
        }
    }

    /// Who reaches the issuer through this is recorded.
    pub(crate) fn fetcher(&self) -> impl Fetch + use<> {
        Watched(self.issuer.fetcher(), self.asked.clone())
    }

    /// What was asked of anybody since the last call.
    pub(crate) fn take_asked(&self) -> Vec<Request<Vec<u8>>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn keep_secret(&mut self, credential: &str) {
        let parts = credential.split([' ', '.', ',', '=']);
        // Shorter words may stand in an answer by chance.
        self.secrets
            .extend(parts.filter(|part| part.len() > 15).map(str::to_owned));
    }

    /// The row's request.
    pub(crate) fn request(&mut self, row: &Row) -> Parts {
        let recipe = &row.request;
        let sends = row.jwt.is_some() || row.opaque.is_some();
        let other = self.issuer.token().mint();
        let headers = match &recipe.headers {
            Some(headers) => headers.clone(),
            None if sends => vec![("authorization".to_owned(), "Bearer <token>".to_owned())],
            None => Vec::new(),
        };
        let put = |text: &str| {
            fill(text, |name| match (name, name.strip_prefix("long ")) {
                ("token", _) => Some(self.token.clone()),
                ("other", _) => Some(other.clone()),
                (_, Some(length)) => Some("a".repeat(length.parse().ok()?)),
                _ => None,
            })
        };
        let headers: Vec<(HeaderName, HeaderValue)> = headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::try_from(name.as_str()).unwrap();
                (name, HeaderValue::from_bytes(&latin1(&put(value))).unwrap())
            })
            .collect();
        let uri = put(recipe.uri.as_deref().unwrap_or("/events"));
        let body = put(&recipe.body);
        self.keep_secret(&other);
        for (_, value) in &headers {
            self.keep_secret(
                &value
                    .as_bytes()
                    .iter()
                    .map(|b| *b as char)
                    .collect::<String>(),
            );
        }
        Parts {
            method: recipe.method.clone().unwrap_or_else(|| "GET".to_owned()),
            uri,
            headers,
            body,
        }
    }
}

/// A request that can be made again and again.
pub(crate) struct Parts {
    method: String,
    uri: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: String,
}

impl Parts {
    pub(crate) fn build(&self) -> Request<String> {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.clone()).unwrap()
    }
}

struct Watched<F>(F, Arc<Mutex<Vec<Request<Vec<u8>>>>>);

impl<F: Fetch> Fetch for Watched<F> {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        self.1.lock().unwrap().push(request.clone());
        self.0.fetch(request, max_bytes).await
    }
}

pub(crate) fn algorithm(name: &str) -> Algorithm {
    name.parse().unwrap()
}

fn endpoint(name: &str) -> Endpoint {
    match name {
        "jwks" => Endpoint::Jwks,
        "oauth_metadata" => Endpoint::OauthMetadata,
        "openid_configuration" => Endpoint::OpenidConfiguration,
        "introspection" => Endpoint::Introspection,
        other => panic!("there is no endpoint {other:?}"),
    }
}

pub(crate) fn jwk(issuer: &AuthorizationServer, algorithm: Algorithm) -> Value {
    let kid = issuer.kid(algorithm);
    let jwks = issuer.jwks();
    let mut keys = jwks["keys"].as_array().unwrap().iter();
    keys.find(|jwk| jwk["kid"] == kid).unwrap().clone()
}
