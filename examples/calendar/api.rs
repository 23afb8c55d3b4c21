//! The API: which handler needs which scope, and where the gate stands.

use std::ops::Deref;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use portcullis::{AccessToken, Error, Permitted, RequireScope, ResourceServer};
use serde_json::{Value, json};

use crate::events::{Calendar, Draft, Event, Owner, Refusal};
use crate::gate::{ReadCalendar, WriteCalendar};

/// How large a request's body may be, in bytes.
const LARGEST_BODY: usize = 16 * 1024;

pub fn router(server: &ResourceServer, calendar: Calendar) -> Router {
    Router::new()
        .route("/events", get(list).post(create))
        .route("/events/{id}", get(show).delete(remove))
        .route("/me", get(me))
        // The gate stands around the routes above and none below. A path that does not exist is a
        // 404 for everyone; a method that does not is a 405 behind the gate, a 401 before it.
        .route_layer(server.layer())
        .route("/healthz", get(healthz))
        .fallback(async || Problem(StatusCode::NOT_FOUND, "there is no such path".into()))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(calendar)
}

async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn me(token: AccessToken) -> Json<Value> {
    let expires = token.expires_at().map(|end| end.as_secs());
    let expires = expires.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    Json(json!({
        "issuer": token.issuer(),
        "subject": token.subject(),
        "client": token.client_id(),
        "scopes": token.scopes().iter().collect::<Vec<_>>(),
        "expires": expires,
    }))
}

async fn list(
    token: RequireScope<ReadCalendar>,
    State(calendar): State<Calendar>,
) -> Json<Vec<Event>> {
    let owner = Owner::of(&token);
    Json(owner.map_or_else(Vec::new, |owner| calendar.events_of(&owner)))
}

async fn show(
    _: RequireScope<ReadCalendar>,
    Permitted(_, event): Permitted<AccessToken, EventAt>,
) -> Json<Event> {
    Json(event.0)
}

async fn create(
    token: RequireScope<WriteCalendar>,
    State(calendar): State<Calendar>,
    body: Bytes,
) -> Result<Response, CreateError> {
    let owner = Owner::of(&token)
        .ok_or_else(|| Error::forbidden("token names nobody who could own an event"))?;
    let draft = Draft::parse(&body)?;
    let event = calendar.add(owner, draft)?;
    let location = [(LOCATION, format!("/events/{}", event.id))];
    Ok((StatusCode::CREATED, location, Json(event)).into_response())
}

async fn remove(
    _: RequireScope<WriteCalendar>,
    Permitted(_, event): Permitted<AccessToken, EventAt>,
    State(calendar): State<Calendar>,
) -> StatusCode {
    calendar.remove(event.id);
    StatusCode::NO_CONTENT
}

/// The event the path names. [`Permitted`] hands it out to its owner alone: to everyone else it is
/// a 403, and an event that does not exist is a 404.
pub struct EventAt(Event);

impl Deref for EventAt {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.0
    }
}

impl FromRequestParts<Calendar> for EventAt {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, calendar: &Calendar) -> Result<Self, Problem> {
        let path = Path::<u64>::from_request_parts(parts, calendar).await;
        let event = path.ok().and_then(|Path(id)| calendar.find(id));
        event
            .map(EventAt)
            .ok_or_else(|| Problem(StatusCode::NOT_FOUND, "there is no such event".into()))
    }
}

/// An answer to what the gate let pass but we cannot do, in the shape the gate's refusals have
/// (RFC 9457).
pub struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem(status, detail) = self;
        let title = status.canonical_reason();
        let status_code = status.as_u16();
        let body = json!({
            "type": "about:blank", "title": title, "status": status_code, "detail": detail,
        });
        let problem = [(CONTENT_TYPE, "application/problem+json")];
        (status, problem, body.to_string()).into_response()
    }
}

/// Why no event was created: the gate words one half, we word the other.
pub enum CreateError {
    Gate(Error),
    Refused(Refusal),
}

impl From<Error> for CreateError {
    fn from(error: Error) -> CreateError {
        CreateError::Gate(error)
    }
}

impl From<Refusal> for CreateError {
    fn from(refusal: Refusal) -> CreateError {
        CreateError::Refused(refusal)
    }
}

impl IntoResponse for CreateError {
    fn into_response(self) -> Response {
        let (status, sentence) = match self {
            CreateError::Gate(error) => return error.into_response(),
            CreateError::Refused(Refusal::NoJson(why)) => (StatusCode::BAD_REQUEST, why),
            CreateError::Refused(Refusal::NoEvent(why)) => (StatusCode::UNPROCESSABLE_ENTITY, why),
            CreateError::Refused(Refusal::Full(why)) => (StatusCode::INSUFFICIENT_STORAGE, why),
        };
        Problem(status, sentence).into_response()
    }
}
