//! What a request costs, where it goes, and what you can do about it.
//!
//! Figures depend on machines, ratios less so: here they are ratios to the same axum route without any
//! gate, or to the bare check of one signature by aws-lc, both sides in turn in one run. Section
//! [What was measured](#what-was-measured) says on which machine, and how to measure on yours.
//!
//! # What a request costs
//!
//! | the token | what is done | what it costs |
//! |---|---|---|
//! | was shown to this thread a moment ago | its text is compared | @@HOT_NS@@, no allocation |
//! | is remembered | it is named, and its verdict found | @@RING_NS@@, no allocation |
//! | was never seen: RS256, ES256, EdDSA | it is read, its signature checked, its verdict remembered | the signature (15 to 50 microseconds), and @@COLD_US@@ |
//! | is no good: garbage, of an unknown key, expired | it is read as far as it takes to know | @@REFUSED_NS@@; two allocations |
//! | is opaque and was never seen | somebody is asked, once for all who show it | their answer, 30 microseconds at best |
//!
//! None of these ways but the last one awaits anything, and none but that boxes a future. In front of a
//! handler that asks a database, none of them can be seen.
//!
//! # Where it goes
//!
//! A token that is at hand, by the layer: reading the clock takes a fifth of the time, finding the header
//! and comparing the token a third, and putting what was found into the request's extensions the rest.
//! Of a token that was never seen, all but a fifteenth is the signature: so the choice of algorithm is
//! worth more than anything else. For verifiers RSA with 2048 bits costs 15 microseconds, Ed25519 32,
//! P-256 50, P-384 170.
//!
//! axum's own charge for *any* layer inside of a router is larger than what the gate does in it. So there
//! are three ways to place it, of which the first is what most want:
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, extract::FromRef, routing::get};
//! use portcullis::{Authenticated, Claims, RequireScope, ResourceServer};
//! use tower::Layer;
//!
//! portcullis::scopes! { EventsRead = "read:events"; }
//!
//! # #[derive(serde::Deserialize)]
//! # struct Member { tenant: String }
//! # fn place(server: ResourceServer) {
//! // A layer of the router: for all of its routes, and refusals are worded in one place.
//! async fn list(token: RequireScope<EventsRead>, member: Claims<Member>) -> String {
//!     format!("{} of {}", token.principal(), member.tenant)
//! }
//! let app: Router = Router::new().route("/", get(list)).layer(server.layer());
//!
//! // The same around the whole router: what axum charges for a layer is saved.
//! let router: Router = Router::new().route("/", get(list));
//! let service = server.layer().layer(router); // `axum::serve(listener, Shared::new(service))`
//!
//! // No layer, for single routes: nothing is put into the request, so there is no allocation at all.
//! async fn list_alone(
//!     Authenticated((token, member)): Authenticated<(RequireScope<EventsRead>, Claims<Member>)>,
//! ) -> String {
//!     format!("{} of {}", token.principal(), member.tenant)
//! }
//! #[derive(Clone, FromRef)]
//! struct App { server: ResourceServer }
//! let app: Router = Router::new().route("/", get(list_alone)).with_state(App { server });
//! # }
//! # }
//! ```
//!
//! [`Claims<T>`](crate::Claims) reads a token's claims as `T` once for each token and thread;
//! [`Scopes`](crate::Scopes) are split once for each token, and asking for one of a hundred takes no
//! longer than asking for one of one.
//!
//! # How to size the caches
//!
//! [`verdict_capacity`](crate::ResourceServerBuilder::verdict_capacity) is the number of tokens that are in
//! use at a time: people and machines that come back within five minutes
//! ([`remember_accepted`](crate::JwtVerifierBuilder::remember_accepted)), not all there are. If it is too
//! small, the tokens that are used most stay, and the others are verified anew. A verdict on a token of
//! 830 bytes with 499 bytes of claims takes @@BYTES@@ of resident memory, so the default of 10,000 takes
//! about @@DEFAULT_MB@@ MB, and a million about @@MILLION_MB@@ MB. What `Claims<T>` reads is kept beside it: add the
//! size of your `T`.
//!
//! Refusals of opaque tokens have a tenth of that number in a cache of their own, which no good token is
//! in. Key sets hold at most 128 keys, found by their name: their number costs nothing.
//!
//! # What turning things off saves
//!
//! | | saves | costs |
//! |---|---|---|
//! | the feature `cache` | moka and its threads' work, the memory of the verdicts | a signature check for each request, or a call to the issuer |
//! | [`keep_no_tokens`](crate::ResourceServerBuilder::keep_no_tokens) | nothing: it is for who assumes readers of memory | 0.2 microseconds for each request |
//! | a [`Check`](crate::Check) less | whatever it takes, on each request | what it knows |
//! | `RS256` for `ES256` at your issuer | 35 microseconds for each token that was never seen | tokens are 256 bytes longer |
//!
//! # What was measured
//!
//! @@TABLE@@
//!
//! # Beside others
//!
//! `benches/peers` runs the same route behind nine other gates, each as its own documentation shows it and
//! with the fastest cryptography it can have. None of those that are published remembers a verified
//! token, so all pay for the signature with every request. The README shows the chart; the numbers and
//! what is unfair to whom are in that folder.
//!
//! # How it is kept
//!
//! - Allocations are counted by tests (`tests/allocations.rs`): they are exact.
//! - Instructions are counted under callgrind and held to `benches/instructions.txt` by `.ci/run`, so a
//!   regression shows without a clock: `cargo bench --bench instructions`.
//! - A remembered answer equals a fresh one: a property of random histories of tokens, clocks, logouts and
//!   rotations (`tests/cached.rs`).
