//! Collection `login_sessions`: `_id` is the SHA-256 of the session id. (`sessions` belongs to ClaudeLens.)

use bson::{Binary, DateTime, doc};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{attempts, binary, date, is_duplicate, moment};
use crate::server::{
    ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, UserId},
    store::{SessionRecord, StoreError, array},
};

pub(super) const COLLECTION: &str = "login_sessions";

#[derive(Serialize, Deserialize)]
struct SessionDocument {
    #[serde(rename = "_id")]
    id: Binary,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    browser: Option<Binary>,
    user_id: String,
    issuer: String,
    provider: String,
    created_at: DateTime,
    last_seen_at: DateTime,
    expires_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered_by: Option<Binary>,
}

impl From<&SessionRecord> for SessionDocument {
    fn from(session: &SessionRecord) -> Self {
        Self {
            id: key(session.id),
            browser: session.browser.map(|browser| binary(browser.as_bytes())),
            user_id: session.user.as_str().to_owned(),
            issuer: session.issuer.as_str().to_owned(),
            provider: session.provider.as_str().to_owned(),
            created_at: date(session.created),
            last_seen_at: date(session.last_seen),
            expires_at: date(session.expires),
            delivered_by: session.delivered_by.map(|attempt| binary(attempt.as_bytes())),
        }
    }
}

impl TryFrom<SessionDocument> for SessionRecord {
    type Error = StoreError;

    fn try_from(document: SessionDocument) -> Result<Self, StoreError> {
        Ok(Self {
            id: SessionHash::from_bytes(array(&document.id.bytes)?),
            browser: document.browser.map(|hash| array(&hash.bytes).map(BrowserHash::from_bytes)).transpose()?,
            user: UserId::new(document.user_id),
            issuer: Issuer::new(document.issuer),
            provider: ProviderId::new(document.provider),
            created: moment(document.created_at)?,
            last_seen: moment(document.last_seen_at)?,
            expires: moment(document.expires_at)?,
            delivered_by: document.delivered_by.map(|id| array(&id.bytes).map(AttemptId::new)).transpose()?,
        })
    }
}

fn sessions(database: &Database) -> Collection<SessionDocument> {
    database.collection(COLLECTION)
}

fn key(id: SessionHash) -> Binary {
    binary(id.as_bytes())
}

pub(super) async fn create(database: Database, session: &SessionRecord) -> Result<bool, StoreError> {
    match sessions(&database).insert_one(SessionDocument::from(session)).await {
        Ok(_) => Ok(true),
        Err(error) if is_duplicate(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn by_id(database: Database, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
    sessions(&database).find_one(doc! { "_id": key(id) }).await?.map(SessionRecord::try_from).transpose()
}

/// Each field moves one way only, so that of two saves at once neither undoes the other.
pub(super) async fn save(database: Database, session: &SessionRecord) -> Result<bool, StoreError> {
    let mut update = doc! {
        "$max": { "last_seen_at": date(session.last_seen) },
        "$min": { "expires_at": date(session.expires) },
    };
    if session.delivered_by.is_none() {
        update.insert("$unset", doc! { "delivered_by": "" });
    }
    Ok(sessions(&database).update_one(doc! { "_id": key(session.id) }, update).await?.matched_count == 1)
}

pub(super) async fn delete(database: Database, id: SessionHash) -> Result<(), StoreError> {
    sessions(&database).delete_one(doc! { "_id": key(id) }).await?;
    Ok(())
}

pub(super) async fn end_of_browser(
    database: Database,
    browser: BrowserHash,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let theirs = doc! { "browser": binary(browser.as_bytes()) };
    attempts::withdraw(&database, theirs.clone()).await?;
    attempts::close_deliveries(&database, theirs.clone()).await?;
    let end = doc! { "$min": { "expires_at": date(now) }, "$unset": { "delivered_by": "" } };
    sessions(&database).update_many(theirs, end).await?;
    Ok(())
}
