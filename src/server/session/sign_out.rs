//! Sessions are ended: by the person, or by their provider.

use super::{found::EndedSession, id::SessionId, lately::What, sessions::Sessions};
use crate::server::{
    ids::BrowserHash,
    store::{LoggedOut, Logout, StoreError},
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
        let ended = match id {
            Some(id) => self.end(id).await?,
            None => None,
        };
        // The session knows its browser, too: the cookie that names it may be gone, or damaged.
        let its = ended.as_ref().and_then(|ended| ended.browser).filter(|its| browser != Some(*its));
        for browser in browser.into_iter().chain(its) {
            let _forgetting = self.lately.will_forget(What::Browser(browser));
            // Where nobody was signed in, anybody could fill the store with it.
            if ended.is_some() {
                self.store.remember_sign_out(browser, now).await?;
            }
            self.store.end_browser(browser, self.system.now()).await?;
        }
        Ok(ended)
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
        let mut session = match self.open(id.hash()).await {
            Ok(Some(session)) => session,
            // One that has ended stays as it is: its record keeps the id taken.
            Ok(None) => return Ok(None),
            // A newer version may be able to read it.
            Err(StoreError::Unreadable(_)) => {
                let _forgetting = self.lately.will_forget(What::Session(id.hash()));
                self.store.delete_session(id.hash()).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if let Some(attempt) = session.delivered_by {
            self.store.close_delivery(attempt).await?;
        }
        let ended = EndedSession {
            id: session.id,
            browser: session.browser,
            provider: session.provider.clone(),
            issuer: session.issuer.clone(),
            id_token: session.id_token.take(),
        };
        self.expire(session).await?;
        Ok(Some(ended))
    }
}
