//! Table `changes`, which triggers write (`migrations/0006_changes.sql`): so it also tells what another version of this
//! program or an operator's `sqlite3` has changed. (But for `INSERT OR REPLACE`, which fires none.)

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Row as _, sqlite::SqliteRow};
use tokio::time::sleep;

use super::{connection::Connections, place::Place, store::SqliteStore};
use crate::server::{
    ids::{SessionHash, UserId},
    limits,
    store::{
        changes::{ChangeStore, Changed, Changes},
        encoding::array,
        error::StoreError,
        readiness::Health,
    },
};

#[async_trait]
impl ChangeStore for SqliteStore {
    async fn follow(&self) -> Result<Option<Box<dyn Changes>>, StoreError> {
        let last = sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM changes");
        let last = self.health.bounded(async { Ok(last.fetch_one(&self.connections.readers).await?) }).await?;
        let (connections, place, health) =
            (Arc::clone(&self.connections), Arc::clone(&self.place), Arc::clone(&self.health));
        Ok(Some(Box::new(Table { connections, place, health, last })))
    }
}

/// The table, up to a row.
struct Table {
    connections: Arc<Connections>,
    place: Arc<Place>,
    health: Arc<Health>,
    /// The number of the last row that was read.
    last: i64,
}

#[async_trait]
impl Changes for Table {
    async fn next(&mut self, changed: &mut Vec<Changed>) -> Result<(), StoreError> {
        sleep(limits::CHANGES_READ_EVERY).await;
        let rows =
            sqlx::query("SELECT number, session, user_id FROM changes WHERE number >= ? ORDER BY number LIMIT ?")
                .bind(self.last)
                .bind(i64::try_from(limits::CHANGES_AT_ONCE + 2).unwrap_or(i64::MAX));
        let rows = async {
            self.place.check().await?;
            Ok(rows.fetch_all(&self.connections.readers).await?)
        };
        let rows = self.health.bounded(rows).await?;
        let mut rows = rows.iter().map(read);
        // The row that was read last is read again: as long as it is there, nothing after it has been removed.
        let is_whole = rows.next().transpose()?.is_some_and(|(number, _)| number == self.last);
        let mut told = 0;
        for row in rows {
            let (number, what) = row?;
            changed.extend(what);
            (self.last, told) = (number, told + 1);
        }
        if !is_whole || told > limits::CHANGES_AT_ONCE {
            return Err(StoreError::unavailable("more has changed than can be followed"));
        }
        Ok(())
    }
}

/// A row's number, and what has changed.
fn read(row: &SqliteRow) -> Result<(i64, Option<Changed>), StoreError> {
    let session = row.try_get::<Option<Vec<u8>>, _>("session")?;
    let session = session.map(|id| array(&id).map(SessionHash::from_bytes)).transpose()?.map(Changed::Session);
    let user = row.try_get::<Option<String>, _>("user_id")?.map(|id| Changed::User(UserId::new(id)));
    Ok((row.try_get("number")?, session.or(user)))
}
