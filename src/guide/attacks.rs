//! Attacks and our answer: what others have suffered, what the RFCs say about it, and which test plays it
//! again.
//!
//! Each paragraph says what an attacker does, what the standards say about it, what this crate does, and
//! which test shows it; and whom it has worked against, where that is public. "RFC 8725bis" is a draft that is
//! to take the place of RFC 8725 (draft-ietf-oauth-rfc8725bis); its numbers may still change.
//!
//! Tests are called by binary and name: `lessons::…` is run by `cargo test --test lessons …`, `lib::…` by
//! `cargo test --lib …`, and `row::…` is a row of `tests/data/requests`, which `PORTCULLIS_ROW=… cargo test
//! --test doors` sends through every door of the gate. A test checks that each of them exists, and that no
//! case of `tests/data/lessons.json` is left out here. `SECURITY.md` has the same by attacker, what is
//! *not* defended, and each line of the standards that is not done, with its reason.
//!
//! Most of these attacks are not cryptography. They are caches, routes, defaults, and bounds that nobody set.
//!
//! # Signatures
//!
//! **No signature.** The header says `alg: none`, in some spelling, and the signature is left out: the
//! attack of 2015, against nearly everybody. RFC 8725 §3.2 has `none` refused. It is no
//! [`Algorithm`](crate::Algorithm) here, and names are compared as they are: `row::unsecured`,
//! `row::unsecured_as_mixed_case`.
//!
//! **The public key as a secret.** The header asks for HMAC, and the signature is one with the public key,
//! which everybody has, in a spelling that the verifier takes for a secret: CVE-2022-29217 (PyJWT),
//! CVE-2024-37568 (Authlib), CVE-2026-22817 (Hono); RFC 8725 §2.1. A verifier here has keys or a secret,
//! never both; no key set brings a secret, and the key says its algorithm (RFC 8725 §3.1):
//! `lessons::lesson_01_no_spelling_of_a_public_key_is_a_secret`,
//! `lessons::lesson_01_keys_and_a_secret_do_not_stand_side_by_side`.
//!
//! **A header that chooses.** The issuer publishes a key without `alg`, and the token's header decides how
//! it is used: CVE-2026-22818 (Hono). A curve has one algorithm; an RSA key that names none is used with
//! the first allowed one that fits, whatever a header says (RFC 8725 §3.1):
//! `keys::an_rsa_key_without_alg_is_used_with_one_algorithm_alone`, `row::ps256_with_a_key_without_alg`.
//!
//! **Encrypted instead of signed.** Whoever knows the public key encrypts claims of their own to it, and a
//! verifier that looks at the form decrypts them and believes: jose-jwt #237. Or its answers tell whether a
//! padding was right, until the token is read: CVE-2021-29443, CVE-2021-29444, CVE-2021-29445,
//! CVE-2021-29446 (jose). RFC 7516 §9 tells the forms apart, and five parts are refused here, unopened:
//! `row::encrypted`, `lessons::lesson_07_nothing_is_derived_inflated_or_decrypted`.
//!
//! **A signature of zeros.** For `r = s = 0` an ECDSA verifier that forgets one check says yes to every
//! message: CVE-2022-21449 (Java). RFC 8725 §3.4 has such inputs refused. aws-lc checks them, and the
//! tables try it for each curve: `row::signature_of_zeros`, `row::signature_of_zeros_for_es512`.
//!
//! **Keys that prove anything.** A point beside its curve, an Ed25519 point of small order, an RSA exponent
//! of 1: for such keys signatures exist that fit every message. RFC 8725 §3.4, RFC 8032 §5.1.7. They are
//! left out when a set is read, with a reason in the log: `row::key_beside_its_curve`,
//! `row::key_of_a_small_order`, `row::key_with_exponent_1`.
//!
//! **A signature of an odd length.** It is longer than the buffer that waits for it (HAProxy, ECDSA
//! signatures), or empty. RFC 7518 §3.4 says how long one is. Every length is tried for every algorithm:
//! `lessons::lesson_08_a_signature_may_have_any_length`.
//!
//! **A secret that can be guessed.** One token is enough to try secrets against it, as fast as a graphics
//! card hashes. RFC 7518 §3.2 wants as many bytes as the hash has; a shorter secret builds no gate but
//! through [`danger`](crate::danger::accept_short_secret): `doors::a_short_secret_builds_no_verifier`.
//!
//! # Keys
//!
//! **A token that brings its key.** The header holds a `jwk` or `x5c`, and the verifier uses it, always or
//! where it has no key that fits: CVE-2026-27962 (Authlib). RFC 8725 §3.10. These members are not read at
//! all: `lessons::lesson_02_a_key_in_the_header_does_not_stand_in_for_one_that_is_missing`,
//! `row::a_key_in_the_token_proves_nothing`.
//!
//! **A token that says where keys are.** The URL in `jku` is fetched (CVE-2024-21643, Microsoft
//! IdentityModel), one made of claims that nobody has verified (CVE-2026-32301, Centrifugo), or a path made
//! of the `kid` (liboauth2, 2026 (CWE-918)): the server makes requests for the attacker, and may believe
//! the answer. RFC 8725 §3.10. What is fetched was written by the operator; a `kid` is compared and nothing
//! else: `lessons::lesson_02_nothing_in_a_token_becomes_a_url`, `row::kid_is_a_path`.
//!
//! **Metadata that leads elsewhere.** Who can change one document of the issuer's points its `jwks_uri` to
//! keys of theirs, or to an address in our own network. RFC 8414 §3.3. The document must name the issuer,
//! the keys stay at its origin unless [another](crate::RemoteJwksBuilder::allow_jwks_origin) is allowed by
//! name, and no redirect is followed:
//! `keys::the_jwks_uri_stays_at_the_issuers_origin_unless_another_is_allowed_by_name`,
//! `row::metadata_that_points_into_the_network`, `row::keys_are_redirected`.
//!
//! **Another issuer's key.** Keys of several issuers lie in one cache, and a key is taken out by its name
//! before anybody asks whose it is: CVE-2025-59936 (get-jwks), CVE-2026-49998 (Centrifugo). RFC 8725 §3.8.
//! Each verifier has keys of its own; of a [`ByIssuer`](crate::ByIssuer) the claimed issuer chooses the
//! verifier, which then demands that very issuer:
//! `lessons::lesson_03_no_issuers_key_proves_anothers_token`.
//!
//! **An issuer that nobody checks.** A decoder is made from an issuer's address and compares none
//! (CVE-2026-22748, Spring Security), introspection compares none (CVE-2025-46647, APISIX), or each part of
//! the name will do (CVE-2024-53861, PyJWT). RFC 9068 §4: identical. The issuer is an argument, not an
//! option, and compared byte for byte: `lessons::lesson_03_no_source_of_keys_leaves_the_issuer_unchecked`,
//! `lessons::lesson_03_a_part_of_an_issuer_is_not_the_issuer`,
//! `row::issuer_of_another_server_though_active`.
//!
//! **A key that was withdrawn.** It was stolen, so the issuer took it back; but the new set was put beside
//! the old one, and nothing ever left: CVE-2025-22149 (jwkset). RFC 9068 §4 means the keys that are
//! published now. A new set replaces the old one, and takes back what was remembered of keys that it lacks:
//! `lessons::lesson_06_a_set_that_replaces_another_leaves_none_of_its_keys`,
//! `keys::a_withdrawn_key_ends_its_tokens_with_the_set_that_lacks_it_verdicts_included`.
//!
//! **A flood of made-up keys.** Each token names another `kid`, and each makes the gate ask the issuer,
//! until that falls over or shuts us out. RFC 7515 §4.1.4 leaves the name to the sender. All together they
//! cause at most one fetch in five seconds, known keys notice nothing, and a real rotation is not starved:
//! `keys::unknown_kids_cannot_raise_the_pace_of_fetches`,
//! `keys::a_flood_of_unknown_kids_does_not_starve_a_real_rotation`.
//!
//! # Texts
//!
//! **What is critical, and passed over.** `crit` says that who does not understand a member must refuse the
//! token, and the verifier does not look: CVE-2025-59420 (Authlib), CVE-2026-32597 (PyJWT). RFC 7515
//! §4.1.11. No extension is understood here, so whatever the list says, the token is refused; so are `zip`
//! and any `b64` but `true`, which need not be listed to make two readers differ:
//! `lessons::lesson_04_whatever_is_critical_is_refused`, `row::b64_without_crit`,
//! `row::zip_on_a_signature`.
//!
//! **Two readers.** A member stands there twice, and a proxy takes the first where we take the last; or
//! `s\u0075b` is `sub` to one of them. RFC 7515 §4, RFC 7519 §4. One strict reader reads every document,
//! and refuses repeated names at any depth: `row::header_repeats_kid`,
//! `row::payload_repeats_a_name_in_escapes`, `row::keys_repeat_a_member`.
//!
//! **A word for the parser.** A member has the name by which serde_json's own types know each other
//! (`$serde_json::private::RawValue`). With a feature that axum turns on, whoever reads the document again
//! gets what the member's text says: repeated names, levels that nobody has counted, or a fault in place of
//! all claims, so that what a kind must not have seems absent. It worked against this crate before its first
//! release. Such names are refused in every document, which leaves one reading of it (RFC 8725 §2.6,
//! RFC 7519 §4): `row::payload_has_a_name_that_serde_json_reads_anew`,
//! `hostile::no_claim_makes_the_gate_forget_another`.
//!
//! **One token in several spellings.** Bits that decode to nothing, padding, another alphabet: the
//! signature holds, and the text is another one, so a list of revoked tokens does not know it. RFC 4648
//! §3.5, RFC 7515 §2. Only the canonical spelling passes: `row::signature_with_stray_bits`,
//! `row::payload_in_the_other_alphabet`.
//!
//! **Another kind of JWT.** An ID token, a logout token, a status list or a DPoP proof, all signed by the
//! same issuer, is shown as an access token. RFC 8725 §3.12, RFC 9068 §4. `typ` must say `at+jwt`; where an
//! old issuer's says nothing, [admitted by name](crate::JwtVerifierBuilder::legacy_typ), the claims must
//! not say otherwise: `row::an_id_token`, `row::a_logout_token`, `row::a_legacy_token_with_nonce`,
//! `systems::kinds_are_not_confused`.
//!
//! **A token for somebody else.** It is good, and was issued for another API. RFC 9068 §4, RFC 9700 §2.3.
//! An audience is demanded, of JWTs and of introspection answers alike, and compared byte for byte:
//! `row::audience_is_another_server`, `row::audience_absent_though_active`.
//!
//! # Size and shape
//!
//! **A flood of segments.** A header of dots is split into as many strings (CVE-2025-30204, golang-jwt), a
//! segment of any length decoded (CVE-2025-61920, Authlib). RFC 7515 §3.1 knows three of them. Length comes
//! before all else; dots are counted, not split at; and no pattern here is a regular expression that could
//! be made to backtrack: `lessons::lesson_07_a_flood_of_segments_costs_nothing`,
//! `row::too_long_and_malformed`.
//!
//! **Depth.** Brackets within brackets, until the reader's stack is full: CVE-2025-53864 (Nimbus). RFC 8259
//! §9 lets a reader set a limit. It is 32 levels, in tokens, key sets, metadata and answers:
//! `lessons::lesson_07_depth_is_bounded_wherever_json_is_read`.
//!
//! **Work that the sender chooses.** The header asks for two thousand million rounds of PBKDF2:
//! CVE-2023-52428 (Nimbus), CVE-2022-36083 (jose), CVE-2023-49290 (jwx). RFC 8725bis §3.13. Nothing is
//! derived: `row::encrypted_with_a_password`,
//! `lessons::lesson_07_nothing_is_derived_inflated_or_decrypted`.
//!
//! **What inflates.** A few kilobytes become gigabytes: CVE-2024-28176 (jose), CVE-2024-21319 (Microsoft
//! IdentityModel), CVE-2024-28122 (jwx), CVE-2025-62706 (Authlib). RFC 8725bis §3.15. Nothing is inflated:
//! `row::encrypted_and_compressed`, `lessons::lesson_07_nothing_is_derived_inflated_or_decrypted`.
//!
//! **Bytes that nobody expected.** A text that is nearly a token throws (CVE-2019-17195, Nimbus), crashes
//! (CVE-2019-12995, Istio; CVE-2024-21664, jwx) or follows a pointer to nothing (liboauth2, 2026
//! (CWE-476)). RFC 7519 §7.2 has all steps checked. There is no `unsafe` and no `unwrap` in the crate, and
//! any bytes get an answer: `lessons::lesson_08_what_has_crashed_others_is_refused`,
//! `properties::any_header_and_payload_that_the_issuer_signs_gets_an_answer`.
//!
//! **An issuer that says anything.** A key set that cannot be fetched, or is odd, brings the gate down:
//! CVE-2024-45809, CVE-2025-64527 (Envoy). RFC 7517 §5 has odd keys left out. A key that cannot be used is
//! left out, a document that is none replaces nothing, and the answer is a 503:
//! `lessons::lesson_08_whatever_an_issuer_says_the_gate_stands`, `keys::garbage_replaces_nothing`.
//!
//! # Requests
//!
//! **A token in the URL.** It ends up in histories, in `Referer` and in access logs, and a link makes its
//! victim somebody else. RFC 9700 §4.3.2. The query is not read, but through
//! [`danger`](crate::danger::websocket_query), and then the answer is private:
//! `row::query_token_is_no_credential`, `lessons::std_006_an_answer_to_a_token_elsewhere_is_private`.
//!
//! **Two credentials.** A proxy reads the first header, or the one of two that it has joined with a comma,
//! and we the other. RFC 6750 §2, RFC 9110 §5.3. A request with two is refused, in whatever way they are
//! two: `row::header_repeated`, `row::a_list_of_credentials`, `row::two_carriers`.
//!
//! **A path with two readings.** The policy sees one path and the router another: `?` and `#` were taken
//! for parts of it (CVE-2020-8595, Istio), a fragment led past it (CVE-2021-39156, Istio). RFC 3986 §6. A
//! [`ResourceGuard`](crate::ResourceGuard) reads the path that is served, and refuses whatever can be read
//! in two ways: `lessons::lesson_10_the_path_that_is_judged_is_the_one_that_is_served`,
//! `guard::no_path_that_passes_names_another_resource_to_the_router`.
//!
//! **Headers that pass for a proxy's.** One says which path was meant (CVE-2023-27487, Envoy), another who
//! asks (CVE-2026-39998, APISIX). RFC 9700 §4.13. None is read:
//! `lessons::lesson_10_no_header_says_which_path_is_meant`,
//! `row::an_identity_header_beside_a_token_changes_nothing`.
//!
//! **A `Host` that says who we are.** A proof is compared with a URL that the request has named, and so
//! serves elsewhere (PR #244 of a Node SDK, 1.9.1); clients are led to metadata at the attacker's (RFC 9728
//! documents of Quarkus and Spring, spring-security #17202). RFC 9728 §3.3. Our names are configured, and
//! no answer depends on how the request calls us:
//! `lessons::lesson_11_no_answer_depends_on_whom_the_request_takes_us_for`.
//!
//! **A bad token that counts as none.** "Optional" stands among alternatives, and whoever sends rubbish
//! passes as a stranger: CVE-2021-21378 (Envoy). RFC 6750 §3.1 knows who sent nothing, and who failed. What
//! was sent is good or refused, in each slot: `lessons::lesson_09_a_bad_token_is_never_a_stranger`,
//! `lessons::lesson_09_a_bad_second_credential_is_not_an_absent_one`.
//!
//! **A client that is called like a user.** It registers under the name of an administrator, and its `sub`
//! is that name. RFC 9068 §5, RFC 9700 §4.15. [`Principal`](crate::Principal) keeps the two apart:
//! `row::a_client_named_like_a_user`.
//!
//! # Memory
//!
//! **Remembered here, used there.** What was found out on one route is believed on another, whose scope it
//! lacks: CVE-2021-32701 (Oathkeeper), b2-mcp #172. RFC 7662 §4. A verdict says what a token is, never what
//! it may do: scope, kind and resource are judged on each request:
//! `lessons::lesson_05_what_is_remembered_is_judged_again_on_each_route`.
//!
//! **One name for two.** A cache names tokens by some of their claims, or one endpoint's answer is given
//! out for another's: GHSA-rp9m-7r4c-75qg (fast-jwt), GHSA-4mq7-pvjg-xp2r (Oathkeeper). RFC 7662 §4. A name
//! is a keyed hash of the whole token and its carrier, and the memory belongs to one server:
//! `lessons::lesson_05_each_token_has_a_verdict_of_its_own`,
//! `lessons::lesson_05_what_one_endpoint_says_is_not_what_another_would_say`.
//!
//! **Longer than its token.** What is remembered outlives what it is about: liboauth2, June 2026 (CWE-613).
//! RFC 7662 §4. A verdict ends with its token, its key and its time, whichever comes first:
//! `lessons::lesson_05_no_memory_outlives_its_token`, `row::a_verdict_does_not_outlive_its_key`.
//!
//! **After the logout.** A thread that began before it puts its verdict back. RFC 7009 §2.1 wants
//! revocation to be immediate. Nothing that was found out before
//! [forgetting](crate::ResourceServer::forget) is remembered after it; a JWT needs somebody who is
//! [asked](crate::ResourceServer::fresh):
//! `remembering::nothing_that_was_asked_before_it_was_forgotten_is_remembered_after_it`,
//! `lib::what_is_forgotten_during_its_flight_stays_forgotten`.
//!
//! **A flood of tokens.** Made-up ones fill the memory, or push the good ones out. RFC 7662 §4 leaves the
//! bound to us. Only proven tokens are remembered among the good; refusals have a small memory of their
//! own; outages are never remembered: `allocations::bad_tokens_evict_no_good_verdict`,
//! `lessons::std_064_no_number_of_refusals_is_remembered`, `lookups::an_outage_is_never_remembered`.
//!
//! # Introspection
//!
//! **Nearly active.** `"active": "true"`, a refresh token, a token of another type: each is active on some
//! real server. RFC 7662 §2.2. `active` is the boolean, `aud` must name us, and `exp`, `nbf`, `iss` and
//! `token_type` are checked here: `row::active_is_text`, `row::a_refresh_token`,
//! `row::token_type_of_a_refresh_token`.
//!
//! **An answer that was changed, or shown again.** Somebody between us and the endpoint says what they
//! like, and what came is taken for authentic: liboauth2, 2026 (CWE-345). RFC 9701 §5. TLS cannot be
//! switched off; [signed answers](crate::IntrospectionVerifierBuilder::signed_answers) are proven, and none
//! is older than its question: `signed_answers::only_the_issuers_signature_on_such_an_answer_counts`,
//! `hostile::a_replayed_signed_answer_is_not_fresh`.
//!
//! **An outage as a weapon.** The issuer is kept from answering, and every client is sent to log in; or one
//! odd token opens the circuit breaker for all. RFC 9110 §15.6.4. An outage is a 503, never a 401, and what
//! one token can provoke counts against nobody: `row::endpoint_answers_401`,
//! `lookups::hostile_tokens_do_not_open_it`.
//!
//! # Secrets and defaults
//!
//! **A token in the log.** It could not be parsed, so it was logged, for somebody to see why:
//! CVE-2021-34532 (ASP.NET Core). RFC 9700 §4.9.3. No sentence of ours quotes a token, and those of others
//! are withheld if they do: `lessons::lesson_12_a_token_that_does_not_parse_is_not_logged`,
//! `redaction::what_others_say_is_not_repeated`.
//!
//! **A claim in the log.** It ends the line and begins another one, colours it, or is a format: liboauth2,
//! 2026 (CWE-134). RFC 6750 §3 keeps such characters out of challenges. Claims are quoted, cut and escaped
//! in the log, and never reach an answer: `lessons::lesson_12_a_claim_stays_on_its_line`,
//! `row::no_input_in_the_words`.
//!
//! **A secret in the answer.** The words of a refusal told it: CVE-2022-29266 (APISIX). RFC 9700 §4.9.3.
//! Clients get fixed words; secrets print as `[redacted]`:
//! `lessons::lesson_13_no_refusal_tells_the_secret`, `redaction::set_up_prints_no_secret`.
//!
//! **Time that tells.** A comparison ends at the first character that differs, and a secret is guessed one
//! after another. RFC 7515 §10.9 speaks of such attacks. Signatures are compared by aws-lc, static secrets
//! as digests, all of them, in constant time. The source shows that; a test can only show that each secret
//! stands for itself: `lib::each_secret_stands_for_its_claims`.
//!
//! **Switches that nobody found.** Certificates are verified only if somebody says so (CVE-2026-31923,
//! APISIX), the end of a token checked only if somebody says so (Kong, `exp`). RFC 7519 §4.1.4, RFC 7662
//! §4. A gate of required arguments alone is the strict one; each weakening is a call that names what it
//! gives up, and TLS has none: `lessons::lesson_13_what_nobody_set_up_is_strict`,
//! `lessons::lesson_13_nobody_is_asked_without_tls`,
//! `trouble::keys_that_are_known_serve_through_every_trouble_of_their_issuer`.
//!
//! **A stolen token that was bound.** A thief shows it as a bearer token, where nobody looks at its `cnf`.
//! RFC 7800 §3.1, RFC 9449 §7.2. A binding that nobody proves is refused: `row::bound_by_dpop`,
//! `row::bound_by_a_certificate`.
