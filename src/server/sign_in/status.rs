//! The status of an attempt, from this process or from the store, and the response to a request for it.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    authorization_response::Received,
    browser_cookie::Browser,
    callback_query::{CallbackQuery, Carried},
    completion::{Completion, Failure, RequestContext},
    exchanges::{Exchange, Outcome, Progress, Reason},
    flow::SignIn,
    start::{Prompt, Start},
    state::OpenedState,
};
use crate::server::{
    attempt::Next,
    ids::AttemptId,
    limits,
    problem::Problem,
    provider::Provider,
    session::Delivery,
    store::{Attempt, StoreError},
};

/// The status of an attempt.
#[derive(Debug)]
pub(super) enum Status {
    /// Nobody has claimed it.
    Unclaimed,
    /// An exchange is running. Until it has claimed the attempt, the response is still needed.
    Running { claimed: bool },
    /// The store is unavailable, for this reason.
    Unknown(StoreError),
    /// The person is verified and has an account.
    Verified(Delivery),
    /// It failed for good.
    Failed(Reason),
    /// The same, and whoever has found that out and stored it has logged it.
    Recorded(Reason),
    /// Nothing was consumed: the same response can be tried again.
    NotClaimed(Reason),
    /// The person is signed in as they were.
    SignedIn,
    /// Nothing was consumed, and the sign-in begins anew by itself. If it cannot, this is the reason.
    BeginAgain(Reason),
    /// It was claimed with another response than this request's.
    OtherResponse,
    /// It has ended, and no session can be created from it.
    Over(Problem),
}

impl Status {
    /// Replaces [`Unclaimed`](Self::Unclaimed) where it is too late to claim the attempt.
    pub(super) fn or_over(self, problem: Problem) -> Self {
        if matches!(self, Self::Unclaimed) { Self::Over(problem) } else { self }
    }

    /// Replaces [`Unclaimed`](Self::Unclaimed) where a new sign-in is all that is needed.
    pub(super) fn or_begin_again(self, reason: Reason) -> Self {
        if matches!(self, Self::Unclaimed) { Self::BeginAgain(reason) } else { self }
    }

    /// Replaces [`Unclaimed`](Self::Unclaimed) where this request does not claim the attempt either.
    pub(super) fn or_not_claimed(self, reason: Reason) -> Self {
        if matches!(self, Self::Unclaimed) { Self::NotClaimed(reason) } else { self }
    }
}

/// A callback request of the browser that owns the attempt.
pub(super) struct Callback {
    pub(super) state: OpenedState,
    pub(super) provider: Arc<Provider>,
    pub(super) browser: Browser,
    pub(super) request: RequestContext,
    /// The response that the request brings, if any.
    pub(super) received: Option<Received>,
    /// Until then the request may be held.
    pub(super) hold: Instant,
}

impl Callback {
    pub(super) const fn attempt(&self) -> AttemptId {
        self.state.state.attempt
    }

    /// Whether the request brings another response than the attempt was claimed with.
    fn brings_other_than(&self, claimed: crate::server::ids::CodeHash) -> bool {
        self.received.as_ref().is_some_and(|received| received.response.code_hash() != claimed)
    }

    pub(super) fn question(&self) -> CallbackQuery {
        CallbackQuery::question(self.state.text())
    }

    /// A new start at the same provider, for the same page.
    pub(super) fn start(&self) -> Start {
        Start::again(&self.state.state)
    }
}

impl SignIn {
    /// The status of an exchange of this process, once it has ended or the request can no longer be held.
    pub(super) async fn status_here(&self, callback: &Callback, mut exchange: Exchange) -> Status {
        if callback.brings_other_than(exchange.code) {
            return Status::OtherResponse;
        }
        let told = exchange.progress.wait_for(|progress| matches!(progress, Progress::Held { .. } | Progress::Over(_)));
        let gone = matches!(timeout_at(callback.hold, told).await, Ok(Err(_)));
        if gone {
            // The task ended without a result (a panic): what it has stored counts.
            return self.status_in_store(callback).await;
        }
        let progress = exchange.progress.borrow().clone();
        match progress {
            Progress::Unclaimed => Status::Running { claimed: false },
            Progress::Claimed => Status::Running { claimed: true },
            // Its page asks again by itself, and goes on where the store is back in time.
            Progress::Held { claimed: true, reason } => Status::Failed(reason),
            Progress::Held { claimed: false, reason } => Status::NotClaimed(reason),
            Progress::Over(Outcome::Verified(delivery)) => Status::Verified(delivery),
            Progress::Over(Outcome::Failed(reason)) => Status::Failed(reason),
            // A code that had to wait here until it was too old to be sent.
            Progress::Over(Outcome::NotClaimed(reason)) if reason.problem == Problem::AttemptExpired => {
                Status::BeginAgain(reason)
            }
            Progress::Over(Outcome::NotClaimed(reason)) => Status::NotClaimed(reason),
            Progress::Over(Outcome::ClaimedBefore(attempt)) => match self.status_of(callback, *attempt).await {
                Status::Running { .. } => self.status_in_store(callback).await,
                status => status,
            },
        }
    }

