//! What both stores do with attempts.

use std::{sync::Arc, time::Duration};

use vestibule::server::{
    attempt::{AttemptState, Verdict},
    ids::{AttemptId, BrowserHash, CodeHash, OwnerToken, Reference},
    limits,
    store::{Claimed, NewClaim},
};

use super::fixtures::{
    FRESH, NOW, STALE, claim_of, claimed, claimed_before, failed, now, on_both, state, steps, together, verified,
};
use crate::support::bench::Bench;

on_both! {
    claim_is_won_once,
    claim_with_its_response_lost_is_recognised,
    claim_has_one_winner_among_many,
    claim_after_the_end_tells_the_end,
    attempt_comes_back_as_it_went,
    attempt_is_kept_for_a_week,
    settle_is_compare_and_set,
    settle_again_does_not_reopen_delivery,
    renew_needs_the_owner,
    interrupt_only_when_stale,
    delivery_is_wiped,
}

async fn claim_is_won_once(bench: &Bench) {
    let store = &*bench.store;
    assert!(store.attempt(claim_of(1, 1).id).await.unwrap().is_none());
    claimed(store, &claim_of(1, 1)).await;
    let other = NewClaim { code: CodeHash::of(b"another code"), browser: BrowserHash::of(b"x"), ..claim_of(1, 2) };
    let before = claimed_before(store, &other).await;
    assert_eq!(before.state, AttemptState::Running { stale: false });
    assert_eq!(before.code, claim_of(1, 1).code, "the first claim's, not the second's");
    assert_eq!(before.browser, claim_of(1, 1).browser);
    // The loser has no power over it.
    assert!(!store.renew(other.id, other.owner).await.unwrap());
    claimed(store, &claim_of(2, 2)).await;
}

async fn claim_with_its_response_lost_is_recognised(bench: &Bench) {
    let store = &*bench.store;
    claimed(store, &claim_of(1, 1)).await;
    bench.raw.age_lease(claim_of(1, 1).id, STALE).await;
    claimed(store, &claim_of(1, 1)).await;
    assert_eq!(state(store, claim_of(1, 1).id).await, AttemptState::Running { stale: false }, "the lease starts again");
    // Held for dead meanwhile: then it is not ours any more.
    bench.raw.age_lease(claim_of(1, 1).id, STALE).await;
    assert!(store.interrupt(claim_of(1, 1).id).await.unwrap());
    assert_eq!(claimed_before(store, &claim_of(1, 1)).await.state, AttemptState::Interrupted);
}

async fn claim_has_one_winner_among_many(bench: &Bench) {
    let outcomes = together((0..50).map(|owner| {
        let store = Arc::clone(&bench.store);
        async move { store.claim(&claim_of(1, owner)).await.unwrap() }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Claimed::Ours)).count(), 1);
}

async fn claim_after_the_end_tells_the_end(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    for owner in [1, 2] {
        let before = claimed_before(store, &claim_of(1, owner)).await;
        assert_eq!(before.state, AttemptState::Verified { at: NOW, delivery: Some(b"sealed".to_vec()) });
        assert_eq!(before.steps, steps());
    }
}

async fn attempt_comes_back_as_it_went(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(9, 1);
    claimed(store, &claim).await;
    let verdict = Verdict::Failed { code: "provider_busy".into(), retry_at: Some(NOW) };
    assert!(store.settle(claim.id, claim.owner, &verdict, &steps()).await.unwrap());
    let by_id = store.attempt(claim.id).await.unwrap().unwrap();
    let by_reference = store.attempt_by_reference(&claim.id.reference()).await.unwrap().unwrap();
    for attempt in [by_id, by_reference] {
        assert_eq!(attempt.id, claim.id);
        assert_eq!(attempt.provider, claim.provider);
        assert_eq!(attempt.browser, claim.browser);
        assert_eq!(attempt.code, claim.code);
        assert_eq!(attempt.started, claim.started);
        assert_eq!(attempt.claimed, claim.claimed);
        assert_eq!(attempt.state, AttemptState::Failed { code: "provider_busy".into(), retry_at: Some(NOW) });
        assert_eq!(attempt.steps, steps());
    }
    assert!(store.attempt_by_reference(&Reference::of(b"another")).await.unwrap().is_none());
    assert!(store.attempt(AttemptId::new([8; 16])).await.unwrap().is_none());
}

