//! A document of the provider's, kept at hand: one fetch at a time for all who wait, refreshed before it grows old,
//! served stale within a bound while the provider is down.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use time::OffsetDateTime;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{Availability, ProviderFault};
use crate::server::{clock::System, ids::ProviderId};

/// The first pause after a failed fetch; each further one doubles it.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// The rest of a pause that a caller had better sit out than be told "no": the first two, at their longest.
const WORTH_WAITING: Duration = Duration::from_millis(2_500);
/// A document is asked for again because it lacks something at most this often ([`Kept::newer_than`]).
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// A document is asked for because sign-ins fail at most this often ([`Kept::doubt`]).
const DOUBT: Duration = Duration::from_secs(10);

/// For how long a document is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// It is refreshed in the background about this long after it came (give or take a fifth).
    pub(super) refresh: Duration,
    /// Older than this it is served only if a refresh fails.
    pub(super) max_age: Duration,
    /// Older than this it is not served.
    pub(super) stale: Duration,
}

type Fetch<T> = Box<dyn Fn() -> BoxFuture<'static, Result<T, ProviderFault>> + Send + Sync>;
type Flight<T> = Shared<BoxFuture<'static, Result<Arc<T>, ProviderFault>>>;

/// The document, or how to get it. Clones are the same document.
pub(super) struct Kept<T>(Arc<Inner<T>>);

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<T> {
    what: &'static str,
    provider: ProviderId,
    schedule: Schedule,
    system: System,
    fetch: Fetch<T>,
    state: Mutex<State<T>>,
    /// When the next fetch is due may have changed.
    changed: Notify,
}

struct State<T> {
    good: Option<Good<T>>,
    trouble: Option<Trouble>,
    flight: Option<Flight<T>>,
    asked_again: Option<Instant>,
    doubted: Option<Instant>,
}

struct Good<T> {
    value: Arc<T>,
    came: Instant,
    refresh_at: Instant,
}

/// Fetches have failed since the last good one.
struct Trouble {
    fault: ProviderFault,
    since: OffsetDateTime,
    failures: u32,
    not_before: Instant,
}

