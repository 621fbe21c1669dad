//! What is particular to SQLite.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vestibule::server::{
    limits,
    settings::Database,
    store::{self, Claimed, NewClaim, SessionRecord, StoreError},
};

use super::fixtures::{claim_of, claimed, eventually, now, session_of, together};
use crate::support::bench::{Bench, Raw};

#[cfg(unix)]
#[tokio::test]
async fn file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::sqlite().await;
    claimed(&*bench.store, &claim_of(1, 1)).await;
    let Raw::Sqlite { path, .. } = &bench.raw else { unreachable!() };
    let files: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 2, "the file and its log: {files:?}");
    for file in files {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn removes_what_has_expired() {
    let bench = Bench::sqlite().await;
    let old = NewClaim { claimed: now() - limits::ATTEMPT_KEPT - Duration::from_secs(1), ..claim_of(1, 1) };
    claimed(&*bench.store, &old).await;
    claimed(&*bench.store, &claim_of(2, 1)).await;
    let gone = SessionRecord { expires: now() - Duration::from_secs(90), ..session_of(b"a") };
    assert!(bench.store.create_session(&gone).await.unwrap());
    assert!(bench.store.create_session(&session_of(b"b")).await.unwrap());
    // It does so when it is opened, and once a minute.
    let _again = bench.raw.open().await;
    eventually("removed", async || {
        let left = "SELECT (SELECT count(*) FROM login_attempts) + (SELECT count(*) FROM login_sessions)";
        let left: i64 = sqlx::query_scalar(left).fetch_one(bench.raw.pool()).await.unwrap();
        (left == 2).then_some(())
    })
    .await;
    assert!(bench.store.session(session_of(b"b").id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opened_by_many_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vestibule.db");
    let stores = together((0..8).map(|_| {
        let path = path.clone();
        async move { store::open(&Database::Sqlite { path }).await.unwrap() }
    }))
    .await;
    let outcomes =
        together(
            (0..48).map(|number| {
                let store = Arc::clone(&stores[number % 8]);
                async move {
                    matches!(store.claim(&claim_of(1, u8::try_from(number).unwrap())).await.unwrap(), Claimed::Ours)
                }
            }),
        )
        .await;
    assert_eq!(outcomes.into_iter().filter(|ours| *ours).count(), 1);
}

#[tokio::test]
async fn locked_by_another_is_unavailable_in_time() {
    let bench = Bench::sqlite().await;
    let lock = bench.raw.pool().begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let began = Instant::now();
    let (claim, ready) = (claim_of(1, 1), bench.store.ready());
    let (answer, ready) = tokio::join!(bench.store.claim(&claim), ready);
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(matches!(ready, Err(StoreError::Unavailable(_))), "{ready:?}");
    assert!(began.elapsed() < Duration::from_secs(7));
    lock.rollback().await.unwrap();
    claimed(&*bench.store, &claim_of(1, 1)).await;
}

/// `/readyz` can be asked by anybody, and a write takes the only writer's turn.
#[tokio::test]
async fn readiness_takes_the_writer_once_a_second_at_most() {
    let bench = Bench::sqlite().await;
    bench.store.ready().await.unwrap();
    let lock = bench.raw.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let began = Instant::now();
    bench.store.ready().await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}: it asked the file", began.elapsed());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(matches!(bench.store.ready().await, Err(StoreError::Unavailable(_))), "a second later it asks again");
    lock.rollback().await.unwrap();
}

/// A large file's tables take longer to bring up to date than a sign-in may take: by us, or by a process that started
/// before us and has the file's lock meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_waits_for_a_migration_longer_than_a_method_may_take() {
    let bench = Bench::sqlite().await;
    let lock = bench.raw.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let Raw::Sqlite { path, .. } = &bench.raw else { unreachable!() };
    let opening = tokio::spawn({
        let path = path.clone();
        async move { store::open(&Database::Sqlite { path }).await }
    });
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(!opening.is_finished(), "it gave up, or did not need the lock");
    lock.commit().await.unwrap();
    let store = opening.await.unwrap().unwrap();
    claimed(&*store, &claim_of(1, 1)).await;
}
