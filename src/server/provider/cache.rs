//! A provider's document in memory: one fetch at a time for all callers, refreshed before it is too old, and used for a
//! limited time while the provider is down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    availability::Availability,
    fault::ProviderFault,
    freshness::{Freshness, Lookup},
    outage::OutageLog,
    source::Source,
};
use crate::server::{clock::System, limits};

type Fetched<T> = Result<Arc<T>, ProviderFault>;
type Fetch<T> = Shared<BoxFuture<'static, Fetched<T>>>;

/// The document of one source.
pub(super) struct Cache<S: Source> {
    source: S,
    outage: Arc<OutageLog>,
    system: System,
    state: Mutex<State<S::Document>>,
    /// When the next fetch is due may have changed.
    changed: Notify,
}

struct State<T> {
    freshness: Freshness<T>,
    fetch: Option<Fetch<T>>,
    /// When a later version was last requested, and for whom.
    refetched: Option<(Instant, Asker)>,
    /// When the provider was last probed because sign-ins failed.
    probed: Option<Instant>,
}

/// Who has brought what the document at hand does not explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The provider, in an answer to us.
    Provider,
    /// Anybody may have. What they use up is not taken from the provider's answers.
    Anybody,
}

/// What a caller does next; a fetch that it needs is under way.
enum Next<T> {
    Use(Arc<T>),
    Join { fetch: Fetch<T>, stale: Option<Arc<T>> },
    Wait(Instant),
    Fail(ProviderFault),
}

impl<S: Source> Cache<S> {
    pub(super) fn new(source: S, outage: Arc<OutageLog>, system: System) -> Arc<Self> {
        let state = State { freshness: Freshness::new(), fetch: None, refetched: None, probed: None };
        Arc::new(Self { source, outage, system, state: Mutex::new(state), changed: Notify::new() })
    }

    /// The document, if it can be used without waiting; a fetch that is due begins in the background.
    pub(super) fn ready(self: &Arc<Self>) -> Option<Arc<S::Document>> {
        if let Next::Use(value) = self.next() { Some(value) } else { None }
    }

    /// The latest good version, however old; nothing is fetched.
    pub(super) fn latest(&self) -> Option<Arc<S::Document>> {
        self.lock().freshness.latest().cloned()
    }

    /// The document, fetched if need be. A caller that goes away does not stop the fetch.
    pub(super) async fn get(self: &Arc<Self>) -> Fetched<S::Document> {
        loop {
            match self.next() {
                Next::Use(value) => return Ok(value),
                Next::Fail(fault) => return Err(fault),
                Next::Wait(until) => sleep_until(until).await,
                Next::Join { fetch, stale } => {
                    let fetched = fetch.await;
                    return stale.map_or(fetched.clone(), |stale| Ok(fetched.unwrap_or(stale)));
                }
            }
        }
    }

    /// A later version than `known`, which lacks something; `None` if it is too early to fetch again. A fetch that anybody may
    /// have caused keeps only others of that kind from the next one.
    pub(super) async fn newer_than(
        self: &Arc<Self>,
        known: &Arc<S::Document>,
        asker: Asker,
    ) -> Result<Option<Arc<S::Document>>, ProviderFault> {
        let now = Instant::now();
        let fetch = {
            let mut state = self.lock();
            if let Some(latest) = state.freshness.latest()
                && !Arc::ptr_eq(latest, known)
            {
                return Ok(Some(Arc::clone(latest)));
            }
            if state.fetch.is_none() {
                if let Some(outage) = state.freshness.outage()
                    && now < outage.retry_at
                {
                    return Err(outage.fault.clone());
                }
                let is_early = |(at, by): (Instant, Asker)| {
                    now < at + limits::JWKS_REFETCH_EVERY && (by == Asker::Provider || asker == Asker::Anybody)
                };
                if state.refetched.is_some_and(is_early) {
                    return Ok(None);
                }
                state.refetched = Some((now, asker));
            }
            self.begin(&mut state)
        };
        fetch.await.map(Some)
    }

