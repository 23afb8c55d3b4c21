//! What each fuzz target holds the gate to: plain functions of bytes, so that the fuzzer and a plain test
//! run the very same.
//!
//! Whoever writes one: the public API alone, no socket, no real clock, and nothing that is left over from one
//! input to the next.

pub mod bounds;
pub mod claims;
pub mod decode;
pub mod hush;
pub mod stage;
pub mod tree;

pub mod challenge;
pub mod claim_set;
pub mod compact_jws;
pub mod credential_header;
pub mod discovery;
pub mod introspection_answer;
pub mod jose_header;
pub mod key_set;
pub mod path_guard;
pub mod role_tree;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target there is; `fuzz/Cargo.toml` has a binary for each.
pub const TARGETS: [Target; 10] = [
    ("challenge", challenge::challenge),
    ("claim_set", claim_set::claim_set),
    ("compact_jws", compact_jws::compact_jws),
    ("credential_header", credential_header::credential_header),
    ("discovery", discovery::discovery),
    (
        "introspection_answer",
        introspection_answer::introspection_answer,
    ),
    ("jose_header", jose_header::jose_header),
    ("key_set", key_set::key_set),
    ("path_guard", path_guard::path_guard),
    ("role_tree", role_tree::role_tree),
];
