//! The exchanges of this process: which attempts it works on, and how far each has come.

use std::{
    collections::{HashMap, hash_map::Entry as MapEntry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use tokio::sync::watch;

use super::{authorization_response::Received, browser_cookie::BrowserKey, rate_limit::Client, state::OpenedState};

use crate::server::{
    failure_log::Said,
    ids::{AttemptId, CodeHash, ProviderId, Reference},
    limits,
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
    /// The store refuses what has to be written now, or is away, for this reason. It is tried again until the deadline:
    /// once the attempt is claimed the code is spent, and a claim that got no answer may be written yet, so giving up would
    /// cost the person the sign-in.
    Held { claimed: bool, reason: Reason },
    /// Over.
    Over(Outcome),
}

impl Progress {
    pub(super) const fn is_claimed(&self) -> bool {
        matches!(self, Self::Claimed | Self::Held { claimed: true, .. })
    }
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
    /// For the log and the trace.
    pub(super) said: Said,
}

impl From<Problem> for Reason {
    fn from(problem: Problem) -> Self {
        Self { problem, retry_at: None, said: Said::default() }
    }
}

impl Reason {
    pub(super) fn with_detail(problem: Problem, detail: Option<String>) -> Self {
        Self { said: Said::by(detail), ..problem.into() }
    }

    pub(super) fn until(problem: Problem, retry_at: OffsetDateTime) -> Self {
        Self { retry_at: Some(retry_at), ..problem.into() }
    }

    pub(super) fn of_store(error: &StoreError, problem: Problem) -> Self {
        Self { said: Said::from(error), ..problem.into() }
    }
}

impl Outcome {
    /// Logs the outcome of the attempt with that reference.
    pub(super) fn log(&self, reference: &Reference) {
        match self {
            Self::Verified(_) => tracing::info!(code = "signed_in", %reference, "sign-in verified"),
            // The code had to wait here until it was too old: whoever is told so, or begins anew, has its line.
            Self::NotClaimed(reason) if reason.problem == Problem::AttemptExpired => {}
            Self::Failed(reason) | Self::NotClaimed(reason) => reason.problem.log(reference, &reason.said),
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

/// What came of entering an exchange.
pub(super) enum Entered {
    /// It is new: work on it, and say how far it has come.
    New(Exchange, watch::Sender<Progress>),
    /// It is under way already.
    UnderWay(Exchange),
    /// Its client has too many of them under way.
    TooMany,
}

/// All of them.
#[derive(Default)]
pub(super) struct Exchanges(Mutex<All>);

#[derive(Default)]
struct All {
    by_attempt: HashMap<AttemptId, Entry>,
    /// How many are under way for each client at each provider.
    under_way: HashMap<(Client, ProviderId), usize>,
}

struct Entry {
    exchange: Exchange,
    /// Whose it is, until it is over: one that is only remembered counts for nobody.
    counts_for: Option<(Client, ProviderId)>,
}

impl Exchanges {
    /// The exchange of that attempt, while it runs or is remembered.
    pub(super) fn find(&self, attempt: AttemptId) -> Option<Exchange> {
        self.lock().by_attempt.get(&attempt).map(|entry| entry.exchange.clone())
    }

    pub(super) fn enter(&self, job: &Job) -> Entered {
        let mut all = self.lock();
        if let Some(entry) = all.by_attempt.get(&job.attempt()) {
            return Entered::UnderWay(entry.exchange.clone());
        }
        let whose = (job.client, job.provider.id().clone());
        let under_way = all.under_way.entry(whose.clone()).or_default();
        if *under_way >= limits::EXCHANGES_PER_CLIENT {
            return Entered::TooMany;
        }
        *under_way += 1;
        let (sender, progress) = watch::channel(Progress::Unclaimed);
        let exchange = Exchange { code: job.received.response.code_hash(), progress };
        all.by_attempt.insert(job.attempt(), Entry { exchange: exchange.clone(), counts_for: Some(whose) });
        Entered::New(exchange, sender)
    }

    /// It is over, and only remembered from now on.
    pub(super) fn over(&self, attempt: AttemptId) {
        let mut all = self.lock();
        let whose = all.by_attempt.get_mut(&attempt).and_then(|entry| entry.counts_for.take());
        all.uncount(whose);
    }

    /// It is forgotten.
    pub(super) fn remove(&self, attempt: AttemptId) {
        let mut all = self.lock();
        let whose = all.by_attempt.remove(&attempt).and_then(|entry| entry.counts_for);
        all.uncount(whose);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().by_attempt.len()
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn uncount(&mut self, whose: Option<(Client, ProviderId)>) {
        if let Some(whose) = whose
            && let MapEntry::Occupied(mut under_way) = self.under_way.entry(whose)
        {
            *under_way.get_mut() -= 1;
            if *under_way.get() == 0 {
                under_way.remove();
            }
        }
    }
}
