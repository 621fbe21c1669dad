//! What changes about sessions and accounts, for a process that goes by what it has read of them before.

use async_trait::async_trait;

use super::error::StoreError;
use crate::server::ids::{SessionHash, UserId};

/// What a store does for those who follow it.
#[async_trait]
pub trait ChangeStore: Send + Sync {
    /// Follows what changes from now on. `None`: this store cannot tell, and has to be asked.
    async fn follow(&self) -> Result<Option<Box<dyn Changes>>, StoreError>;
}

/// What changes, whoever changes it.
#[async_trait]
pub trait Changes: Send {
    /// Adds to `changed` what has changed since the last answer, after
    /// [`limits::CHANGES_READ_EVERY`](crate::server::limits::CHANGES_READ_EVERY) or a little more. All that was written before
    /// the question is in this answer, or in an earlier one.
    ///
    /// # Errors
    /// The store cannot tell. What was added is true, but something may be missing: it is to be followed anew.
    async fn next(&mut self, changed: &mut Vec<Changed>) -> Result<(), StoreError>;
}

/// Something that is different now, or gone. New sessions and accounts, and the time of a visit, are no such thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A session.
    Session(SessionHash),
    /// An account, and with it all of its sessions.
    User(UserId),
}