    /// Fetches now and keeps refreshing, with growing pauses while that fails.
    pub(super) async fn keep_fresh(self: &Arc<Self>) {
        loop {
            let due = self.lock().freshness.due(Instant::now());
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.changed.notified() => continue,
            }
            let fetch = self.begin(&mut self.lock());
            drop(fetch.await);
        }
    }

    /// Probes the provider in the background after failed sign-ins, so that the login page shows the outage, and shows
    /// its end without anyone having to try (docs/decisions/provider-probe.md).
    pub(super) fn probe(self: &Arc<Self>) {
        let now = Instant::now();
        let mut state = self.lock();
        let recently = state.probed.is_some_and(|at| now < at + limits::DISCOVERY_PROBE_EVERY);
        if recently || state.freshness.outage().is_some() || state.fetch.is_some() {
            return;
        }
        state.probed = Some(now);
        drop(self.begin(&mut state));
    }

    /// What the last fetch says about the provider; before the first fetch it is presumed available.
    pub(super) fn availability(&self) -> Availability {
        self.lock().freshness.outage().map_or(Availability::Available, |outage| Availability::Unavailable {
            since: outage.since,
            code: outage.fault.code(),
            detail: outage.fault.detail(),
        })
    }

    fn next(self: &Arc<Self>) -> Next<S::Document> {
        let mut state = self.lock();
        match state.freshness.lookup(S::SCHEDULE, state.fetch.is_some(), Instant::now()) {
            Lookup::Fresh(value) => Next::Use(value),
            Lookup::Refresh(value) => {
                drop(self.begin(&mut state));
                Next::Use(value)
            }
            Lookup::Fetch { stale } => Next::Join { fetch: self.begin(&mut state), stale },
            Lookup::Wait(until) => Next::Wait(until),
            Lookup::Unavailable(fault) => Next::Fail(fault),
        }
    }

    /// The running fetch, or a new one. It has a task of its own, since every caller may go away.
    fn begin(self: &Arc<Self>, state: &mut State<S::Document>) -> Fetch<S::Document> {
        if let Some(fetch) = &state.fetch {
            return fetch.clone();
        }
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = this.source.fetch().await;
            this.finish(outcome)
        });
        let this = Arc::clone(self);
        let fetch = async move {
            match task.await {
                Ok(outcome) => outcome,
                // It panicked, or the program is ending.
                Err(_) => this.finish(Err(ProviderFault::Unreachable("the fetch was cut off".into()))),
            }
        }
        .boxed()
        .shared();
        state.fetch = Some(fetch.clone());
        fetch
    }

    fn finish(&self, outcome: Result<S::Document, ProviderFault>) -> Fetched<S::Document> {
        let mut state = self.lock();
        state.fetch = None;
        let now = Instant::now();
        let outcome = match outcome {
            Ok(value) => {
                let value = Arc::new(value);
                let refresh_at = now + self.system.spread(S::SCHEDULE.refresh);
                if state.freshness.succeeded(Arc::clone(&value), now, refresh_at).is_some() {
                    self.outage.works(S::NAME);
                }
                Ok(value)
            }
            Err(fault) => {
                self.failed(&mut state, &fault, now);
                Err(fault)
            }
        };
        drop(state);
        self.changed.notify_one();
        outcome
    }

    fn failed(&self, state: &mut State<S::Document>, fault: &ProviderFault, now: Instant) {
        let system = &self.system;
        let outage = state.freshness.failed(fault.clone(), system.now(), now, |pause| system.spread(pause));
        self.outage.failed(S::NAME, fault, outage.retry_at - now);
        // Nothing was fetched, so it may be tried again after the pause.
        state.refetched = None;
    }

    fn lock(&self) -> MutexGuard<'_, State<S::Document>> {
        // Nothing panics while it holds the lock, so even a poisoned one holds a consistent state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
