//! Whether a store works. `/readyz` can be asked by anybody as often as they like, and an honest answer costs the
//! store a round trip (SQLite: its only writer), so that one answer serves everybody for a second.

use std::future::Future;

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};

use super::error::StoreError;
use crate::server::limits;

/// Whether the store works.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// What an operator should know about the store although it works (for example an index that could not be made
    /// because of duplicate documents), each in a plain sentence that says what to do. The answer may be a second old.
    async fn ready(&self) -> Result<Vec<String>, StoreError>;
}

type Answer = Result<Vec<String>, StoreError>;

/// The last answer. Whoever asks while the store is being asked waits for that answer.
#[derive(Default)]
pub(super) struct ReadinessCache(Mutex<Option<(Instant, Answer)>>);

impl ReadinessCache {
    pub(super) async fn get_or_ask(&self, ask: impl Future<Output = Answer> + Send) -> Answer {
        let mut last = self.0.lock().await;
        if let Some((asked, answer)) = &*last
            && asked.elapsed() < limits::READINESS_MAX_AGE
        {
            return answer.clone();
        }
        let answer = ask.await;
        *last = Some((Instant::now(), answer.clone()));
        answer
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
    async fn one_question_serves_everybody_for_a_second() {
        let cache = ReadinessCache::default();
        let asked = AtomicU32::new(0);
        let ask = || {
            cache.get_or_ask(async {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(StoreError::Unavailable("away".into()))
            })
        };
        let answers = join_all((0..100).map(|_| ask())).await;
        assert!(answers.iter().all(Result::is_err), "a failure is an answer, too");
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
