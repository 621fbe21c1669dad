//! The scene's database, behind the program's back.

use mongodb::bson::{Document, doc};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Mongo, Scene};
use crate::support::wait::eventually;

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
    /// Returns when MongoDB has the last of the indexes. SecantusDB (0.7.0b3) locks itself up, for ever, where a
    /// collection is made for an index while something is written to it.
    pub(super) async fn prepared(&self) {
        let sessions = self.mongo.as_ref().unwrap().collection("login_sessions");
        eventually("MongoDB has the last of the indexes", || async {
            let names = sessions.list_index_names().await.unwrap_or_default();
            names.iter().any(|name| name == "vestibule_expires_at").then_some(())
        })
        .await;
    }

    /// A number from the database: of a table, or of its rows in one state.
    pub async fn count(&self, what: &str) -> i64 {
        if let Some(mongo) = &self.mongo {
            let (table, state) = what.split_once(" WHERE state = ").unwrap_or((what, ""));
            let table = mongo.collection(table);
            let state = state.trim_matches('\'');
            let filter = if state.is_empty() {
                doc! {}
            } else {
                doc! { "state": state }
            };
            return table.count_documents(filter).await.unwrap().try_into().unwrap();
        }
        let options = SqliteConnectOptions::new().filename(&self.database);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}")));
        let count = count.fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// A collection of a scene on MongoDB.
    pub fn collection(&self, name: &str) -> mongodb::Collection<Document> {
        self.mongo.as_ref().unwrap().collection(name)
    }

    /// Changes the database behind the program's back.
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
