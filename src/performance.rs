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
//! | is shown to this thread again and again | its text is compared | 0.15 microseconds, no allocation |
//! | is remembered | it is named, and its verdict found | 0.5 to 0.7 microseconds, most of it waiting for memory, no allocation |
//! | was never seen: RS256, ES256, EdDSA | it is read, its signature checked, its verdict remembered | the signature (15 to 50 microseconds), and 1.5 to 2 microseconds |
//! | is no good: garbage, of a key that is known not to exist, expired | it is read as far as it takes to know | 0.3 to 1.2 microseconds; at most two allocations |
//! | is opaque and was never seen | somebody is asked, once for all who show it | their answer, 30 microseconds at best |
//!
//! None of these ways awaits anything or boxes a future, but for the last one and a token whose key must be
//! fetched first. In front of a handler that asks a database, none of them can be seen.
//!
//! # Where it goes
//!
//! A token that is at hand, by the layer: reading the clock takes a fifth of the time, finding the header
//! and comparing the token a third, and putting what was found into the request's extensions the rest.
//! Of a token that was never seen, all but a tenth is the signature: so the choice of algorithm is
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
//! let service = server.layer().layer(router); // `axum::ServiceExt` makes of it what `axum::serve` takes
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
//! [`Claims<T>`](crate::Claims) reads a token's claims as `T` once for each token, and once more for each thread that keeps it at hand;
//! [`Scopes`](crate::Scopes) are split once for each token, and asking for one of a hundred takes 25 ns, for
//! one of one 6.
//!
//! A hit takes no lock. What two threads have in common beside it are counts of references: a router of each
//! thread's own, with a layer of its own (`server.layer()` for each), shares none, and then two threads serve
//! 1.5 to 1.9 times as much as one. Clones of one router count together, with axum's or any other layer.
//!
//! # How to size the caches
//!
//! [`verdict_capacity`](crate::ResourceServerBuilder::verdict_capacity) is the number of tokens that are in
//! use at a time: people and machines that come back within five minutes
//! ([`remember_accepted`](crate::JwtVerifierBuilder::remember_accepted)), not all there are. If it is too
//! small, the tokens that are used most stay, and the others are verified anew. A verdict on a token of
//! 830 bytes with 499 bytes of claims takes about 770 bytes of resident memory, so the default of 10,000 takes
//! about 8 MB, and a million about 770 MB. What `Claims<T>` reads is kept beside it: add the
//! size of your `T`.
//!
//! Refusals of opaque tokens have a tenth of that number in a cache of their own, which no good token is
//! in. Key sets hold at most 128 keys, found by their name: their number costs nothing.
//!
//! # What turning things off saves
//!
//! | | saves | costs |
//! |---|---|---|
//! | the feature `cache` | moka, and the memory of the verdicts | a signature check for each request, or a call to the issuer |
//! | [`keep_no_tokens`](crate::ResourceServerBuilder::keep_no_tokens) | nothing: it is for who assumes readers of memory | 0.2 microseconds for each request |
//! | a [`Check`](crate::Check) less | whatever it takes, on each request | what it knows |
//! | `RS256` in place of `ES256` at your issuer | 35 microseconds for each token that was never seen | tokens are 256 bytes longer |
//!
//! # What was measured
//!
//! Two whole runs of `cargo bench --bench goals`, one after the other, on 2 cores of a shared machine (Intel
//! Xeon with AVX-512, VAES and SHA extensions, Rust 1.95, glibc's allocator, thin LTO), which ran at half of
//! its speed for the second; allocations and instructions are exact. Ratios are to the open route, whose time
//! changes with the machine; nanoseconds are told as if it took 520, as where the goals were set. Keys are at hand (`StaticJwks`), so nothing is fetched.
//!
//! | what | goal | measured | |
//! |---|---:|---:|---|
//! | token seen before, extractor: time | at most 1.30 | 1.31, 1.33 | missed by 0.01 to 0.03; other runs showed 1.29 |
//! | the same: allocations; instructions | 0; 1,500 | 0; 1,411 | met |
//! | layer around the router: time; allocations; instructions | 1.45; 2; 2,300 | 1.30, 1.32; 1; 1,752 | met |
//! | `Router::layer`: time; allocations; instructions | 1.65; 6; 3,500 | 1.52, 1.46; 5; 3,019 | met (by hand with moka 2.6 to 2.8; 8,092 instructions) |
//! | axum's own layer that does nothing | | 1.19, 1.16; 3; 1,031 | |
//! | `Claims<T>` and `RequireScope<R>` on top, behind a layer, over two extractors that do nothing | 60 ns | 65, 47 ns; no allocation | met in one run of two |
//! | the same in `Authenticated` | 60 ns | 26, 27 ns; no allocation | met |
//! | 10,000 tokens in turn, `Router::layer` | 3.0 | 2.70, 2.67 | met (by hand with moka 4.1 to 4.8) |
//! | token to typed, checked claims against the raw check: RS256, PS256 | 1.10 | 1.11, 1.13; 1.10, 1.11 | missed by 0.01 to 0.03: see below |
//! | the same: ES256, ES384 | 1.03 | 1.03, 1.03; 1.01, 1.01 | met |
//! | the same: EdDSA | 1.05 | 1.05, 1.06 | met in one run of two |
//! | allocations of a miss beyond the claims' fields | 5 | 3 | met |
//! | refused: garbage; two parts; unknown `kid`; wrong algorithm | 1,000 ns | 297; 463; 894; 839 ns at most | met; at most 2 allocations |
//! | refused: expired | 1,000 ns | 1,222, 1,228 ns; 2 allocations | missed: see below |
//! | good verdicts that a flood of refused tokens evicts | 0 | 0 of 5,000 (a release build of the test sends 100,000) | met |
//! | loopback, server's CPU: one token | 1.08 | 1.04 to 1.16, by form | met by the layer around the router; the extractor 1.09, `Router::layer` 1.16 |
//! | loopback: 10,000 tokens in turn | 1.15 | 1.15 (extractor), 1.24, 1.30 | met by the extractor alone, and not in each run |
//! | loopback: RS256 never seen | 4.8 | 4.72 to 5.33 | met in one run of two |
//! | 1 to 2 threads, a router per thread: one token | 1.6 | 1.63, 1.51 (no gate: 1.92, 1.87) | met in one run of two |
//! | the same: 10,000 in turn; never seen | 1.5; 1.85 | 1.83, 1.80; 1.90, 1.95 | met |
//! | resident bytes per remembered token, a million held | 650 | 767 | missed: see below |
//! | keys 1 to 128; issuers 1 to 100 | 1.05 | 1.01; 1.00 | met; a set of 1,000 keys is refused |
//! | a hit among 10,000 tokens; among 1,000,000, over a hit on one | 400; 1,500 ns | 728, 649; 1,099, 963 ns | the first missed: see below |
//! | one scope checked, 1 to 100 held | 30 ns | 6; 25 ns | met |
//! | calls for 64 concurrent first uses of an opaque token; later uses | 1; as a JWT | 1; 1.00 | met |
//!
//! What was missed, and why:
//!
//! - **RS256 and PS256.** What is not the signature is 20,500 instructions, of which two passes of serde_json over
//!   the claims are two thirds: one that finds the claims the gate judges and refuses what is repeated, one that
//!   makes the application's type. They could be one only if the gate knew the type before it knows that the
//!   token is good.
//! - **Expired.** 23,000 instructions under callgrind, which knows neither SHA nor AES instructions: the name of the
//!   credential (it might be remembered), its grammar, base64, and the whole of the claims, strictly, before their
//!   `exp` is believed to be the only one.
//! - **767 bytes.** The text of the claims takes 512 with glibc, what the gate knows of them 232 in one piece, the
//!   table 25. The text stays since any handler may ask for any type. What of the goal is left beside it,
//!   138 bytes, is less than the places of nine claims, two ends, a key's lease and a name.
//! - **A hit among 10,000.** A hit on one token alone is answered at hand, by comparing text; among 10,000 the token is
//!   named first, which takes 0.15 microseconds, and its text and verdict come from memory that is far away. With
//!   SHA-256 for a name it would be 0.35 more; with whole tokens for names less, and they would all lie in memory.
//!
//! The profiles behind this (`perf record -e cpu-clock`, shares of the samples):
//!
//! | | where the time goes |
//! |---|---|
//! | a new HS256 token to typed claims | SHA-256 of the signature 25 %; the JSON, both passes 35 %; allocating, freeing and copying 13 %; base64 and UTF-8 6 %; the rest in pieces below 2 % |
//! | an expired token refused | its JSON 31 %; its name 10 %; its grammar 7 %; base64 and UTF-8 9 %; the rest in pieces below 2 % |
//! | 10,000 tokens in turn, extractor | the token's text by GHASH, which is the first to read it 12 %; set, place and verdict 12 %; the header's value 5 %; SHA-256, the rest of the name 4 %; the others are axum's and the open route's |
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
