//! The store: its connections, and the task that removes what has expired.

use std::path::Path;

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use super::{connection::Connections, migrations, purge};
use crate::server::store::{
    bounds::bounded,
    error::StoreError,
    readiness::{Readiness, ReadinessCache},
};

/// A store in an SQLite file.
pub(in crate::server::store) struct SqliteStore {
    pub(super) connections: Connections,
    readiness: ReadinessCache,
    _purging: AbortOnDropHandle<()>,
}

impl SqliteStore {
    /// Opens the file, makes it (readable by its owner alone) if it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// It cannot be opened or written, is no SQLite file, or was written by a newer version of this program.
    pub(in crate::server::store) async fn open(path: &Path) -> Result<Self, StoreError> {
        let connections = Connections::open(path)?;
        migrations::run(&connections.writer).await?;
        let purging = tokio::spawn(purge::keep_purging(connections.writer.clone()));
        Ok(Self { connections, readiness: ReadinessCache::default(), _purging: AbortOnDropHandle::new(purging) })
    }
}

#[async_trait]
impl Readiness for SqliteStore {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        let check = async {
            // The lock to write: a file that can only be read signs nobody in.
            self.connections.write().await?.rollback().await?;
            Ok(Vec::new())
        };
        // A time-out is an answer, too, and serves everybody.
        self.readiness.get_or_check(bounded(check)).await
    }
}
