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
    /// When a later version was last requested.
    refetched: Option<Instant>,
    /// When the provider was last probed because sign-ins failed.
    probed: Option<Instant>,
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

    /// A later version than `known`, which lacks something; `None` if it is too early to fetch again.
    pub(super) async fn newer_than(
        self: &Arc<Self>,
        known: &Arc<S::Document>,
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
                if state.refetched.is_some_and(|at| now < at + limits::JWKS_REFETCH_EVERY) {
                    return Ok(None);
                }
                state.refetched = Some(now);
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
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicU32, Ordering},
        time::Duration,
    };

    use futures_util::future::join_all;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::server::{ids::ProviderId, provider::source::Schedule};

    const HOUR: Duration = Duration::from_secs(3600);

    /// A provider that counts: each fetch takes a second and yields its number, or fails while `down`.
    #[derive(Clone, Default)]
    struct Counting {
        asked: Arc<AtomicU32>,
        down: Arc<AtomicBool>,
    }

    impl Source for Counting {
        type Document = u32;
        const NAME: &'static str = "keys";
        const SCHEDULE: Schedule =
            Schedule { refresh: limits::JWKS_REFRESH, max_age: limits::JWKS_MAX_AGE, stale: limits::JWKS_STALE };

        async fn fetch(&self) -> Result<u32, ProviderFault> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            let down = self.down.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            if down { Err(ProviderFault::Unreachable("down".into())) } else { Ok(number) }
        }
    }

    impl Counting {
        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn keep_fresh(cache: &Arc<Cache<Counting>>) -> JoinHandle<()> {
        let cache = Arc::clone(cache);
        tokio::spawn(async move { cache.keep_fresh().await })
    }

    fn counting() -> (Counting, Arc<Cache<Counting>>) {
        let source = Counting::default();
        (source.clone(), Cache::new(source, OutageLog::new(ProviderId::new("p")), System::real()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_callers_share_one_fetch_and_none_can_stop_it() {
        let (source, cache) = counting();
        let caller = Arc::clone(&cache);
        let first = tokio::spawn(async move { caller.get().await });
        tokio::task::yield_now().await;
        first.abort();
        let all = join_all((0..100).map(|_| cache.get())).await;
        assert!(all.into_iter().all(|value| *value.unwrap() == 1));
        assert_eq!(source.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn during_an_outage_fetches_have_growing_pauses_and_are_shared() {
        let (source, cache) = counting();
        source.down.store(true, Ordering::SeqCst);
        assert!(cache.get().await.is_err());
        let all = join_all((0..50).map(|_| cache.get())).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(source.asked(), 2);
        assert!(cache.get().await.is_err());
        assert_eq!(source.asked(), 3);
        // The third pause (about 4 s) is longer than anyone waits.
        let before = Instant::now();
        assert!(cache.get().await.is_err());
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(source.asked(), 3);
        assert!(matches!(cache.availability(), Availability::Unavailable { code: "provider_unreachable", .. }));
        source.down.store(false, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(*cache.get().await.unwrap(), 4);
        assert_eq!(cache.availability(), Availability::Available);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_never_exceed_the_longest_by_more_than_a_fifth() {
        let (source, cache) = counting();
        source.down.store(true, Ordering::SeqCst);
        let background = keep_fresh(&cache);
        tokio::time::sleep(HOUR).await;
        let asked = source.asked();
        assert!((95..160).contains(&asked), "{asked}");
        background.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn old_is_refreshed_behind_the_scenes_then_awaited_then_stale_then_gone() {
        let (source, cache) = counting();
        assert_eq!(*cache.get().await.unwrap(), 1);
        tokio::time::advance(Duration::from_secs(2400)).await;
        assert_eq!(*cache.ready().unwrap(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(*cache.ready().unwrap(), 2);
        tokio::time::advance(HOUR + Duration::from_secs(1)).await;
        assert!(cache.ready().is_none());
        assert_eq!(*cache.get().await.unwrap(), 3);
        source.down.store(true, Ordering::SeqCst);
        tokio::time::advance(2 * HOUR).await;
        assert_eq!(*cache.get().await.unwrap(), 3);
        assert!(matches!(cache.availability(), Availability::Unavailable { .. }));
        tokio::time::advance(5 * HOUR).await;
        assert!(cache.get().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_version_is_fetched_at_once_and_then_once_a_minute() {
        let (source, cache) = counting();
        let first = cache.get().await.unwrap();
        let second = cache.newer_than(&first).await.unwrap().unwrap();
        assert_eq!(*second, 2);
        // Another caller that only has the first gets the second without a fetch.
        assert_eq!(*cache.newer_than(&first).await.unwrap().unwrap(), 2);
        for _ in 0..1000 {
            assert!(cache.newer_than(&second).await.unwrap().is_none());
        }
        assert_eq!(source.asked(), 2);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(*cache.newer_than(&second).await.unwrap().unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_fetch_of_a_newer_version_is_retried_after_the_pause() {
        let (source, cache) = counting();
        let first = cache.get().await.unwrap();
        source.down.store(true, Ordering::SeqCst);
        assert!(cache.newer_than(&first).await.is_err());
        assert!(cache.newer_than(&first).await.is_err());
        assert_eq!(source.asked(), 2);
        source.down.store(false, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(*cache.newer_than(&first).await.unwrap().unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_finds_the_outage_and_the_recovery_is_found_without_one() {
        let (source, cache) = counting();
        let background = keep_fresh(&cache);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(source.asked(), 1);
        source.down.store(true, Ordering::SeqCst);
        for _ in 0..100 {
            cache.probe();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(matches!(cache.availability(), Availability::Unavailable { .. }));
        assert_eq!(*cache.ready().unwrap(), 1, "still used");
        source.down.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(cache.availability(), Availability::Available);
        // A provider that responds is not probed after every failure.
        let asked = source.asked();
        for _ in 0..100 {
            cache.probe();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(source.asked() <= asked + 1);
        background.abort();
    }
}
