//! Collection `login_sessions`: `_id` is the SHA-256 of the session id.

use async_trait::async_trait;
use bson::{Binary, DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    attempts,
    collections::{SESSIONS, binary, date, moment},
    connection::is_duplicate,
    store::MongoStore,
};
use crate::server::{
    ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, UserId},
    limits,
    store::{
        encoding::array,
        error::StoreError,
        sessions::{SessionFacts, SessionRecord, SessionStore},
    },
};

#[derive(Serialize, Deserialize)]
struct SessionDocument {
    #[serde(rename = "_id")]
    id: Binary,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    browser: Option<Binary>,
    user_id: String,
    issuer: String,
    provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun_at: Option<DateTime>,
    created_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rechecked_at: Option<DateTime>,
    last_seen_at: DateTime,
    expires_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered_by: Option<Binary>,
    #[serde(default)]
    facts: SessionFacts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<Binary>,
}

impl From<&SessionRecord> for SessionDocument {
    fn from(session: &SessionRecord) -> Self {
        Self {
            id: key(session.id),
            browser: session.browser.map(|browser| binary(browser.as_bytes())),
            user_id: session.user.as_str().to_owned(),
            issuer: session.issuer.as_str().to_owned(),
            provider: session.provider.as_str().to_owned(),
            begun_at: Some(date(session.begun)),
            created_at: date(session.created),
            confirmed_at: Some(date(session.confirmed)),
            rechecked_at: session.rechecked.map(date),
            last_seen_at: date(session.last_seen),
            expires_at: date(session.expires),
            delivered_by: session.delivered_by.map(|attempt| binary(attempt.as_bytes())),
            facts: session.facts.clone(),
            id_token: session.id_token.as_deref().map(binary),
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
            begun: moment(document.begun_at.unwrap_or(document.created_at))?,
            created: moment(document.created_at)?,
            confirmed: moment(document.confirmed_at.unwrap_or(document.created_at))?,
            rechecked: document.rechecked_at.map(moment).transpose()?,
            last_seen: moment(document.last_seen_at)?,
            expires: moment(document.expires_at)?,
            delivered_by: document.delivered_by.map(|id| array(&id.bytes).map(AttemptId::new)).transpose()?,
            facts: document.facts,
            id_token: document.id_token.map(|sealed| sealed.bytes),
        })
    }
}

fn sessions(database: &Database) -> Collection<SessionDocument> {
    database.collection(SESSIONS)
}

/// As they are, for where one that cannot be read is not to hide the others.
fn raw_sessions(database: &Database) -> Collection<Document> {
    database.collection(SESSIONS)
}

fn among(ids: &[SessionHash]) -> Document {
    let ids: Vec<_> = ids.iter().map(|id| key(*id)).collect();
    doc! { "_id": { "$in": ids } }
}

fn key(id: SessionHash) -> Binary {
    binary(id.as_bytes())
}

/// What ends a session.
pub(super) fn end(now: OffsetDateTime) -> Document {
    doc! {
        "$min": { "expires_at": date(now) },
        "$unset": { "delivered_by": "", "id_token": "" },
        "$set": { "user_id": SessionRecord::nobody().as_str() },
    }
}

