//! Any bytes for the parser `spec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::spec(bytes));
