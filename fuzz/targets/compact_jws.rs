//! Hands what libFuzzer makes to `tests/corpora/targets/compact_jws.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::compact_jws::compact_jws(data));
