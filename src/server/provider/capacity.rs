//! How many exchanges run at one provider at the same time. The others wait in a queue of their own, so that a slow
//! provider does not delay sign-ins at another one.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one provider.
pub(super) struct Capacity {
    queue: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// A place in a provider's queue. An exchange keeps it for as long as it waits or runs.
pub struct QueueTicket {
    running: Arc<Semaphore>,
    _place: OwnedSemaphorePermit,
}

/// The right to run an exchange, for as long as it is not dropped.
pub struct ExchangePermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Capacity {
    /// `running` exchanges at the same time; `queue` is how many may run or wait.
    pub(super) fn new(running: usize, queue: usize) -> Self {
        Self { queue: Arc::new(Semaphore::new(queue)), running: Arc::new(Semaphore::new(running)) }
    }

    /// Takes a place in the queue; `None` where it is full.
    pub(super) fn join_queue(&self) -> Option<QueueTicket> {
        let place = Arc::clone(&self.queue).try_acquire_owned().ok()?;
        Some(QueueTicket { running: Arc::clone(&self.running), _place: place })
    }
}

impl QueueTicket {
    /// Waits for a permit. Those who wait get theirs in the order in which they asked.
    pub async fn exchange_permit(&self) -> ExchangePermit {
        // The semaphore is never closed, so a permit is always acquired.
        ExchangePermit { _permit: Arc::clone(&self.running).acquire_owned().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{FutureExt as _, future::join_all};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::server::limits;

    #[tokio::test]
    async fn some_run_some_wait_and_more_are_refused() {
        let capacity = Capacity::new(1, 2);
        let first = capacity.join_queue().unwrap();
        let second = capacity.join_queue().unwrap();
        assert!(capacity.join_queue().is_none(), "the queue is full");
        let running = first.exchange_permit().await;
        assert!(second.exchange_permit().now_or_never().is_none(), "the first is still running");
        drop(running);
        assert!(capacity.join_queue().is_none(), "it may still wait for another permit");
        let _running = second.exchange_permit().await;
        drop(first);
        assert!(capacity.join_queue().is_some());
    }

    /// D4: with 32 at a time only 586 people would get through while their codes live.
    #[tokio::test(start_paused = true)]
    async fn a_thousand_people_at_once_get_through_a_provider_that_takes_three_seconds_for_each_call() {
        let capacity = Capacity::new(limits::EXCHANGES_PER_PROVIDER, limits::EXCHANGE_QUEUE);
        let arrived = Instant::now();
        let people = (0..1_000).map(|_| async {
            let ticket = capacity.join_queue()?;
            let _permit = ticket.exchange_permit().await;
            let sent = arrived.elapsed();
            sleep(Duration::from_secs(6)).await;
            Some(sent)
        });
        let sent = join_all(people).await;
        assert!(sent.iter().all(|sent| sent.is_some_and(|sent| sent < limits::CODE_LIFE)), "{:?}", sent.last());
    }
}
