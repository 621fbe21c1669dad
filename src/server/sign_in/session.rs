//! Verified to signed in. Delivering an attempt again is the same session, since its id is derived.

use tokio::time::timeout_at;

use super::{
    browser_cookie::Browser,
    flow::{Completion, RequestContext, SignIn},
    state::Received,
};
use crate::server::{
    ids::{Issuer, UserId},
    problem::Problem,
    session::{Admission, Found, SessionId},
    store::StoreError,
};

impl SignIn {
    pub(super) async fn deliver(
        &self,
        received: &Received,
        state: &str,
        mut browser: Browser,
        asking: &RequestContext,
        user: UserId,
        issuer: Issuer,
    ) -> Completion {
        let envelope = &received.envelope;
        let session = SessionId::new(received.secrets(&self.keys, &browser.key).session_id());
        let admission = Admission {
            id: session,
            browser: envelope.browser,
            user,
            issuer,
            provider: envelope.provider.clone(),
            attempt: envelope.attempt,
        };
        // A little over the patience, lest a sign-in that has just succeeded be asked for again.
        let until = tokio::time::Instant::now().max(asking.arrived + self.rules.patience)
            + std::time::Duration::from_millis(100);
        match timeout_at(until, self.sessions.admit(admission, asking.session)).await {
            Ok(Ok(true)) => {
                browser.ended(&envelope.return_to, envelope.started, self.system.now());
                tracing::info!(code = "delivered", reference = %envelope.attempt.reference(), "session created");
                Completion::Done { return_to: envelope.return_to.clone(), session, browser }
            }
            Ok(Ok(false)) => self.failed(received, state, Problem::AlreadyUsed, None),
            Ok(Err(StoreError::Unreadable(detail))) => {
                tracing::error!(code = "store_unavailable", detail, reference = %envelope.attempt.reference(), "the session could not be stored");
                self.failed(received, state, Problem::Interrupted, None)
            }
            Ok(Err(error)) => {
                tracing::error!(code = "store_unavailable", detail = %error, reference = %envelope.attempt.reference(), "the session could not be stored");
                self.pending(received, format!("state={state}"))
            }
            Err(_) => self.pending(received, format!("state={state}")),
        }
    }

    /// An attempt that is over and delivers nothing any more: a signed-in person is led on, anyone else told how to
    /// begin.
    pub(super) async fn over(
        &self,
        received: &Received,
        state: &str,
        asking: &RequestContext,
        error: Problem,
    ) -> Completion {
        match self.by_session(received, state, asking).await {
            Some(completion) => completion,
            None => self.failed(received, state, error, None),
        }
    }

    /// What the browser's session decides; `None`: nobody is signed in.
    pub(super) async fn by_session(
        &self,
        received: &Received,
        state: &str,
        asking: &RequestContext,
    ) -> Option<Completion> {
        let session = asking.session?;
        Some(match timeout_at(self.look_until(asking), self.sessions.find(session)).await {
            Ok(Ok(Found::SignedIn(_))) => Completion::GoOn(received.envelope.return_to.clone()),
            Ok(Ok(Found::Disabled)) => self.failed(received, state, Problem::UserDisabled, None),
            Ok(Ok(Found::Nobody)) => return None,
            Ok(Err(_)) | Err(_) => self.failed(received, state, Problem::StoreUnavailable, None),
        })
    }
}
