//! The gate: whether a request that a proxy asks about may go on to the application behind it, and what the application is
//! told about the person. Nothing here knows axum: `http/gate.rs` reads the proxy's questions and writes the answers.
//!
//! ```text
//! asked (peer, headers) ──> path (its readings) ──> rules ──> known session ──> identity
//! ```

/// One sign-in, a cookie for each host.
pub mod handover;
