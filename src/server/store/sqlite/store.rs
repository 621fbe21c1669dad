//! The store: its connections, and the task that removes what has expired.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use super::{connection::Connections, migrations, place::Place, probe, purge};
use crate::server::store::{
    error::StoreError,
    readiness::{Health, Readiness},
};

/// A store in an SQLite file.
pub(in crate::server::store) struct SqliteStore {
    pub(super) connections: Arc<Connections>,
    pub(super) place: Arc<Place>,
    pub(super) health: Arc<Health>,
    _tasks: AbortOnDropHandle<()>,
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
        let (connections, place) = (Arc::new(connections), Arc::new(Place::of(path)));
        let health = Arc::<Health>::default();
        let tasks = {
            let (connections, place, health) = (Arc::clone(&connections), Arc::clone(&place), Arc::clone(&health));
            async move {
                let check = || check(&connections, &place);
                tokio::join!(health.keep_checking(check), purge::keep_purging(&connections, &health));
            }
        };
        Ok(Self { connections, place, health, _tasks: AbortOnDropHandle::new(tokio::spawn(tasks)) })
    }
}

async fn check(connections: &Connections, place: &Place) -> Result<Vec<String>, StoreError> {
    place.check().await?;
    probe::write(connections).await?;
    Ok(Vec::new())
}

#[async_trait]
impl Readiness for SqliteStore {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        self.health.ready().await
    }

    fn away(&self) -> Option<StoreError> {
        self.health.outage.away()
    }
}
