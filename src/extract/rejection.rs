//! What an extractor answers when it refuses.

use std::fmt;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};

use crate::challenge::unworded;
use crate::error::Error;
use crate::server::ResourceServer;

/// A refusal on its way to the client.
///
/// The layer outside words it with the server's realm and [`Renderer`](crate::Renderer);
/// [`Authenticated`](super::Authenticated), which needs no layer, does so itself.
pub struct Rejection {
    error: Error,
    server: Option<ResourceServer>,
}

impl Rejection {
    pub(super) fn of(server: ResourceServer, error: Error) -> Rejection {
        Rejection {
            error,
            server: Some(server),
        }
    }

    /// What went wrong.
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Rejection {
        Rejection {
            error,
            server: None,
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        match self.server {
            Some(server) => server.answer(&self.error).map(Body::from),
            None => self.error.into_response(),
        }
    }
}

impl IntoResponse for Error {
    /// The answer of a server with default settings; the layer outside words it anew. So a handler
    /// may return `Result<_, portcullis::Error>`.
    fn into_response(self) -> Response {
        unworded(&self).map(Body::from)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rejection").field(&self.error).finish()
    }
}

impl std::error::Error for Rejection {}
