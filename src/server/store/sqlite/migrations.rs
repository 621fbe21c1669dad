//! Bringing the tables up to date.

use std::{pin::pin, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
};
use tokio::time::{Instant, timeout};

use super::connection::is_busy;
use crate::server::store::error::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("src/server/store/sqlite/migrations");

/// A migration of a large file (a new index, say) takes minutes. One that is given up begins anew at the next start,
/// so it is given time.
const BOUND: Duration = Duration::from_secs(30 * 60);
/// While it takes long, the log says so this often.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Brings the tables up to date, or waits for the process that does.
pub(super) async fn run(writer: &SqlitePool) -> Result<(), StoreError> {
    let began = Instant::now();
    let mut migrating = pin!(timeout(BOUND, migrate(writer)));
    loop {
        if let Ok(done) = timeout(REPORT_EVERY, &mut migrating).await {
            return done.unwrap_or_else(|_| {
                let minutes = BOUND.as_secs() / 60;
                Err(StoreError::unavailable(format_args!(
                    "the tables were not brought up to date in {minutes} minutes"
                )))
            });
        }
        tracing::info!(
            code = "database_migration",
            seconds = began.elapsed().as_secs(),
            "still bringing the database's tables up to date, or waiting for another process to release the file"
        );
    }
}

/// Under the file's lock, since several processes may start at once.
async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut transaction = loop {
        match writer.begin_with("BEGIN IMMEDIATE").await {
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
