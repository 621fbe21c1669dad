//! MongoDB: the official driver, majority writes, the primary only. Each claim, lease and verdict is one atomic
//! operation on one document, so neither transactions nor a replica set are needed.

/// `login_attempts`.
mod attempts;
/// What changes in them.
mod changes;
/// The collections by name, and how values are written in them.
mod collections;
/// The connection, and what its errors mean.
mod connection;
/// The indexes.
mod indexes;
/// `seen_logout_tokens`.
mod logouts;
/// Whether a sign-in could be written now.
mod probe;
/// `login_sessions`.
mod sessions;
/// The store: a connection and its indexes.
mod store;
/// `users`.
mod users;

pub(super) use store::MongoStore;
