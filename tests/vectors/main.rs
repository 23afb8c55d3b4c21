//! The examples of RFCs that are tokens, or answers about tokens, shown to a gate at the time they are
//! of. `src/vectors/` has what is signed and no token, and Project Wycheproof.
#![cfg(all(feature = "introspection", feature = "jwt"))]
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod answers;
mod profile;
#[path = "../showing/mod.rs"]
mod showing;
mod tokens;
#[path = "../watched/mod.rs"]
mod watched;

use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{Algorithm, StaticJwks, UnixTime};

/// An issuer with one key for RS256, at `origin` and a slash, that stands at `now`; and its key under the
/// name `kid`, as the examples have it.
fn issuer(origin: &str, kid: &str, now: i64) -> (AuthorizationServer, StaticJwks) {
    let builder = watched::builder().origin(origin).path("/");
    let builder = builder.clock(ManualClock::at(UnixTime::from_secs(now)));
    let issuer = builder.algorithm(Algorithm::RS256).build();
    let own = issuer.kid(Algorithm::RS256);
    let set = issuer.jwks().to_string().replace(&own, kid);
    let keys = StaticJwks::from_json(&set).unwrap();
    (issuer, keys)
}
