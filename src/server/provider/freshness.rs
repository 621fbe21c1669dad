//! How fresh a provider's document is, and what a caller who wants it does next. No waiting in here, and no requests.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{fault::ProviderFault, source::Schedule};
use crate::server::limits;

/// The latest good version of a document, and the outage since then.
pub(super) struct Freshness<T> {
    good: Option<Good<T>>,
    outage: Option<Outage>,
}

struct Good<T> {
    value: Arc<T>,
    fetched: Instant,
    refresh_at: Instant,
}

/// Fetches have failed since the last good one.
pub(super) struct Outage {
    pub(super) fault: ProviderFault,
    pub(super) since: OffsetDateTime,
    failures: u32,
    /// When the next fetch is due.
    pub(super) retry_at: Instant,
}

/// What a caller does next.
pub(super) enum Lookup<T> {
    /// Use this one.
    Fresh(Arc<T>),
    /// Use this one, and see that a fetch is under way.
    Refresh(Arc<T>),
    /// Wait for a fetch; if it fails, use the stale one.
    Fetch { stale: Option<Arc<T>> },
    /// Look again at that moment: a fetch failed a short time ago.
    Wait(Instant),
    /// A fetch failed, and the next one is not due for some time.
    Unavailable(ProviderFault),
}

impl<T> Freshness<T> {
    pub(super) const fn new() -> Self {
        Self { good: None, outage: None }
    }

    /// What to do now. `fetching`: a fetch is under way.
    pub(super) fn lookup(&self, schedule: Schedule, fetching: bool, now: Instant) -> Lookup<T> {
        let mut stale = None;
        let mut young = false;
        if let Some(good) = &self.good {
            if now < good.refresh_at {
                return Lookup::Fresh(Arc::clone(&good.value));
            }
            young = now < good.fetched + schedule.max_age;
            stale = (now < good.fetched + schedule.stale).then(|| Arc::clone(&good.value));
        }
        if !fetching
            && let Some(outage) = &self.outage
            && now < outage.retry_at
        {
            return match stale {
                Some(value) => Lookup::Fresh(value),
                None if outage.retry_at - now > limits::FETCH_WAIT => Lookup::Unavailable(outage.fault.clone()),
                None => Lookup::Wait(outage.retry_at),
            };
        }
        match stale {
            Some(value) if young => Lookup::Refresh(value),
            stale => Lookup::Fetch { stale },
        }
    }

    /// The latest good version, however old.
    pub(super) fn latest(&self) -> Option<&Arc<T>> {
        self.good.as_ref().map(|good| &good.value)
    }

    /// The outage, if the last fetch failed.
    pub(super) const fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// When the next fetch is due.
    pub(super) fn due(&self, now: Instant) -> Instant {
        match (&self.outage, &self.good) {
            (Some(outage), _) => outage.retry_at,
            (None, Some(good)) => good.refresh_at,
            (None, None) => now,
        }
    }

    /// A fetch succeeded; the next one is due at `refresh_at`. Returns the outage that ends with it.
    pub(super) fn succeeded(&mut self, value: Arc<T>, now: Instant, refresh_at: Instant) -> Option<Outage> {
        self.good = Some(Good { value, fetched: now, refresh_at });
        self.outage.take()
    }

    /// A fetch failed; `spread` varies the pause before the next one.
    pub(super) fn failed(
        &mut self,
        fault: ProviderFault,
        at: OffsetDateTime,
        now: Instant,
        spread: impl FnOnce(Duration) -> Duration,
    ) -> &Outage {
        let (since, failures) = match &self.outage {
            Some(outage) => (outage.since, outage.failures.saturating_add(1)),
            None => (at, 1),
        };
        let pause = limits::FETCH_PAUSE.saturating_mul(1 << (failures - 1).min(5)).min(limits::FETCH_PAUSE_MAX);
        self.outage.insert(Outage { fault, since, failures, retry_at: now + spread(pause) })
    }
}
