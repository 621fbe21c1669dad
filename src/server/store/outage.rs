//! An outage of the store, for the log: that it begins and that it is over is said once each, however many requests fail
//! meanwhile (docs/decisions/log.md). A process has one store, and one log.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::error::StoreError;
use crate::server::limits;

static STORE: OutageLog = OutageLog(Mutex::new(None));

struct OutageLog(Mutex<Option<Outage>>);

struct Outage {
    since: Instant,
    last_failure: Instant,
    failures: u32,
}

/// Notes how an operation of the store ended.
pub(super) fn note<T>(ended: &Result<T, StoreError>) {
    STORE.note(ended.as_ref().err());
}

impl OutageLog {
    fn note(&self, error: Option<&StoreError>) {
        match error {
            // It answers, and one record is bad.
            None | Some(StoreError::Unreadable(_)) => self.works(),
            Some(error) => self.failed(error),
        }
    }

    fn failed(&self, error: &StoreError) {
        let now = Instant::now();
        let mut outage = self.lock();
        let outage = outage.get_or_insert(Outage { since: now, last_failure: now, failures: 0 });
        outage.last_failure = now;
        outage.failures = outage.failures.saturating_add(1);
        if outage.failures == 1 {
            tracing::warn!(code = "store_unavailable", detail = %error, to_do = error.mend(), "the database fails");
        } else {
            tracing::debug!(code = "store_unavailable", detail = %error, failures = outage.failures, "the database still fails");
        }
    }

    /// One that can only be read fails and works by turns, which is one outage.
    fn works(&self) {
        let ended = self.lock().take_if(|outage| outage.last_failure.elapsed() >= limits::STORE_WORKS_AFTER);
        if let Some(Outage { since, failures, .. }) = ended {
            let after_s = since.elapsed().as_secs();
            tracing::warn!(code = "store_recovered", after_s, failures, "the database works again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outage>> {
        // Nothing panics while it holds the lock, so even a poisoned one holds a consistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::telemetry::captured::Log;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_works_and_fails_by_turns_is_one_outage_of_two_lines() {
        let store = OutageLog(Mutex::default());
        let (log, _guard) = Log::json();
        let away = StoreError::Unavailable("read-only".into());
        for _ in 0..100 {
            store.note(Some(&away));
            store.note(None);
            tokio::time::advance(limits::STORE_WORKS_AFTER / 2).await;
        }
        let lines = log.text().lines().count();
        assert_eq!(lines, 1, "{}", log.text());
        tokio::time::advance(limits::STORE_WORKS_AFTER).await;
        store.note(Some(&StoreError::Unreadable("a record".into())));
        store.note(None);
        let text = log.text();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("store_recovered") && text.contains("\"failures\":100"), "{text}");
    }
}
