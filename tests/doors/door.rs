//! The four doors through which every row goes: the plain function, a bare tower service, an axum
//! router behind the layer, and an axum router whose extractor needs no layer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::IntoResponse;
use axum::routing::any;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use portcullis::{
    AccessToken, AnyOf, Authenticated, Claims, Error, FromToken, Grant, Principal, RequireScope,
    RequireScopeLayer, Requirement, ResourceServer, Token, TokenKind,
};
use serde::Deserialize;
use serde_json::json;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

use crate::row::Needs;

portcullis::scopes! {
    EventsRead = "read:events";
    EventsWrite = "write:events";
    Admin = "admin";
}

/// What came out of a door.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// Whether the operation behind the gate ran.
    pub(crate) reached: bool,
    /// The refusal, where the door shows it.
    pub(crate) error: Option<Error>,
    /// The carriers' headers that came out unmarked.
    pub(crate) unmarked: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Door {
    Function,
    Tower,
    Router,
    Layerless,
}

impl Door {
    pub(crate) const ALL: [Door; 4] = [Door::Function, Door::Tower, Door::Router, Door::Layerless];
}

/// How a gate stands in front of an operation.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'a> {
    pub(crate) server: &'a ResourceServer,
    pub(crate) carriers: &'static [&'static str],
    /// Whether strangers pass.
    pub(crate) optional: bool,
}

impl Gate<'_> {
    pub(crate) async fn enter(self, door: Door, needs: Needs, request: Request<String>) -> Answer {
        match needs {
            Needs::Nothing => self.with::<Scoped<Anyone>>(door, request).await,
            Needs::Read => self.with::<Scoped<EventsRead>>(door, request).await,
            Needs::ReadAndWrite => {
                self.with::<Scoped<(EventsRead, EventsWrite)>>(door, request)
                    .await
            }
            Needs::ReadOrAdmin => {
                self.with::<Scoped<AnyOf<(EventsRead, Admin)>>>(door, request)
                    .await
            }
            Needs::Policy => self.with::<Scoped<Billing>>(door, request).await,
            Needs::Applicant => self.with::<OfKind<Applicant>>(door, request).await,
            Needs::Party => self.with::<OfShape<Party>>(door, request).await,
        }
    }

    async fn with<D: Demand>(self, door: Door, request: Request<String>) -> Answer {
        match door {
            Door::Function => self.function::<D>(request).await,
            Door::Tower => self.tower::<D>(request).await,
            Door::Router => self.router::<D>(request).await,
            Door::Layerless => self.layerless::<D>(request).await,
        }
    }

    async fn function<D: Demand>(self, request: Request<String>) -> Answer {
        let (mut parts, _) = request.into_parts();
        let outcome = match self.server.authenticate(&mut parts).await {
            Ok(Some(token)) => D::check(&token),
            Ok(None) if self.optional => Ok(()),
            Ok(None) => Err(Error::missing_credential()),
            Err(error) => {
                assert!(AccessToken::of(&parts.extensions).is_none());
                Err(error)
            }
        };
        let unmarked = unmarked(&parts.headers, self.carriers);
        let (response, error) = match outcome {
            Ok(()) => (
                Response::new(facts(AccessToken::of(&parts.extensions))),
                None,
            ),
            Err(error) => (self.server.answer(&error), Some(error)),
        };
        let (head, body) = response.into_parts();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            reached: error.is_none(),
            error,
            unmarked,
        }
    }

    async fn tower<D: Demand>(self, request: Request<String>) -> Answer {
        let note = Note::new(self.carriers);
        let operation = {
            let note = note.clone();
            service_fn(move |request: Request<String>| {
                let body = note.take(request.headers(), AccessToken::of(request.extensions()));
                async { Ok::<_, Infallible>(Response::new(body)) }
            })
        };
        let service = if self.optional {
            let layer = self.server.optional_layer();
            BoxCloneService::new(layer.layer(operation))
        } else {
            let layer = self.server.layer();
            BoxCloneService::new(layer.layer(D::guard(BoxCloneService::new(operation))))
        };
        let response = service.oneshot(request).await.unwrap();
        note.answer(response.map(Body::from)).await
    }

    async fn router<D: Demand>(self, request: Request<String>) -> Answer {
        let note = Note::new(self.carriers);
        let inside = note.clone();
        let router = if self.optional {
            let operation = move |_: Option<AccessToken>, request: axum::extract::Request| async move {
                inside.take(request.headers(), AccessToken::of(request.extensions()))
            };
            Router::new()
                .route("/events", any(operation))
                .layer(self.server.optional_layer())
        } else {
            let operation = move |_: D::Guard, request: axum::extract::Request| async move {
                inside.take(request.headers(), AccessToken::of(request.extensions()))
            };
            Router::new()
                .route("/events", any(operation))
                .layer(self.server.layer())
        };
        let router = router.with_state(self.server.clone());
        note.answer(ask(router, request).await).await
    }

    async fn layerless<D: Demand>(self, request: Request<String>) -> Answer {
        let note = Note::new(self.carriers);
        let inside = note.clone();
        type Both<D> = Authenticated<(AccessToken, <D as Demand>::Guard)>;
        let operation = move |Authenticated((token, _)): Both<D>,
                              request: axum::extract::Request| async move {
            assert!(AccessToken::of(request.extensions()).is_none());
            inside.take(request.headers(), Some(&token))
        };
        let router = Router::new()
            .route("/events", any(operation))
            .with_state(self.server.clone());
        note.answer(ask(router, request).await).await
    }
}

