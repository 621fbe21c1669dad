//! The test provider, tested over raw HTTP: what the other tests lean on has to be right, or wrong in the way they asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod authelia;
mod end_session;
mod misbehaviour;
mod running;
mod sign_in;
mod support;
mod tokens;
