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

/// What no check goes by: the time of a visit, and what is only set at the first use of a session, which nobody knows before …
const OF_NO_CONCERN_IN_SESSIONS: [&str; 3] = ["last_seen_at", "delivered_by", "id_token"];
/// … and that somebody has signed in who is known already.
const OF_NO_CONCERN_IN_USERS: [&str; 2] = ["last_login", "updated_at"];

#[async_trait]
impl ChangeStore for MongoStore {
    /// A replica set alone: docs/decisions/gate.md says why.
    async fn follow(&self) -> Result<Option<Box<dyn Changes>>, StoreError> {
        // They come first: until then nobody is known. (SecantusDB, which our tests use, locks itself up over both at once.)
        self.indexes.all_tried().await;
        let follow = async {
            let database = self.database().await?;
            let Some(election) = election(database).await? else { return Ok(None) };
            let mark = Mark { collection: database.collection(ATTEMPTS), follower: ObjectId::new(), number: 0 };
            let stream = database.watch().pipeline([of_concern(mark.follower)]).await?;
            let mut stream = Stream { database: database.clone(), election, stream, mark };
            // One that was begun at a primary that is none any more does not get as far as the first mark.
            stream.up_to_now(&mut Vec::new()).await?;
            Ok(Some(Box::new(stream) as _))
        };
        timeout(limits::STORE_TIMEOUT, follow).await.unwrap_or_else(|_| Err(StoreError::late()))
    }
}

/// By which election the primary is one. `None`: this is no replica set.
async fn election(database: &Database) -> Result<Option<Bson>, StoreError> {
    let mut hello = database.run_command(doc! { "hello": 1 }).await?;
    Ok(hello.contains_key("setName").then(|| hello.remove("electionId").unwrap_or(Bson::Null)))
}

/// The marks of that follower, and what may have changed. The server looks through the updates, since each visit is one.
fn of_concern(follower: ObjectId) -> Document {
    let others = doc! { "$or": [
        { "ns.coll": { "$in": [SESSIONS, USERS] }, "operationType": { "$nin": ["insert", "update"] } },
        // Another collection takes the place of one of these.
        { "to.coll": { "$in": [SESSIONS, USERS] } },
        // The database as a whole.
        { "ns.coll": Bson::Null },
    ] };
    let of_sessions = updated(SESSIONS, &OF_NO_CONCERN_IN_SESSIONS);
    let of_users = updated(USERS, &OF_NO_CONCERN_IN_USERS);
    doc! { "$match": { "$or": [{ "ns.coll": ATTEMPTS, "documentKey._id": follower }, others, of_sessions, of_users] } }
}

/// The updates of `collection`, but those of which it is known that they are `of_no_concern`.
fn updated(collection: &str, of_no_concern: &[&str]) -> Document {
    let listed = |list: &str, field: &str| {
        let list = doc! { "$ifNull": [format!("$updateDescription.{list}"), []] };
        doc! { "$map": { "input": list, "in": field } }
    };
    let updated = doc! { "$objectToArray": { "$ifNull": ["$updateDescription.updatedFields", {}] } };
    let updated = doc! { "$map": { "input": updated, "in": "$$this.k" } };
    let shortened = listed("truncatedArrays", "$$this.field");
    let fields = doc! { "$concatArrays": [updated, listed("removedFields", "$$this"), shortened] };
    let is_known = doc! { "$and": [{ "$ne": [&fields, []] }, { "$setIsSubset": [&fields, of_no_concern] }] };
    doc! { "ns.coll": collection, "operationType": "update", "$expr": { "$not": [is_known] } }
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
        let mark =
            doc! { "$set": { Self::NUMBER: self.number }, "$setOnInsert": { "expires_at": bson::DateTime::now() } };
        self.collection.update_one(doc! { "_id": self.follower }, mark).upsert(true).await?;
        Ok(())
    }

    fn is_in(&self, event: &ChangeStreamEvent<Document>) -> bool {
        let id = event.document_key.as_ref().and_then(|key| key.get("_id"));
        id == Some(&Bson::ObjectId(self.follower))
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
    database: Database,
    /// Of the primary at which it was begun.
    election: Bson,
    stream: ChangeStream<ChangeStreamEvent<Document>>,
    mark: Mark,
}

#[async_trait]
impl Changes for Stream {
    async fn next(&mut self, changed: &mut Vec<Changed>) -> Result<(), StoreError> {
        sleep(limits::CHANGES_READ_EVERY).await;
        timeout(limits::STORE_TIMEOUT, self.up_to_now(changed)).await.unwrap_or_else(|_| Err(StoreError::late()))
    }
}

impl Stream {
    /// Everything from before the call.
    async fn up_to_now(&mut self, changed: &mut Vec<Changed>) -> Result<(), StoreError> {
        self.mark.leave().await?;
        loop {
            let event = self.stream.next().await;
            let event = event.ok_or_else(|| StoreError::unavailable("the change stream has ended"))??;
            if !self.mark.is_in(&event) {
                changed.extend(read(event)?);
            } else if self.mark.is_last(&event) {
                break;
            }
            if changed.len() > limits::CHANGES_AT_ONCE {
                return Err(StoreError::unavailable("more has changed than can be followed"));
            }
        }
        // No stream says what an election has undone: what was read before it is not to be believed for longer.
        if election(&self.database).await?.as_ref() == Some(&self.election) {
            Ok(())
        } else {
            Err(StoreError::unavailable("there is another primary"))
        }
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
