//! Any bytes for the parser `commit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::commit(bytes));