async fn ask(router: Router, request: Request<String>) -> Response<Body> {
    router.oneshot(request.map(Body::from)).await.unwrap()
}

/// What an operation noted when it ran.
#[derive(Clone)]
struct Note {
    carriers: &'static [&'static str],
    reached: Arc<AtomicBool>,
    unmarked: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Note {
    fn new(carriers: &'static [&'static str]) -> Note {
        Note {
            carriers,
            reached: Arc::default(),
            unmarked: Arc::default(),
        }
    }

    fn take(&self, headers: &HeaderMap, token: Option<&AccessToken>) -> String {
        self.reached.store(true, Ordering::Relaxed);
        *self.unmarked.lock().unwrap() = unmarked(headers, self.carriers);
        facts(token)
    }

    async fn answer(&self, response: Response<Body>) -> Answer {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
            reached: self.reached.load(Ordering::Relaxed),
            error: None,
            unmarked: self.unmarked.lock().unwrap().clone(),
        }
    }
}

fn unmarked(headers: &HeaderMap, carriers: &[&str]) -> Vec<String> {
    let carrying = headers
        .iter()
        .filter(|(name, _)| carriers.contains(&name.as_str()));
    carrying
        .filter(|(_, value)| !value.is_sensitive())
        .map(|(name, _)| name.to_string())
        .collect()
}

/// What an operation learns about who asks.
fn facts(token: Option<&AccessToken>) -> String {
    let Some(token) = token else {
        return r#"{"stranger":true}"#.to_owned();
    };
    let principal = match token.principal() {
        Principal::Subject(id) => format!("subject {id}"),
        Principal::Client(id) => format!("client {id}"),
        _ => "nobody".to_owned(),
    };
    json!({
        "principal": principal,
        "subject": token.subject(),
        "client": token.client_id(),
        "scopes": token.scopes().to_string(),
        "permissions": token.permissions().to_string(),
        "kind": token.kind(),
    })
    .to_string()
}

type Operation = BoxCloneService<Request<String>, Response<String>, Infallible>;

/// What an operation asks of a token, in the words of each door.
trait Demand: 'static {
    type Guard: FromToken
        + FromRequestParts<ResourceServer, Rejection: IntoResponse>
        + Send
        + 'static;

    fn check(token: &AccessToken) -> Result<(), Error>;

    /// The same around a tower service. An error in the response's extensions is worded by the
    /// layer outside.
    fn guard(operation: Operation) -> Operation {
        BoxCloneService::new(service_fn(move |request: Request<String>| {
            let operation = operation.clone();
            async move {
                match AccessToken::of(request.extensions()).map(Self::check) {
                    Some(Err(error)) => {
                        let mut response = Response::new(String::new());
                        response.extensions_mut().insert(error);
                        Ok(response)
                    }
                    _ => operation.oneshot(request).await,
                }
            }
        }))
    }
}

struct Scoped<R>(R);

impl<R: Requirement> Demand for Scoped<R> {
    type Guard = RequireScope<R>;

    fn check(token: &AccessToken) -> Result<(), Error> {
        token.require::<R>()
    }

    fn guard(operation: Operation) -> Operation {
        BoxCloneService::new(RequireScopeLayer::<R>::new().layer(operation))
    }
}

struct OfKind<K>(K);

impl<K: TokenKind + 'static> Demand for OfKind<K> {
    type Guard = Token<K>;

    fn check(token: &AccessToken) -> Result<(), Error> {
        token.require_kind::<K>()
    }
}

struct OfShape<T>(T);

impl Demand for OfShape<Party> {
    type Guard = Claims<Party>;

    fn check(token: &AccessToken) -> Result<(), Error> {
        token.claims_as::<Party>().map(drop)
    }
}

/// Every token will do.
struct Anyone;

impl Requirement for Anyone {
    fn met_by(_: &Grant<'_>) -> bool {
        true
    }
}

/// Something no scope buys.
struct Billing;

impl Requirement for Billing {
    fn met_by(grant: &Grant<'_>) -> bool {
        grant
            .claims
            .get("department")
            .is_some_and(|name| name == "billing")
    }
}

struct Applicant;

impl TokenKind for Applicant {
    const NAME: &'static str = "applicant";
}

#[derive(Deserialize)]
struct Party {
    #[serde(rename = "upid")]
    _upid: String,
}
