//! Hands what libFuzzer makes to `tests/corpora/targets/introspection_answer.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    portcullis_fuzz::targets::introspection_answer::introspection_answer(data)
});
