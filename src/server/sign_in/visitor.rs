//! How much failure one visitor may cause. A provider that counts failed token requests by address counts ours as one
//! (Authelia: 30 a minute, then everybody is refused); so no visitor may cause more than a few. Nor may anybody fill the
//! store with the records of failed attempts: past a bound they are explained without one.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::client_address::ClientAddress;

/// Failed token requests within [`WINDOW`] before a visitor has to wait.
const MOST_FAILURES: u32 = 5;
/// Failed attempts within ten minutes that are recorded; a few more where they fail at the same time.
pub const MOST_RECORDED: u32 = 64;
/// Counted from the first failure: the ten minutes in which Authelia allows 50 to all of us together.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Exchanges that one visitor may have running at once; the others wait their turn. As many may fail at once before
/// the first failure is counted, so this and [`MOST_FAILURES`] together stay well below what a provider allows.
const MOST_AT_ONCE: usize = 8;
/// Visitors remembered; past that the least busy are forgotten.
const VISITORS: u64 = 100_000;

#[derive(Clone, Copy)]
struct Count {
    /// Token requests that were refused.
    refused: u32,
    /// Failed attempts in the store.
    recorded: u32,
    since: OffsetDateTime,
}

/// The failures of all visitors, in memory bounded by `VISITORS`.
pub struct Failures {
    counts: Cache<ClientAddress, Count>,
    running: Cache<ClientAddress, Arc<Semaphore>>,
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

    /// A token request that was refused because of `visitor`.
    pub fn refused(&self, visitor: ClientAddress, now: OffsetDateTime) {
        self.count(visitor, now, |count| count.refused = count.refused.saturating_add(1));
    }

    /// A failed attempt of `visitor` that is in the store now.
    pub fn recorded(&self, visitor: ClientAddress, now: OffsetDateTime) {
        self.count(visitor, now, |count| count.recorded = count.recorded.saturating_add(1));
    }

    fn count(&self, visitor: ClientAddress, now: OffsetDateTime, add: impl FnOnce(&mut Count)) {
        self.counts.entry(visitor).and_upsert_with(|before| {
            let before = before.map(moka::Entry::into_value).filter(|count| now < count.since + WINDOW);
            let mut count = before.unwrap_or(Count { refused: 0, recorded: 0, since: now });
            add(&mut count);
            count
        });
    }

    /// From when `visitor` may have a code redeemed; `None`: now.
    #[must_use]
    pub fn wait_until(&self, visitor: ClientAddress, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.standing(visitor, now).filter(|count| count.refused >= MOST_FAILURES).map(|count| count.since + WINDOW)
    }

    /// Whether another failed attempt of `visitor` is recorded.
    #[must_use]
    pub fn may_record(&self, visitor: ClientAddress, now: OffsetDateTime) -> bool {
        self.standing(visitor, now).is_none_or(|count| count.recorded < MOST_RECORDED)
    }

    fn standing(&self, visitor: ClientAddress, now: OffsetDateTime) -> Option<Count> {
        self.counts.get(&visitor).filter(|count| now < count.since + WINDOW)
    }

    /// A place among the visitor's running exchanges; waits for one.
    pub async fn place(&self, visitor: ClientAddress) -> Option<OwnedSemaphorePermit> {
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
        let (one, other) =
            (ClientAddress::of("192.0.2.1".parse().unwrap()), ClientAddress::of("192.0.2.2".parse().unwrap()));
        for _ in 0..MOST_FAILURES {
            assert_eq!(failures.wait_until(one, now), None);
            failures.refused(one, now);
        }
        assert_eq!(failures.wait_until(one, now), Some(now + WINDOW));
        assert_eq!(failures.wait_until(other, now), None);
        assert_eq!(failures.wait_until(one, now + WINDOW), None);
        failures.refused(one, now + WINDOW);
        assert_eq!(failures.wait_until(one, now + WINDOW), None, "a new window begins");
    }

    #[test]
    fn failed_attempts_are_recorded_up_to_a_bound() {
        let now = datetime!(2026-11-24 12:00 UTC);
        let failures = Failures::new();
        let one = ClientAddress::of("192.0.2.1".parse().unwrap());
        for _ in 0..MOST_RECORDED {
            assert!(failures.may_record(one, now));
            failures.recorded(one, now);
        }
        assert!(!failures.may_record(one, now));
        assert_eq!(failures.wait_until(one, now), None, "which keeps nobody from signing in");
        assert!(failures.may_record(one, now + WINDOW));
    }
}
