//! Removing what has expired, as TTL indexes do in MongoDB.

use std::time::Duration;

use sqlx::SqlitePool;

use super::clock::now;
use crate::server::{
    limits,
    store::{error::StoreError, outage},
};

/// For each table: how long after its expiry a record is removed.
const PURGES: [(&str, Duration); 2] = [
    (concat!("DELETE FROM login_attempts WHERE expires_at <= ", now!(), " - ?"), Duration::ZERO),
    (concat!("DELETE FROM login_sessions WHERE expires_at <= ", now!(), " - ?"), limits::SESSION_REMOVED_AFTER),
];

pub(super) async fn keep_purging(writer: SqlitePool) {
    loop {
        for (purge, after) in PURGES {
            let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
            let purged = sqlx::query(purge).bind(after).execute(&writer).await.map_err(StoreError::from);
            outage::note(&purged);
        }
        tokio::time::sleep(limits::SQLITE_PURGE_EVERY).await;
    }
}
