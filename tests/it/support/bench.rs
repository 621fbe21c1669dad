//! The two stores under test, each with nothing in it, and a way to its data behind its back.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::Client;
use secrecy::SecretString;
use sqlx::{Row as _, SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use vestibule::server::{
    ids::{AttemptId, UserId},
    settings::Database,
    store::{self, Store},
};

use crate::support::mongo;

/// A store with nothing in it, and a way to its data behind its back.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub raw: Raw,
}

pub enum Raw {
    Mongo { uri: String, database: mongodb::Database },
    Sqlite { pool: SqlitePool, path: PathBuf, _folder: TempDir },
}

impl Bench {
    pub async fn mongo() -> Self {
        Self::mongo_at(mongo::server().await.uri()).await
    }

    pub async fn mongo_at(uri: &str) -> Self {
        let name = mongo::database_name();
        let database = Client::with_uri_str(uri).await.unwrap().database(&name);
        let raw = Raw::Mongo { uri: uri.to_owned(), database };
        Self { store: raw.open().await, raw }
    }

    pub async fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("vestibule.db");
        let options = SqliteConnectOptions::new().filename(&path).busy_timeout(Duration::from_secs(5));
        let raw = Raw::Sqlite { pool: SqlitePool::connect_lazy_with(options), path, _folder: folder };
        Self { store: raw.open().await, raw }
    }

    pub async fn run(self, case: impl AsyncFnOnce(&Self)) {
        case(&self).await;
        if let Raw::Mongo { database, .. } = &self.raw {
            database.drop().await.unwrap();
        }
    }
}

impl Raw {
    /// Another process on the same data.
    pub async fn open(&self) -> Arc<dyn Store> {
        let settings = match self {
            Self::Mongo { uri, database } => {
                Database::Mongo { uri: SecretString::from(uri.clone()), name: database.name().to_owned() }
            }
            Self::Sqlite { path, .. } => Database::Sqlite { path: path.clone() },
        };
        store::open(&settings).await.unwrap()
    }

    pub fn database(&self) -> &mongodb::Database {
        let Self::Mongo { database, .. } = self else { panic!("not on MongoDB") };
        database
    }

    pub fn users(&self) -> mongodb::Collection<Document> {
        self.database().collection("users")
    }

    pub fn pool(&self) -> &SqlitePool {
        let Self::Sqlite { pool, .. } = self else { panic!("not on SQLite") };
        pool
    }

    /// As if the owner had last renewed its lease that long ago.
    pub async fn age_lease(&self, id: AttemptId, age: Duration) {
        let changed = match self {
            Self::Mongo { database, .. } => {
                let age = i64::try_from(age.as_millis()).unwrap();
                let aged = doc! { "$dateSubtract": { "startDate": "$$NOW", "unit": "millisecond", "amount": age } };
                let filter = doc! { "_id": binary(id.as_bytes()) };
                let attempts = database.collection::<Document>("login_attempts");
                attempts.update_one(filter, vec![doc! { "$set": { "lease": aged } }]).await.unwrap().matched_count
            }
            Self::Sqlite { pool, .. } => {
                sqlx::query("UPDATE login_attempts SET lease = unixepoch() * 1000 - ? WHERE id = ?")
                    .bind(i64::try_from(age.as_millis()).unwrap())
                    .bind(id.as_bytes().to_vec())
                    .execute(pool)
                    .await
                    .unwrap()
                    .rows_affected()
            }
        };
        assert_eq!(changed, 1);
    }

    /// A user as an older deployment wrote it, with whatever fields it has.
    pub async fn insert_user(&self, fields: Document) -> UserId {
        let id = ObjectId::new();
        match self {
            Self::Mongo { .. } => {
                let mut user = doc! { "_id": id };
                user.extend(fields);
                self.users().insert_one(user).await.unwrap();
            }
            Self::Sqlite { pool, .. } => {
                let username = fields.get_str("username").unwrap_or("").to_owned();
                sqlx::query(
                    "INSERT INTO users (id, username, username_key, email, role, is_active, auth_method, oidc_sub, \
                     oidc_provider) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(id.to_hex())
                .bind(&username)
                .bind(username.to_lowercase())
                .bind(fields.get_str("email").ok())
                .bind(fields.get_str("role").ok())
                .bind(fields.get_bool("is_active").ok())
                .bind(fields.get_str("auth_method").ok())
                .bind(fields.get_str("oidc_sub").ok())
                .bind(fields.get_str("oidc_provider").ok())
                .execute(pool)
                .await
                .unwrap();
            }
        }
        UserId::new(id.to_hex())
    }

    /// What is stored for that user, fields without a value left out.
    pub async fn fields(&self, id: &UserId) -> BTreeMap<String, Bson> {
        match self {
            Self::Mongo { .. } => {
                let id = ObjectId::parse_str(id.as_str()).unwrap();
                self.users().find_one(doc! { "_id": id }).await.unwrap().unwrap().into_iter().collect()
            }
            Self::Sqlite { pool, .. } => {
                let row =
                    sqlx::query("SELECT * FROM users WHERE id = ?").bind(id.as_str()).fetch_one(pool).await.unwrap();
                let mut fields = BTreeMap::new();
                for column in row.columns() {
                    let name = sqlx::Column::name(column);
                    let value = if let Ok(Some(text)) = row.try_get::<Option<String>, _>(name) {
                        Bson::String(text)
                    } else if let Ok(Some(number)) = row.try_get::<Option<i64>, _>(name) {
                        Bson::Int64(number)
                    } else {
                        continue;
                    };
                    fields.insert(name.to_owned(), value);
                }
                fields
            }
        }
    }

    pub async fn count_users(&self) -> u64 {
        match self {
            Self::Mongo { .. } => self.users().count_documents(doc! {}).await.unwrap(),
            Self::Sqlite { pool, .. } => {
                u64::try_from(sqlx::query_scalar::<_, i64>("SELECT count(*) FROM users").fetch_one(pool).await.unwrap())
                    .unwrap()
            }
        }
    }
}

pub fn binary(bytes: &[u8]) -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: bytes.to_vec() }
}