    /// The status of an attempt that this process does not work on; the request is held while another process does.
    pub(super) async fn status_in_store(&self, callback: &Callback) -> Status {
        loop {
            let status = match timeout_at(self.look_until(callback), self.store.attempt(callback.attempt())).await {
                Ok(Ok(Some(attempt))) => self.status_of(callback, attempt).await,
                Ok(Ok(None)) => Status::Unclaimed,
                Ok(Err(error @ StoreError::Unreadable(_))) => {
                    Status::Failed(Reason::of_store(&error, Problem::Interrupted))
                }
                Ok(Err(error @ StoreError::Refused { .. })) => {
                    Status::NotClaimed(Reason::of_store(&error, Problem::StoreUnavailable))
                }
                Ok(Err(error @ StoreError::Unavailable(_))) => Status::Unknown(error),
                Err(_) => Status::Unknown(StoreError::late()),
            };
            // Without JavaScript the page reloads at once, so the request is held even if the store fails.
            let may_change = match status {
                Status::Running { .. } => true,
                Status::Unknown(_) => self.store.away().is_none(),
                _ => false,
            };
            if !may_change || Instant::now() + limits::LOOK_EVERY >= callback.hold {
                return status;
            }
            sleep(limits::LOOK_EVERY).await;
        }
    }

    /// Whether the store knows of a claim.
    pub(super) async fn claimed(&self, callback: &Callback) -> Option<Status> {
        let look = timeout_at(self.look_until(callback), self.store.attempt(callback.attempt()));
        match look.await {
            Ok(Ok(Some(attempt))) => Some(self.status_of(callback, attempt).await),
            // If the store fails here, the exchange finds out, and explains it.
            Ok(Ok(None) | Err(_)) | Err(_) => None,
        }
    }

    /// How long one lookup in the store may take: while the request may be held, or a short time if that is over.
    pub(super) fn look_until(&self, callback: &Callback) -> Instant {
        (callback.request.arrived + self.rules.patience).max(Instant::now() + limits::LOOK_EVERY)
    }

    async fn status_of(&self, callback: &Callback, attempt: Attempt) -> Status {
        if callback.brings_other_than(attempt.code) {
            return Status::OtherResponse;
        }
        let until = self.look_until(callback);
        match attempt.state.next(self.system.now()) {
            Next::Wait => Status::Running { claimed: true },
            Next::Interrupt => match timeout_at(until, self.store.interrupt(attempt.id)).await {
                Ok(Ok(true)) => Status::Failed(Reason::from(Problem::Interrupted)),
                Ok(Ok(false)) => Status::Running { claimed: true },
                // The store can only be read: the owner is dead, but that cannot be written yet.
                Ok(Err(error)) => Status::NotClaimed(Reason::of_store(&error, Problem::StoreUnavailable)),
                Err(_) => Status::NotClaimed(Reason::of_store(&StoreError::late(), Problem::StoreUnavailable)),
            },
            Next::ExplainInterrupted => Status::Recorded(Problem::Interrupted.into()),
            Next::Explain { code, retry_at } => {
                let problem = Problem::from_code(code).unwrap_or(Problem::Interrupted);
                Status::Recorded(Reason { retry_at, ..problem.into() })
            }
            Next::Deliver(sealed) => {
                let opened = self.keys.open_bytes::<Delivery>(attempt.id.as_bytes(), sealed);
                opened.map_or(Status::Over(Problem::AlreadyUsed), |opened| Status::Verified(opened.value))
            }
            Next::Close => {
                // The delivery window has expired whether or not that can be written.
                let _ = timeout_at(until, self.store.close_delivery(attempt.id)).await;
                Status::Over(Problem::AlreadyUsed)
            }
            Next::Over => Status::Over(Problem::AlreadyUsed),
        }
    }

