//! Hands what libFuzzer makes to `tests/corpora/targets/path_guard.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::path_guard::path_guard(data));
