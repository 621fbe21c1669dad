//! An authentic state in a browser that does not hold its key, and a request without any state: nothing is consumed.

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    browser_cookie::Browser,
    callback_query::CallbackQuery,
    completion::{Completion, Failure, RequestContext},
    exchanges::Reason,
    flow::SignIn,
    start::{Prompt, Start},
    state::{OpenedState, State},
};
use crate::server::{limits, problem::Problem, provider::Provider, session::Found, store::StoreError};

impl SignIn {
    /// A request whose state is not one of ours: only the log has it.
    pub(super) fn without_state(&self, query: &CallbackQuery) -> Completion {
        if query.is_plain() {
            return Completion::Look { query: CallbackQuery::unknown(), browser: None };
        }
        let (problem, reference) = (Problem::StateInvalid, self.new_reference());
        problem.log_with(&reference);
        Completion::Failed(Failure::new(problem, reference))
    }

    /// A browser with another valid key most likely opened several tabs before it had a cookie, or was handed the link by
    /// a program that had opened it first: restart automatically, which is no more dangerous than a link that starts a
    /// sign-in.
    pub(super) async fn in_another_browser(
        &self,
        opened: &OpenedState,
        provider: &Provider,
        browser: &Browser,
        query: &CallbackQuery,
        request: &RequestContext,
    ) -> Completion {
        if !browser.may_restart(opened.state.started) {
            return self.explained(Problem::AlreadyUsed, opened, query);
        }
        match self.restart_or_continue(&opened.state, provider, browser, request).await {
            Ok(completion) => completion,
            Err(reason) => self.explained(reason, opened, query),
        }
    }

    /// A browser without a cookie of ours either refuses it or was never given one. It is given one now, and whether it
    /// brings that along shows which: with a cookie it is like any other browser that did not start the attempt.
    pub(super) fn in_a_browser_without_cookie(&self, opened: &OpenedState, query: &CallbackQuery) -> Completion {
        let now = self.system.now();
        if query.has_just_set_a_cookie(now) {
            return self.explained(Problem::CookiesBlocked, opened, query);
        }
        if opened.state.restarts >= limits::RESTARTS_WITHOUT_COOKIE {
            return self.explained(Problem::OtherBrowser, opened, query);
        }
        let query = CallbackQuery::question(opened.text()).after_a_cookie(now);
        Completion::Look { query, browser: Some(Browser::new(&self.system)) }
    }

    /// The page that explains `reason`, with a way to start again; at an address without the answer, which is left alone.
    pub(super) fn explained(
        &self,
        reason: impl Into<Reason>,
        opened: &OpenedState,
        query: &CallbackQuery,
    ) -> Completion {
        let question = CallbackQuery::question(opened.text());
        if query.is_plain() {
            return Completion::Look { query: question, browser: None };
        }
        let Reason { problem, said, .. } = reason.into();
        let reference = opened.state.attempt.reference();
        problem.log(&reference, &said);
        let failure = Failure::new(problem, reference)
            .with_query(question)
            .with_start(Start::again(&opened.state))
            .with_retry(None, self.system.now());
        Completion::Failed(failure)
    }

    pub(super) async fn restart_or_continue(
        &self,
        state: &State,
        provider: &Provider,
        browser: &Browser,
        request: &RequestContext,
    ) -> Result<Completion, Reason> {
        let waiter = request.waiter(self.rules.patience);
        if let Some(session) = request.session.filter(|_| state.prompt != Prompt::AnotherAccount) {
            // Another tab has signed the person in meanwhile: continue.
            match timeout_at(waiter.until, self.sessions.find(session)).await {
                Ok(Ok(Found::SignedIn(_))) => return Ok(Completion::GoOn(state.return_to.clone())),
                Ok(Ok(Found::Disabled)) => return Err(Problem::UserDisabled.into()),
                Ok(Ok(Found::Nobody | Found::Ended)) => {}
                Ok(Err(error)) => return Err(Reason::of_store(&error, Problem::StoreUnavailable)),
                Err(_) => return Err(Reason::of_store(&StoreError::late(), Problem::StoreUnavailable)),
            }
        }
        if state.restarts >= limits::RESTARTS {
            return Err(Problem::OtherBrowser.into());
        }
        // Other tabs may still be receiving their keys, so each restart waits longer.
        let pause = limits::RESTART_PAUSE * u32::from(state.restarts);
        sleep_until((Instant::now() + pause).min(waiter.until)).await;
        self.restart(state, provider, browser, waiter).await.map(Completion::Restart)
    }
}
