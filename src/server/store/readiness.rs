//! Whether a store works, which is found by writing to it as a sign-in does: one that can only be read signs nobody in.
//! Anyone can request `/readyz` at any rate, and each check costs the store a write (SQLite: its only writer), so one
//! result is used for a second. During an outage the store is checked once a second by itself.

use std::future::Future;

use async_trait::async_trait;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

use super::{error::StoreError, outage::OutageLog};
use crate::server::limits;

/// Whether the store can be read and written.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// What an operator should know about the store although it works (for example an index that could not be made
    /// because of duplicate documents), each in a plain sentence that says what to do. The result may be a second old.
    async fn ready(&self) -> Result<Vec<String>, StoreError>;

    /// Why the store is away, if it is known to be for longer than a lock or an election takes: then nobody has to wait
    /// to find that out.
    fn away(&self) -> Option<StoreError>;
}

pub(super) type Checked = Result<Vec<String>, StoreError>;

/// What is known about how a store does.
#[derive(Default)]
pub(super) struct Health {
    pub(super) outage: OutageLog,
    /// When it was last checked, and the result.
    last: watch::Sender<Option<(Instant, Checked)>>,
    wanted: Notify,
}

impl Health {
    /// The last result, or the next if that is too old.
    pub(super) async fn ready(&self) -> Checked {
        let mut last = self.last.subscribe();
        if !self.is_fresh() {
            self.wanted.notify_one();
            // We hold the sender.
            let _ = last.changed().await;
        }
        let checked = last.borrow().as_ref().map(|(_, result)| result.clone());
        checked.unwrap_or_else(|| Err(StoreError::Unavailable("not checked yet".into())))
    }

    /// Checks whenever somebody wants to know, and during an outage; in a task of its own, so that a check is the same
    /// whoever gives up waiting for it.
    pub(super) async fn keep_checking<F: Future<Output = Checked> + Send>(&self, check: impl Fn() -> F) {
        loop {
            let during_an_outage = async {
                self.outage.begins().await;
                sleep(limits::READINESS_MAX_AGE).await;
            };
            tokio::select! {
                () = self.wanted.notified() => {}
                () = during_an_outage => {}
            }
            if self.is_fresh() {
                continue;
            }
            let asked = Instant::now();
            let result = self.bounded(check()).await;
            self.outage.checked(asked, result.as_ref().map(drop));
            self.last.send_replace(Some((Instant::now(), result)));
        }
    }

    fn is_fresh(&self) -> bool {
        self.last.borrow().as_ref().is_some_and(|(asked, _)| asked.elapsed() < limits::READINESS_MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        time::Duration,
    };

    use futures_util::future::join_all;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    /// A store whose checks take 100 ms; and how often it was checked.
    fn checked(result: fn() -> Checked) -> (Arc<Health>, Arc<AtomicU32>, AbortOnDropHandle<()>) {
        let (health, checks) = (Arc::new(Health::default()), Arc::new(AtomicU32::new(0)));
        let (kept, counted) = (Arc::clone(&health), Arc::clone(&checks));
        let checking = async move {
            kept.keep_checking(|| async {
                counted.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(100)).await;
                result()
            })
            .await;
        };
        (health, checks, AbortOnDropHandle::new(tokio::spawn(checking)))
    }

    #[tokio::test(start_paused = true)]
    async fn one_check_serves_all_requests_for_a_second() {
        let (health, checks, _task) = checked(|| Ok(Vec::new()));
        let answers = join_all((0..100).map(|_| health.ready())).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(checks.load(Ordering::Relaxed), 1);
        sleep(limits::READINESS_MAX_AGE).await;
        assert!(health.ready().await.is_ok());
        assert_eq!(checks.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_costs_no_further_check() {
        let (health, checks, _task) = checked(|| Ok(Vec::new()));
        for _ in 0..50 {
            assert!(
                tokio::time::timeout(Duration::from_millis(20), health.ready()).await.is_err() || health.is_fresh()
            );
        }
        assert_eq!(checks.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_a_result_and_is_looked_into_until_it_is_over() {
        let (health, checks, _task) = checked(|| Err(StoreError::Unavailable("away".into())));
        assert!(health.ready().await.is_err());
        let (_, known) = (sleep(limits::STORE_AWAY_AFTER + 2 * limits::READINESS_MAX_AGE).await, health.outage.away());
        assert!(known.is_some() && checks.load(Ordering::Relaxed) > 5, "nobody has asked");
    }
}