async fn insert(database: &Database, session: &SessionRecord) -> Result<bool, StoreError> {
    match sessions(database).insert_one(SessionDocument::from(session)).await {
        Ok(_) => Ok(true),
        Err(error) if is_duplicate(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl SessionStore for MongoStore {
    async fn create_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.health.bounded(async { insert(self.database().await?, session).await }).await
    }

    async fn session(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
        self.health
            .bounded(async {
                let found = sessions(self.database().await?).find_one(doc! { "_id": key(id) }).await?;
                found.map(SessionRecord::try_from).transpose()
            })
            .await
    }

    async fn sessions(&self, ids: &[SessionHash]) -> Result<Vec<SessionRecord>, StoreError> {
        self.health
            .bounded(async {
                let found =
                    raw_sessions(self.database().await?).find(among(ids)).projection(doc! { "id_token": 0 }).await?;
                let documents: Vec<Document> = found.try_collect().await?;
                let read = |document| {
                    SessionRecord::try_from(bson::deserialize_from_document::<SessionDocument>(document).ok()?).ok()
                };
                Ok(documents.into_iter().filter_map(read).collect())
            })
            .await
    }

    async fn touch_sessions(&self, ids: &[SessionHash], at: OffsetDateTime) -> Result<(), StoreError> {
        self.health
            .bounded(async {
                let used = doc! { "$max": { "last_seen_at": date(at) } };
                sessions(self.database().await?).update_many(among(ids), used).await?;
                Ok(())
            })
            .await
    }

    /// Each field moves one way only, so that of two saves at once neither undoes the other.
    async fn save_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        let mut update = doc! {
            "$max": { "last_seen_at": date(session.last_seen) },
            "$min": { "expires_at": date(session.expires) },
        };
        let mut unset = Document::new();
        if session.delivered_by.is_none() {
            unset.insert("delivered_by", "");
        }
        if session.user == SessionRecord::nobody() {
            update.insert("$set", doc! { "user_id": session.user.as_str() });
            unset.insert("id_token", "");
        }
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        self.health
            .bounded(async {
                let saved =
                    sessions(self.database().await?).update_one(doc! { "_id": key(session.id) }, update).await?;
                Ok(saved.matched_count == 1)
            })
            .await
    }

    async fn begin_recheck(
        &self,
        id: SessionHash,
        now: OffsetDateTime,
        unless_since: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let wanted = doc! {
            "_id": key(id),
            "user_id": { "$ne": SessionRecord::nobody().as_str() },
            // A field that is not there is no date, and so not less than one.
            "$or": [{ "rechecked_at": { "$exists": false } }, { "rechecked_at": { "$lt": date(unless_since) } }],
        };
        let begins = doc! { "$set": { "rechecked_at": date(now) } };
        self.health
            .bounded(async {
                Ok(sessions(self.database().await?).update_one(wanted, begins).await?.matched_count == 1)
            })
            .await
    }

    async fn confirm_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        let SessionDocument { id, user_id, confirmed_at, facts, id_token, .. } = session.into();
        let mut set = doc! {
            "confirmed_at": confirmed_at,
            "facts": bson::serialize_to_bson(&facts).map_err(StoreError::unreadable)?,
        };
        let mut unset = doc! { "rechecked_at": "" };
        match id_token {
            Some(sealed) => set.insert("id_token", sealed),
            None => unset.insert("id_token", ""),
        };
        let wanted = doc! { "_id": id, "user_id": user_id };
        let says = doc! { "$set": set, "$unset": unset };
        self.health
            .bounded(async { Ok(sessions(self.database().await?).update_one(wanted, says).await?.matched_count == 1) })
            .await
    }

    async fn delete_session(&self, id: SessionHash) -> Result<(), StoreError> {
        self.health
            .bounded(async {
                sessions(self.database().await?).delete_one(doc! { "_id": key(id) }).await?;
                Ok(())
            })
            .await
    }

    async fn end_browser(&self, browser: BrowserHash, now: OffsetDateTime) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let database = self.database().await?;
                let theirs = doc! { "browser": binary(browser.as_bytes()) };
                attempts::withdraw(database, theirs.clone()).await?;
                attempts::close_deliveries(database, theirs.clone()).await?;
                // A process that read a delivery before it was closed is about to insert its session, or has just done so.
                // Taking the ids first leaves no gap: what is not refused here is ended below.
                let delivered =
                    attempts::sessions_delivered(database, theirs.clone(), now - limits::DELIVERY_OVER).await?;
                for (id, provider) in delivered {
                    insert(database, &SessionRecord::ended(id, browser, provider, now)).await?;
                }
                Ok(sessions(database).update_many(theirs, end(now)).await?.modified_count > 0)
            })
            .await
    }
}
