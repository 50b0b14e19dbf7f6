//! Any bytes for the parser `exchange`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::exchange(bytes));
