//! Any bytes for the parser `plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::plan(bytes));
