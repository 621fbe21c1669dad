//! Sessions are ended: by the person, or by their provider.

use super::{found::EndedSession, id::SessionId, lately::What, sessions::Sessions};
use crate::server::{
    ids::BrowserHash,
    store::{LoggedOut, Logout, SessionRecord, StoreError},
};

impl Sessions {
    /// Signs out: the session is dead at once, and so is every other that this browser was given and its cookie no
    /// longer names (of callbacks in parallel, or the former one's last minute). The attempts that created them create
    /// no session any more, those that still run for this browser are interrupted, and those that it has begun, but not
    /// completed, deliver nothing. Returns what `id` was, if it lived.
    ///
    /// # Errors
    /// The store; then the person is still signed in.
    pub async fn sign_out(
        &self,
        id: Option<SessionId>,
        browser: Option<BrowserHash>,
    ) -> Result<Option<EndedSession>, StoreError> {
        // Before anything is waited for: whoever gives up and signs in again does so later.
        let now = self.system.now();
        let session = match id {
            Some(id) => self.to_be_ended(id).await?,
            None => None,
        };
        // The session knows its browser, too: the cookie that names it may be gone, or damaged. It is ended last, so that
        // whatever fails before can be done once more.
        let its = session.as_ref().and_then(|session| session.browser).filter(|its| browser != Some(*its));
        for browser in browser.into_iter().chain(its) {
            let forgetting = self.lately.will_forget(What::Browser(browser));
            // Where nobody was signed in, anybody could fill the store with it.
            if session.is_some() {
                self.store.remember_sign_out(browser, now).await?;
            }
            if !self.store.end_browser(browser, now).await? {
                // All that is known would be looked through, as often as anybody likes.
                forgetting.not_needed();
            }
        }
        match session {
            Some(session) => self.end_one(session).await.map(Some),
            None => Ok(None),
        }
    }

    /// A provider has logged somebody out: the sessions that belong to the logout are dead at once in this process, and in
    /// others as soon as they are told, or ask again.
    ///
    /// # Errors
    /// The store; then it is to be told again.
    pub async fn log_out(&self, logout: &Logout) -> Result<LoggedOut, StoreError> {
        let _forgetting = self.lately.will_forget(What::LoggedOut(logout.clone()));
        self.store.log_out(logout).await
    }

    /// Ends one session. Returns what it was, if it lived.
    ///
    /// # Errors
    /// The store; then it may live.
    pub async fn end(&self, id: SessionId) -> Result<Option<EndedSession>, StoreError> {
        match self.to_be_ended(id).await? {
            Some(session) => self.end_one(session).await.map(Some),
            None => Ok(None),
        }
    }

    async fn to_be_ended(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        match self.open(id.hash()).await {
            // A newer version may be able to read it.
            Err(StoreError::Unreadable(_)) => {
                let _forgetting = self.lately.will_forget(What::Session(id.hash()));
                self.store.delete_session(id.hash()).await?;
                Ok(None)
            }
            // One that has ended stays as it is: its record keeps the id taken. That it has may be news to this process.
            Ok(None) => {
                if self.lately.get(id.hash()).is_some() {
                    self.lately.forget(What::Session(id.hash()));
                }
                Ok(None)
            }
            opened => opened,
        }
    }

    async fn end_one(&self, mut session: SessionRecord) -> Result<EndedSession, StoreError> {
        if let Some(attempt) = session.delivered_by {
            self.store.close_delivery(attempt).await?;
        }
        let ended = EndedSession {
            id: session.id,
            provider: session.provider.clone(),
            issuer: session.issuer.clone(),
            id_token: session.id_token.take(),
        };
        self.expire(session).await?;
        Ok(ended)
    }
}
