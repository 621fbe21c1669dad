//! The gate: whether a request that a proxy asks about may go on to the application behind it, and what the application is
//! told about the person. Nothing here knows axum: `http/gate.rs` reads the proxy's questions and writes the answers.
//!
//! ```text
//! asked (peer, headers) ──> path (its readings) ──> rules ──> known session ──> identity
//! ```

/// What a proxy asks about.
pub mod asked;
/// The signed account of a person (`X-Vestibule-Assertion`).
mod assertion;
/// The check.
pub mod check;
/// ClaudeLens's own token.
mod claudelens;
/// What may be said of a person.
mod facts;
/// One sign-in, a cookie for each host.
pub mod handover;
/// What an application is told about a person.
pub mod identity;
/// Which applications a person may open.
mod open_to;
/// What an application is told, made once for a person.
pub mod pass;
/// All the ways in which a path can be read.
pub mod path;
/// A signed-in person as the rules see them.
mod person;
/// Who gets in.
pub mod rules;
/// The keys that sign assertions.
mod signing_keys;

#[cfg(test)]
mod tests;
