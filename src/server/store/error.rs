//! Why a store failed.

use std::fmt;

use crate::server::limits;

/// Why the store could not answer. It never means "not found".
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is too slow, read-only, full, failing over or damaged.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// A stored record is malformed, or was written by a newer version.
    #[error("store holds something unreadable: {0}")]
    Unreadable(String),
}

impl StoreError {
    pub(super) fn unreadable(what: impl fmt::Display) -> Self {
        Self::Unreadable(capped(what))
    }

    pub(super) fn unavailable(what: impl fmt::Display) -> Self {
        Self::Unavailable(capped(what))
    }

    /// Other processes changed the same record again and again.
    pub(super) fn contended() -> Self {
        Self::Unavailable("lost every race for the same record".into())
    }
}

/// A line for the log, without the details of the topology.
fn capped(what: impl fmt::Display) -> String {
    let mut text = what.to_string();
    text.truncate(text.floor_char_boundary(limits::STORE_ERROR_BYTES));
    text
}
