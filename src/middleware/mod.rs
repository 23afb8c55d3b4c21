//! tower layers: the gate around a service, and scopes around a route.

mod authenticate;
mod require_scope;

pub use authenticate::{Authenticate, AuthenticateLayer, ResponseFuture};
pub use require_scope::{
    RequireScope as RequireScopeService, RequireScopeFuture, RequireScopeLayer,
};
