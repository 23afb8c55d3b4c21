//! axum extractors: handlers say what they need, and run only if the token has it.
//!
//! All of them read what [`ResourceServer::layer`](crate::ResourceServer::layer) left in the
//! request; they never take it away, so they compose. Without the layer they answer 500 and the
//! log says what is missing. [`Authenticated`] needs no layer.

mod authenticated;
mod claims;
mod guards;
mod permitted;
mod rejection;

pub use authenticated::Authenticated;
pub use claims::Claims;
pub use guards::{RequireScope, Token};
pub use permitted::{Permitted, PermittedBy, PermittedRejection};
pub use rejection::Rejection;
