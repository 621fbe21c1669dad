//! Both stores: one contract for each aggregate, and the attempt as a state machine over both.

/// What both stores do, whatever they store.
mod aggregates;
/// The contract of attempts.
mod attempts;
/// What has changed.
mod changes;
/// Users that ClaudeLens has to be able to read.
mod claudelens;
/// An election under who follows.
mod election;
/// What the tests begin with.
mod fixtures;
/// The contract of logouts.
mod logouts;
/// The attempt as a state machine.
mod machine;
/// MongoDB alone.
mod mongo;
/// Sessions as the program uses them.
mod sessions;
/// Sign-in to sign-out, over both stores.
mod signed_in;
/// SQLite alone.
mod sqlite;
/// The contract of users.
mod users;
