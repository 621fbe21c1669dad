//! What is stored: sign-in attempts, users, sessions and logouts, in MongoDB or in an SQLite file. One trait per aggregate,
//! implemented in `mongo/attempts.rs`, `sqlite/attempts.rs` and so on. The store knows no HTTP, no provider and no
//! page; the rules about people are in `accounts`, those about attempts in `attempt`.
//!
//! Every method is bounded in time by the implementation (a few seconds at most) and returns `StoreError` instead of
//! waiting for ever. "The store's clock" is the database server's (MongoDB) or the host's (SQLite): leases are compared
//! by it alone, so that processes whose clocks differ agree.

/// Sign-in attempts.
mod attempts;
/// How long a method may take.
mod bounds;
/// What changes, for those who go by what they have read.
mod changes;
/// Which store, and how it is opened.
mod database;
/// What both stores read in the same way.
mod encoding;
/// Why a store failed.
mod error;
/// What providers have logged out.
mod logouts;
/// MongoDB: replica sets and sharding are how it grows past one machine.
mod mongo;
/// An outage, for the log.
mod outage;
/// Whether a store works, checked at most once a second.
mod readiness;
/// Sessions.
mod sessions;
/// An embedded SQLite file: runs with nothing installed.
mod sqlite;
/// User accounts.
mod users;

pub use self::{
    attempts::{Attempt, AttemptStore, Claimed, NewClaim},
    changes::{ChangeStore, Changed, Changes},
    database::{Database, Store, open},
    error::{Refusal, StoreError},
    logouts::{LoggedOut, Logout, LogoutStore},
    readiness::Readiness,
    sessions::{SessionFacts, SessionRecord, SessionStore},
    users::{Created, NewUser, Person, Profile, Role, User, UserStore},
};
