//! Any bytes for the parser `journal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::journal(bytes));
