//! An outage of the store, for the log: that it begins and that it is over is said once each, however many requests fail
//! meanwhile (docs/decisions/log.md). It is of no single sign-in, so its lines have no reference.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::{sync::Notify, time::Instant};

use super::error::{Refusal, StoreError};
use crate::server::limits;

/// Whether one store works, as the log knows it.
#[derive(Default)]
pub(super) struct OutageLog {
    outage: Mutex<Option<Outage>>,
    began: Notify,
}

struct Outage {
    since: Instant,
    last_failure: Instant,
    failures: u32,
    /// What was said already: another refusal needs something else done, so it is another line.
    said: Vec<Option<Refusal>>,
    /// Since when, and why, checks fail.
    checks_fail: Option<(Instant, StoreError)>,
}

impl OutageLog {
    /// Notes that an operation failed.
    pub(super) fn failed(&self, error: &StoreError) {
        let refusal = match error {
            // It answers, and one record is bad.
            StoreError::Unreadable(_) => return,
            StoreError::Unavailable(_) => None,
            StoreError::Refused { refusal, .. } => Some(*refusal),
        };
        let now = Instant::now();
        let mut outage = self.lock();
        let outage = outage.get_or_insert_with(|| {
            self.began.notify_one();
            Outage { since: now, last_failure: now, failures: 0, said: Vec::new(), checks_fail: None }
        });
        outage.last_failure = now;
        outage.failures = outage.failures.saturating_add(1);
        if outage.said.contains(&refusal) {
            tracing::debug!(parent: None, code = "store_unavailable", detail = %error, failures = outage.failures, "the database still fails");
        } else {
            outage.said.push(refusal);
            tracing::warn!(parent: None, code = "store_unavailable", detail = %error, to_do = error.mend(), "the database fails");
        }
    }

    /// Notes how a check ended that was begun at `asked`. A read that succeeds says nothing, and one write little: only a
    /// check, which writes as sign-ins do, ends an outage, and only if nothing else has failed for a while.
    pub(super) fn checked(&self, asked: Instant, result: Result<(), &StoreError>) {
        let mut outage = self.lock();
        if let Some(outage) = &mut *outage {
            outage.checks_fail = result.err().map(|error| {
                let since = outage.checks_fail.as_ref().map_or(asked, |(since, _)| *since);
                (since, error.clone())
            });
        }
        let over = |outage: &mut Outage| result.is_ok() && outage.last_failure.elapsed() >= limits::STORE_WORKS_AFTER;
        if let Some(Outage { since, failures, .. }) = outage.take_if(over) {
            let after_s = since.elapsed().as_secs();
            tracing::warn!(parent: None, code = "store_recovered", after_s, failures, "the database works again");
        }
    }

    /// Why the store is away, if it is known to be for longer than a lock or an election takes.
    pub(super) fn away(&self) -> Option<StoreError> {
        let outage = self.lock();
        let (since, error) = outage.as_ref()?.checks_fail.as_ref()?;
        let is_away = matches!(error, StoreError::Unavailable(_)) && since.elapsed() >= limits::STORE_AWAY_AFTER;
        is_away.then(|| error.clone())
    }

    /// Waits until there is an outage.
    pub(super) async fn begins(&self) {
        while self.lock().is_none() {
            self.began.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outage>> {
        // Nothing panics while it holds the lock, so even a poisoned one holds a consistent state.
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::telemetry::captured::Log;

    fn away() -> StoreError {
        StoreError::Unavailable("away".into())
    }

    /// The code of each line.
    fn codes(log: &Log) -> Vec<String> {
        let text = log.text();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["code"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_works_and_fails_by_turns_is_one_outage_of_two_lines() {
        let store = OutageLog::default();
        let (log, _guard) = Log::json();
        for _ in 0..100 {
            store.failed(&away());
            store.checked(Instant::now(), Ok(()));
            tokio::time::advance(limits::STORE_WORKS_AFTER / 2).await;
        }
        assert_eq!(codes(&log), ["store_unavailable"]);
        tokio::time::advance(limits::STORE_WORKS_AFTER).await;
        store.failed(&StoreError::Unreadable("a record".into()));
        assert_eq!(codes(&log), ["store_unavailable"], "only a check ends it");
        store.checked(Instant::now(), Ok(()));
        assert_eq!(codes(&log), ["store_unavailable", "store_recovered"]);
        assert!(log.text().contains("\"failures\":100"), "{}", log.text());
    }

    /// However seldom anybody asks: a minute without a failure is no success.
    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_until_a_check_succeeds() {
        let store = OutageLog::default();
        let (log, _guard) = Log::json();
        for _ in 0..10 {
            store.failed(&StoreError::refused(Refusal::Full, "full"));
            store.checked(Instant::now(), Err(&StoreError::refused(Refusal::Full, "full")));
            tokio::time::advance(6 * limits::STORE_WORKS_AFTER).await;
        }
        assert_eq!(codes(&log), ["store_unavailable"]);
    }

    #[test]
    fn another_refusal_is_another_line_with_what_mends_it() {
        let store = OutageLog::default();
        let (log, _guard) = Log::json();
        for _ in 0..3 {
            store.failed(&away());
            store.failed(&StoreError::refused(Refusal::Full, "full"));
            store.failed(&StoreError::refused(Refusal::Damaged, "malformed"));
        }
        assert_eq!(codes(&log).len(), 3, "{}", log.text());
        for mend in [away().mend(), Refusal::Full.mend(), Refusal::Damaged.mend()] {
            assert_eq!(log.text().matches(mend).count(), 1, "{mend}: {}", log.text());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_is_away_once_its_checks_have_failed_for_a_while() {
        let store = OutageLog::default();
        let asked = Instant::now();
        store.failed(&away());
        store.checked(asked, Err(&away()));
        assert!(store.away().is_none(), "a lock, or an election");
        tokio::time::advance(limits::STORE_AWAY_AFTER).await;
        assert!(store.away().is_some());
        store.checked(Instant::now(), Ok(()));
        assert!(store.away().is_none());
    }
}
