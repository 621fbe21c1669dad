//! The store's numbers.

use std::time::Duration;

const MINUTE: u64 = 60;

// ---- The store

/// No method of a store takes longer than this.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a lock and MongoDB for its majority: less than [`STORE_TIMEOUT`], so that the error can
/// still say what was waited for.
pub const STORE_WAIT: Duration = STORE_TIMEOUT.saturating_sub(Duration::from_secs(1));
/// What has lost a race to another process or sign-in is tried this often in all. Each race has a winner, so whoever
/// loses so many in a row has another problem.
pub const RACE_ROUNDS: usize = 4;
/// The longest error of a store in the log: a line, not a description of the topology.
pub const STORE_ERROR_BYTES: usize = 300;
/// How old an answer about the store's readiness may be. Anybody may ask, and each answer costs a round trip.
pub const READINESS_MAX_AGE: Duration = Duration::from_secs(1);

/// Whoever gives up on a store after this long has met an outage; before, a person who closed a page.
pub const STORE_SLOW: Duration = Duration::from_secs(1);
/// A store that has failed is said to work again once a check succeeds and nothing has failed for this long.
pub const STORE_WORKS_AFTER: Duration = Duration::from_secs(10);
/// A store whose checks have failed for this long is away, and people are told so at once; before, it may be a lock or an
/// election, which they need not notice.
pub const STORE_AWAY_AFTER: Duration = Duration::from_secs(10);
/// While it is away, one check asks it this often whether it can tell again who is signed in.
pub const STORE_AWAY_ASKED_EVERY: Duration = Duration::from_secs(1);

/// What has changed is read this often, by a process that goes by what it knows.
pub const CHANGES_READ_EVERY: Duration = Duration::from_millis(500);
/// Where more has changed at once, whoever follows does not go by what they know any more, but asks.
pub const CHANGES_AT_ONCE: usize = 1_000;
/// A store that cannot be followed, or not any more, is tried again after this long.
pub const CHANGES_FOLLOWED_AGAIN: Duration = Duration::from_secs(10);
/// Where it works otherwise, that it cannot be followed is said after so many failures in a row.
pub const CHANGES_NOT_FOLLOWED_SAID: u32 = 6;

// ---- The store: SQLite

/// Connections that read. They do not wait for the writer; a few are enough for a file.
pub const SQLITE_READERS: u32 = 4;
/// What each connection keeps of the file in memory, in KiB, once it has read that much: the indices of 100,000 people and their
/// sessions. (With SQLite's own 2 MiB it reads the same pages from the system again and again.) One writes besides those that
/// read, so they are five.
pub const SQLITE_CACHE_KIB: u32 = 16 * 1024;
/// What has expired is removed this often, as MongoDB does it.
pub const SQLITE_PURGE_EVERY: Duration = Duration::from_secs(60);
/// So many at once, since nothing else is written meanwhile.
pub const SQLITE_PURGED_AT_ONCE: i64 = 1_000;
/// So many changes are kept when what has expired is removed: more than are read at once, since whoever follows has to find the
/// one that they read last.
pub const CHANGES_KEPT: i64 = 10_000;
/// How long the migrations may take. A new index on a large file takes minutes, and one that is given up begins anew at
/// the next start.
pub const SQLITE_MIGRATION: Duration = Duration::from_secs(30 * MINUTE);
/// While they take long, the log says so this often.
pub const SQLITE_MIGRATION_REPORT_EVERY: Duration = Duration::from_secs(5);
/// While another process has the file's lock, they try to begin this often: turning on WAL does not wait for it.
pub const SQLITE_MIGRATION_POLL: Duration = Duration::from_millis(20);

// ---- The store: MongoDB

/// How long an operation waits for a server that can take it.
pub const MONGO_SELECTION_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a connection may take to come about.
pub const MONGO_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long we wait for one index; the server goes on without us.
pub const INDEX_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the creation of a user waits until each index has been tried once.
pub const INDEX_FIRST_WAIT: Duration = Duration::from_secs(2);
/// The pause before the next try while the server is away.
pub const INDEX_RETRY_AWAY: Duration = Duration::from_secs(2);
/// The pause before the next try while something is in the way of an index: a person has to remove it.
pub const INDEX_RETRY_BLOCKED: Duration = Duration::from_secs(30);
/// Duplicate documents that are named to the operator at once.
pub const DUPLICATES_NAMED: usize = 10;
