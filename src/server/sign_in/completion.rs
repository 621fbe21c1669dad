//! What goes into a step of the flow, and what comes out of it.

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    browser_cookie::Browser,
    callback_query::CallbackQuery,
    rate_limit::Client,
    return_to::ReturnTo,
    start::{Start, Started},
};
use crate::server::{client_address::ClientAddress, ids::Reference, limits, problem::Problem, session::SessionId};

/// The browser that makes a request, as far as it has shown itself.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// From its flow cookie; `None` where it showed none of ours.
    pub browser: Option<Browser>,
    /// From its session cookie, unchecked.
    pub session: Option<SessionId>,
    /// Where it comes from.
    pub address: ClientAddress,
    /// When its request arrived; the patience counts from here.
    pub arrived: Instant,
}

impl RequestContext {
    /// Who answers for the codes that it brings.
    pub(super) fn client(&self) -> Client {
        let device = self.browser.as_ref().and_then(|browser| browser.device);
        device.map_or(Client::Address(self.address), Client::Device)
    }
}

/// What became of a sign-in, or of the question about it.
#[derive(Debug)]
pub enum Completion {
    /// Signed in: set both cookies and go.
    Done {
        /// Where to.
        return_to: ReturnTo,
        /// For the session cookie.
        session: SessionId,
        /// For the flow cookie.
        browser: Browser,
    },
    /// Signed in before: go.
    GoOn(ReturnTo),
    /// Begin anew by itself: go to the provider.
    Restart(Started),
    /// Not yet.
    Pending {
        /// The callback's query that asks again; no code stands in it.
        query: CallbackQuery,
        /// The attempt's reference.
        reference: Reference,
        /// The provider's name for people.
        provider: String,
        /// Milliseconds to wait before the next question.
        ask_again_in: u32,
    },
    /// It will not succeed.
    Failed(Failure),
}

/// A sign-in that did not succeed, or not yet.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub problem: Problem,
    /// Finds it in the log and, if it was claimed, in the store.
    pub reference: Reference,
    /// The callback's query that explains the same again; `None` where there is no state of ours to go by.
    pub query: Option<CallbackQuery>,
    /// Path of a new start at the same provider, for the same page.
    pub begin_again: Option<String>,
    /// Seconds until a new try makes sense.
    pub retry_in: Option<u32>,
}

impl Failure {
    /// For `problem`, to be looked up by `reference`.
    #[must_use]
    pub const fn new(problem: Problem, reference: Reference) -> Self {
        Self { problem, reference, query: None, begin_again: None, retry_in: None }
    }

    /// With a way to begin anew. Where the account is the problem, the provider asks who one is.
    #[must_use]
    pub fn with_start(self, start: Start) -> Self {
        let another = matches!(self.problem, Problem::UserDisabled | Problem::NotAllowed | Problem::UserUnknown);
        let start = Start { clicked: true, other_account: start.other_account || another, ..start };
        Self { begin_again: Some(start.path()), ..self }
    }

    /// Explained again by `query`.
    #[must_use]
    pub fn with_query(self, query: CallbackQuery) -> Self {
        Self { query: Some(query), ..self }
    }

    /// A new try makes sense at `retry_at`, or soon where the problem passes by itself.
    #[must_use]
    pub fn with_retry(self, retry_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        // Whole seconds, rounded up; none where that has passed.
        let left = retry_at.map(|at| (at - now).whole_seconds()).filter(|left| *left > 0);
        let seconds = left.and_then(|left| u32::try_from(left + 1).ok());
        let soon = self.problem.passes().then_some(limits::TRY_AGAIN_IN);
        Self { retry_in: seconds.or(soon), ..self }
    }
}
