//! What changes, by a change stream: of a replica set, and for a user who may open one (`readWrite` may).
//!
//! A change stream that says nothing does not say that nothing has changed: it may lag behind, or be one of a primary that is none
//! any more. So whoever follows leaves a mark in the database, and has been told everything from before when that comes back.

use async_trait::async_trait;
use bson::{Bson, Document, doc, oid::ObjectId};
use futures_util::StreamExt as _;
use mongodb::{
    Collection, Database,
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, OperationType},
    },
};
use tokio::time::{sleep, timeout};

use super::{
    collections::{ATTEMPTS, SESSIONS, USERS},
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

#[async_trait]
impl ChangeStore for MongoStore {
    async fn follow(&self) -> Result<Option<Box<dyn Changes>>, StoreError> {
        let follow = async {
            let database = self.database().await?;
            if !is_replica_set(database).await? {
                return Ok(None);
            }
            let mark = Mark { collection: database.collection(ATTEMPTS), follower: ObjectId::new(), number: 0 };
            let stream = database.watch().pipeline([of_concern(mark.follower)]).await?;
            Ok(Some(Box::new(Stream { stream, mark }) as _))
        };
        timeout(limits::STORE_TIMEOUT, follow).await.unwrap_or_else(|_| Err(StoreError::late()))
    }
}

/// A server by itself has no change streams. Those of a sharded cluster are in the order of its shards' clocks, so that a mark
/// may come back before what another shard has changed.
async fn is_replica_set(database: &Database) -> Result<bool, StoreError> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    Ok(hello.contains_key("setName"))
}

/// The marks of that follower; and of what changes all but what is new, and updates of no concern. The server looks through
/// them, since each visit is one.
fn of_concern(follower: ObjectId) -> Document {
    let updated = doc! { "$ifNull": ["$updateDescription.updatedFields", {}] };
    let updated = doc! { "$map": { "input": { "$objectToArray": updated }, "in": "$$this.k" } };
    let removed = doc! { "$ifNull": ["$updateDescription.removedFields", []] };
    let fields = doc! { "$concatArrays": [updated, removed] };
    let is_of_none = doc! { "$setIsSubset": [fields, OF_NO_CONCERN.as_slice()] };
    let changed = doc! {
        // A whole database has no collection.
        "ns.coll": { "$in": [SESSIONS, USERS, Bson::Null] },
        "operationType": { "$ne": "insert" },
        "$expr": { "$or": [{ "$ne": ["$operationType", "update"] }, { "$not": [is_of_none] }] },
    };
    doc! { "$match": { "$or": [{ "ns.coll": ATTEMPTS, "documentKey._id": follower }, changed] } }
}

/// What a follower writes, among the attempts: it is removed as they are once it has expired, which it always has.
struct Mark {
    collection: Collection<Document>,
    follower: ObjectId,
    /// Of the last that was left.
    number: i64,
}

impl Mark {
    const NUMBER: &str = "mark";

    /// Waits for the majority: a primary that has none is not followed.
    async fn leave(&mut self) -> Result<(), StoreError> {
        self.number += 1;
        let mark = doc! { "$set": { Self::NUMBER: self.number }, "$currentDate": { "expires_at": true } };
        self.collection.update_one(doc! { "_id": self.follower }, mark).upsert(true).await?;
        Ok(())
    }

    /// Whether that event is the last.
    fn is_last(&self, event: &ChangeStreamEvent<Document>) -> bool {
        let updated = event.update_description.as_ref().map(|update| &update.updated_fields);
        let number = event.full_document.as_ref().or(updated).and_then(|fields| fields.get(Self::NUMBER));
        number == Some(&Bson::Int64(self.number))
    }
}

/// A change stream.
struct Stream {
    stream: ChangeStream<ChangeStreamEvent<Document>>,
    mark: Mark,
}

#[async_trait]
impl Changes for Stream {
    async fn next(&mut self) -> Result<Vec<Changed>, StoreError> {
        sleep(limits::CHANGES_READ_EVERY).await;
        timeout(limits::STORE_TIMEOUT, self.up_to_now()).await.unwrap_or_else(|_| Err(StoreError::late()))
    }
}

impl Stream {
    async fn up_to_now(&mut self) -> Result<Vec<Changed>, StoreError> {
        self.mark.leave().await?;
        let mut changed = Vec::new();
        while let Some(event) = self.stream.next().await {
            let event = event?;
            if event.ns.as_ref().and_then(|ns| ns.coll.as_deref()) != Some(ATTEMPTS) {
                changed.extend(read(event)?);
            } else if self.mark.is_last(&event) {
                return Ok(changed);
            }
            if changed.len() > limits::CHANGES_AT_ONCE {
                return Err(StoreError::unavailable("more has changed than can be followed"));
            }
        }
        Err(StoreError::unavailable("the change stream has ended"))
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
