//! Why a store failed, and what an operator can do about it.

use std::{fmt, path::Path};

use crate::server::{failure_log::Said, limits};

/// Why the store could not answer. It never means "not found".
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is too slow, locked or failing over: it may pass in a moment, by itself.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The store refuses, and will until a person does something about it: waiting a moment is of no use.
    #[error("store refuses: {detail}")]
    Refused {
        /// Why, as far as it decides what to do.
        refusal: Refusal,
        /// What the store said.
        detail: String,
    },
    /// A stored record is malformed, or was written by a newer version.
    #[error("store holds something unreadable: {0}")]
    Unreadable(String),
}

/// Why a store refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The file, its directory or its file system cannot be written, or not by this user.
    NotWritable,
    /// There is no such file or directory, or something that is no file.
    NoFile,
    /// No space is left, or no quota.
    Full,
    /// The disk fails.
    Disk,
    /// The file is damaged, or no database.
    Damaged,
    /// A newer version of this program wrote the file, or another program.
    Foreign,
    /// The file that is open is no longer the one at its path.
    Moved,
    /// The file that is open has lost what it held.
    Emptied,
    /// The connection string cannot be read.
    Address,
    /// The server takes the credentials for nobody's, or gives them too few rights.
    Credentials,
    /// The server refuses for another reason, which its message says.
    Server,
}

impl Refusal {
    /// How an operator mends it.
    #[must_use]
    pub const fn mend(self) -> &'static str {
        match self {
            Self::NotWritable => {
                "make the file, the files beside it (-wal, -shm), its directory and its file system writable for the \
                 user that runs Vestibule"
            }
            Self::NoFile => "name a file in a directory that exists and that Vestibule's user may write to",
            Self::Full => "free some space where the data are stored, or raise the quota",
            Self::Disk => {
                "look for a full quota, a limit on file sizes or a failing disk (the system's log says more), and keep \
                 the file on a local disk"
            }
            Self::Damaged => "restore a backup of the file, or name another file",
            Self::Foreign => {
                "run the version that wrote the file or a newer one, restore a backup, or name another file"
            }
            Self::Moved => {
                "put the file and the one beside it (-wal) back, or restart Vestibule to use what is at that path now"
            }
            Self::Emptied => {
                "stop Vestibule, restore a backup of the file without the files beside it (-wal, -shm), and start it again"
            }
            Self::Address => {
                "write it as mongodb://user:password@host/name, with % before what is not a letter or a digit"
            }
            Self::Credentials => {
                "correct the user and the password, and give that user the role readWrite on the database"
            }
            Self::Server => "put right what the server's message says",
        }
    }
}

impl StoreError {
    pub(super) fn unreadable(what: impl fmt::Display) -> Self {
        Self::Unreadable(capped(what))
    }

    pub(super) fn unavailable(what: impl fmt::Display) -> Self {
        Self::Unavailable(capped(what))
    }

    pub(super) fn refused(refusal: Refusal, what: impl fmt::Display) -> Self {
        Self::Refused { refusal, detail: capped(what) }
    }

    /// Whoever asked had no patience left.
    pub(in crate::server) fn late() -> Self {
        Self::Unavailable("no response in time".into())
    }

    /// Other processes changed the same record again and again.
    pub(super) fn contended() -> Self {
        Self::Unavailable("lost every race for the same record".into())
    }

    /// The same, with the file in question.
    pub(super) fn about(self, path: &Path) -> Self {
        match self {
            Self::Unavailable(detail) => Self::unavailable(format_args!("{path:?}: {detail}")),
            Self::Refused { refusal, detail } => Self::refused(refusal, format_args!("{path:?}: {detail}")),
            Self::Unreadable(detail) => Self::unreadable(format_args!("{path:?}: {detail}")),
        }
    }

    /// How an operator mends it.
    #[must_use]
    pub const fn mend(&self) -> &'static str {
        match self {
            Self::Refused { refusal, .. } => refusal.mend(),
            Self::Unavailable(_) => {
                "look whether the database runs, can be reached and is not too busy (MongoDB: whether there is a primary; \
                 SQLite: whether another program holds a lock on the file); Vestibule goes on by itself"
            }
            Self::Unreadable(_) => {
                "run the version that wrote the record or a newer one; if there is none, remove the record or restore a \
                 backup"
            }
        }
    }
}

impl From<&StoreError> for Said {
    fn from(error: &StoreError) -> Self {
        Self { detail: Some(error.to_string()), mend: Some(error.mend()) }
    }
}

/// A line for the log, without the details of the topology.
fn capped(what: impl fmt::Display) -> String {
    let mut text = what.to_string();
    text.truncate(text.floor_char_boundary(limits::STORE_ERROR_BYTES));
    text
}
