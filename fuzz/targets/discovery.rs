//! Hands what libFuzzer makes to `tests/corpora/targets/discovery.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::targets::discovery::discovery(data));
