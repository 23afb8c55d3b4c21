//! How a gate behaves when things go wrong, in numbers: each has a default, a place to change it, and a
//! test that proves it.
//!
//! The last column names that test: `keys::garbage_replaces_nothing` is run by
//! `cargo test --test keys garbage_replaces_nothing`. A test checks that each of them exists. Where no
//! other clock is named, times are those of the server's [`Clock`](crate::Clock).
//!
//! # What to expect
//!
//! | what happens | a token whose key is known, or that is remembered | any other token |
//! |---|---|---|
//! | the issuer rotates its keys | passes | passes; the first one that names the new key waits for one fetch, at most 2 s, and if none may begin in that time it is a 503 with an honest `Retry-After` |
//! | the issuer withdraws a key | refused from the next fetched set on, remembered or not; 503 until that is certain, if there is none yet | passes |
//! | somebody floods us with made-up keys | passes, waits for nothing | waits or is a 503 as in a rotation; the issuer is asked no more often |
//! | the issuer is down, slow, or answers nonsense | passes for an hour past the lifetime of the keys | 503 with `Retry-After`, after at most 2 s |
//! | the introspection endpoint is down | passes for as long as it is remembered: 30 s, or longer if you [say so](crate::IntrospectionVerifierBuilder::trust_accepted_while_down) | 503 with `Retry-After`, after at most 5 s; at once after five failures |
//! | we start while the issuer is down | passes, if the last good keys are in a [file](crate::RemoteJwksBuilder::last_known_good) | 503; the gate starts, and recovers by itself |
//! | the issuer is back | | known within one back-off step: at most 30 s, or what the issuer asked for |
//!
//! Each of these numbers is in the tables below, with its test. An outage is never a 401: every client
//! would throw its session away, and log in again at the worst of times. What you must not do is restart
//! the gate: it recovers by itself, and a restart forgets what serves meanwhile.
//!
//! # Keys
//!
//! All fetching is done by one background task for each [`RemoteJwks`](crate::RemoteJwks). Requests read
//! what it brought, without a lock that waits; a client that hangs up cancels nothing.
//!
//! | number | default | change it with | proven by |
//! |---|---|---|---|
//! | wait of a request whose key is known | none | | `keys::keys_are_refreshed_before_they_are_too_old_and_nobody_waits` |
//! | fetches for any number of first requests | 1 | | `keys::keys_are_fetched_once_for_all_first_requests` |
//! | lifetime of a key set if the issuer does not say | 10 min | [`lifetime`](crate::RemoteJwksBuilder::lifetime), at least 10 s | `keys::max_age_is_the_lifetime_within_a_minute_and_a_day`, `keys::key_sources_that_cannot_be` |
//! | lifetime that the issuer may name (`Cache-Control: max-age` less `Age`) | 1 min to 24 h | [`lifetime_between`](crate::RemoteJwksBuilder::lifetime_between) | `keys::max_age_is_the_lifetime_within_a_minute_and_a_day`, `keys::the_bounds_of_max_age_can_be_set` |
//! | background refresh | at 70 to 80 % of the lifetime | | `keys::max_age_is_the_lifetime_within_a_minute_and_a_day` |
//! | refresh of a set that has not changed (`ETag`, 304) | evicts nothing, extends the trust | | `keys::a_304_confirms_the_keys_and_evicts_nothing` |
//! | fetches that unknown keys cause | at most one per 5 s | [`refresh_interval`](crate::RemoteJwksBuilder::refresh_interval), at least 1 s | `keys::unknown_kids_cannot_raise_the_pace_of_fetches`, `keys::key_sources_that_cannot_be` |
//! | delay of a real rotation, also in a flood of made-up keys | at most the same 5 s, and the fetch | | `keys::a_flood_of_unknown_kids_does_not_starve_a_real_rotation` |
//! | wait of a request whose key is unknown | at most 2 s | [`wait_at_most`](crate::RemoteJwksBuilder::wait_at_most) | `keys::started_while_the_issuer_is_down_it_answers_503_and_recovers` |
//! | requests that wait for keys at a time | at most 1,024, the next is a 503 at once | | `keys::no_more_than_a_thousand_requests_wait_for_keys` |
//! | names of keys that the newest set lacks, refused at once | at most 1,024 of at most 256 bytes, until the next refresh may begin | | `keys::a_made_up_kid_is_refused_at_once_until_the_issuer_may_be_asked_again` |
//! | a valid token of a key that the issuer publishes | never a 401, unless its name was asked for before it was published: then for less than the 5 s | | `keys::a_new_key_is_never_a_401_while_the_issuer_may_not_be_asked`, `trouble::a_key_that_is_made_while_a_slow_fetch_is_under_way_is_not_refused` |
//! | trust in keys during an outage | 1 h past their lifetime, then 503 | [`trust_stale_for`](crate::RemoteJwksBuilder::trust_stale_for), at most a week | `keys::keys_are_trusted_an_hour_past_the_lifetime_that_the_issuer_names`, `keys::key_sources_that_cannot_be` |
//! | retry after a failure | after 1, 2, 4 … 30 s, less up to 20 % by chance | | `keys::failures_are_tried_again_after_1_2_4_and_so_on_up_to_30_seconds` |
//! | `Retry-After` of the issuer | kept, for at most 5 min | | `keys::retry_after_is_heard_for_at_most_five_minutes` |
//! | a withdrawn key, verdicts included | ends with the set that lacks it: within 80 % of the lifetime, sooner if a new key is used | | `keys::a_withdrawn_key_ends_its_tokens_with_the_set_that_lacks_it_verdicts_included` |
//! | garbage, an empty set, a redirect | replaces nothing | | `keys::garbage_replaces_nothing` |
//! | one document in all | 5 s; a fetch may need three, if metadata is read | [`deadline`](crate::RemoteJwksBuilder::deadline) | `keys::a_document_may_have_256_kib_and_take_five_seconds` |
//! | size of a document | 256 KiB | [`max_bytes`](crate::RemoteJwksBuilder::max_bytes) | `keys::a_document_may_have_256_kib_and_take_five_seconds` |
//! | keys in a set, depth of a document | 128, 32 | | `key_set::documents_that_are_no_key_set` |
//! | metadata is read again | each hour, or when a fetch has failed | [`metadata_lifetime`](crate::RemoteJwksBuilder::metadata_lifetime) | `keys::metadata_is_read_again_each_hour`, `keys::keys_that_have_moved_are_found_again_after_one_failed_fetch` |
//! | keys without metadata that can be had | until metadata is an hour and the stale limit old | | `keys::metadata_that_cannot_be_had_does_not_end_the_keys_before_stale_keys_would` |
//! | origin of the `jwks_uri` | the issuer's own | [`allow_jwks_origin`](crate::RemoteJwksBuilder::allow_jwks_origin) | `keys::the_jwks_uri_stays_at_the_issuers_origin_unless_another_is_allowed_by_name` |
//! | keys out of the file | as old as they are: no longer than without the restart | [`last_known_good`](crate::RemoteJwksBuilder::last_known_good) | `keys::a_restart_during_an_outage_knows_its_keys_until_they_are_too_old` |
//!
//! # Look-ups
//!
//! Introspection, UserInfo and a store of your own are asked under the same rules, each endpoint by
//! itself.
//!
//! | number | default | change it with | proven by |
//! |---|---|---|---|
//! | calls for one token that many show at once | 1 | | `lookups::one_token_is_one_call_however_many_show_it` |
//! | wait of a request in all: turn, call, retry | 5 s | [`deadline`](crate::IntrospectionVerifierBuilder::deadline) | `lookups::the_deadline_spans_the_turn_the_call_and_the_retry` |
//! | of that, for its turn | at most half | | `lookups::who_has_no_turn_in_half_of_the_deadline_is_turned_away` |
//! | calls at a time | 64 | [`max_concurrent`](crate::IntrospectionVerifierBuilder::max_concurrent) | `lookups::the_sixty_fifth_call_waits_for_its_turn` |
//! | requests in line | 1,000, the next is a 503 at once | [`max_waiting`](crate::IntrospectionVerifierBuilder::max_waiting) | `lookups::a_thousand_wait_and_the_next_is_turned_away_at_once` |
//! | connections for a crowd | as many as calls at a time, used again | | `connections::a_crowd_uses_no_more_connections_than_there_are_turns`, `connections::fifty_introspections_use_one_connection` |
//! | second try | 1, if the connection broke; never after an answer or a timeout | | `lookups::a_broken_connection_is_tried_again_once`, `lookups::nothing_else_is_tried_again` |
//! | the breaker opens | after 5 failures in a row | | `lookups::five_failures_in_a_row_open_it_and_requests_are_told_honestly` |
//! | it stays open | 1, 2, 4 … 30 s, less up to 20 % by chance | | `lookups::each_probe_that_fails_doubles_the_pause_up_to_thirty_seconds` |
//! | then it lets through | 1 probe | | `lookups::exactly_one_probe_goes_through_and_the_others_come_back_in_a_second` |
//! | `Retry-After` of a 429 or 503 | kept at once, for at most 30 s | | `lookups::retry_after_is_kept_in_both_forms_and_for_thirty_seconds_at_most` |
//! | answers about single tokens (other 4xx) | never open it | | `lookups::hostile_tokens_do_not_open_it` |
//! | an accepted token is remembered | 30 s, never past its `exp` | [`remember_accepted`](crate::IntrospectionVerifierBuilder::remember_accepted) | `opaque::an_accepted_token_is_remembered_for_thirty_seconds` |
//! | a refused token is remembered | 10 s, apart from the others | [`remember_refused`](crate::IntrospectionVerifierBuilder::remember_refused) | `opaque::refusals_are_remembered_briefly` |
//! | an outage is remembered | never | | `lookups::an_outage_is_never_remembered` |
//! | a signed answer (RFC 9701) | signed since we asked, less the leeway of 30 s | [`signed_answers`](crate::IntrospectionVerifierBuilder::signed_answers) | `hostile::a_replayed_signed_answer_is_not_fresh`, `signed_answers::what_is_wrong_with_an_answer_is_told_and_costs_nobody_a_token` |
//! | a crowd, or an odd answer, as a reason to trust for longer | never | | `hostile::a_crowd_is_no_outage` |
//! | permits of the service inside that wait along | none | | `readiness::a_request_that_is_asked_about_holds_no_permit_and_takes_one_to_go_in` |
//! | a verifier of your own | 30 s in all | | `kinds::a_check_that_hangs_is_given_up` |
//! | an accepted token while nobody can be asked | not longer | [`trust_accepted_while_down`](crate::IntrospectionVerifierBuilder::trust_accepted_while_down), at most 1 h | `remembering::an_hour_is_the_longest`, `remembering::what_was_accepted_passes_for_a_while_longer_during_an_outage` |
//!
//! # Revocation
//!
//! How long a token still passes after its issuer has revoked it:
//!
//! | token and route | default | change it with | proven by |
//! |---|---|---|---|
//! | JWT | until its `exp`; nobody is asked | [`Check`](crate::Check), or the next line | `freshness::a_jwt_is_asked_about_where_freshness_is_demanded_and_nowhere_else` |
//! | any, on a route that demands it | less than the number it states | [`ResourceServer::fresh`](crate::ResourceServer::fresh) | `freshness::a_revoked_opaque_token_is_refused_within_the_number_and_then_everywhere`, `freshness::a_revoked_jwt_is_refused_within_the_number_and_elsewhere_while_that_is_remembered` |
//! | opaque | 30 s | [`remember_accepted`](crate::IntrospectionVerifierBuilder::remember_accepted) | `opaque::an_accepted_token_is_remembered_for_thirty_seconds` |
//! | opaque and forgotten | not at all | [`forget`](crate::ResourceServer::forget), [`forget_subject`](crate::ResourceServer::forget_subject), [`forget_all`](crate::ResourceServer::forget_all) | `remembering::nothing_that_was_asked_before_it_was_forgotten_is_remembered_after_it` |
//! | any, during an outage, where freshness is demanded | 503 | | `freshness::during_an_outage_the_fresh_route_is_down_and_the_others_are_not` |
//!
//! A JWT that was found revoked on such a route is refused everywhere, but only for as long as its
//! confirming verifier remembers refusals (10 s); after that its signature counts again elsewhere.
//! Forgetting a JWT has its signature proven anew, and that is still good: who logs out must be known to
//! a [`Check`](crate::Check), or to whoever is asked on fresh routes.
//!
//! A route states how old its knowledge may be; a server whose verifiers cannot find out is not built.
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "introspection", feature = "jwt"))]
//! # fn set_up(
//! #     jwt: portcullis::JwtVerifierBuilder,
//! #     introspection: portcullis::IntrospectionVerifier,
//! # ) -> Result<axum::Router, portcullis::ConfigError> {
//! use axum::{Router, routing::{get, post}};
//! use portcullis::{Freshness, ResourceServer};
//! use std::time::Duration;
//!
//! let server = ResourceServer::builder()
//!     .verifier(jwt.confirmed_by(introspection).build()?)
//!     .build()?;
//! let fresh = server.fresh(Freshness::within(Duration::from_secs(5)))?;
//! let app = Router::new()
//!     .route("/transfer", post(|| async {}).layer(fresh.layer()))
//!     .route("/balance", get(|| async {}))
//!     .layer(server.layer());
//! # Ok(app)
//! # }
//! ```
//!
//! # Start, readiness, status
//!
//! Building a gate asks nobody and cannot fail for a network. [`ResourceServer::ready`] is for
//! readiness probes: it brings the keys if there are none, for which it waits at most 2 s for each issuer,
//! and says whether they are there (`keys::ready_says_whether_the_keys_are_there`); keys out of the file
//! count. Whether endpoints answer is in the status. A server that shall not start without its
//! keys awaits [`ResourceServer::ready_within`] in `main`
//! (`keys::ready_within_waits_for_the_issuer_or_fails_the_start`).
//!
//! [`ResourceServer::status`] tells of each issuer how old its keys are, when the next fetch is due,
//! what went wrong last and how often, and of each endpoint whether it is left alone and until when. It
//! asks nobody and serializes as JSON, for a page of your operators'
//! (`keys::status_tells_the_age_of_the_keys_and_what_went_wrong`,
//! `lookups::an_endpoint_tells_how_it_is`). Alarm on `last_error` that stays, and on `trusted_until` that
//! comes near. The log has a line at `warn` for each fetch and each question that failed, one when an endpoint is
//! left alone, one when a crowd stands before it, and one at `info` when keys, or an endpoint that was left
//! alone, are back; none for the requests that are turned away meanwhile
//! (`lookups::the_log_is_told_of_each_attempt_and_not_of_each_request`,
//! `lookups::the_log_is_told_of_a_crowd_once`).
//!
//! Do not restart a gate that is not ready: liveness and readiness are two questions.
//!
//! # Trouble, measured
//!
//! A gate on real sockets, its issuer in trouble, several clients at once: those of a known key (or a
//! remembered token), those that need the issuer, and a flood of made-up ones. The clients rest between
//! their requests, and all rows run at the same time, in a debug build on two shared cores: so the pace is
//! set by the clients and by each other (the first number is that under the flood, the second without it
//! and without trouble), and times are those of a crowded machine.
//! `cargo test --test trouble -- --nocapture` prints the tables anew
//! (`trouble::keys_that_are_known_serve_through_every_trouble_of_their_issuer`,
//! `trouble::tokens_that_are_remembered_pass_through_every_trouble_of_their_issuer`).
//!
//! Of a known key, while the issuer is in trouble:
//!
//! | trouble | requests a second, known key | failed | an unknown key | fetches | recovered after |
//! |---|---|---|---|---|---|
//! | hangs | 50 of 69 | 0 of 1270 | 503, `Retry-After: 1`, 2032 ms | 2 in 15 s | 3.7 s |
//! | hangs up without a byte | 44 of 68 | 0 of 890 | 503, `Retry-After: 1`, 164 ms | 4 in 11 s | 3.4 s |
//! | reset before a byte | 44 of 68 | 0 of 921 | 503, `Retry-After: 1`, 230 ms | 4 in 11 s | 3.7 s |
//! | reset inside the body | 44 of 66 | 0 of 830 | 503, `Retry-After: 1`, 262 ms | 4 in 11 s | 2.7 s |
//! | half a body | 44 of 68 | 0 of 827 | 503, `Retry-After: 1`, 190 ms | 4 in 11 s | 2.6 s |
//! | slow drip | 44 of 69 | 0 of 1136 | 503, `Retry-After: 1`, 1065 ms | 4 in 11 s | 6.1 s |
//! | 500 | 44 of 69 | 0 of 823 | 503, `Retry-After: 1`, 173 ms | 4 in 11 s | 2.6 s |
//! | 429 with `Retry-After: 2` | 44 of 68 | 0 of 936 | 503, `Retry-After: 2`, 216 ms | 4 in 11 s | 3.9 s |
//! | 200 with an HTML page | 44 of 69 | 0 of 876 | 503, `Retry-After: 1`, 155 ms | 4 in 11 s | 3.3 s |
//! | no JSON | 44 of 68 | 0 of 823 | 503, `Retry-After: 1`, 190 ms | 4 in 11 s | 2.6 s |
//! | 100 MB body (0.4 MB were sent) | 44 of 68 | 0 of 865 | 503, `Retry-After: 1`, 368 ms | 4 in 11 s | 3.2 s |
//! | redirect to elsewhere | 44 of 69 | 0 of 810 | 503, `Retry-After: 1`, 120 ms | 4 in 11 s | 2.3 s |
//! | connection refused | 45 of 69 | 0 of 802 | 503, `Retry-After: 3`, 39 ms | 4 in 11 s | 2.3 s |
//! | process stopped | 44 of 62 | 0 of 1293 | 503, `Retry-After: 1`, 1126 ms | 4 in 11 s | 7.5 s |
//! | process killed | 44 of 60 | 0 of 578 | 503, `Retry-After: 1`, 147 ms | 4 in 11 s | 2.0 s |
//! | right, but `text/plain` | 44 of 68 | 0 of 592 | 200, 98 ms | 5 in 11 s | - |
//! | empty set | 44 of 69 | 0 of 823 | 503, `Retry-After: 1`, 125 ms | 4 in 11 s | 2.6 s |
//! | certificate self-signed | 44 of 68 | 0 of 877 | 503, `Retry-After: 1`, 193 ms | 4 in 11 s | 3.4 s |
//! | certificate expired | 44 of 68 | 0 of 855 | 503, `Retry-After: 1`, 195 ms | 4 in 11 s | 3.0 s |
//! | certificate of another host | 47 of 67 | 0 of 2161 | 503, `Retry-After: 1`, 2026 ms | 5 in 13 s | 15.3 s |
//! | name does not resolve | 45 of 69 | 0 of 622 | 503, `Retry-After: 4`, 1303 ms | 3 in 12 s | - |
//!
//! Of a remembered token, while the introspection endpoint is:
//!
//! | trouble | requests a second, remembered token | failed | a new token | calls | recovered after |
//! |---|---|---|---|---|---|
//! | hangs | 24 of 59 | 0 of 301 | 503, `Retry-After: 5`, 1107 ms | 6 in 5 s | 1.7 s |
//! | hangs up without a byte | 22 of 59 | 0 of 217 | 503, `Retry-After: 5`, 525 ms | 14 in 4 s | 0.9 s |
//! | reset before a byte | 21 of 59 | 0 of 225 | 503, `Retry-After: 5`, 492 ms | 14 in 4 s | 1.1 s |
//! | reset inside the body | 22 of 59 | 0 of 235 | 503, `Retry-After: 5`, 487 ms | 12 in 4 s | 1.2 s |
//! | half a body | 21 of 58 | 0 of 235 | 503, `Retry-After: 5`, 648 ms | 14 in 4 s | 1.3 s |
//! | slow drip | 22 of 59 | 0 of 299 | 503, `Retry-After: 5`, 1056 ms | 7 in 5 s | 1.8 s |
//! | 500 | 21 of 60 | 0 of 403 | 503, `Retry-After: 5`, 185 ms | 8 in 4 s | 3.5 s |
//! | 429 with `Retry-After: 2` | 22 of 59 | 0 of 197 | 503, `Retry-After: 2`, 168 ms | 2 in 4 s | 0.5 s |
//! | 200 with an HTML page | 21 of 58 | 0 of 412 | 503, `Retry-After: 5`, 239 ms | 7 in 4 s | 3.6 s |
//! | no JSON | 22 of 58 | 0 of 414 | 503, `Retry-After: 5`, 227 ms | 7 in 4 s | 3.6 s |
//! | 100 MB body (0.5 MB were sent) | 21 of 59 | 0 of 237 | 503, `Retry-After: 5`, 629 ms | 6 in 4 s | 1.3 s |
//! | redirect to elsewhere | 22 of 56 | 0 of 194 | 503, `Retry-After: 5`, 300 ms | 30 in 4 s | 0.1 s |
//! | connection refused | 21 of 59 | 0 of 357 | 503, `Retry-After: 5`, 33 ms | 7 in 4 s | 3.1 s |
//! | process stopped | 24 of 59 | 0 of 337 | 503, `Retry-After: 5`, 1318 ms | 6 in 5 s | 1.9 s |
//! | process killed | 22 of 58 | 0 of 182 | 503, `Retry-After: 5`, 197 ms | 7 in 4 s | 2.8 s |
//! | right, but `text/plain` | 21 of 59 | 0 of 181 | 200, 300 ms | 28 in 4 s | - |
//! | certificate self-signed | 22 of 58 | 0 of 409 | 503, `Retry-After: 5`, 264 ms | 7 in 4 s | 3.5 s |
//! | certificate expired | 22 of 59 | 0 of 424 | 503, `Retry-After: 5`, 295 ms | 7 in 4 s | 3.7 s |
//! | certificate of another host | 23 of 57 | 0 of 438 | 503, `Retry-After: 5`, 270 ms | 7 in 4 s | 3.9 s |
//! | name does not resolve | 23 of 58 | 0 of 180 | 503, `Retry-After: 3`, 34 ms | 7 in 4 s | - |
//!
//! # How this is proven
//!
//! - **Simulated time and network.** `tests/simulation/` plays 2,500 schedules of days with rotations,
//!   withdrawals, outages, floods, clocks that jump and restarts, each drawn from a seed, and judges the
//!   gate at every step: no token of a withdrawn key passes, no valid token of a published key is a 401,
//!   no outage is one, a known key never waits, nobody waits for longer than the bound, fetches keep
//!   their pace, `Retry-After` is honest, memory is bounded (`simulation::everything_at_once`,
//!   `simulation::outages`, `simulation::clocks_that_lie`). A thousand more play endpoints in trouble: no
//!   request waits past its deadline, no more calls are under way than may be, an open breaker lets one
//!   probe through, a revoked token passes no longer than is said, after forgetting never
//!   (`simulation::lookups`). A failure names its seed;
//!   `PORTCULLIS_SEED=7 cargo test --test simulation` plays it again, the same line by line
//!   (`simulation::one_seed_is_one_schedule`), and `PORTCULLIS_SCHEDULES=100000` plays more. It is
//!   written by hand, on the doors that the crate has anyway ([`Clock`](crate::Clock),
//!   [`Fetch`](crate::Fetch)): turmoil, madsim and shuttle would put another network or runtime
//!   beneath it. It runs on one thread.
//! - **Threads in every order.** The few files with synchronisation of their own (what forgets, what
//!   withdraws, the breaker, the engine's seat) are played through by loom, the very same files, in
//!   `models/`; each model also finds what goes wrong when its protocol is weakened.
//! - **Real sockets.** The tables above; `trouble`, `connections` and `live` run against processes,
//!   sockets and certificates.
//! - **A soak.** `cargo test --test soak -- --ignored soak` loads a gate for ten minutes
//!   (`PORTCULLIS_SOAK_SECONDS`) while its issuer rotates every 20 seconds and fails in between, and
//!   judges every answer and the memory. CI runs it shortened.
//!
//! [`ResourceServer::ready`]: crate::ResourceServer::ready
//! [`ResourceServer::ready_within`]: crate::ResourceServer::ready_within
//! [`ResourceServer::status`]: crate::ResourceServer::status
