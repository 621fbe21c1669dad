//! Removing what has expired, as TTL indexes do in MongoDB.

use std::time::Duration;

use super::{clock::now, connection::Connections};
use crate::server::{
    limits,
    store::{error::StoreError, readiness::Health},
};

/// For each table: how long after its expiry a record is removed.
const PURGES: [(&str, Duration); 4] = [
    (concat!("DELETE FROM login_attempts WHERE expires_at <= ", now!(), " - ?"), Duration::ZERO),
    (concat!("DELETE FROM login_sessions WHERE expires_at <= ", now!(), " - ?"), limits::SESSION_REMOVED_AFTER),
    (concat!("DELETE FROM signed_out_browsers WHERE expires_at <= ", now!(), " - ?"), Duration::ZERO),
    (concat!("DELETE FROM seen_logout_tokens WHERE expires_at <= ", now!(), " - ?"), Duration::ZERO),
];

/// Of changes the newest are kept.
const OLD_CHANGES: &str = "DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - ?";

pub(super) async fn keep_purging(connections: &Connections, health: &Health) {
    loop {
        let expired = PURGES.map(|(purge, after)| (purge, i64::try_from(after.as_millis()).unwrap_or(i64::MAX)));
        for (purge, kept) in expired.into_iter().chain([(OLD_CHANGES, limits::CHANGES_KEPT)]) {
            if let Err(error) = sqlx::query(purge).bind(kept).execute(&connections.writer).await {
                health.outage.failed(&StoreError::from(error));
            }
        }
        tokio::time::sleep(limits::SQLITE_PURGE_EVERY).await;
    }
}
