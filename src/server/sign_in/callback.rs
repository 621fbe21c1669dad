//! The callback: the order of its checks, as OpenID Connect Core 3.1.2.5, RFC 6749 4.1.2 and RFC 9207 have them. Any
//! number of calls for one attempt lead to one exchange and one result.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;

use super::{
    authorization_response::{AuthorizationResponse, Received},
    callback_query::{CallbackQuery, Carried},
    completion::{Completion, RequestContext},
    exchanges::{Job, Reason},
    flow::SignIn,
    return_to::ReturnTo,
    state::OpenedState,
    status::{Callback, Status},
};
use crate::server::{ids::Reference, limits, problem::Problem, settings::ResponseMode};

/// What makes the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A page: the request may be held for up to `sign_in.patience` if it brings a response or says that it can wait.
    Page,
    /// The waiting page's script: it is answered at once, or after a moment where it brings a response.
    Poll,
}

impl Caller {
    /// For how long its request may be held.
    const fn holds(self, brings_response: bool, can_wait: bool, patience: Duration) -> Duration {
        match self {
            Self::Page if brings_response || can_wait => patience,
            Self::Poll if brings_response => limits::POLL_HOLD,
            Self::Page | Self::Poll => Duration::ZERO,
        }
    }
}

impl SignIn {
    /// Completes the sign-in that `query` belongs to, or reports its status.
    pub async fn callback(
        self: &Arc<Self>,
        query: CallbackQuery,
        caller: Caller,
        request: RequestContext,
    ) -> Completion {
        let now = self.system.now();
        // RFC 6749 10.12: the state is one of ours, unaltered.
        let Some(mut state) = OpenedState::open(&query.state, &self.keys) else {
            return self.without_state(&query);
        };
        // The application may be none of ours any more.
        if !state.state.return_to.is_configured(&self.applications) {
            state.state.return_to = ReturnTo::default();
        }
        // RFC 9700 4.4: the provider is the one that the sign-in was started at, with the same settings.
        let provider = self.providers.get(&state.state.provider).cloned();
        let Some(provider) = provider.filter(|provider| provider.fingerprint() == state.state.fingerprint) else {
            return self.without_state(&query);
        };
        // RFC 9700 4.7: the browser is the one that started the sign-in; otherwise nothing is consumed.
        let expired = state.state.is_expired(now, self.rules.attempt_ttl);
        let browser = match request.browser.clone() {
            Some(browser) if browser.key.hash() == state.state.browser => browser,
            _ if expired => return self.explained(Problem::AttemptExpired, &state, &query),
            Some(other) => return self.in_another_browser(&state, &provider, &other, &query, &request).await,
            None => return self.in_a_browser_without_cookie(&state, &query),
        };

        let received = self.received(&query, &state, ResponseMode::Query);
        let hold = request.arrived + caller.holds(received.is_some(), query.wait, self.rules.patience);
        let repeated = !query.is_plain() || caller == Caller::Poll;
        let callback = Callback { state, provider, browser, request, received, hold };
        // The page that explains a used attempt, requested again.
        if query.spent {
            return self.over(&callback, Problem::AlreadyUsed).await;
        }
        let status = self.status(&callback, expired, repeated).await;
        self.respond(&callback, status).await
    }

