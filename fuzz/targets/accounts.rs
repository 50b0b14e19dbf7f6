//! Any bytes for the parser `accounts`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::accounts(bytes));
