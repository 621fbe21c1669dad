//! Whether a store works, which is found by writing to it as a sign-in does: one that can only be read signs nobody in.
//! Anyone can request `/readyz` at any rate, and each check costs the store a write (SQLite: its only writer), so one
//! result is used for a second.

use std::future::Future;

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};

use super::error::StoreError;
use crate::server::limits;

/// Whether the store can be read and written.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// What an operator should know about the store although it works (for example an index that could not be made
    /// because of duplicate documents), each in a plain sentence that says what to do. The result may be a second old.
    async fn ready(&self) -> Result<Vec<String>, StoreError>;
}

type Checked = Result<Vec<String>, StoreError>;

/// The last result. Requests during a check wait for its result.
#[derive(Default)]
pub(super) struct ReadinessCache(Mutex<Option<(Instant, Checked)>>);

impl ReadinessCache {
    pub(super) async fn get_or_check(&self, check: impl Future<Output = Checked> + Send) -> Checked {
        let mut last = self.0.lock().await;
        if let Some((asked, result)) = &*last
            && asked.elapsed() < limits::READINESS_MAX_AGE
        {
            return result.clone();
        }
        let result = check.await;
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_check_serves_all_requests_for_a_second() {
        let cache = ReadinessCache::default();
        let asked = AtomicU32::new(0);
        let ask = || {
            cache.get_or_check(async {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(StoreError::Unavailable("away".into()))
            })
        };
        let answers = join_all((0..100).map(|_| ask())).await;
        assert!(answers.iter().all(Result::is_err), "a failure is a result, too");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::sleep(limits::READINESS_MAX_AGE).await;
        let _ = ask().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        // Whoever gives up leaves the question to the next.
        tokio::time::sleep(limits::READINESS_MAX_AGE).await;
        assert!(tokio::time::timeout(Duration::from_millis(50), ask()).await.is_err());
        assert!(tokio::time::timeout(Duration::from_millis(150), ask()).await.is_ok());
    }
}
