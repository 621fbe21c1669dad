//! From a verified attempt to a session. Delivering an attempt again yields the same session, since its id is derived.

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    browser_cookie::Device, completion::Completion, exchanges::Reason, flow::SignIn, start::Prompt, status::Callback,
};
use crate::server::{
    failure_log::Said,
    limits,
    problem::Problem,
    provider::RawIdToken,
    session::{Delivery, Found, NewSession},
    store::StoreError,
};

impl SignIn {
    /// Creates the session of a verified attempt. The request is held while the session cannot be written.
    pub(super) async fn deliver(&self, callback: &Callback, delivery: Delivery) -> Completion {
        let mut refused = false;
        let (error, is_away) = loop {
            let error = match self.deliver_once(callback, delivery.clone()).await {
                Ok(completion) => return completion,
                Err(error) => error,
            };
            let is_away = self.store.away().is_some();
            let again = match &error {
                // Without JavaScript the page reloads at once; hold the response to slow it down.
                StoreError::Unavailable(_) => !is_away && Instant::now() + limits::LOOK_EVERY < callback.hold,
                // A refusal is believed when it is repeated.
                StoreError::Refused { .. } => !std::mem::replace(&mut refused, true),
                StoreError::Unreadable(_) => false,
            };
            if !again {
                break (error, is_away);
            }
            sleep(limits::LOOK_EVERY).await;
        };
        let reference = callback.attempt().reference();
        self.undelivered.insert(callback.attempt(), Said::from(&error));
        let problem = match error {
            StoreError::Unavailable(_) if !is_away => {
                tracing::debug!(code = "store_unavailable", detail = %error, %reference, "the session could not be written");
                return self.pending(callback, callback.question());
            }
            StoreError::Unavailable(_) | StoreError::Refused { .. } => Problem::StoreUnavailable,
            StoreError::Unreadable(_) => Problem::Interrupted,
        };
        self.failed(callback, &Reason::of_store(&error, problem), callback.question())
    }

    async fn deliver_once(&self, callback: &Callback, delivery: Delivery) -> Result<Completion, StoreError> {
        let state = &callback.state.state;
        let is_recheck = state.prompt == Prompt::Silent;
        let goes_on = callback.request.session.filter(|_| is_recheck);
        let own = || callback.state.secrets(&self.keys, &callback.browser.key).session_id();
        let session = goes_on.unwrap_or_else(own);
        let device = Device::of(&delivery.user, &self.keys);
        let seal = |token: &RawIdToken| self.keys.seal_bytes(session.hash().as_bytes(), token, &self.system);
        let id_token = delivery.id_token.as_ref().map(seal);
        let new = NewSession {
            id: session,
            browser: state.browser,
            delivery,
            issuer: callback.provider.issuer().clone(),
            provider: state.provider.clone(),
            attempt: state.attempt,
            begun: state.started,
            id_token,
        };
        let until = Instant::now().max(callback.request.arrived + self.rules.patience) + limits::DELIVERY_GRACE;
        let reference = state.attempt.reference();
        let begun = async {
            match goes_on {
                Some(_) => self.sessions.recheck(new).await,
                None => self.sessions.begin(new, callback.request.session).await,
            }
        };
        if !timeout_at(until, begun).await.unwrap_or_else(|_| Err(StoreError::late()))? {
            let over = Problem::AlreadyUsed.into();
            // The session has ended meanwhile, or was somebody else's: who is signed in at the provider signs in anew.
            return Ok(match goes_on {
                Some(_) => self.begin_again(callback, &over).await,
                None => self.failed(callback, &over, callback.question()),
            });
        }
        self.undelivered.invalidate(&state.attempt);
        let mut browser = callback.browser.clone();
        browser.signed_in(&state.return_to, state.started, device, &self.system);
        tracing::info!(code = "delivered", %reference, recheck = is_recheck, "signed in");
        Ok(Completion::Done { return_to: state.return_to.clone(), session, browser })
    }

    /// An attempt that can no longer create a session: a signed-in person is redirected, anyone else is told how to
    /// start again.
    pub(super) async fn over(&self, callback: &Callback, problem: Problem) -> Completion {
        // What was never delivered has not been used: the store failed for as long as it could be.
        let undelivered = self.undelivered.get(&callback.attempt()).filter(|_| problem == Problem::AlreadyUsed);
        let over = undelivered.map_or_else(|| problem.into(), |said| Reason { said, ..Problem::Interrupted.into() });
        let reason = match callback.request.session {
            None => over,
            Some(session) => match timeout_at(self.look_until(callback), self.sessions.find(session)).await {
                Ok(Ok(Found::SignedIn(_))) => return Completion::GoOn(callback.state.state.return_to.clone()),
                Ok(Ok(Found::Disabled)) => Problem::UserDisabled.into(),
                Ok(Ok(Found::Nobody | Found::Ended)) => over,
                Ok(Err(error)) => Reason::of_store(&error, Problem::StoreUnavailable),
                Err(_) => Reason::of_store(&StoreError::late(), Problem::StoreUnavailable),
            },
        };
        self.failed(callback, &reason, callback.question())
    }
}
