//! Whether the files that are open are still the ones at their paths. Nothing else would tell: what was removed,
//! replaced or emptied while it is open can be written as before, and all of it is gone with the process.

use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::connection::log_of;
use crate::server::store::error::{Refusal, StoreError};

/// The database's file, and the log beside it.
pub(super) struct Place {
    files: Vec<(PathBuf, Identity)>,
    database: PathBuf,
    /// The file was emptied. What is written from then on fills it again, but not with what it held.
    emptied: AtomicBool,
}

/// Which file it is, whatever its name.
type Identity = (u64, u64);

impl Place {
    /// As it is now that they are open. Not every file system allows a log.
    pub(super) fn of(database: &Path) -> Self {
        let files = [database.to_owned(), log_of(database)];
        let known = |file: PathBuf| Some((file.clone(), identity(&fs::metadata(file).ok()?)));
        Self {
            files: files.into_iter().filter_map(known).collect(),
            database: database.to_owned(),
            emptied: AtomicBool::new(false),
        }
    }

    pub(super) async fn check(&self) -> Result<(), StoreError> {
        for (path, opened) in &self.files {
            let found = tokio::fs::metadata(path).await;
            if let Err(error) = &found
                && error.kind() != ErrorKind::NotFound
            {
                return Err(StoreError::unavailable(format_args!("{path:?} cannot be looked at: {error}")));
            }
            if !found.as_ref().is_ok_and(|found| identity(found) == *opened) {
                let what = format_args!("{path:?} was removed or replaced while it is open");
                return Err(StoreError::refused(Refusal::Moved, what));
            }
            // Its length alone: to open and close it would drop SQLite's locks. Before the log beside it, which SQLite
            // then removes.
            if *path == self.database && found.is_ok_and(|found| found.len() == 0) {
                self.emptied.store(true, Ordering::Relaxed);
            }
            if self.emptied.load(Ordering::Relaxed) {
                let what = format_args!("{:?} was emptied while it is open", self.database);
                return Err(StoreError::refused(Refusal::Emptied, what));
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn refusal(checked: &Result<(), StoreError>) -> Option<Refusal> {
        match checked {
            Err(StoreError::Refused { refusal, .. }) => Some(*refusal),
            _ => None,
        }
    }

    #[tokio::test]
    async fn an_emptied_file_stays_so_whatever_is_written_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("people.db");
        fs::write(&database, "people").unwrap();
        let place = Place::of(&database);
        assert!(place.check().await.is_ok());
        fs::OpenOptions::new().write(true).open(&database).unwrap().set_len(0).unwrap();
        assert_eq!(refusal(&place.check().await), Some(Refusal::Emptied));
        fs::OpenOptions::new().write(true).open(&database).unwrap().set_len(4096).unwrap();
        assert_eq!(refusal(&place.check().await), Some(Refusal::Emptied), "SQLite writes on");
    }

    #[tokio::test]
    async fn the_log_is_beside_the_file_that_a_link_leads_to() {
        let [folder, elsewhere] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (link, file) = (folder.path().join("link.db"), elsewhere.path().join("people.db"));
        fs::write(&file, "people").unwrap();
        fs::write(elsewhere.path().join("people.db-wal"), "log").unwrap();
        symlink(&file, &link).unwrap();
        let place = Place::of(&link);
        assert!(place.check().await.is_ok());
        fs::remove_file(elsewhere.path().join("people.db-wal")).unwrap();
        assert_eq!(refusal(&place.check().await), Some(Refusal::Moved));
    }
}
