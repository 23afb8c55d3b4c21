//! Hands what libFuzzer makes to `tests/corpora/targets/role_tree.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::role_tree::role_tree(data));
