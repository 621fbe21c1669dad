//! The input and the result of a step of the flow.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    browser_cookie::Browser,
    callback_query::CallbackQuery,
    rate_limit::Client,
    return_to::ReturnTo,
    start::{Prompt, Start, Started},
};
use crate::server::{client_address::ClientAddress, ids::Reference, limits, problem::Problem, session::SessionId};

/// What is known about the browser that makes a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// From its flow cookie; `None` without a valid one.
    pub browser: Option<Browser>,
    /// From its session cookie, unchecked.
    pub session: Option<SessionId>,
    /// The client's address.
    pub address: ClientAddress,
    /// When its request arrived; `sign_in.patience` is counted from here.
    pub arrived: Instant,
}

/// Who waits for an answer, and until when they do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) client: Client,
    pub(super) until: Instant,
}

impl RequestContext {
    /// Whoever has made this request, for as long as the patience lasts.
    pub(super) fn waiter(&self, patience: Duration) -> Waiter {
        Waiter { client: self.client(), until: self.arrived + patience }
    }

    /// The client that its codes are counted for.
    pub(super) fn client(&self) -> Client {
        let device = self.browser.as_ref().and_then(|browser| browser.device);
        device.map_or(Client::Address(self.address), Client::Device)
    }
}

/// The result of a callback request.
#[derive(Debug)]
pub enum Completion {
    /// Signed in: set both cookies and redirect.
    Done {
        /// The page to redirect to.
        return_to: ReturnTo,
        /// For the session cookie.
        session: SessionId,
        /// For the flow cookie.
        browser: Browser,
    },
    /// Was signed in before: redirect.
    GoOn(ReturnTo),
    /// Restarted automatically: redirect to the provider.
    Restart(Started),
    /// The address is to lose the answer before anything is said, or it has to be seen whether the browser brings its
    /// cookie: redirect to the callback with this query, which holds no code.
    Look {
        /// The callback's query for the next request.
        query: CallbackQuery,
        /// For the flow cookie, where it is to be seen whether the browser brings it.
        browser: Option<Browser>,
    },
    /// Not complete yet.
    Pending {
        /// The callback's query for the next request; it contains no code.
        query: CallbackQuery,
        /// The attempt's reference.
        reference: Reference,
        /// The provider's name for people.
        provider: String,
        /// Milliseconds to wait before the next poll.
        ask_again_in: u32,
    },
    /// It failed.
    Failed(Failure),
}

/// A sign-in that failed, or cannot continue yet.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub problem: Problem,
    /// Finds it in the log and, if it was claimed, in the store.
    pub reference: Reference,
    /// The callback's query that shows the same page again; `None` without a valid state.
    pub query: Option<CallbackQuery>,
    /// Path of a new start at the same provider, for the same page.
    pub begin_again: Option<String>,
    /// Path of the login page, for the same page, where another provider may do.
    pub others: Option<String>,
    /// Seconds until a new try makes sense.
    pub retry_in: Option<u32>,
}

impl Failure {
    /// For `problem`, to be looked up by `reference`.
    #[must_use]
    pub const fn new(problem: Problem, reference: Reference) -> Self {
        Self { problem, reference, query: None, begin_again: None, others: None, retry_in: None }
    }

    /// With a way to start again. If the account is the problem, or how the person signed in, the provider asks anew.
    #[must_use]
    pub fn with_start(self, start: Start) -> Self {
        let another = matches!(
            self.problem,
            Problem::UserDisabled | Problem::NotAllowed | Problem::UserUnknown | Problem::AuthenticationTooWeak
        );
        let prompt = if another { Prompt::AnotherAccount } else { start.prompt };
        let start = Start { prompt, ..start.clicked() };
        Self { begin_again: Some(start.path()), ..self }
    }

    /// With the query that shows the same page again.
    #[must_use]
    pub fn with_query(self, query: CallbackQuery) -> Self {
        Self { query: Some(query), ..self }
    }

    /// A new try makes sense at `retry_at`, or soon if the problem resolves itself.
    #[must_use]
    pub fn with_retry(self, retry_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        // Whole seconds, rounded up; none if the time has passed.
        let left = retry_at.map(|at| (at - now).whole_seconds()).filter(|left| *left > 0);
        let seconds = left.and_then(|left| u32::try_from(left + 1).ok());
        let soon = self.problem.passes().then_some(limits::TRY_AGAIN_IN);
        Self { retry_in: seconds.or(soon), ..self }
    }
}
