//! The gate: whether a request that a proxy asks about may go on to the application behind it, and what the application is
//! told about the person. Nothing here knows axum: `http/gate.rs` reads the proxy's questions and writes the answers.
//!
//! ```text
//! asked (peer, headers) ──> path (its readings) ──> rules ──> known session ──> identity
//! ```

/// What a proxy asks about.
pub mod asked;
/// All the ways in which a path can be read.
pub mod path;
/// A signed-in person as the rules see them.
mod person;
/// Who gets in.
pub mod rules;

#[cfg(test)]
mod tests;
