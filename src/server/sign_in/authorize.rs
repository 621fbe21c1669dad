//! The start: a sealed state, derived secrets, a redirect to the provider. Nothing is stored.

use tokio::time::timeout_at;
use url::Url;

use super::{
    browser_cookie::{Browser, Onward},
    flow::{Failure, RequestContext, SignIn},
    return_to::ReturnTo,
    state::{Envelope, Secrets},
};
use crate::{
    paths,
    server::{
        ids::{AttemptId, ProviderId, Reference},
        problem::Problem,
        provider::{AuthorizationRequest, Provider},
        session::Found,
    },
};

/// What a person asked for by starting.
#[derive(Clone, Debug)]
pub struct Start {
    /// The provider chosen.
    pub provider: ProviderId,
    /// Where to land.
    pub return_to: ReturnTo,
    /// `prompt=login`: another account is wanted.
    pub other_account: bool,
    /// One of our own buttons was clicked.
    pub clicked: bool,
}

/// How a start ended.
#[derive(Debug)]
pub enum StartOutcome {
    /// Off to the provider.
    Started(Started),
    /// Signed in already: go there.
    SignedIn {
        /// Where to.
        return_to: ReturnTo,
        /// For the flow cookie.
        browser: Browser,
        /// By what.
        onward: Onward,
    },
    /// It cannot begin.
    Failed(Failure),
}

/// A redirect to the provider.
#[derive(Debug)]
pub struct Started {
    /// The authorization request.
    pub location: Url,
    /// For the flow cookie, where it has to be set.
    pub browser: Option<Browser>,
}

impl Start {
    /// The path that starts this sign-in.
    #[must_use]
    pub fn path(&self) -> String {
        let other_account = if self.other_account { "&prompt=login" } else { "" };
        let clicked = if self.clicked { "&again=1" } else { "" };
        format!(
            "{}?provider={}&return_to={}{other_account}{clicked}",
            paths::OIDC_LOGIN,
            self.provider,
            self.return_to.encoded()
        )
    }
}

impl SignIn {
    /// Begins a sign-in.
    pub async fn start(&self, start: Start, asking: RequestContext) -> StartOutcome {
        let now = self.system.now();
        let known = asking.browser.is_some();
        let mut browser = asking.browser.unwrap_or_else(|| Browser::new(&self.system));
        let mut changed = !known;
        if start.clicked && known {
            browser.clicked();
            changed = true;
        }
        let failed = |error, retry_in| {
            let reference = Reference::of(&self.system.bytes::<16>());
            let other_account = start.other_account || error == Problem::UserDisabled;
            let again = Start { clicked: true, other_account, ..start.clone() };
            StartOutcome::Failed(Failure { error, reference, query: None, begin_again: Some(again.path()), retry_in })
        };
        let Some(provider) = self.providers.get(&start.provider) else {
            return failed(Problem::UnknownProvider, None);
        };
        if let Some(session) = asking.session.filter(|_| !start.other_account) {
            let until = asking.arrived + self.rules.patience;
            match timeout_at(until, self.sessions.find(session)).await {
                Ok(Ok(Found::SignedIn(_))) => {
                    let Some(onward) = browser.bounce(&start.return_to, now) else {
                        return failed(Problem::SignInLoop, None);
                    };
                    return StartOutcome::SignedIn { return_to: start.return_to, browser, onward };
                }
                Ok(Ok(Found::Disabled)) => return failed(Problem::UserDisabled, None),
                Ok(Ok(Found::Nobody)) => {}
                // Never "not signed in": the person would be sent round for nothing.
                Ok(Err(_)) | Err(_) => return failed(Problem::StoreUnavailable, Some(2)),
            }
        }
        if !browser.may_start(&start.return_to, now) {
            return failed(Problem::SignInLoop, None);
        }
        let envelope = Envelope {
            attempt: AttemptId::new(self.system.bytes()),
            provider: provider.id().clone(),
            fingerprint: provider.fingerprint(),
            return_to: start.return_to.clone(),
            started: now,
            browser: browser.key.hash(),
            first_contact: !known,
            other_account: start.other_account,
            restarts: 0,
        };
        let until = asking.arrived + self.rules.patience;
        match self.authorization_url(provider, &envelope, &browser, until).await {
            Some(location) => {
                tracing::info!(code = "start", reference = %envelope.attempt.reference(), provider = %provider.id(), "sign-in started");
                StartOutcome::Started(Started { location, browser: changed.then_some(browser) })
            }
            None => failed(Problem::SignInUnavailable, Some(3)),
        }
    }

    /// Begins anew by itself what another key of this browser had begun; nothing of the old attempt is consumed.
    pub(super) async fn restart(
        &self,
        old: &Envelope,
        provider: &Provider,
        browser: &Browser,
        until: tokio::time::Instant,
    ) -> Option<Started> {
        let envelope = Envelope {
            attempt: AttemptId::new(self.system.bytes()),
            started: self.system.now(),
            browser: browser.key.hash(),
            first_contact: false,
            restarts: old.restarts + 1,
            ..old.clone()
        };
        let location = self.authorization_url(provider, &envelope, browser, until).await?;
        Some(Started { location, browser: None })
    }

    async fn authorization_url(
        &self,
        provider: &Provider,
        envelope: &Envelope,
        browser: &Browser,
        until: tokio::time::Instant,
    ) -> Option<Url> {
        let secrets = Secrets::new(&self.keys, envelope.attempt, &browser.key);
        let request = AuthorizationRequest {
            state: envelope.seal(&self.keys, &self.system),
            nonce: secrets.nonce(),
            verifier: secrets.verifier(),
            prompt_login: envelope.other_account,
        };
        match timeout_at(until, provider.authorization_url(request)).await {
            Ok(Ok(url)) => Some(url),
            Ok(Err(fault)) => {
                tracing::warn!(code = fault.code(), provider = %provider.id(), detail = %fault, "the authorization endpoint of the provider is not known");
                None
            }
            Err(_) => None,
        }
    }
}
