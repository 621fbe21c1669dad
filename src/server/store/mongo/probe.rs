//! Whether a sign-in could be written now.

use bson::doc;
use mongodb::Database;

use super::{
    collections::{ATTEMPTS, BROWSERS, LOGOUTS, SESSIONS, USERS},
    connection::is_duplicate,
};
use crate::server::store::error::StoreError;

/// No attempt, session or user has such an id.
const ID: &str = "vestibule readiness";

/// Writes one document, always the same, which the server removes as it does what has expired; and asks to write where
/// there is none, so that the rights to it are looked at and nothing of ours is left among users.
pub(super) async fn write(database: &Database) -> Result<(), StoreError> {
    let write = |collection, upsert| {
        let collection = database.collection::<bson::Document>(collection);
        async move {
            let now = doc! { "$currentDate": { "expires_at": true } };
            match collection.update_one(doc! { "_id": ID }, now).upsert(upsert).await {
                // Another process was the first to write it.
                Err(error) if !is_duplicate(&error) => Err(error),
                _ => Ok(()),
            }
        }
    };
    tokio::try_join!(
        write(ATTEMPTS, true),
        write(SESSIONS, false),
        write(LOGOUTS, false),
        write(BROWSERS, false),
        write(USERS, false)
    )?;
    Ok(())
}
