//! The gate: whether a request that a proxy asks about may go on to the application behind it, and what the application is
//! told about the person. Nothing here knows axum: `http/gate.rs` reads the proxy's questions and writes the answers.
//!
//! ```text
//! asked (peer, headers) ──> path (its readings) ──> rules ──> known session ──> identity
//! ```

/// The signed account of a person (`X-Vestibule-Assertion`).
mod assertion;
/// ClaudeLens's own token.
mod claudelens;
/// What may be said of a person.
mod facts;
/// What an application is told about a person.
pub mod identity;
/// JSON Web Tokens, written.
mod jwt;
/// The keys that sign assertions.
mod signing_keys;
