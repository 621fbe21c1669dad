//! The store: a connection and its indexes.

use std::sync::Arc;

use async_trait::async_trait;
use mongodb::Database;
use secrecy::SecretString;
use tokio_util::task::AbortOnDropHandle;

use super::{connection::Connection, indexes::Indexes, probe};
use crate::server::store::{
    error::StoreError,
    readiness::{Health, Readiness},
};

/// A store in MongoDB.
pub(in crate::server::store) struct MongoStore {
    connection: Arc<Connection>,
    pub(super) indexes: Arc<Indexes>,
    pub(super) health: Arc<Health>,
    _tasks: AbortOnDropHandle<()>,
}

impl MongoStore {
    /// Takes the connection string, and never waits for the server (nor for the DNS of a `mongodb+srv` name): the
    /// indexes are made in the background as soon as it is there.
    ///
    /// # Errors
    /// The connection string cannot be read.
    pub(in crate::server::store) async fn open(uri: &SecretString, name: &str) -> Result<Self, StoreError> {
        let connection = Arc::new(Connection::new(uri, name)?);
        let indexes = Arc::new(Indexes::default());
        let health = Arc::<Health>::default();
        let tasks = {
            let (connection, indexes, health) = (Arc::clone(&connection), Arc::clone(&indexes), Arc::clone(&health));
            async move {
                let check = || check(&connection, &indexes);
                tokio::join!(health.keep_checking(check), indexes.keep_making(&connection, &health));
            }
        };
        Ok(Self { connection, indexes, health, _tasks: AbortOnDropHandle::new(tokio::spawn(tasks)) })
    }

    pub(super) async fn database(&self) -> Result<&Database, StoreError> {
        self.connection.database().await
    }
}

async fn check(connection: &Connection, indexes: &Indexes) -> Result<Vec<String>, StoreError> {
    probe::write(connection.database().await?).await?;
    Ok(indexes.problems())
}

#[async_trait]
impl Readiness for MongoStore {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        self.health.ready().await
    }

    fn away(&self) -> Option<StoreError> {
        self.health.outage.away()
    }
}
