//! Whether the files that are open are still the ones at their paths. Nothing else would tell: what was removed or
//! replaced while it is open can be written as before, and all of it is gone with the process.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

use crate::server::store::error::{Refusal, StoreError};

/// The database's file, and the log beside it.
pub(super) struct Place(Vec<(PathBuf, Identity)>);

/// Which file it is, whatever its name.
type Identity = (u64, u64);

impl Place {
    /// As it is now that they are open. Not every file system allows a log.
    pub(super) fn of(database: &Path) -> Self {
        let mut log = OsString::from(database);
        log.push("-wal");
        let files = [database.to_owned(), PathBuf::from(log)];
        Self(files.into_iter().filter_map(|file| Some((file.clone(), identity(&fs::metadata(file).ok()?)))).collect())
    }

    pub(super) async fn check(&self) -> Result<(), StoreError> {
        for (path, opened) in &self.0 {
            let found = tokio::fs::metadata(path).await.map(|metadata| identity(&metadata));
            if !found.is_ok_and(|found| found == *opened) {
                let what = format_args!("{path:?} was removed or replaced while it is open");
                return Err(StoreError::refused(Refusal::Moved, what));
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// That it is there is all that can be said.
#[cfg(not(unix))]
const fn identity(_: &Metadata) -> Identity {
    (0, 0)
}
