//! Table `login_sessions`.

use sqlx::FromRow;
use time::OffsetDateTime;

use super::{Files, attempts};
use crate::server::{
    ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, UserId},
    store::{SessionRecord, StoreError, array, from_millis, to_millis},
};

/// A minute after their end: whoever still asks is told by the caller's judgement, as with a TTL index.
pub(super) const PURGE: &str = concat!("DELETE FROM login_sessions WHERE expires_at <= ", now!(), " - 60000");

#[derive(FromRow)]
struct SessionRow {
    id: Vec<u8>,
    browser: Option<Vec<u8>>,
    user_id: String,
    issuer: String,
    provider: String,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    delivered_by: Option<Vec<u8>>,
}

impl TryFrom<SessionRow> for SessionRecord {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: SessionHash::from_bytes(array(&row.id)?),
            browser: row.browser.map(|hash| array(&hash).map(BrowserHash::from_bytes)).transpose()?,
            user: UserId::new(row.user_id),
            issuer: Issuer::new(row.issuer),
            provider: ProviderId::new(row.provider),
            created: from_millis(row.created_at)?,
            last_seen: from_millis(row.last_seen_at)?,
            expires: from_millis(row.expires_at)?,
            delivered_by: row.delivered_by.map(|id| array(&id).map(AttemptId::new)).transpose()?,
        })
    }
}

fn key(id: SessionHash) -> Vec<u8> {
    id.as_bytes().to_vec()
}

fn delivered_by(session: &SessionRecord) -> Option<Vec<u8>> {
    session.delivered_by.map(|attempt| attempt.as_bytes().to_vec())
}

pub(super) async fn create(files: &Files, session: &SessionRecord) -> Result<bool, StoreError> {
    let created = sqlx::query(
        "INSERT INTO login_sessions \
         (id, browser, user_id, issuer, provider, created_at, last_seen_at, expires_at, delivered_by) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )
    .bind(key(session.id))
    .bind(session.browser.map(|browser| browser.as_bytes().to_vec()))
    .bind(session.user.as_str())
    .bind(session.issuer.as_str())
    .bind(session.provider.as_str())
    .bind(to_millis(session.created))
    .bind(to_millis(session.last_seen))
    .bind(to_millis(session.expires))
    .bind(delivered_by(session))
    .execute(&files.writer)
    .await?;
    Ok(created.rows_affected() == 1)
}

pub(super) async fn by_id(files: &Files, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
    let row: Option<SessionRow> = sqlx::query_as(
        "SELECT id, browser, user_id, issuer, provider, created_at, last_seen_at, expires_at, delivered_by \
         FROM login_sessions WHERE id = ?",
    )
    .bind(key(id))
    .fetch_optional(&files.readers)
    .await?;
    row.map(SessionRecord::try_from).transpose()
}

/// Each column moves one way only, so that of two saves at once neither undoes the other.
pub(super) async fn save(files: &Files, session: &SessionRecord) -> Result<bool, StoreError> {
    let saved = sqlx::query(
        "UPDATE login_sessions SET last_seen_at = max(last_seen_at, ?1), expires_at = min(expires_at, ?2), \
         delivered_by = CASE WHEN ?3 IS NULL THEN NULL ELSE delivered_by END WHERE id = ?4",
    )
    .bind(to_millis(session.last_seen))
    .bind(to_millis(session.expires))
    .bind(delivered_by(session))
    .bind(key(session.id))
    .execute(&files.writer)
    .await?;
    Ok(saved.rows_affected() == 1)
}

pub(super) async fn delete(files: &Files, id: SessionHash) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM login_sessions WHERE id = ?").bind(key(id)).execute(&files.writer).await?;
    Ok(())
}

pub(super) async fn end_of_browser(files: &Files, browser: BrowserHash, now: OffsetDateTime) -> Result<(), StoreError> {
    let mut transaction = files.write().await?;
    attempts::end_of_browser(&mut transaction, browser).await?;
    sqlx::query("UPDATE login_sessions SET expires_at = min(expires_at, ?), delivered_by = NULL WHERE browser = ?")
        .bind(to_millis(now))
        .bind(browser.as_bytes().to_vec())
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}
