//! An authentic state in a browser that does not hold its key, and a request without any state: nothing is consumed.

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    browser_cookie::Browser,
    callback_query::CallbackQuery,
    completion::{Completion, Failure, RequestContext},
    flow::SignIn,
    start::Start,
    state::OpenedState,
};
use crate::server::{limits, problem::Problem, provider::Provider, session::Found};

impl SignIn {
    /// A failure without a valid state: only the log has it.
    pub(super) fn without_state(&self, problem: Problem) -> Completion {
        let reference = self.new_reference();
        problem.log_with(&reference);
        Completion::Failed(Failure::new(problem, reference))
    }

    /// The response to a browser that did not start the attempt.
    pub(super) async fn in_another_browser(
        &self,
        opened: &OpenedState,
        provider: &Provider,
        browser: Option<Browser>,
        expired: bool,
        request: &RequestContext,
    ) -> Completion {
        let state = &opened.state;
        let problem = match browser {
            _ if expired => Problem::AttemptExpired,
            Some(browser) if !browser.may_restart(state.started) => Problem::AlreadyUsed,
            // A browser with another valid key most likely opened several tabs before it had a cookie: restart
            // automatically, which is no more dangerous than a link that starts a sign-in.
            Some(browser) => match self.restart_or_continue(opened, provider, &browser, request).await {
                Ok(completion) => return completion,
                Err(problem) => problem,
            },
            None if state.first_contact => Problem::CookiesBlocked,
            None => Problem::OtherBrowser,
        };
        let reference = state.attempt.reference();
        problem.log_with(&reference);
        let failure = Failure::new(problem, reference)
            .with_query(CallbackQuery::question(opened.text()))
            .with_start(Start::again(state))
            .with_retry(None, self.system.now());
        Completion::Failed(failure)
    }

    pub(super) async fn restart_or_continue(
        &self,
        opened: &OpenedState,
        provider: &Provider,
        browser: &Browser,
        request: &RequestContext,
    ) -> Result<Completion, Problem> {
        let state = &opened.state;
        let until = request.arrived + self.rules.patience;
        if let Some(session) = request.session {
            // Another tab has signed the person in meanwhile: continue.
            match timeout_at(until, self.sessions.find(session)).await {
                Ok(Ok(Found::SignedIn(_))) => return Ok(Completion::GoOn(state.return_to.clone())),
                Ok(Ok(Found::Disabled)) => return Err(Problem::UserDisabled),
                Ok(Ok(Found::Nobody | Found::Ended)) => {}
                Ok(Err(_)) | Err(_) => return Err(Problem::StoreUnavailable),
            }
        }
        if state.restarts >= limits::RESTARTS {
            return Err(Problem::OtherBrowser);
        }
        // Other tabs may still be receiving their keys, so each restart waits longer.
        let pause = limits::RESTART_PAUSE * u32::from(state.restarts);
        sleep_until((Instant::now() + pause).min(until)).await;
        let restarted = self.restart(state, provider, browser, until).await;
        restarted.map(Completion::Restart).ok_or(Problem::SignInUnavailable)
    }
}