async fn attempt_is_kept_for_a_week(bench: &Bench) {
    let store = &*bench.store;
    let week = limits::ATTEMPT_KEPT;
    let old = NewClaim { claimed: now() - week - Duration::from_secs(1), ..claim_of(1, 1) };
    let young = NewClaim { claimed: now() - week + Duration::from_secs(60), ..claim_of(2, 1) };
    claimed(store, &old).await;
    claimed(store, &young).await;
    assert!(store.attempt(old.id).await.unwrap().is_none());
    assert!(store.attempt_by_reference(&old.id.reference()).await.unwrap().is_none());
    assert!(store.attempt(young.id).await.unwrap().is_some());
}

async fn settle_is_compare_and_set(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    let stranger = OwnerToken::new([2; 16]);
    assert!(!store.settle(claim.id, claim.owner, &verified(b"a"), &[]).await.unwrap(), "nothing to settle");
    claimed(store, &claim).await;
    assert!(!store.settle(claim.id, stranger, &verified(b"theirs"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: false });
    assert!(store.settle(claim.id, claim.owner, &verified(b"ours"), &steps()).await.unwrap());
    // The response was lost, so it is repeated.
    assert!(store.settle(claim.id, claim.owner, &verified(b"ours"), &steps()).await.unwrap());
    assert!(!store.settle(claim.id, claim.owner, &failed("x"), &[]).await.unwrap(), "another kind of verdict");
    assert!(!store.settle(claim.id, stranger, &verified(b"theirs"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Verified { at: NOW, delivery: Some(b"ours".to_vec()) });
    // After it was interrupted nobody settles it.
    let claim = claim_of(2, 1);
    claimed(store, &claim).await;
    bench.raw.age_lease(claim.id, STALE).await;
    assert!(store.interrupt(claim.id).await.unwrap());
    assert!(!store.settle(claim.id, claim.owner, &verified(b"late"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Interrupted);
}

async fn settle_again_does_not_reopen_delivery(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &[]).await.unwrap());
    store.close_delivery(claim.id).await.unwrap();
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Verified { at: NOW, delivery: None });
}

async fn renew_needs_the_owner(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    assert!(!store.renew(claim.id, claim.owner).await.unwrap(), "nothing to renew");
    claimed(store, &claim).await;
    bench.raw.age_lease(claim.id, STALE).await;
    assert!(!store.renew(claim.id, OwnerToken::new([2; 16])).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: true });
    assert!(store.renew(claim.id, claim.owner).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: false });
    assert!(store.settle(claim.id, claim.owner, &failed("x"), &[]).await.unwrap());
    assert!(!store.renew(claim.id, claim.owner).await.unwrap());
}

async fn interrupt_only_when_stale(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    assert!(!store.interrupt(claim.id).await.unwrap(), "nothing to interrupt");
    claimed(store, &claim).await;
    assert!(!store.interrupt(claim.id).await.unwrap());
    bench.raw.age_lease(claim.id, FRESH).await;
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: false });
    assert!(!store.interrupt(claim.id).await.unwrap());
    bench.raw.age_lease(claim.id, STALE).await;
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: true });
    let outcomes = together((0..10).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { store.interrupt(claim_of(1, 1).id).await.unwrap() }
    }))
    .await;
    assert_eq!(outcomes.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(state(store, claim.id).await, AttemptState::Interrupted);
    assert!(!store.renew(claim.id, claim.owner).await.unwrap());
    // What has ended is not interrupted, however old its lease.
    let claim = claim_of(2, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &failed("x"), &[]).await.unwrap());
    bench.raw.age_lease(claim.id, STALE).await;
    assert!(!store.interrupt(claim.id).await.unwrap());
}

async fn delivery_is_wiped(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    store.close_delivery(claim.id).await.unwrap();
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    for _ in 0..2 {
        store.close_delivery(claim.id).await.unwrap();
        let attempt = store.attempt(claim.id).await.unwrap().unwrap();
        assert_eq!(attempt.state, AttemptState::Verified { at: NOW, delivery: None });
        assert_eq!(attempt.steps, steps(), "the trace stays");
    }
}
