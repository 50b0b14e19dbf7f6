//! Any bytes for the parser `tasks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shadowdiff_tests::parsers::tasks(bytes));
