//! The store: a connection and its indexes.

use std::sync::Arc;

use async_trait::async_trait;
use mongodb::Database;
use secrecy::SecretString;
use tokio_util::task::AbortOnDropHandle;

use super::{connection::Connection, indexes::Indexes, probe};
use crate::server::store::{
    bounds::bounded,
    error::StoreError,
    readiness::{Readiness, ReadinessCache},
};

/// A store in MongoDB.
pub(in crate::server::store) struct MongoStore {
    connection: Arc<Connection>,
    pub(super) indexes: Arc<Indexes>,
    readiness: ReadinessCache,
    _index_making: AbortOnDropHandle<()>,
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
        let making = {
            let (connection, indexes) = (Arc::clone(&connection), Arc::clone(&indexes));
            async move { indexes.keep_making(&connection).await }
        };
        Ok(Self {
            connection,
            indexes,
            readiness: ReadinessCache::default(),
            _index_making: AbortOnDropHandle::new(tokio::spawn(making)),
        })
    }

    pub(super) async fn database(&self) -> Result<&Database, StoreError> {
        self.connection.database().await
    }
}

#[async_trait]
impl Readiness for MongoStore {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        let check = async {
            probe::write(self.database().await?).await?;
            Ok(self.indexes.problems())
        };
        // A time-out is an answer, too, and serves everybody.
        self.readiness.get_or_check(bounded(check)).await
    }
}
