//! Asking the provider again whose session it is, so that whoever was disabled or lost a group there does not stay signed
//! in here for as long as a session may live (docs/decisions/recheck.md).

use time::OffsetDateTime;

use super::{
    id::SessionId,
    sessions::{NewSession, Sessions},
};
use crate::server::{
    limits,
    store::{SessionRecord, StoreError},
};

/// How a recheck ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rechecked {
    /// The session goes on, with what the provider says now.
    Confirmed,
    /// The provider named somebody else, so the session has ended.
    AnotherPerson,
    /// It had ended meanwhile.
    Ended,
}

impl Sessions {
    /// From when on the provider is to be asked again about a session.
    pub(super) fn recheck_from(&self, session: &SessionRecord) -> Option<OffsetDateTime> {
        let due = session.confirmed + self.rules.recheck?;
        Some(session.rechecked.map_or(due, |asked| due.max(asked + limits::RECHECK_PAUSE)))
    }

    /// Whether the caller is the one to ask the provider again whose session it is; of many tabs only one is.
    ///
    /// # Errors
    /// The store cannot tell.
    pub async fn begin_recheck(&self, id: SessionId) -> Result<bool, StoreError> {
        let now = self.system.now();
        let begins = self.store.begin_recheck(id.hash(), now, now - limits::RECHECK_PAUSE).await?;
        // Either way this process knows an older time.
        self.lately.forget(id.hash());
        Ok(begins)
    }

    /// The provider has said at a recheck who is signed in there: `new` is what would be a session of its own.
    ///
    /// # Errors
    /// The store; then it can be tried again.
    pub async fn recheck(&self, id: SessionId, new: NewSession) -> Result<Rechecked, StoreError> {
        let Some(session) = self.readable(id).await? else { return Ok(Rechecked::Ended) };
        if session.user != new.delivery.user {
            self.expire(session).await?;
            return Ok(Rechecked::AnotherPerson);
        }
        let (facts, id_token) = (new.delivery.facts, new.id_token);
        let session = SessionRecord { confirmed: self.system.now(), facts, id_token, ..session };
        let lives = self.store.confirm_session(&session).await?;
        self.store.close_delivery(new.attempt).await?;
        self.lately.forget(id.hash());
        Ok(if lives { Rechecked::Confirmed } else { Rechecked::Ended })
    }
}
