//! From a verified attempt to a session. Delivering an attempt again yields the same session, since its id is derived.

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    browser_cookie::Device, callback_query::CallbackQuery, completion::Completion, exchanges::Reason, flow::SignIn,
    status::Callback,
};
use crate::server::{
    limits,
    problem::Problem,
    session::{Delivery, Found, NewSession},
    store::StoreError,
};

impl SignIn {
    /// Creates the session of a verified attempt. The request is held while the session cannot be written.
    pub(super) async fn deliver(&self, callback: &Callback, delivery: Delivery) -> Completion {
        let mut refused = false;
        loop {
            let delivered = self.deliver_once(callback, delivery.clone()).await;
            let again = match &delivered {
                // Without JavaScript the page reloads at once; hold the response to slow it down.
                Completion::Pending { .. } => Instant::now() + limits::LOOK_EVERY < callback.hold,
                // A refusal is believed when it is repeated.
                Completion::Failed(failure) if failure.problem == Problem::StoreUnavailable => {
                    !std::mem::replace(&mut refused, true)
                }
                _ => false,
            };
            if !again {
                return delivered;
            }
            sleep(limits::LOOK_EVERY).await;
        }
    }

    async fn deliver_once(&self, callback: &Callback, delivery: Delivery) -> Completion {
        let state = &callback.state.state;
        let session = callback.state.secrets(&self.keys, &callback.browser.key).session_id();
        let device = Device::of(&delivery.user, &self.keys);
        let new = NewSession {
            id: session,
            browser: state.browser,
            delivery,
            issuer: callback.provider.issuer().clone(),
            provider: state.provider.clone(),
            attempt: state.attempt,
        };
        let question = CallbackQuery::question(callback.state.text());
        let until = Instant::now().max(callback.request.arrived + self.rules.patience) + limits::DELIVERY_GRACE;
        let reference = state.attempt.reference();
        match timeout_at(until, self.sessions.begin(new, callback.request.session)).await {
            Ok(Ok(true)) => {
                let mut browser = callback.browser.clone();
                browser.signed_in(&state.return_to, state.started, device, &self.system);
                tracing::info!(code = "delivered", %reference, "signed in");
                Completion::Done { return_to: state.return_to.clone(), session, browser }
            }
            Ok(Ok(false)) => self.failed(callback, &Problem::AlreadyUsed.into(), question),
            Ok(Err(error @ StoreError::Unreadable(_))) => {
                self.failed(callback, &Reason::of_store(&error, Problem::Interrupted), question)
            }
            Ok(Err(error @ StoreError::Refused { .. })) => {
                self.failed(callback, &Reason::of_store(&error, Problem::StoreUnavailable), question)
            }
            Ok(Err(error @ StoreError::Unavailable(_))) => {
                tracing::debug!(code = "store_unavailable", detail = %error, %reference, "the session could not be written");
                self.pending(callback, question)
            }
            Err(_) => self.pending(callback, question),
        }
    }

    /// An attempt that can no longer create a session: a signed-in person is redirected, anyone else is told how to
    /// start again.
    pub(super) async fn over(&self, callback: &Callback, problem: Problem) -> Completion {
        let problem = match callback.request.session {
            None => problem,
            Some(session) => match timeout_at(self.look_until(callback), self.sessions.find(session)).await {
                Ok(Ok(Found::SignedIn(_))) => return Completion::GoOn(callback.state.state.return_to.clone()),
                Ok(Ok(Found::Disabled)) => Problem::UserDisabled,
                Ok(Ok(Found::Nobody | Found::Ended)) => problem,
                Ok(Err(_)) | Err(_) => Problem::StoreUnavailable,
            },
        };
        let reason = Reason::from(problem);
        self.failed(callback, &reason, CallbackQuery::question(callback.state.text()))
    }
}
