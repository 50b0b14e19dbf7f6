//! Any bytes for the parser `csv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::csv(bytes));
