//! The exchanges of this process: which attempts it works on, and how far each has come.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use tokio::sync::watch;

use super::{authorization_response::Received, browser_cookie::BrowserKey, rate_limit::Client, state::OpenedState};

use crate::server::{
    ids::{AttemptId, CodeHash},
    problem::Problem,
    provider::Provider,
    session::Delivery,
    store::{Attempt, StoreError},
};

/// The input of an exchange.
pub(super) struct Job {
    pub(super) state: OpenedState,
    pub(super) provider: Arc<Provider>,
    pub(super) browser_key: BrowserKey,
    pub(super) received: Received,
    pub(super) client: Client,
}

impl Job {
    pub(super) const fn attempt(&self) -> AttemptId {
        self.state.state.attempt
    }
}

/// How far an exchange has come.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    /// Waiting for a permit or for the store: the code has not been sent, and the attempt may not be claimed yet.
    Unclaimed,
    /// Claimed by this process, and running.
    Claimed,
    /// Over.
    Over(Outcome),
}

/// How an exchange ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The person is verified and has an account.
    Verified(Delivery),
    /// It failed, and the failure is stored.
    Failed(Reason),
    /// The attempt was not claimed: nothing is consumed, and the same response may be tried again.
    NotClaimed(Reason),
    /// The attempt was already claimed; this is its stored state.
    ClaimedBefore(Box<Attempt>),
}

/// Why a sign-in failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) problem: Problem,
    /// From when on it makes sense to try again.
    pub(super) retry_at: Option<OffsetDateTime>,
    /// For the log and the trace: what the provider or the store said.
    pub(super) detail: Option<String>,
}

impl From<Problem> for Reason {
    fn from(problem: Problem) -> Self {
        Self { problem, retry_at: None, detail: None }
    }
}

impl Reason {
    pub(super) const fn until(problem: Problem, retry_at: OffsetDateTime) -> Self {
        Self { problem, retry_at: Some(retry_at), detail: None }
    }

    pub(super) fn of_store(error: &StoreError, problem: Problem) -> Self {
        Self { problem, retry_at: None, detail: Some(error.to_string()) }
    }
}

impl Outcome {
    /// Logs the outcome.
    pub(super) fn log(&self) {
        match self {
            Self::Verified(_) => tracing::info!(code = "signed_in", "sign-in verified"),
            Self::Failed(reason) | Self::NotClaimed(reason) => {
                reason.problem.log_detail("sign-in failed", reason.detail.as_deref());
            }
            Self::ClaimedBefore(_) => {}
        }
    }

    /// For the metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Verified(_) => "signed_in",
            Self::Failed(reason) | Self::NotClaimed(reason) => reason.problem.code(),
            Self::ClaimedBefore(_) => "repeated",
        }
    }
}

/// An exchange to wait for.
#[derive(Clone)]
pub(super) struct Exchange {
    /// The hash of the code that it redeems.
    pub(super) code: CodeHash,
    pub(super) progress: watch::Receiver<Progress>,
}

/// The exchanges of this process, by attempt.
#[derive(Default)]
pub(super) struct Exchanges(Mutex<HashMap<AttemptId, Exchange>>);

impl Exchanges {
    /// The exchange of that attempt, while it runs or is remembered.
    pub(super) fn find(&self, attempt: AttemptId) -> Option<Exchange> {
        self.lock().get(&attempt).cloned()
    }

    /// Adds an exchange. `Err` is the one that already runs.
    pub(super) fn enter(
        &self,
        attempt: AttemptId,
        code: CodeHash,
    ) -> Result<(Exchange, watch::Sender<Progress>), Exchange> {
        let mut all = self.lock();
        if let Some(exchange) = all.get(&attempt) {
            return Err(exchange.clone());
        }
        let (sender, progress) = watch::channel(Progress::Unclaimed);
        let exchange = Exchange { code, progress };
        all.insert(attempt, exchange.clone());
        Ok((exchange, sender))
    }

    pub(super) fn remove(&self, attempt: AttemptId) {
        self.lock().remove(&attempt);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptId, Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
