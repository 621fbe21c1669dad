//! The store: its connections, and the task that removes what has expired.

use std::path::Path;

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use super::{connection::Connections, migrations, place::Place, probe, purge};
use crate::server::store::{
    bounds::bounded,
    error::StoreError,
    readiness::{Readiness, ReadinessCache},
};

/// A store in an SQLite file.
pub(in crate::server::store) struct SqliteStore {
    pub(super) connections: Connections,
    pub(super) place: Place,
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
        migrations::run(&connections.writer).await.map_err(|error| error.about(path))?;
        probe::write(&connections).await.map_err(|error| error.about(path))?;
        probe::read(&connections).await.map_err(|error| error.about(path))?;
        let place = Place::of(path);
        let purging = tokio::spawn(purge::keep_purging(connections.writer.clone()));
        let readiness = ReadinessCache::default();
        Ok(Self { connections, place, readiness, _purging: AbortOnDropHandle::new(purging) })
    }
}

#[async_trait]
impl Readiness for SqliteStore {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        let check = async {
            self.place.check().await?;
            probe::write(&self.connections).await?;
            Ok(Vec::new())
        };
        // A time-out is an answer, too, and serves everybody.
        self.readiness.get_or_check(bounded(check)).await
    }
}
