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

    /// The provider has said who is signed in there: the session `said.id` goes on with what else is in `said`.
    ///
    /// `false`: it has ended, also since the provider has named somebody else.
    ///
    /// # Errors
    /// The store; then it can be tried again.
    pub async fn recheck(&self, said: NewSession) -> Result<bool, StoreError> {
        let Some(session) = self.readable(said.id).await? else { return Ok(false) };
        if session.user != said.delivery.user {
            self.expire(session).await?;
            return Ok(false);
        }
        let (facts, id_token) = (said.delivery.facts, said.id_token);
        let session = SessionRecord { confirmed: self.system.now(), facts, id_token, ..session };
        let goes_on = self.store.confirm_session(&session).await?;
        self.store.close_delivery(said.attempt).await?;
        self.lately.forget(session.id);
        Ok(goes_on)
    }
}
