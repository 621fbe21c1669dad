//! An embedded SQLite file: one connection writes, a few read (WAL), and several processes may share it.

/// Table `login_attempts`.
mod attempts;
/// Table `changes`.
mod changes;
/// The time in SQL.
mod clock;
/// The connections, and what their errors mean.
mod connection;
/// Table `seen_logout_tokens`.
mod logouts;
/// Bringing the tables up to date.
mod migrations;
/// Whether the open files are still the ones at their paths.
mod place;
/// Whether a sign-in could be written now.
mod probe;
/// Removing what has expired.
mod purge;
/// Table `login_sessions`.
mod sessions;
/// The store.
mod store;
/// Table `users`.
mod users;

pub(super) use store::SqliteStore;
