//! `vestibule::server::fuzzing::callback_query` says what is tried, and what has to hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::server::fuzzing::callback_query(bytes));
