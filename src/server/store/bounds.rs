//! How long a method of a store may take.

use std::future::Future;

use tokio::time::{Instant, timeout};

use super::{error::StoreError, outage::OutageLog, readiness::Health};
use crate::server::limits;

impl Health {
    /// Runs one method of a store, for [`limits::STORE_TIMEOUT`] at most.
    pub(super) async fn bounded<T>(
        &self,
        method: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let awaited = Awaited { outage: &self.outage, since: Instant::now(), ended: false };
        let ended = timeout(limits::STORE_TIMEOUT, method)
            .await
            .unwrap_or_else(|_| Err(no_answer(limits::STORE_TIMEOUT.as_secs())));
        awaited.ended(&ended);
        ended
    }
}

fn no_answer(seconds: u64) -> StoreError {
    StoreError::Unavailable(format!("no answer within {seconds} s"))
}

/// Notes how a method ends, also where its caller has less patience and gives up.
struct Awaited<'h> {
    outage: &'h OutageLog,
    since: Instant,
    ended: bool,
}

impl Awaited<'_> {
    fn ended<T>(mut self, result: &Result<T, StoreError>) {
        self.ended = true;
        if let Err(error) = result {
            self.outage.failed(error);
        }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        if !self.ended && waited >= limits::STORE_SLOW {
            self.outage.failed(&no_answer(waited.as_secs()));
        }
    }
}
