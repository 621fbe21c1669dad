//! How much failure one visitor may cause. A provider that counts failed token requests by address counts ours as one
//! (Authelia: 30 a minute, then everybody is refused); so no visitor may cause more than a few.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::http::client::Visitor;

/// Failed token requests within [`WINDOW`] before a visitor has to wait.
const MOST_FAILURES: u32 = 5;
/// Counted from the first failure: the ten minutes in which Authelia allows 50 to all of us together.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Exchanges that one visitor may have running at once; the others wait their turn. As many may fail at once before
/// the first failure is counted, so this and [`MOST_FAILURES`] together stay well below what a provider allows.
const MOST_AT_ONCE: usize = 8;
/// Visitors remembered; past that the least busy are forgotten.
const VISITORS: u64 = 100_000;

#[derive(Clone, Copy)]
struct Count {
    failures: u32,
    since: OffsetDateTime,
}

/// The failures of all visitors, in memory bounded by `VISITORS`.
pub struct Failures {
    counts: Cache<Visitor, Count>,
    running: Cache<Visitor, Arc<Semaphore>>,
}

impl Default for Failures {
    fn default() -> Self {
        Self::new()
    }
}

impl Failures {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counts: Cache::builder().max_capacity(VISITORS).time_to_idle(WINDOW).build(),
            running: Cache::builder().max_capacity(VISITORS).time_to_idle(WINDOW).build(),
        }
    }

    /// A failed token request that `visitor` has caused.
    pub fn count(&self, visitor: Visitor, now: OffsetDateTime) {
        self.counts.entry(visitor).and_upsert_with(|before| match before.map(moka::Entry::into_value) {
            Some(count) if now < count.since + WINDOW => Count { failures: count.failures.saturating_add(1), ..count },
            _ => Count { failures: 1, since: now },
        });
    }

    /// From when `visitor` may cause another; `None`: now.
    #[must_use]
    pub fn wait_until(&self, visitor: Visitor, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let count = self.counts.get(&visitor)?;
        let over = count.since + WINDOW;
        (count.failures >= MOST_FAILURES && now < over).then_some(over)
    }

    /// A place among the visitor's running exchanges; waits for one.
    pub async fn place(&self, visitor: Visitor) -> Option<OwnedSemaphorePermit> {
        let places = self.running.get_with(visitor, || Arc::new(Semaphore::new(MOST_AT_ONCE)));
        places.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_visitor_waits_after_some_failures_and_the_others_do_not() {
        let now = datetime!(2026-11-23 12:00 UTC);
        let failures = Failures::new();
        let (one, other) = (Visitor::of("192.0.2.1".parse().unwrap()), Visitor::of("192.0.2.2".parse().unwrap()));
        for _ in 0..MOST_FAILURES {
            assert_eq!(failures.wait_until(one, now), None);
            failures.count(one, now);
        }
        assert_eq!(failures.wait_until(one, now), Some(now + WINDOW));
        assert_eq!(failures.wait_until(other, now), None);
        assert_eq!(failures.wait_until(one, now + WINDOW), None);
        failures.count(one, now + WINDOW);
        assert_eq!(failures.wait_until(one, now + WINDOW), None, "a new window begins");
    }
}
