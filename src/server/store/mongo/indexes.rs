//! The indexes, made in the background as soon as the server is there. What is in the way of one (duplicates in a
//! database that others filled) never keeps the program from starting or a person from signing in: it is told.

use std::time::Duration;

use bson::{Bson, Document, doc};
use mongodb::{
    Database, IndexModel,
    error::{Error, ErrorKind},
    options::IndexOptions,
};
use tokio::sync::{Notify, watch};

use super::{Connection, DUPLICATE_KEY, StoreError, attempts, code, sessions, users};

/// How long making one index may take; the server goes on without us.
const MAKING: Duration = Duration::from_secs(60);
/// How long the creation of a user waits for the first try.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries, while the server is away and while something is in the way.
const AWAY: Duration = Duration::from_secs(2);
const IN_THE_WAY: Duration = Duration::from_secs(30);

/// How far the indexes are.
#[derive(Default)]
pub(super) struct Indexes {
    /// `None` until every index has been tried; then what is in the way of each that is missing.
    tried: watch::Sender<Option<Vec<String>>>,
    /// Somebody needs them now.
    wanted: Notify,
}

impl Indexes {
    /// One plain sentence for each index that is missing.
    pub(super) fn problems(&self) -> Vec<String> {
        self.tried.borrow().clone().unwrap_or_default()
    }

    /// Waits until every index has been tried, within reason: an index that takes minutes to build is no reason to
    /// turn people away.
    pub(super) async fn tried(&self) {
        let mut tried = self.tried.subscribe();
        if tried.borrow().is_some() {
            return;
        }
        self.wanted.notify_one();
        // Too late, or the store is being dropped: the caller goes on in both cases.
        let _ = tokio::time::timeout(PATIENCE, tried.wait_for(Option::is_some)).await;
    }

    /// Makes the indexes; ends when all are there.
    pub(super) async fn keep_making(&self, connection: &Connection) {
        loop {
            let pause = match make_all(connection).await {
                Ok(problems) => {
                    let done = problems.is_empty();
                    for problem in &problems {
                        tracing::warn!(problem, "an index could not be created");
                    }
                    self.tried.send_replace(Some(problems));
                    if done {
                        return;
                    }
                    IN_THE_WAY
                }
                Err(error) => {
                    tracing::debug!(%error, "the indexes have not been created yet");
                    AWAY
                }
            };
            // Woken or not, the next step is the same.
            let _ = tokio::time::timeout(pause, self.wanted.notified()).await;
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
    /// Removed by the server once the date is past.
    Expiry,
    /// Among the documents that have the field: the others are not ours. `mend` says what to do about duplicates.
    Unique {
        among: &'static str,
        mend: &'static str,
    },
}

fn wanted() -> [Index; 8] {
    let expiry = |collection| Index {
        collection,
        name: "vestibule_expires_at",
        keys: doc! { "expires_at": 1 },
        kind: Kind::Expiry,
    };
    let browser =
        |collection| Index { collection, name: "vestibule_browser", keys: doc! { "browser": 1 }, kind: Kind::Plain };
    [
        Index {
            collection: users::COLLECTION,
            name: "vestibule_issuer_subject",
            keys: doc! { "issuer": 1, "subject": 1 },
            kind: Kind::Unique {
                among: "issuer",
                mend: "are one person (same issuer and subject): remove the fields issuer and subject from all but one",
            },
        },
        Index {
            collection: users::COLLECTION,
            name: "vestibule_username_key",
            keys: doc! { "username_key": 1 },
            kind: Kind::Unique {
                among: "username_key",
                mend: "have one name (same username_key): rename all but one, in username and username_key",
            },
        },
        Index {
            collection: users::COLLECTION,
            name: "vestibule_oidc_sub",
            keys: doc! { "oidc_sub": 1 },
            kind: Kind::Plain,
        },
        Index {
            collection: attempts::COLLECTION,
            name: "vestibule_reference",
            keys: doc! { "reference": 1 },
            kind: Kind::Plain,
        },
        browser(attempts::COLLECTION),
        browser(sessions::COLLECTION),
        expiry(attempts::COLLECTION),
        expiry(sessions::COLLECTION),
    ]
}

impl Index {
    fn model(&self) -> IndexModel {
        let mut options = IndexOptions::builder().name(self.name.to_owned()).collation(users::exact()).build();
        match self.kind {
            Kind::Plain => {}
            Kind::Expiry => options.expire_after = Some(Duration::ZERO),
            Kind::Unique { among, .. } => {
                options.unique = Some(true);
                options.partial_filter_expression = Some(doc! { among: { "$exists": true } });
            }
        }
        IndexModel::builder().keys(self.keys.clone()).options(options).build()
    }

    /// `Some`: what is in the way, for an operator.
    ///
    /// # Errors
    /// The server is away: to be tried again soon.
    async fn make(&self, database: &Database) -> Result<Option<String>, StoreError> {
        let (collection, name) = (self.collection, self.name);
        let documents = database.collection::<Document>(collection);
        let making = documents.create_index(self.model());
        let error = match tokio::time::timeout(MAKING, making).await {
            Ok(Ok(_)) => return Ok(None),
            Ok(Err(error)) if refused(&error) => error,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Ok(Some(format!("The index {name} on {collection} is still being built."))),
        };
        if let (Kind::Unique { among, mend }, Some(DUPLICATE_KEY)) = (&self.kind, code(&error)) {
            let ids = self.duplicates(database, among).await?;
            return Ok(Some(format!(
                "The unique index {name} on {collection} cannot be made: the documents with _id {ids} {mend}; it is \
                 then made within a minute."
            )));
        }
        Ok(Some(format!(
            "The index {name} on {collection} cannot be made ({}): make it by hand, or mend what the message names; it \
             is tried again every {} seconds.",
            StoreError::from(error),
            IN_THE_WAY.as_secs()
        )))
    }

    /// The ids of one set of duplicates: the next is named once this one is mended.
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
            return Ok("(already mended)".into());
        }
        let group = cursor.deserialize_current()?;
        let ids = group.get_array("ids").map(Vec::as_slice).unwrap_or_default();
        Ok(ids.iter().take(10).map(plain).collect::<Vec<_>>().join(", "))
    }
}

fn plain(id: &Bson) -> String {
    id.as_object_id().map_or_else(|| id.to_string(), |id| id.to_hex())
}

/// The server is there and says no. When it is merely changing its role or shutting down, it is as good as away.
fn refused(error: &Error) -> bool {
    // "Not primary" and "is recovering", as drivers know them (Server Discovery and Monitoring specification).
    const CHANGING: [i32; 8] = [10_058, 10_107, 13_435, 13_436, 11_600, 11_602, 91, 189];
    match error.kind.as_ref() {
        ErrorKind::Command(error) => !CHANGING.contains(&error.code),
        _ => false,
    }
}

async fn make_all(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let database = connection.database().await?;
    let mut problems = Vec::new();
    for index in wanted() {
        problems.extend(index.make(&database).await?);
    }
    Ok(problems)
}
