//! Our stores as a `tower-sessions` store: ids hashed, save never inserts, expiry judged here and not left to a TTL.

use std::{collections::HashMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tower_sessions::{
    SessionStore,
    session::{self, Id, Record},
    session_store,
};

use super::hash_of;
use crate::server::{
    clock::{System, from_millis, to_millis},
    ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, UserId},
    settings::SessionRules,
    store::{SessionRecord, Store, StoreError},
};

/// The one value of a record.
pub(super) const FACTS: &str = "facts";

/// A session's facts in the form that `tower-sessions` carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    browser: Option<[u8; 32]>,
    user: UserId,
    issuer: Issuer,
    provider: ProviderId,
    created: i64,
    last_seen: i64,
    expires: i64,
    delivered_by: Option<String>,
}

impl Facts {
    pub(super) fn of(record: &SessionRecord) -> Self {
        Self {
            browser: record.browser.map(|browser| *browser.as_bytes()),
            user: record.user.clone(),
            issuer: record.issuer.clone(),
            provider: record.provider.clone(),
            created: to_millis(record.created),
            last_seen: to_millis(record.last_seen),
            expires: to_millis(record.expires),
            delivered_by: record.delivered_by.map(|attempt| attempt.to_string()),
        }
    }

    pub(super) fn record(self, id: SessionHash) -> Option<SessionRecord> {
        Some(SessionRecord {
            id,
            browser: self.browser.map(BrowserHash::from_bytes),
            user: self.user,
            issuer: self.issuer,
            provider: self.provider,
            created: from_millis(self.created)?,
            last_seen: from_millis(self.last_seen)?,
            expires: from_millis(self.expires)?,
            delivered_by: self.delivered_by.as_deref().and_then(AttemptId::parse),
        })
    }
}

pub(super) struct Records {
    store: Arc<dyn Store>,
    rules: SessionRules,
    system: System,
}

impl Records {
    pub(super) fn new(store: Arc<dyn Store>, rules: SessionRules, system: System) -> Self {
        Self { store, rules, system }
    }

    fn facts(record: &Record) -> session_store::Result<SessionRecord> {
        let facts = record.data.get(FACTS).cloned().ok_or_else(|| session_store::Error::Encode("no facts".into()))?;
        serde_json::from_value::<Facts>(facts)
            .ok()
            .and_then(|facts| facts.record(hash_of(&record.id)))
            .ok_or_else(|| session_store::Error::Encode("facts".into()))
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Records")
    }
}

#[async_trait]
impl SessionStore for Records {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let created = self.store.create_session(&Self::facts(record)?).await.map_err(backend)?;
        if created { Ok(()) } else { Err(session_store::Error::Backend("the session exists".into())) }
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        // `false` means that it was signed out meanwhile, which stands.
        self.store.save_session(&Self::facts(record)?).await.map(drop).map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let Some(record) = self.store.session(hash_of(id)).await.map_err(backend)? else { return Ok(None) };
        let expiry_date = record.expires.min(record.last_seen + self.rules.idle);
        if self.system.now() >= expiry_date {
            return Ok(None);
        }
        let facts = serde_json::to_value(Facts::of(&record))
            .map_err(|error| session_store::Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data: HashMap::from([(FACTS.to_owned(), facts)]), expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.store.delete_session(hash_of(id)).await.map_err(backend)
    }
}

/// Back from the text that `tower-sessions` has for every failure.
pub(super) fn failure(error: session::Error) -> StoreError {
    match error {
        session::Error::Store(session_store::Error::Backend(detail)) => StoreError::Unavailable(detail),
        session::Error::Store(session_store::Error::Decode(detail)) => StoreError::Unreadable(detail),
        other => StoreError::Unreadable(other.to_string()),
    }
}

fn backend(error: StoreError) -> session_store::Error {
    match error {
        StoreError::Unavailable(detail) => session_store::Error::Backend(detail),
        StoreError::Unreadable(detail) => session_store::Error::Decode(detail),
    }
}
