//! Removing what has expired, as TTL indexes do in MongoDB.

use std::time::Duration;

use super::{clock::now, connection::Connections};
use crate::server::{
    limits,
    store::{error::StoreError, readiness::Health},
};

/// So many at most of what has expired in a table.
macro_rules! purge {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE rowid IN (SELECT rowid FROM ",
            $table,
            " WHERE expires_at <= ",
            now!(),
            " - ?1 LIMIT ?2)"
        )
    };
}

/// For each table: how long after its expiry a record is removed.
const PURGES: [(&str, Duration); 4] = [
    (purge!("login_attempts"), Duration::ZERO),
    (purge!("login_sessions"), limits::SESSION_REMOVED_AFTER),
    (purge!("signed_out_browsers"), Duration::ZERO),
    (purge!("seen_logout_tokens"), Duration::ZERO),
];

/// Of changes the newest are kept.
const OLD_CHANGES: &str = "DELETE FROM changes WHERE number IN \
    (SELECT number FROM changes WHERE number <= (SELECT max(number) FROM changes) - ?1 ORDER BY number LIMIT ?2)";

pub(super) async fn keep_purging(connections: &Connections, health: &Health) {
    loop {
        let expired = PURGES.map(|(purge, after)| (purge, i64::try_from(after.as_millis()).unwrap_or(i64::MAX)));
        for (purge, kept) in expired.into_iter().chain([(OLD_CHANGES, limits::CHANGES_KEPT)]) {
            if let Err(error) = remove(connections, purge, kept).await {
                health.outage.failed(&error);
            }
        }
        tokio::time::sleep(limits::SQLITE_PURGE_EVERY).await;
    }
}

/// A few at a time: others have to write meanwhile, and after a long stop there may be many.
async fn remove(connections: &Connections, purge: &'static str, kept: i64) -> Result<(), StoreError> {
    loop {
        let some = sqlx::query(purge).bind(kept).bind(limits::SQLITE_PURGED_AT_ONCE);
        if some.execute(&connections.writer).await?.rows_affected() < limits::SQLITE_PURGED_AT_ONCE.unsigned_abs() {
            return Ok(());
        }
    }
}
