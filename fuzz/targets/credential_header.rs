//! Hands what libFuzzer makes to `tests/corpora/targets/credential_header.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::targets::credential_header::credential_header(data)
});
