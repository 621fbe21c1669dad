//! Asking the provider again whose session it is, so that whoever was disabled or lost a group there does not stay signed
//! in here for as long as a session may live (docs/decisions/recheck.md).

use time::OffsetDateTime;
use tokio::time::timeout;

use super::{
    id::SessionId,
    lately::What,
    sessions::{NewSession, Sessions},
};
use crate::server::{
    clock::later,
    limits,
    store::{SessionRecord, StoreError},
};

impl Sessions {
    /// From when on the provider is to be asked again about a session.
    pub(super) fn recheck_from(&self, session: &SessionRecord) -> Option<OffsetDateTime> {
        let due = later(session.confirmed, self.rules.recheck?);
        let tried = session.rechecked.max(self.unnoted_recheck.get());
        Some(tried.map_or(due, |tried| due.max(later(tried, limits::RECHECK_PAUSE))))
    }

    /// Whether the caller is the one to ask the provider again whose session it is; of many tabs only one is, and none where
    /// the store cannot note it: it would be asked at every page.
    pub async fn begin_recheck(&self, id: SessionId) -> bool {
        let now = self.system.now();
        let begins = self.store.begin_recheck(id.hash(), now, now - limits::RECHECK_PAUSE);
        let begins = timeout(limits::SESSION_TOUCH_WAIT, begins).await.unwrap_or_else(|_| Err(StoreError::late()));
        if let Err(error) = &begins {
            tracing::warn!(code = "store_unavailable", detail = %error, "a recheck could not be noted, and is put off");
            self.unnoted_recheck.set(now);
        }
        // Either way this process knows an older time.
        self.lately.forget(What::Session(id.hash()));
        begins.unwrap_or_default()
    }

    /// The provider has said who is signed in there: the session `said.id` goes on with what else is in `said`.
    ///
    /// `false`: it has ended, also since the provider has named somebody else, or has logged the person out meanwhile.
    ///
    /// # Errors
    /// The store; then it can be tried again.
    pub async fn recheck(&self, said: NewSession) -> Result<bool, StoreError> {
        let Some(session) = self.readable(said.id).await? else { return Ok(false) };
        if session.confirmed > said.begun {
            // An older answer, as of a tab that is restored: it says nothing about a session that is newer.
            return Ok(true);
        }
        if session.user != said.delivery.user {
            self.expire(session).await?;
            return Ok(false);
        }
        let _forgetting = self.lately.will_forget(What::Session(said.id.hash()));
        let (facts, id_token) = (said.delivery.facts, said.id_token);
        let session = SessionRecord { confirmed: self.system.now(), facts, id_token, ..session };
        let mut goes_on = self.store.confirm_session(&session).await?;
        self.store.close_delivery(said.attempt).await?;
        // After the write, as at the first use: a logout that came before it found another `sid` here.
        if goes_on && self.store.is_logged_out(&session).await? {
            self.expire(session).await?;
            goes_on = false;
        }
        Ok(goes_on)
    }
}
