//! Hands what libFuzzer makes to `tests/corpora/targets/challenge.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::challenge::challenge(data));
