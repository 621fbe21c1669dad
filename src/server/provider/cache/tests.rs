use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::task::JoinHandle;

use super::*;
use crate::server::{ids::ProviderId, provider::source::Schedule};

const HOUR: Duration = Duration::from_secs(3600);

/// A provider that counts: each fetch takes a second and yields its number, or fails while `down`.
#[derive(Clone, Default)]
struct Counting {
    asked: Arc<AtomicU32>,
    down: Arc<AtomicBool>,
}

impl Source for Counting {
    type Document = u32;
    const NAME: &'static str = "keys";
    const SCHEDULE: Schedule =
        Schedule { refresh: limits::JWKS_REFRESH, max_age: limits::JWKS_MAX_AGE, stale: limits::JWKS_STALE };

    async fn fetch(&self) -> Result<u32, ProviderFault> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let down = self.down.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if down { Err(ProviderFault::Unreachable("down".into())) } else { Ok(number) }
    }
}

impl Counting {
    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn keep_fresh(cache: &Arc<Cache<Counting>>) -> JoinHandle<()> {
    let cache = Arc::clone(cache);
    tokio::spawn(async move { cache.keep_fresh().await })
}

fn counting() -> (Counting, Arc<Cache<Counting>>) {
    let source = Counting::default();
    (source.clone(), Cache::new(source, OutageLog::new(ProviderId::new("p")), System::real()))
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_share_one_fetch_and_none_can_stop_it() {
    let (source, cache) = counting();
    let caller = Arc::clone(&cache);
    let first = tokio::spawn(async move { caller.get().await });
    tokio::task::yield_now().await;
    first.abort();
    let all = join_all((0..100).map(|_| cache.get())).await;
    assert!(all.into_iter().all(|value| *value.unwrap() == 1));
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn during_an_outage_fetches_have_growing_pauses_and_are_shared() {
    let (source, cache) = counting();
    source.down.store(true, Ordering::SeqCst);
    assert!(cache.get().await.is_err());
    let all = join_all((0..50).map(|_| cache.get())).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(source.asked(), 2);
    assert!(cache.get().await.is_err());
    assert_eq!(source.asked(), 3);
    // The third pause (about 4 s) is longer than anyone waits.
    let before = Instant::now();
    assert!(cache.get().await.is_err());
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(source.asked(), 3);
    assert!(matches!(cache.availability(), Availability::Unavailable { code: "provider_unreachable", .. }));
    source.down.store(false, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(*cache.get().await.unwrap(), 4);
    assert_eq!(cache.availability(), Availability::Available);
}

#[tokio::test(start_paused = true)]
async fn pauses_never_exceed_the_longest_by_more_than_a_fifth() {
    let (source, cache) = counting();
    source.down.store(true, Ordering::SeqCst);
    let background = keep_fresh(&cache);
    tokio::time::sleep(HOUR).await;
    let asked = source.asked();
    assert!((95..160).contains(&asked), "{asked}");
    background.abort();
}

#[tokio::test(start_paused = true)]
async fn old_is_refreshed_behind_the_scenes_then_awaited_then_stale_then_gone() {
    let (source, cache) = counting();
    assert_eq!(*cache.get().await.unwrap(), 1);
    tokio::time::advance(Duration::from_secs(2400)).await;
    assert_eq!(*cache.ready().unwrap(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(*cache.ready().unwrap(), 2);
    tokio::time::advance(HOUR + Duration::from_secs(1)).await;
    assert!(cache.ready().is_none());
    assert_eq!(*cache.get().await.unwrap(), 3);
    source.down.store(true, Ordering::SeqCst);
    tokio::time::advance(2 * HOUR).await;
    assert_eq!(*cache.get().await.unwrap(), 3);
    assert!(matches!(cache.availability(), Availability::Unavailable { .. }));
    tokio::time::advance(5 * HOUR).await;
    assert!(cache.get().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_newer_version_is_fetched_at_once_and_then_once_a_minute() {
    let (source, cache) = counting();
    let first = cache.get().await.unwrap();
    let second = cache.newer_than(&first, Asker::Provider).await.unwrap().unwrap();
    assert_eq!(*second, 2);
    // Another caller that only has the first gets the second without a fetch.
    assert_eq!(*cache.newer_than(&first, Asker::Provider).await.unwrap().unwrap(), 2);
    for _ in 0..1000 {
        assert!(cache.newer_than(&second, Asker::Provider).await.unwrap().is_none());
    }
    assert_eq!(source.asked(), 2);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(*cache.newer_than(&second, Asker::Provider).await.unwrap().unwrap(), 3);
}

/// BC-25: whoever sends tokens with made-up keys costs the provider one fetch a minute, and no sign-in its own.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_anybody_caused_is_not_taken_from_a_sign_in() {
    let (source, cache) = counting();
    let first = cache.get().await.unwrap();
    let second = cache.newer_than(&first, Asker::Anybody).await.unwrap().unwrap();
    for _ in 0..1000 {
        assert!(cache.newer_than(&second, Asker::Anybody).await.unwrap().is_none());
    }
    let third = cache.newer_than(&second, Asker::Provider).await.unwrap().unwrap();
    for asker in [Asker::Anybody, Asker::Provider] {
        assert!(cache.newer_than(&third, asker).await.unwrap().is_none());
    }
    assert_eq!(source.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_of_a_newer_version_is_retried_after_the_pause() {
    let (source, cache) = counting();
    let first = cache.get().await.unwrap();
    source.down.store(true, Ordering::SeqCst);
    assert!(cache.newer_than(&first, Asker::Provider).await.is_err());
    assert!(cache.newer_than(&first, Asker::Provider).await.is_err());
    assert_eq!(source.asked(), 2);
    source.down.store(false, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(*cache.newer_than(&first, Asker::Provider).await.unwrap().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_probe_finds_the_outage_and_the_recovery_is_found_without_one() {
    let (source, cache) = counting();
    let background = keep_fresh(&cache);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(source.asked(), 1);
    source.down.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        cache.probe();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(matches!(cache.availability(), Availability::Unavailable { .. }));
    assert_eq!(*cache.ready().unwrap(), 1, "still used");
    source.down.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(cache.availability(), Availability::Available);
    // A provider that responds is not probed after every failure.
    let asked = source.asked();
    for _ in 0..100 {
        cache.probe();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(source.asked() <= asked + 1);
    background.abort();
}
