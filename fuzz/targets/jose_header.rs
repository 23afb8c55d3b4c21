//! Hands what libFuzzer makes to `tests/corpora/targets/jose_header.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::jose_header::jose_header(data));
