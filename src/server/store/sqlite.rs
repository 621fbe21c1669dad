//! An embedded SQLite file: one connection writes, a few read (WAL), and several processes may share it.

use std::{fs, future::Future, io, path::Path, time::Duration};

use async_trait::async_trait;
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use time::OffsetDateTime;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Attempt, Claimed, Created, NewClaim, NewUser, Person, SessionRecord, Store, StoreError, User, Verdict, bounded,
};
use crate::server::{
    ids::{AttemptId, BrowserHash, OwnerToken, Reference, SessionHash, UserId},
    trace::Step,
};

static MIGRATIONS: Migrator = sqlx::migrate!("src/server/store/sqlite/migrations");

/// How long one connection waits for another, and for another process: less than a method's own bound.
const BUSY: Duration = Duration::from_secs(4);
/// Readers do not wait for the writer; a few are enough for a file.
const READERS: u32 = 4;
/// Between two rounds of removing what has expired.
const PURGE: Duration = Duration::from_secs(60);

/// SQL: the host's time in milliseconds, rounded as everywhere else to what a store keeps.
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
}

mod attempts;
mod sessions;
mod users;

/// A store in an SQLite file.
pub struct SqliteStore {
    files: Files,
    _purging: AbortOnDropHandle<()>,
}

/// The two ways to the file. Writes queue here rather than in SQLite, which does not queue but polls.
#[derive(Clone)]
struct Files {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it (readable by its owner alone) if it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// It cannot be opened or written, is no SQLite file, or was written by a newer version of this program.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path)
            .map_err(|error| StoreError::unavailable(format_args!("{} cannot be made: {error}", path.display())))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            // A claim must survive a power cut: its code may have been sent.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .connect_lazy_with(options.clone())
        };
        let files = Files { writer: pool(1), readers: pool(READERS) };
        bounded(files.migrate()).await?;
        let purging = {
            let files = files.clone();
            async move { files.keep_purging().await }
        };
        Ok(Self { files, _purging: AbortOnDropHandle::new(tokio::spawn(purging)) })
    }

    /// Runs one method on the file. Everything goes through here, and so is bounded.
    async fn with<'a, T, F>(&'a self, method: impl FnOnce(&'a Files) -> F + Send) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'a,
    {
        bounded(method(&self.files)).await
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

impl Files {
    /// A transaction that writes: it takes the lock at once, so that what it reads stays true until it commits.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Under the file's lock, since several processes may start at once.
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut transaction = loop {
            match self.writer.begin_with("BEGIN IMMEDIATE").await {
                // Turning on WAL does not wait for others who do the same. The caller bounds the loop.
                Err(error) if is_busy(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
                begun => break begun?,
            }
        };
        // Not `run`: its `Acquire` bound is not general enough for a future that is `Send`.
        match MIGRATIONS.run_direct(None, &mut *transaction, false).await {
            Err(MigrateError::VersionMissing(_)) => {
                return Err(StoreError::Unreadable("the file was written by a newer version of this program".into()));
            }
            run => run.map_err(|error| StoreError::from(sqlx::Error::from(error)))?,
        }
        Ok(transaction.commit().await?)
    }

    async fn keep_purging(&self) {
        loop {
            for purge in [attempts::PURGE, sessions::PURGE] {
                if let Err(error) = sqlx::query(purge).execute(&self.writer).await {
                    tracing::warn!(%error, "expired records could not be removed");
                }
            }
            tokio::time::sleep(PURGE).await;
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        // The lock to write: a file that can only be read signs nobody in.
        self.with(|files| async {
            files.write().await?.rollback().await?;
            Ok(Vec::new())
        })
        .await
    }

    async fn claim(&self, claim: &NewClaim) -> Result<Claimed, StoreError> {
        self.with(|files| attempts::claim(files, claim)).await
    }

    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
        self.with(|files| attempts::by_id(files, id)).await
    }

    async fn attempt_by_reference(&self, reference: &Reference) -> Result<Option<Attempt>, StoreError> {
        self.with(|files| attempts::by_reference(files, reference)).await
    }

    async fn renew(&self, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError> {
        self.with(|files| attempts::renew(files, id, owner)).await
    }

    async fn settle(
        &self,
        id: AttemptId,
        owner: OwnerToken,
        verdict: &Verdict,
        steps: &[Step],
    ) -> Result<bool, StoreError> {
        self.with(|files| attempts::settle(files, id, owner, verdict, steps)).await
    }

    async fn interrupt(&self, id: AttemptId) -> Result<bool, StoreError> {
        self.with(|files| attempts::interrupt(files, id)).await
    }

    async fn close_delivery(&self, id: AttemptId) -> Result<(), StoreError> {
        self.with(|files| attempts::close_delivery(files, id)).await
    }

    async fn sign_in_user(&self, person: &Person) -> Result<Option<User>, StoreError> {
        self.with(|files| users::sign_in(files, person)).await
    }

    async fn create_user(&self, user: &NewUser) -> Result<Created, StoreError> {
        self.with(|files| users::create(files, user)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.with(|files| users::by_id(files, id)).await
    }

    async fn create_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.with(|files| sessions::create(files, session)).await
    }

    async fn session(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
        self.with(|files| sessions::by_id(files, id)).await
    }

    async fn save_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.with(|files| sessions::save(files, session)).await
    }

    async fn delete_session(&self, id: SessionHash) -> Result<(), StoreError> {
        self.with(|files| sessions::delete(files, id)).await
    }

    async fn end_browser(&self, browser: BrowserHash, now: OffsetDateTime) -> Result<(), StoreError> {
        self.with(|files| sessions::end_of_browser(files, browser, now)).await
    }
}

/// SQLite's primary result code (<https://www.sqlite.org/rescode.html>): the low byte of the extended one.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    Some(error.as_database_error()?.code()?.parse::<u32>().ok()? & 0xff)
}

fn is_busy(error: &sqlx::Error) -> bool {
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
