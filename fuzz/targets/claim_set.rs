//! Hands what libFuzzer makes to `tests/corpora/targets/claim_set.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::claim_set::claim_set(data));
