//! Our sessions as a `tower-sessions` store, for an axum application that is built together with Vestibule: its handlers
//! take `tower_sessions::Session` and read who is signed in. Vestibule's own pages ask [`Sessions`] directly
//! (`docs/decisions/session.md`).

use std::{collections::HashMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::{found::Found, sessions::Sessions};
use crate::server::store::StoreError;

/// Reads sessions and ends them. A session begins with a sign-in and holds what that gave it, so nothing else is stored.
///
/// The values are `user` (the id), `username`, `role` and `provider`.
pub struct TowerSessionStore(Arc<Sessions>);

impl TowerSessionStore {
    /// A view of `sessions`.
    #[must_use]
    pub const fn new(sessions: Arc<Sessions>) -> Self {
        Self(sessions)
    }
}

impl fmt::Debug for TowerSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TowerSessionStore")
    }
}

#[async_trait]
impl SessionStore for TowerSessionStore {
    async fn create(&self, _: &mut Record) -> Result<()> {
        Err(Error::Backend("a session begins with a sign-in".into()))
    }

    async fn save(&self, _: &Record) -> Result<()> {
        Err(Error::Backend("a session holds nothing but the sign-in".into()))
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Found::SignedIn(person) = self.0.find((*id).into()).await.map_err(failure)? else { return Ok(None) };
        let role = serde_json::to_value(person.user.role).map_err(|error| Error::Encode(error.to_string()))?;
        let data = HashMap::from([
            ("user".to_owned(), Value::from(person.user.id.as_str())),
            ("username".to_owned(), Value::from(person.user.username)),
            ("role".to_owned(), role),
            ("provider".to_owned(), Value::from(person.provider.as_str())),
        ]);
        Ok(Some(Record { id: *id, data, expiry_date: person.until }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.end((*id).into()).await.map(drop).map_err(failure)
    }
}

fn failure(error: StoreError) -> Error {
    match error {
        StoreError::Unavailable(detail) | StoreError::Refused { detail, .. } => Error::Backend(detail),
        StoreError::Unreadable(detail) => Error::Decode(detail),
    }
}
