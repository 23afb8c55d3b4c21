//! tower layers: the gate around a service, and scopes and resources around a route.

mod authenticate;
mod guarded;
mod require_scope;
mod resource_guard;

pub use authenticate::{Authenticate, AuthenticateLayer, ResponseFuture};
pub use guarded::{Guarded, GuardedFuture};
pub use require_scope::RequireScopeLayer;
pub use resource_guard::ResourceGuardLayer;