/// What a caller does next.
enum Next<T> {
    Have(Arc<T>),
    Refused(ProviderFault),
    Pause(Instant),
    Join { flight: Flight<T>, stale: Option<Arc<T>> },
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(
        what: &'static str,
        provider: ProviderId,
        schedule: Schedule,
        system: System,
        fetch: impl Fn() -> BoxFuture<'static, Result<T, ProviderFault>> + Send + Sync + 'static,
    ) -> Self {
        let state = State { good: None, trouble: None, flight: None, asked_again: None, doubted: None };
        Self(Arc::new(Inner {
            what,
            provider,
            schedule,
            system,
            fetch: Box::new(fetch),
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }

    /// The document, if it is at hand; a refresh that is due begins in the background.
    pub(super) fn ready(&self) -> Option<Arc<T>> {
        match self.next() {
            Next::Have(value) => Some(value),
            Next::Refused(_) | Next::Pause(_) | Next::Join { .. } => None,
        }
    }

    /// The document, fetched if need be. A caller that goes away does not stop the fetch.
    pub(super) async fn get(&self) -> Result<Arc<T>, ProviderFault> {
        loop {
            match self.next() {
                Next::Have(value) => return Ok(value),
                Next::Refused(fault) => return Err(fault),
                Next::Pause(until) => sleep_until(until).await,
                Next::Join { flight, stale } => {
                    let fresh = flight.await;
                    return stale.map_or(fresh.clone(), |stale| Ok(fresh.unwrap_or(stale)));
                }
            }
        }
    }

    /// A later version than `known`, which lacks something; `None` where it is too early to ask again.
    pub(super) async fn newer_than(&self, known: &Arc<T>) -> Result<Option<Arc<T>>, ProviderFault> {
        let now = Instant::now();
        let flight = {
            let mut state = self.lock();
            if let Some(good) = &state.good
                && !Arc::ptr_eq(&good.value, known)
            {
                return Ok(Some(Arc::clone(&good.value)));
            }
            if state.flight.is_none() {
                if let Some(trouble) = &state.trouble
                    && now < trouble.not_before
                {
                    return Err(trouble.fault.clone());
                }
                if state.asked_again.is_some_and(|asked| now < asked + ASK_AGAIN) {
                    return Ok(None);
                }
                state.asked_again = Some(now);
            }
            self.join(&mut state)
        };
        flight.await.map(Some)
    }

    /// Fetches now and keeps refreshing, with backoff while that fails.
    pub(super) async fn keep_fresh(&self) {
        loop {
            let due = {
                let state = self.lock();
                match (&state.trouble, &state.good) {
                    (Some(trouble), _) => trouble.not_before,
                    (None, Some(good)) => good.refresh_at,
                    (None, None) => Instant::now(),
                }
            };
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.0.changed.notified() => continue,
            }
            let flight = {
                let mut state = self.lock();
                self.join(&mut state)
            };
            // Its outcome is in the state and in the log.
            drop(flight.await);
        }
    }

    /// The provider does not seem well: looks in the background whether this still comes, so that everybody knows and
    /// its recovery is noticed without anybody having to try.
    pub(super) fn doubt(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        let lately = state.doubted.is_some_and(|doubted| now < doubted + DOUBT);
        if lately || state.trouble.is_some() || state.flight.is_some() {
            return;
        }
        state.doubted = Some(now);
        // It has a task of its own.
        drop(self.join(&mut state));
    }

    /// What the last fetch says about the provider; one that was never asked is presumed well.
    pub(super) fn availability(&self) -> Availability {
        self.lock().trouble.as_ref().map_or(Availability::Available, |trouble| Availability::Unavailable {
            since: trouble.since,
            code: trouble.fault.code(),
        })
    }

    fn next(&self) -> Next<T> {
        let now = Instant::now();
        let schedule = self.0.schedule;
        let mut state = self.lock();
        let mut stale = None;
        let mut young = false;
        if let Some(good) = &state.good {
            if now < good.refresh_at {
                return Next::Have(Arc::clone(&good.value));
            }
            young = now < good.came + schedule.max_age;
            stale = (now < good.came + schedule.stale).then(|| Arc::clone(&good.value));
        }
        if state.flight.is_none()
            && let Some(trouble) = &state.trouble
            && now < trouble.not_before
        {
            return match stale {
                Some(value) => Next::Have(value),
                None if trouble.not_before - now > WORTH_WAITING => Next::Refused(trouble.fault.clone()),
                None => Next::Pause(trouble.not_before),
            };
        }
        let flight = self.join(&mut state);
        match stale {
            Some(value) if young => Next::Have(value),
            stale => Next::Join { flight, stale },
        }
    }

    /// The fetch in flight, or a new one. It has a task of its own, since every caller may go away.
    fn join(&self, state: &mut State<T>) -> Flight<T> {
        if let Some(flight) = &state.flight {
            return flight.clone();
        }
        let this = self.clone();
        let task = tokio::spawn(async move {
            let outcome = (this.0.fetch)().await;
            this.settle(outcome)
        });
        let this = self.clone();
        let flight = async move {
            match task.await {
                Ok(outcome) => outcome,
                // It panicked, or the program is ending.
                Err(_) => this.settle(Err(ProviderFault::Unreachable("the fetch was cut off".into()))),
            }
        }
        .boxed()
        .shared();
        state.flight = Some(flight.clone());
        flight
    }

    fn settle(&self, outcome: Result<T, ProviderFault>) -> Result<Arc<T>, ProviderFault> {
        let settled = self.note(outcome);
        self.0.changed.notify_one();
        settled
    }

    fn note(&self, outcome: Result<T, ProviderFault>) -> Result<Arc<T>, ProviderFault> {
        let now = Instant::now();
        let mut state = self.lock();
        state.flight = None;
        match outcome {
            Ok(value) => {
                let value = Arc::new(value);
                let refresh_at = now + self.give_or_take(self.0.schedule.refresh);
                state.good = Some(Good { value: Arc::clone(&value), came: now, refresh_at });
                if let Some(trouble) = state.trouble.take() {
                    tracing::info!(
                        provider = %self.0.provider, document = self.0.what, failures = trouble.failures,
                        code = "provider_recovered", "the provider answers again"
                    );
                }
                Ok(value)
            }
            Err(fault) => {
                let (since, failures) = match &state.trouble {
                    Some(trouble) => (trouble.since, trouble.failures.saturating_add(1)),
                    None => (self.0.system.now(), 1),
                };
                let pause = BACKOFF.saturating_mul(1 << (failures - 1).min(5)).min(BACKOFF_MAX);
                let pause = self.give_or_take(pause);
                tracing::warn!(
                    provider = %self.0.provider, document = self.0.what, failures, code = fault.code(), %fault,
                    again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    "the provider's document could not be fetched"
                );
                state.trouble = Some(Trouble { fault: fault.clone(), since, failures, not_before: now + pause });
                // The question was not answered, so it may be put again once the pause is over.
                state.asked_again = None;
                Err(fault)
            }
        }
    }

    /// `duration`, give or take a fifth, so that many of us do not ask at the same moment.
    fn give_or_take(&self, duration: Duration) -> Duration {
        let fraction = f64::from(u16::from_be_bytes(self.0.system.bytes())) / f64::from(u16::MAX);
        duration.mul_f64(0.4f64.mul_add(fraction, 0.8))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing in here panics half way; a poisoned lock still holds a whole state.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const SCHEDULE: Schedule =
        Schedule { refresh: Duration::from_secs(1800), max_age: HOUR, stale: Duration::from_secs(6 * 3600) };

    /// A provider that counts: each fetch takes a second and yields its number, or fails while `down`.
    struct Source {
        kept: Kept<u32>,
        asked: Arc<AtomicU32>,
        down: Arc<AtomicBool>,
    }

    fn source() -> Source {
        let (asked, down) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (a, d) = (Arc::clone(&asked), Arc::clone(&down));
        let kept = Kept::new("keys", ProviderId::new("p"), SCHEDULE, System::real(), move || {
            let number = a.fetch_add(1, Ordering::SeqCst) + 1;
            let down = d.load(Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if down { Err(ProviderFault::Unreachable("down".into())) } else { Ok(number) }
            }
            .boxed()
        });
        Source { kept, asked, down }
    }

    impl Source {
        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
        fn set_down(&self, down: bool) {
            self.down.store(down, Ordering::SeqCst);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_callers_share_one_fetch_and_none_can_stop_it() {
        let source = source();
        let first = tokio::spawn({
            let kept = source.kept.clone();
            async move { kept.get().await }
        });
        tokio::task::yield_now().await;
        first.abort();
        let all = futures_util::future::join_all((0..100).map(|_| source.kept.get())).await;
        assert!(all.into_iter().all(|value| *value.unwrap() == 1));
        assert_eq!(source.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_asked_about_with_growing_pauses_and_shared() {
        let source = source();
        source.set_down(true);
        assert!(source.kept.get().await.is_err());
        // A short pause is sat out by all together.
        let all = futures_util::future::join_all((0..50).map(|_| source.kept.get())).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(source.asked(), 2);
        assert!(source.kept.get().await.is_err());
        assert_eq!(source.asked(), 3);
        // The third pause (about 4 s) is longer than anyone waits.
        let before = Instant::now();
        assert!(source.kept.get().await.is_err());
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(source.asked(), 3);
        assert!(matches!(source.kept.availability(), Availability::Unavailable { code: "provider_unreachable", .. }));
        source.set_down(false);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(*source.kept.get().await.unwrap(), 4);
        assert_eq!(source.kept.availability(), Availability::Available);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_never_exceed_the_longest_by_more_than_a_fifth() {
        let source = source();
        source.set_down(true);
        let background = tokio::spawn({
            let kept = source.kept.clone();
            async move { kept.keep_fresh().await }
        });
        tokio::time::sleep(HOUR).await;
        let asked = source.asked();
        assert!((95..160).contains(&asked), "{asked}");
        background.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn old_is_refreshed_behind_the_scenes_then_awaited_then_stale_then_gone() {
        let source = source();
        assert_eq!(*source.kept.get().await.unwrap(), 1);
        tokio::time::advance(Duration::from_secs(2400)).await;
        assert_eq!(*source.kept.ready().unwrap(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(*source.kept.ready().unwrap(), 2);
        tokio::time::advance(HOUR + Duration::from_secs(1)).await;
        assert!(source.kept.ready().is_none());
        assert_eq!(*source.kept.get().await.unwrap(), 3);
        source.set_down(true);
        tokio::time::advance(2 * HOUR).await;
        assert_eq!(*source.kept.get().await.unwrap(), 3);
        assert!(matches!(source.kept.availability(), Availability::Unavailable { .. }));
        tokio::time::advance(5 * HOUR).await;
        assert!(source.kept.get().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_asked_for_at_once_and_then_once_a_minute() {
        let source = source();
        let first = source.kept.get().await.unwrap();
        let second = source.kept.newer_than(&first).await.unwrap().unwrap();
        assert_eq!(*second, 2);
        // Somebody else who only knows the first gets the second without asking.
        assert_eq!(*source.kept.newer_than(&first).await.unwrap().unwrap(), 2);
        for _ in 0..1000 {
            assert!(source.kept.newer_than(&second).await.unwrap().is_none());
        }
        assert_eq!(source.asked(), 2);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(*source.kept.newer_than(&second).await.unwrap().unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_failed_may_be_put_again_after_the_pause() {
        let source = source();
        let first = source.kept.get().await.unwrap();
        source.set_down(true);
        assert!(source.kept.newer_than(&first).await.is_err());
        assert!(source.kept.newer_than(&first).await.is_err());
        assert_eq!(source.asked(), 2);
        source.set_down(false);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(*source.kept.newer_than(&first).await.unwrap().unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn doubt_looks_at_once_and_the_recovery_is_noticed_by_itself() {
        let source = source();
        let background = tokio::spawn({
            let kept = source.kept.clone();
            async move { kept.keep_fresh().await }
        });
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(source.asked(), 1);
        source.set_down(true);
        for _ in 0..100 {
            source.kept.doubt();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(matches!(source.kept.availability(), Availability::Unavailable { .. }));
        assert_eq!(*source.kept.ready().unwrap(), 1, "served all the same");
        source.set_down(false);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(source.kept.availability(), Availability::Available);
        // A provider that is well is not asked for every failure.
        let asked = source.asked();
        for _ in 0..100 {
            source.kept.doubt();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(source.asked() <= asked + 1);
        background.abort();
    }
}
