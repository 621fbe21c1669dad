//! How many exchanges and pushes run at one provider at the same time. The others wait in a queue of their own, so that a
//! slow provider does not delay sign-ins at another one.

use std::sync::Arc;

use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::{client_address::ClientAddress, limits};

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

/// The places for pushed requests. Nobody has to have a code for one, so each client has a share: a slow provider, and one who
/// begins sign-ins all the time, keep nobody else from it.
pub(super) struct Pushes {
    all: Semaphore,
    clients: Cache<ClientAddress, Arc<Semaphore>>,
}

impl Pushes {
    pub(super) fn new() -> Self {
        let clients = Cache::builder()
            .max_capacity(limits::CLIENTS)
            .time_to_idle(limits::CLIENT_FORGOTTEN)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { all: Semaphore::new(limits::EXCHANGES_PER_PROVIDER), clients }
    }

    /// What `push` returns, once there is a place for it.
    pub(super) async fn run<T>(&self, client: ClientAddress, push: impl Future<Output = T>) -> T {
        let share = self.clients.get_with(client, || Arc::new(Semaphore::new(limits::PUSHES_PER_CLIENT)));
        // The share comes first: who waits for it takes no place. The semaphores are never closed.
        let _of_the_share = share.acquire().await;
        let _of_all = self.all.acquire().await;
        push.await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        net::IpAddr,
        time::Duration,
    };

    use futures_util::{FutureExt as _, future::join_all};
    use tokio::time::{Instant, sleep};

    use super::*;

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

    #[tokio::test]
    async fn a_client_who_pushes_all_the_time_keeps_nobody_else_from_a_slow_provider() {
        let pushes = Pushes::new();
        let client = |number| ClientAddress::of(IpAddr::from([192, 0, 2, number]));
        let mut flood: Vec<_> = (0..250).map(|_| Box::pin(pushes.run(client(1), pending::<()>()))).collect();
        for push in &mut flood {
            assert!(push.now_or_never().is_none());
        }
        assert!(pushes.run(client(1), ready(())).now_or_never().is_none(), "it has had its share");
        assert!(pushes.run(client(2), ready(())).now_or_never().is_some());
        drop(flood);
        assert!(pushes.run(client(1), ready(())).now_or_never().is_some());
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
