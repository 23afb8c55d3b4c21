//! tower layers: the gate around a service, and scopes, resources and freshness around a route.

mod authenticate;
mod fresh;
mod guarded;
mod passage;
mod require_scope;
mod resource_guard;

pub use authenticate::{Authenticate, AuthenticateLayer, ResponseFuture};
pub use fresh::FreshLayer;
pub use guarded::{Guarded, GuardedFuture};
pub use require_scope::RequireScopeLayer;
pub use resource_guard::ResourceGuardLayer;
