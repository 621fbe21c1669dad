//! The scene's database, behind the program's back.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Mongo, Scene};
use crate::support::wait::eventually;

impl Mongo {
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

    /// Changes the database behind the program's back.
    pub async fn execute(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(&self.database);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// Overwrites where the file keeps `table`, while the program is stopped; returns the file as it was.
    pub async fn damage(&self, table: &str) -> Vec<u8> {
        let options = SqliteConnectOptions::new().filename(&self.database);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let mut checkpointed = false;
        for _ in 0..1_000 {
            let checkpoint = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection);
            let (busy, _, _): (i64, i64, i64) = checkpoint.await.unwrap();
            checkpointed = busy == 0;
            if checkpointed {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(checkpointed, "another process has the file open");
        let size: u32 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut connection).await.unwrap();
        let roots = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = ? AND rootpage > 0";
        let roots: Vec<u32> = sqlx::query_scalar(roots).bind(table).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let sound = std::fs::read(&self.database).unwrap();
        let mut damaged = sound.clone();
        for root in roots {
            let end = usize::try_from(root * size).unwrap();
            damaged[end - usize::try_from(size).unwrap()..end].fill(0xff);
        }
        std::fs::write(&self.database, damaged).unwrap();
        sound
    }

    /// Puts a file back, while the program is stopped.
    pub fn restore(&self, sound: &[u8]) {
        for journal in ["db-wal", "db-shm"] {
            let _ = std::fs::remove_file(self.database.with_extension(journal));
        }
        std::fs::write(&self.database, sound).unwrap();
    }
}