    /// The response to a request, according to `status`.
    pub(super) async fn respond(&self, callback: &Callback, status: Status) -> Completion {
        let question = callback.question();
        let is_recheck = callback.state.state.prompt == Prompt::Silent;
        let status = if is_recheck { self.rechecked(callback, status).await } else { status };
        match status {
            Status::SignedIn => Completion::GoOn(callback.state.state.return_to.clone()),
            Status::Unclaimed => self.failed(callback, &Problem::AnswerMalformed.into(), question),
            Status::Running { claimed: true } => self.pending(callback, question),
            Status::Running { claimed: false } => self.pending(callback, self.unspent(callback)),
            Status::Unknown(error) => self.unknown(callback, &error),
            Status::Verified(delivery) => self.deliver(callback, delivery).await,
            Status::Failed(reason) => self.failed(callback, &reason, question),
            Status::BeginAgain(reason) => self.begin_again(callback, &reason).await,
            Status::Recorded(reason) => self.explained_again(callback, &reason, question),
            Status::NotClaimed(reason) => self.failed(callback, &reason, self.unspent(callback)),
            Status::OtherResponse => {
                self.failed(callback, &Problem::AlreadyUsed.into(), CallbackQuery { spent: true, ..question })
            }
            Status::Over(problem) => self.over(callback, problem).await,
        }
    }

    /// The sign-in begins anew by itself, or the reason is explained.
    pub(super) async fn begin_again(&self, callback: &Callback, reason: &Reason) -> Completion {
        let Callback { state, provider, browser, request, received, .. } = callback;
        let mut state = state.state.clone();
        state.login_page_expired |= received.as_ref().is_some_and(|received| received.response.login_page_expired());
        if browser.may_restart(state.started)
            && let Ok(completion) = self.restart_or_continue(&state, provider, browser, request).await
        {
            let (reference, why) = (callback.attempt().reference(), reason.problem.code());
            let detail = reason.said.detail.as_deref();
            // What the code had to wait for has its line already.
            if reason.problem == Problem::AttemptExpired {
                tracing::debug!(code = "begun_again", %reference, why, detail, "a new sign-in is all that is needed");
            } else {
                tracing::info!(code = "begun_again", %reference, why, detail, "a new sign-in is all that is needed");
            }
            return completion;
        }
        self.failed(callback, reason, self.unspent(callback))
    }

    /// As long as an exchange may take, this one may be under way; after that, and where the store is known to be away,
    /// nobody is told to wait without a reason.
    /// It began when the response came, or at the earliest with the attempt.
    fn unknown(&self, callback: &Callback, error: &StoreError) -> Completion {
        let query = self.unspent(callback);
        let began = callback.received.as_ref().map(|received| received.came);
        let began = began.or_else(|| self.arrivals.get(&callback.attempt())).unwrap_or(callback.state.state.started);
        if self.system.now() < began + self.rules.deadline && self.store.away().is_none() {
            self.pending(callback, query)
        } else {
            self.failed(callback, &Reason::of_store(error, Problem::StoreUnavailable), query)
        }
    }

    /// The query for the next request, with the same response. It is sealed, so that no code appears in a URL.
    fn unspent(&self, callback: &Callback) -> CallbackQuery {
        let response = callback.received.as_ref().map_or(Carried::Nothing, |received| {
            Carried::Sealed(self.keys.seal(callback.attempt().as_bytes(), received, &self.system))
        });
        CallbackQuery { response, ..callback.question() }
    }

    pub(super) fn pending(&self, callback: &Callback, query: CallbackQuery) -> Completion {
        let waited = self.system.now() - callback.state.state.started;
        let [slower, slowest] = limits::ASK_SLOWER_AFTER;
        let [first, then, later] = limits::ASK_EVERY;
        let pace = match waited.whole_seconds() {
            seconds if seconds <= slower => first,
            seconds if seconds <= slowest => then,
            _ => later,
        };
        let [jitter] = self.system.bytes::<1>();
        Completion::Pending {
            query,
            reference: callback.attempt().reference(),
            provider: callback.provider.name().to_owned(),
            ask_again_in: pace + u32::from(jitter),
        }
    }

    /// A failure that this process has found.
    pub(super) fn failed(&self, callback: &Callback, reason: &Reason, query: CallbackQuery) -> Completion {
        reason.problem.log(&callback.attempt().reference(), &reason.said);
        self.explained_again(callback, reason, query)
    }

    /// A failure that the log has.
    fn explained_again(&self, callback: &Callback, reason: &Reason, query: CallbackQuery) -> Completion {
        let failure = Failure::new(reason.problem, callback.attempt().reference())
            .with_query(query)
            .with_start(callback.start())
            .with_retry(reason.retry_at, self.system.now());
        Completion::Failed(failure)
    }
}

impl SignIn {
    /// When the response to an attempt first arrived: a reload does not reset the age of its code.
    pub(super) fn first_arrival(&self, attempt: AttemptId) -> OffsetDateTime {
        self.arrivals.get_with(attempt, || self.system.now())
    }
}
