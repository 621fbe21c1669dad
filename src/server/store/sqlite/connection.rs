//! The connections, and what their errors mean.

use std::{fs, io, path::Path};

use sqlx::{
    ConnectOptions as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::server::{limits, store::error::StoreError};

/// The two ways to the file. Writes queue here rather than in SQLite, which does not queue but polls.
pub(super) struct Connections {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Connections {
    /// Makes the file, readable by its owner alone, if it is missing; connects when first asked.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path)
            .map_err(|error| StoreError::unavailable(format_args!("{} cannot be made: {error}", path.display())))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            // A claim must survive a power cut: its code may have been sent.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(limits::STORE_WAIT)
            // What is slow is a line of `outage.rs`, once.
            .disable_statement_logging();
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(limits::STORE_WAIT)
                .acquire_slow_threshold(limits::STORE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .connect_lazy_with(options.clone())
        };
        Ok(Self { writer: pool(1), readers: pool(limits::SQLITE_READERS) })
    }

    /// A transaction that writes: it takes the lock at once, so that what it reads stays true until it commits.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Only ever creates: opening and closing the file of a running store would drop the locks that this process holds
/// on it (POSIX advisory locks, <https://www.sqlite.org/howtocorrupt.html> 2.2).
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// SQLite's primary result code (<https://www.sqlite.org/rescode.html>): the low byte of the extended one.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    Some(error.as_database_error()?.code()?.parse::<u32>().ok()? & 0xff)
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    matches!(result_code(error), Some(BUSY | LOCKED))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::unreadable(error)
            }
            // A damaged file, too: `Unreadable` is of one record.
            _ => Self::unavailable(error),
        }
    }
}
