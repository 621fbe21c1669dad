//! The indexes, made in the background as soon as the server is there. An index that cannot be created (because of
//! duplicates in a database that others filled) prevents neither the start nor a sign-in: it is reported.

use std::time::Duration;

use bson::{Bson, Document, doc};
use mongodb::{
    Database, IndexModel,
    options::{Collation, IndexOptions},
};
use tokio::sync::{Notify, watch};

use super::{
    collections::{ATTEMPTS, BROWSERS, LOGOUTS, SESSIONS, USERS, caseless, exact},
    connection::{Connection, DUPLICATE_KEY, code},
};
use crate::server::{
    limits,
    store::{
        error::{Refusal, StoreError},
        readiness::Health,
    },
};

/// There is an index of that name with other options: `IndexOptionsConflict`, `IndexKeySpecsConflict`.
const OTHER_OPTIONS: [i32; 2] = [85, 86];

/// How far the indexes are.
#[derive(Default)]
pub(super) struct Indexes {
    /// `None` until every index has been tried; then what is in the way of each that is missing.
    tried: watch::Sender<Option<Vec<String>>>,
    /// A caller needs them now.
    wanted: Notify,
}

impl Indexes {
    /// One plain sentence for each index that is missing.
    pub(super) fn problems(&self) -> Vec<String> {
        self.tried.borrow().clone().unwrap_or_default()
    }

    /// Waits until every index has been tried, within reason: people can sign in while an index takes minutes to build.
    pub(super) async fn tried(&self) {
        if self.tried.borrow().is_some() {
            return;
        }
        self.wanted.notify_one();
        // Too late: the caller goes on.
        let _ = tokio::time::timeout(limits::INDEX_FIRST_WAIT, self.all_tried()).await;
    }

    /// Waits as long as that takes, for what is in no hurry.
    pub(super) async fn all_tried(&self) {
        // We hold the sender.
        let _ = self.tried.subscribe().wait_for(Option::is_some).await;
    }

    /// Makes the indexes; ends when all are there.
    pub(super) async fn keep_making(&self, connection: &Connection, health: &Health) {
        loop {
            let pause = match make_all(connection).await {
                Ok(problems) => {
                    self.tell(&problems);
                    if problems.is_empty() {
                        return;
                    }
                    limits::INDEX_RETRY_BLOCKED
                }
                Err(error @ StoreError::Refused { .. }) => {
                    // The check says why, unless it is only indexes that this user may not make.
                    if health.ready().await.is_ok() {
                        self.tell(&[format!("No index can be created ({error}): {}.", error.mend())]);
                    }
                    limits::INDEX_RETRY_AWAY
                }
                Err(error) => {
                    health.outage.failed(&error);
                    limits::INDEX_RETRY_AWAY
                }
            };
            // Woken or not, the next step is the same.
            let _ = tokio::time::timeout(pause, self.wanted.notified()).await;
        }
    }
}

impl Indexes {
    /// Remembers what is in the way, and says what is new of it.
    fn tell(&self, problems: &[String]) {
        let known = self.tried.send_replace(Some(problems.to_owned())).unwrap_or_default();
        for problem in problems.iter().filter(|problem| !known.contains(problem)) {
            tracing::warn!(code = "index_missing", problem, "an index could not be created");
        }
    }
}

struct Index {
    collection: &'static str,
    name: &'static str,
    keys: Document,
    kind: Kind,
}

enum Kind {
    Plain,
    /// Finds text without regard to case.
    Caseless,
    /// The server removes the document this long after the date.
    Expiry(Duration),
    /// Among the documents that have the field: the others are not ours. `remedy` says what to do about duplicates.
    Unique {
        among: &'static str,
        remedy: &'static str,
    },
}

fn wanted() -> [Index; 15] {
    let index = |collection, name, keys, kind| Index { collection, name, keys, kind };
    let browser = |collection| index(collection, "vestibule_browser", doc! { "browser": 1 }, Kind::Plain);
    let expiry =
        |collection, after| index(collection, "vestibule_expires_at", doc! { "expires_at": 1 }, Kind::Expiry(after));
    let one_person = Kind::Unique {
        among: "issuer",
        remedy: "are one person (same issuer and subject): remove the fields issuer and subject from all but one",
    };
    let one_name = Kind::Unique {
        among: "username_key",
        remedy: "have one name (same username_key): rename all but one, in username and username_key",
    };
    [
        index(USERS, "vestibule_issuer_subject", doc! { "issuer": 1, "subject": 1 }, one_person),
        index(USERS, "vestibule_username_key", doc! { "username_key": 1 }, one_name),
        // Users of ClaudeLens have no username_key.
        index(USERS, "vestibule_username", doc! { "username": 1 }, Kind::Caseless),
        index(USERS, "vestibule_oidc_sub", doc! { "oidc_sub": 1 }, Kind::Plain),
        index(ATTEMPTS, "vestibule_reference", doc! { "reference": 1 }, Kind::Plain),
        browser(ATTEMPTS),
        browser(SESSIONS),
        index(SESSIONS, "vestibule_sid", doc! { "issuer": 1, "facts.sid": 1 }, Kind::Plain),
        index(SESSIONS, "vestibule_subject", doc! { "issuer": 1, "facts.subject": 1 }, Kind::Plain),
        index(LOGOUTS, "vestibule_sid", doc! { "issuer": 1, "sid": 1 }, Kind::Plain),
        index(LOGOUTS, "vestibule_subject", doc! { "issuer": 1, "subject": 1 }, Kind::Plain),
        expiry(LOGOUTS, Duration::ZERO),
        expiry(BROWSERS, Duration::ZERO),
        expiry(ATTEMPTS, Duration::ZERO),
        expiry(SESSIONS, limits::SESSION_REMOVED_AFTER),
    ]
}

