//! The connections, and what their errors mean.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::server::{
    limits,
    store::error::{Refusal, StoreError},
};

/// One parameter for many values: `IN (SELECT value FROM json_each(?))`. However many there are, the statement is the same,
/// which SQLite has to prepare only once.
pub(super) fn json_list(values: impl Iterator<Item = impl Into<serde_json::Value>>) -> String {
    values.collect::<serde_json::Value>().to_string()
}

/// The two ways to the file. Writes queue here rather than in SQLite, which does not queue but polls.
pub(super) struct Connections {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Connections {
    /// Makes the file, readable by its owner alone, if it is missing; connects when first asked.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path).map_err(|error| file_refused(&error).about(path))?;
        regular(path).map_err(|error| error.about(path))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            // A claim must survive a power cut: its code may have been sent.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(limits::STORE_WAIT)
            // A negative number is one of KiB (https://www.sqlite.org/pragma.html#pragma_cache_size).
            .pragma("cache_size", format!("-{}", limits::SQLITE_CACHE_KIB))
            // All that is asked for at once, or the threads on both sides take turns for each row.
            .row_buffer_size(limits::SESSIONS_ASKED_AT_ONCE)
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
                .after_release(|connection, _| {
                    Box::pin(async move {
                        // Where a commit fails, SQLite rolls back by itself, and the driver, which cannot do it again,
                        // takes the transaction to go on for ever. Such a connection is closed.
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
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

/// Only a file can be a database: what else there is SQLite opens, too, and then says nothing that helps.
fn regular(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(found)
            if found.is_file() && found.len() == 0 && fs::metadata(log_of(path)).is_ok_and(|log| log.len() > 0) =>
        {
            Err(StoreError::refused(Refusal::Emptied, "is empty, and the file beside it (-wal) is not"))
        }
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) if found.is_dir() => Err(StoreError::refused(Refusal::NoFile, "is a directory")),
        Ok(_) => Err(StoreError::refused(Refusal::NoFile, "is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(StoreError::refused(Refusal::NoFile, "is a link to a file that does not exist"))
        }
        Err(error) => Err(file_refused(&error)),
    }
}

/// The log beside the file, wherever a link to that may be.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut log = OsString::from(fs::canonicalize(database).unwrap_or_else(|_| database.to_owned()));
    log.push("-wal");
    log.into()
}

/// What it means that the file cannot be made, or not even looked at.
fn file_refused(error: &io::Error) -> StoreError {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let refusal = match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => Refusal::NotWritable,
        StorageFull | QuotaExceeded => Refusal::Full,
        _ => Refusal::NoFile,
    };
    StoreError::refused(refusal, format_args!("cannot be made ({error})"))
}

/// SQLite's extended result code (<https://www.sqlite.org/rescode.html>); its low byte is the primary one.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    matches!(result_code(error).map(primary), Some(BUSY | LOCKED))
}

const fn primary(code: u32) -> u32 {
    code & 0xff
}

/// `None`: it may pass by itself.
fn refusal(code: u32) -> Option<Refusal> {
    /// A statement of ours is not understood: a table or a column is missing.
    const ERROR: u32 = 1;
    const PERMISSION: u32 = 3;
    const READ_ONLY: u32 = 8;
    const DISK: u32 = 10;
    const DAMAGED: u32 = 11;
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    const NO_DATABASE: u32 = 26;
    /// The file was renamed or removed.
    const MOVED: u32 = READ_ONLY | 4 << 8;
    /// The memory that connections share, in the file beside it (-shm), cannot be made as large as it has to be.
    const NO_SPACE_TO_SHARE: u32 = DISK | 19 << 8;
    match (code, primary(code)) {
        (MOVED, _) => Some(Refusal::Moved),
        (NO_SPACE_TO_SHARE, _) | (_, FULL) => Some(Refusal::Full),
        (_, PERMISSION | READ_ONLY | CANNOT_OPEN) => Some(Refusal::NotWritable),
        (_, DISK) => Some(Refusal::Disk),
        (ERROR, _) | (_, DAMAGED | NO_DATABASE) => Some(Refusal::Damaged),
        _ => None,
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match (&error, result_code(&error).and_then(refusal)) {
            (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_), _) => {
                Self::unreadable(error)
            }
            // A damaged file, too: `Unreadable` is of one record.
            (_, Some(refusal)) => Self::refused(refusal, error),
            (_, None) => Self::unavailable(error),
        }
    }
}