    /// The attempt's status: in this process, in the store, or from the exchange that this request starts.
    async fn status(self: &Arc<Self>, callback: &Callback, expired: bool, repeated: bool) -> Status {
        if let Some(exchange) = self.exchanges.find(callback.attempt()) {
            return self.status_here(callback, exchange).await;
        }
        // RFC 9700 4.2.4: a response is used once, and only until the attempt expires.
        let Some(received) = callback.received.clone().filter(|_| !expired) else {
            let status = self.status_in_store(callback).await;
            return if expired { status.or_over(Problem::AttemptExpired) } else { status };
        };
        // The provider's own login page was left open for too long: a new one, once.
        if is_about_an_expired_login_page(callback, &received.response) && !callback.state.state.login_page_expired {
            let reason = Reason::with_detail(Problem::ProviderError, received.response.words());
            return self.status_in_store(callback).await.or_begin_again(reason);
        }
        // A client that is slowed down is told to wait without starting a task, so that many such requests cost little.
        if let Some(until) = self.slowed(callback, &received.response) {
            let reason = Reason::until(Problem::TooManyFailures, until);
            return self.status_in_store(callback).await.or_not_claimed(reason);
        }
        // Sent again by one of our pages: another process may have claimed the attempt meanwhile, and if each poll
        // started an exchange here, none would learn how that one ended.
        if repeated && let Some(status) = self.claimed(callback).await {
            let running = matches!(status, Status::Running { .. });
            return if running { self.status_in_store(callback).await } else { status };
        }
        let job = Job {
            state: callback.state.clone(),
            provider: Arc::clone(&callback.provider),
            browser_key: callback.browser.key.clone(),
            received,
            client: callback.request.client(),
        };
        match self.exchange(job) {
            Some(exchange) => self.status_here(callback, exchange).await,
            None => Status::NotClaimed(Problem::Busy.into()),
        }
    }

    /// The response that the request brings, plain or sealed by us for this attempt, and when it first arrived and how.
    fn received(&self, query: &CallbackQuery, state: &OpenedState, mode: ResponseMode) -> Option<Received> {
        let attempt = state.state.attempt;
        match &query.response {
            Carried::Nothing => None,
            Carried::Plain(response) => {
                Some(Received { response: response.clone(), came: self.first_arrival(attempt), mode })
            }
            Carried::Sealed(sealed) => Some(self.keys.open::<Received>(attempt.as_bytes(), sealed)?.value),
        }
    }

    /// The callback's query for what a POST has brought, in its form (`response_mode=form_post`) or in its query: a
    /// cross-site POST carries none of our cookies, so the response is sealed into a redirect, which does. `None`: no valid
    /// state, or no response.
    #[must_use]
    pub fn seal_posted(&self, form: &str, mode: ResponseMode) -> Option<(CallbackQuery, Reference, String)> {
        let query = CallbackQuery::parse(form).ok().filter(CallbackQuery::is_plain)?;
        let opened = OpenedState::open(&query.state, &self.keys)?;
        let received = self.received(&query, &opened, mode)?;
        let attempt = opened.state.attempt;
        let response = Carried::Sealed(self.keys.seal(attempt.as_bytes(), &received, &self.system));
        let provider = self.providers.get(&opened.state.provider)?.name().to_owned();
        Some((CallbackQuery { response, ..query }, attempt.reference(), provider))
    }

    fn slowed(&self, callback: &Callback, response: &AuthorizationResponse) -> Option<time::OffsetDateTime> {
        let is_code = matches!(response, AuthorizationResponse::Code { .. });
        let limit = is_code.then(|| self.rate_limit(&callback.provider))?;
        limit.slowed(callback.request.client(), self.system.now())
    }
}

/// RFC 9207 2.4: what another issuer says is refused, not followed. (An error does not wait for the metadata.)
fn is_about_an_expired_login_page(callback: &Callback, response: &AuthorizationResponse) -> bool {
    let AuthorizationResponse::Error { iss, .. } = response else { return false };
    let checked = callback.provider.check_response_issuer(iss.as_deref()).now_or_never();
    response.login_page_expired() && !matches!(checked, Some(Err(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_held_for_an_answer_and_a_script_for_a_moment() {
        const PATIENCE: Duration = Duration::from_secs(2);
        for (caller, brings_response, can_wait, holds) in [
            (Caller::Page, true, false, PATIENCE),
            (Caller::Page, false, true, PATIENCE),
            (Caller::Page, false, false, Duration::ZERO),
            (Caller::Poll, true, false, limits::POLL_HOLD),
            (Caller::Poll, true, true, limits::POLL_HOLD),
            (Caller::Poll, false, true, Duration::ZERO),
        ] {
            let held = caller.holds(brings_response, can_wait, PATIENCE);
            assert_eq!(held, holds, "{caller:?}, {brings_response}, {can_wait}");
        }
    }
}
