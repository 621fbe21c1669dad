//! Every test that needs more than one module: the program, its stores, its provider side and everything around them.
//! One binary, since each would link the whole program. A folder a feature.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what was measured, and what a failed test shows")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod client_keys;
mod error_docs;
mod faults;
mod flow;
mod gate;
mod http;
#[cfg(target_os = "linux")]
mod load;
mod locales;
mod log;
mod problem_pages;
mod provider;
mod readiness;
mod rules_check;
mod settings;
mod store;
mod support;
