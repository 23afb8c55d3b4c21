//! Hands what libFuzzer makes to `tests/corpora/targets/key_set.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::key_set::key_set(data));