impl Index {
    fn collation(&self) -> Collation {
        if matches!(self.kind, Kind::Caseless) { caseless() } else { exact() }
    }

    fn model(&self) -> IndexModel {
        let mut options = IndexOptions::builder().name(self.name.to_owned()).collation(self.collation()).build();
        match self.kind {
            Kind::Plain | Kind::Caseless => {}
            Kind::Expiry(after) => options.expire_after = Some(after),
            Kind::Unique { among, .. } => {
                options.unique = Some(true);
                options.partial_filter_expression = Some(doc! { among: { "$exists": true } });
            }
        }
        IndexModel::builder().keys(self.keys.clone()).options(options).build()
    }

    /// Creates the index. One for expiry that an earlier version made with another delay is replaced by ours: to change it
    /// would need a right (`collMod`) that MongoDB's role `readWrite` does not give.
    async fn create(&self, database: &Database) -> mongodb::error::Result<()> {
        let created = database.collection::<Document>(self.collection).create_index(self.model()).await;
        match (created, &self.kind) {
            (Err(error), Kind::Expiry(_)) if code(&error).is_some_and(|code| OTHER_OPTIONS.contains(&code)) => {
                let collection = database.collection::<Document>(self.collection);
                // Another process may have dropped it first; what else is in the way, the second try says.
                let _ = collection.drop_index(self.name).await;
                collection.create_index(self.model()).await.map(drop)
            }
            (created, _) => created.map(drop),
        }
    }

    /// `Some`: what is in the way, for an operator.
    ///
    /// # Errors
    /// The server is away, or refuses whatever the index: to be tried again soon.
    async fn make(&self, database: &Database) -> Result<Option<String>, StoreError> {
        let (collection, name) = (self.collection, self.name);
        let error = match tokio::time::timeout(limits::INDEX_TIMEOUT, self.create(database)).await {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(error)) => error,
            Err(_) => return Ok(Some(format!("The index {name} on {collection} is still being built."))),
        };
        if let (Kind::Unique { among, remedy }, Some(DUPLICATE_KEY)) = (&self.kind, code(&error)) {
            let ids = self.duplicates(database, among).await?;
            return Ok(Some(format!(
                "The unique index {name} on {collection} cannot be created: the documents with _id {ids} {remedy}; it is \
                 then created within a minute."
            )));
        }
        let error = StoreError::from(error);
        if !matches!(error, StoreError::Refused { refusal: Refusal::Server, .. }) {
            return Err(error);
        }
        Ok(Some(format!(
            "The index {name} on {collection} cannot be created ({error}): create it by hand, or fix what the message \
             names; it is tried again every {} seconds.",
            limits::INDEX_RETRY_BLOCKED.as_secs()
        )))
    }

    /// The ids of one set of duplicates: the next is named once this one is resolved.
    async fn duplicates(&self, database: &Database, among: &str) -> Result<String, StoreError> {
        let key: Document = self.keys.keys().map(|field| (field.clone(), Bson::from(format!("${field}")))).collect();
        let pipeline = [
            doc! { "$match": { among: { "$exists": true } } },
            doc! { "$group": { "_id": key, "count": { "$sum": 1 }, "ids": { "$push": "$_id" } } },
            doc! { "$match": { "count": { "$gt": 1 } } },
            doc! { "$limit": 1 },
        ];
        let mut cursor = database.collection::<Document>(self.collection).aggregate(pipeline).await?;
        if !cursor.advance().await? {
            return Ok("(resolved meanwhile)".into());
        }
        let group = cursor.deserialize_current()?;
        let ids = group.get_array("ids").map(Vec::as_slice).unwrap_or_default();
        Ok(ids.iter().take(limits::DUPLICATES_NAMED).map(plain).collect::<Vec<_>>().join(", "))
    }
}

fn plain(id: &Bson) -> String {
    id.as_object_id().map_or_else(|| id.to_string(), |id| id.to_hex())
}

async fn make_all(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let database = connection.database().await?;
    let mut problems = Vec::new();
    for index in wanted() {
        problems.extend(index.make(database).await?);
    }
    Ok(problems)
}
