//! The scene's database, behind the program's back.

use mongodb::bson::{Bson, Document, doc};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Mongo, Scene};
use crate::support::mongo;

impl Mongo {
    /// A database of its own.
    pub(super) async fn at(uri: &str, options: &str) -> Self {
        let name = format!("scene_{}", bson::oid::ObjectId::new().to_hex());
        let client = mongodb::Client::with_uri_str(uri).await.unwrap();
        Self { uri: format!("{uri}{name}{options}"), name, client }
    }

    fn collection(&self, name: &str) -> mongodb::Collection<Document> {
        self.client.database(&self.name).collection(name)
    }
}

impl Scene {
    /// Returns when MongoDB has the last of the indexes.
    pub(super) async fn prepared(&self) {
        let Mongo { client, name, .. } = self.mongo.as_ref().unwrap();
        mongo::indexed(&client.database(name)).await;
    }

    /// A number from the database: of a table, or of its rows where a field has one value, or any.
    pub async fn count(&self, what: &str) -> i64 {
        if let Some(mongo) = &self.mongo {
            let (table, filter) = match what.split_once(" WHERE ") {
                Some((table, wanted)) => match wanted.split_once(" = ") {
                    Some((field, value)) => (table, doc! { field: value.trim_matches('\'') }),
                    None => (table, doc! { wanted.strip_suffix(" IS NOT NULL").unwrap(): { "$ne": null } }),
                },
                None => (what, doc! {}),
            };
            let table = mongo.collection(table);
            return table.count_documents(filter).await.unwrap().try_into().unwrap();
        }
        let options = SqliteConnectOptions::new().filename(&self.database);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}")));
        let count = count.fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// Everything that is stored, as bytes of the file that may be read as text, or as MongoDB shows it.
    pub async fn dump(&self) -> String {
        if let Some(mongo) = &self.mongo {
            let mut all = String::new();
            for name in ["users", "login_sessions", "login_attempts"] {
                let mut found = mongo.collection(name).find(doc! {}).await.unwrap();
                while found.advance().await.unwrap() {
                    all += &format!("{:?}", found.deserialize_current().unwrap());
                }
            }
            return all;
        }
        let folder = std::fs::read_dir(self.database.parent().unwrap()).unwrap();
        folder.map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()).collect()
    }

    /// A collection of a scene on MongoDB.
    pub fn collection(&self, name: &str) -> mongodb::Collection<Document> {
        self.mongo.as_ref().unwrap().collection(name)
    }

    /// Sets a field of everybody who has ever signed in, behind the program's back.
    pub async fn set_of_users(&self, field: &str, value: impl Into<Bson>) {
        let value = value.into();
        if self.mongo.is_some() {
            self.collection("users").update_many(doc! {}, doc! { "$set": { field: value } }).await.unwrap();
            return;
        }
        // Texts in quotes; SQLite knows `true` and `false`.
        let value = value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'"));
        self.execute(&format!("UPDATE users SET {field} = {value}")).await;
    }

    /// The provider last said of everybody who it is so many milliseconds earlier than it did, and was not asked since.
    pub async fn was_confirmed_earlier(&self, by: i64) {
        if let Some(mongo) = &self.mongo {
            let sessions = mongo.collection("login_sessions");
            let mut found = sessions.find(doc! {}).await.unwrap();
            while found.advance().await.unwrap() {
                let session = found.deserialize_current().unwrap();
                let confirmed = session.get_datetime("confirmed_at").unwrap().timestamp_millis() - by;
                let set = doc! { "confirmed_at": bson::DateTime::from_millis(confirmed) };
                let update = doc! { "$set": set, "$unset": { "rechecked_at": 1 } };
                let this = doc! { "_id": session.get("_id").unwrap() };
                sessions.update_one(this, update).await.unwrap();
            }
            return;
        }
        let sql = format!("UPDATE login_sessions SET confirmed_at = confirmed_at - {by}, rechecked_at = NULL");
        self.execute(&sql).await;
    }

    /// Changes SQLite's file behind the program's back.
    pub async fn execute(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(&self.database);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// Lets whatever sets off this trigger (`fault`) fail with what SQLite says where the disk is full: there is no
    /// number left for a row.
    pub async fn fill(&self, when: &str) {
        self.execute("CREATE TABLE IF NOT EXISTS filled (id INTEGER PRIMARY KEY AUTOINCREMENT)").await;
        self.execute("INSERT OR IGNORE INTO filled VALUES (9223372036854775807)").await;
        self.execute(&format!("CREATE TRIGGER fault {when} BEGIN INSERT INTO filled VALUES (NULL); END")).await;
    }

    /// Lets a table be nowhere in the file, as in a damaged one; who has it open finds that at the next statement.
    pub async fn damage(&self, table: &str) {
        self.point(table, "rootpage + 1000000").await;
    }

    /// Undoes that.
    pub async fn repair(&self, table: &str) {
        self.point(table, "rootpage - 1000000").await;
    }

    async fn point(&self, table: &str, root: &str) {
        let options = SqliteConnectOptions::new().filename(&self.database);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let point = format!("UPDATE sqlite_schema SET rootpage = {root} WHERE name = '{table}'");
        // A number that no other connection knows, so that each reads the tables anew.
        let version = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        for sql in ["PRAGMA writable_schema = ON", &point, &format!("PRAGMA schema_version = {version}")] {
            sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }
}
