//! Bringing the tables up to date.

use std::pin::pin;

use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
};
use tokio::time::{Instant, timeout};

use super::connection::is_busy;
use crate::server::{
    limits,
    store::error::{Refusal, StoreError},
};

static MIGRATIONS: Migrator = sqlx::migrate!("src/server/store/sqlite/migrations");

/// Brings the tables up to date, or waits for the process that does.
pub(super) async fn run(writer: &SqlitePool) -> Result<(), StoreError> {
    let began = Instant::now();
    let mut migrating = pin!(timeout(limits::SQLITE_MIGRATION, migrate(writer)));
    loop {
        if let Ok(done) = timeout(limits::SQLITE_MIGRATION_REPORT_EVERY, &mut migrating).await {
            return done.unwrap_or_else(|_| {
                let minutes = limits::SQLITE_MIGRATION.as_secs() / 60;
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
            Err(error) if is_busy(&error) => tokio::time::sleep(limits::SQLITE_MIGRATION_POLL).await,
            begun => break begun?,
        }
    };
    // Not `run`: its `Acquire` bound is not general enough for a future that is `Send`.
    match MIGRATIONS.run_direct(None, &mut *transaction, false).await {
        Err(MigrateError::VersionMissing(_)) => {
            let what = "the file was written by a newer version of this program";
            return Err(StoreError::refused(Refusal::Foreign, what));
        }
        run => run.map_err(refused)?,
    }
    Ok(transaction.commit().await?)
}

/// Tables that cannot be brought up to date are not ours, where nothing else is in the way of it.
fn refused(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match StoreError::from(error) {
            StoreError::Unavailable(detail) => StoreError::refused(Refusal::Foreign, detail),
            error => error,
        },
        error => StoreError::refused(Refusal::Foreign, error),
    }
}
