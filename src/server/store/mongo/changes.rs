//! What changes, by a change stream: of a replica set or a sharded cluster, and for a user who may open one (`readWrite` may).

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use futures_util::StreamExt as _;
use mongodb::{
    change_stream::event::{ChangeStreamEvent, OperationType},
    raw_batch_cursor::{RawBatch, RawBatchCursor},
};
use tokio::time::timeout;

use super::{
    collections::{SESSIONS, USERS},
    store::MongoStore,
};
use crate::server::{
    ids::{SessionHash, UserId},
    limits,
    store::{
        changes::{ChangeStore, Changed, Changes},
        encoding::array,
        error::StoreError,
    },
};

/// What no check goes by: a visit, a sign-in of somebody who is known already, and the first use of a session, which nobody
/// knows before.
const OF_NO_CONCERN: [&str; 5] = ["last_seen_at", "delivered_by", "id_token", "last_login", "updated_at"];

/// All but what is new, and updates of no concern. The server looks through them, since each visit is one.
fn of_concern() -> Document {
    let updated = doc! { "$ifNull": ["$updateDescription.updatedFields", {}] };
    let updated = doc! { "$map": { "input": { "$objectToArray": updated }, "in": "$$this.k" } };
    let removed = doc! { "$ifNull": ["$updateDescription.removedFields", []] };
    let fields = doc! { "$concatArrays": [updated, removed] };
    let is_of_none = doc! { "$setIsSubset": [fields, OF_NO_CONCERN.as_slice()] };
    doc! { "$match": {
        // A whole database has no collection.
        "ns.coll": { "$in": [SESSIONS, USERS, Bson::Null] },
        "operationType": { "$ne": "insert" },
        "$expr": { "$or": [{ "$ne": ["$operationType", "update"] }, { "$not": [is_of_none] }] },
    } }
}

#[async_trait]
impl ChangeStore for MongoStore {
    /// Not by the driver's own change stream: that says "nothing" as soon as it is opened, also anew after an error, and has
    /// not asked yet.
    async fn follow(&self) -> Result<Box<dyn Changes>, StoreError> {
        let stream = self.database().await?.aggregate([doc! { "$changeStream": {} }, of_concern()]);
        let stream = stream.max_await_time(limits::CHANGES_READ_EVERY).batch();
        let stream = timeout(limits::STORE_TIMEOUT, stream).await.map_err(|_| StoreError::late())??;
        let mut followed = Followed(stream);
        followed.batch().await?;
        Ok(Box::new(followed))
    }
}

/// A change stream.
struct Followed(RawBatchCursor);

impl Followed {
    /// The next answer of the server, which is asked for it, unless it is the first.
    async fn batch(&mut self) -> Result<RawBatch, StoreError> {
        let batch = timeout(limits::STORE_TIMEOUT, self.0.next()).await.map_err(|_| StoreError::late())?;
        Ok(batch.ok_or_else(|| StoreError::unavailable("the change stream has ended"))??)
    }
}

#[async_trait]
impl Changes for Followed {
    async fn next(&mut self) -> Result<Vec<Changed>, StoreError> {
        let batch = self.batch().await?;
        let mut changed = Vec::new();
        for event in batch.doc_slices()? {
            let event = event.map_err(StoreError::unreadable)?;
            let event = event.as_document().ok_or_else(|| StoreError::unreadable("an event that is no document"))?;
            let event: ChangeStreamEvent<Document> =
                bson::deserialize_from_slice(event.as_bytes()).map_err(StoreError::unreadable)?;
            changed.extend(read(event)?);
        }
        Ok(changed)
    }
}

/// `None`: nothing of ours.
fn read(event: ChangeStreamEvent<Document>) -> Result<Option<Changed>, StoreError> {
    match event.operation_type {
        OperationType::Update | OperationType::Replace | OperationType::Delete => {}
        // Of a collection or the database as a whole.
        other => {
            return Err(StoreError::unavailable(format_args!("an event that says nothing of a document: {other:?}")));
        }
    }
    Ok(match (event.ns.and_then(|ns| ns.coll).as_deref(), event.document_key.and_then(|mut key| key.remove("_id"))) {
        (Some(SESSIONS), Some(Bson::Binary(id))) => {
            array(&id.bytes).ok().map(SessionHash::from_bytes).map(Changed::Session)
        }
        (Some(USERS), Some(Bson::ObjectId(id))) => Some(Changed::User(UserId::new(id.to_hex()))),
        _ => None,
    })
}
