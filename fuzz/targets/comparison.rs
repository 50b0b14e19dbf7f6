//! Any bytes for the parser `comparison`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::comparison(bytes));
