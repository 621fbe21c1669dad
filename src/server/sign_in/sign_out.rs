//! Sign-out: the session here is over first, whatever the provider does. Then the browser goes to the provider, where it can
//! end the person's session there, and comes back with a `state` of ours.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::timeout_at;

use super::{browser_cookie::Browser, completion::RequestContext, flow::SignIn};
use crate::server::{
    clock::{from_millis, is_recent, to_millis},
    ids::{BrowserHash, ProviderId},
    limits,
    provider::{EndSessionRequest, Provider, RawIdToken},
    seal::{Payload, Purpose, Sealed, take},
    session::EndedSession,
    store::StoreError,
};

/// What is to be done about a browser that is signed out here.
pub struct SignedOut {
    /// For the flow cookie.
    pub browser: Browser,
    /// The provider that the person had come through; `None` where nobody was signed in.
    pub provider: Option<Arc<Provider>>,
    /// What ends their session there, too, if that is offered.
    pub there: Option<EndSessionRequest>,
}

impl SignIn {
    /// Signs out. The browser key changes, so that the next person at the browser cannot complete a sign-in that was started
    /// before. To do it twice is to do it once.
    ///
    /// # Errors
    /// The store; then the person may still be signed in.
    pub async fn sign_out(&self, request: &RequestContext) -> Result<SignedOut, StoreError> {
        let before = request.browser.as_ref();
        let until = request.arrived + self.rules.patience;
        let (sessions, session) = (Arc::clone(&self.sessions), request.session);
        let key = before.map(|browser| browser.key.hash());
        // It goes on where the person closes the window, or has no patience left.
        let ended = self.to_the_end(async move { sessions.sign_out(session, key).await });
        let ended = match timeout_at(until, ended).await {
            Ok(Ok(ended)) => ended?,
            Ok(Err(_)) | Err(_) => return Err(StoreError::late()),
        };
        let browser = Browser::signed_out(before, &self.system);
        // Under another issuer it is another provider, which has no business with what the former one said.
        let provider = ended.as_ref().and_then(|ended| {
            self.providers.get(&ended.provider).filter(|provider| *provider.issuer() == ended.issuer).cloned()
        });
        let there = ended.zip(provider.as_ref()).and_then(|(ended, provider)| self.there(&ended, provider, &browser));
        Ok(SignedOut { browser, provider, there })
    }

    /// The browser where [`sign_out`](Self::sign_out) failed: its next sign-in asks, too.
    #[must_use]
    pub fn maybe_signed_out(&self, request: &RequestContext) -> Browser {
        Browser::maybe_signed_out(request.browser.as_ref(), &self.system)
    }

    fn there(&self, ended: &EndedSession, provider: &Provider, browser: &Browser) -> Option<EndSessionRequest> {
        let sealed = ended.id_token.as_deref();
        let id_token = sealed.and_then(|sealed| self.keys.open_bytes::<RawIdToken>(ended.id.as_bytes(), sealed));
        let away = Away { provider: provider.id().clone(), browser: browser.key.hash(), since: self.system.now() };
        let state = self.keys.seal(&[], &away, &self.system);
        provider.end_session(id_token.map(|opened| opened.value).as_ref(), state)
    }

    /// The provider from which `state` has come back, if it went there from this browser, a short time ago. This says what a
    /// page may say, and nothing else: some providers send people back who have chosen to stay signed in there.
    #[must_use]
    pub fn back_from(&self, state: &str, browser: &Browser) -> Option<&Arc<Provider>> {
        let away: Away = self.keys.open(&[], state)?.value;
        let is_recent = is_recent(away.since, self.system.now(), limits::SIGN_OUT_RETURNS_WITHIN);
        let is_here = away.browser == browser.key.hash();
        self.providers.get(&away.provider).filter(|_| is_recent && is_here)
    }
}

/// A browser is at the provider to be signed out: the `state` of that.
struct Away {
    provider: ProviderId,
    /// The browser after sign-out here.
    browser: BrowserHash,
    since: OffsetDateTime,
}

/// The sealed form. New fields are only ever appended to the payload, after these.
#[derive(Serialize, Deserialize)]
struct Wire {
    provider: String,
    browser: [u8; 32],
    since: i64,
}

impl Sealed for Away {
    const PURPOSE: Purpose = Purpose::SignOut;

    fn write(&self) -> Payload {
        let (provider, browser) = (self.provider.as_str().to_owned(), *self.browser.as_bytes());
        Payload::marked(1, &Wire { provider, browser, since: to_millis(self.since) })
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (wire, _appended) = take::<Wire>(payload)?;
        Some(Self {
            provider: ProviderId::new(wire.provider),
            browser: BrowserHash::from_bytes(wire.browser),
            since: from_millis(wire.since)?,
        })
    }
}
