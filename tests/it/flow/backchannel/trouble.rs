//! What we need for it is away: the provider is told that it may try again, and succeeds then.

use super::{has_failed, is_done, post, signs_in, token};
use crate::support::{scene::Scene, wait::eventually};

/// BC-27.
#[tokio::test]
async fn a_store_that_fails_is_told_to_the_provider_and_the_same_token_succeeds_later() {
    for table in ["login_sessions", "seen_logout_tokens"] {
        let scene = Scene::patient().await;
        let browser = signs_in(&scene, "alice", None).await;
        let token = token(&scene, &[]);
        scene.damage(table).await;
        has_failed(&post(&scene, &token).await);
        scene.repair(table).await;
        is_done(&post(&scene, &token).await, table);
        assert!(!browser.is_signed_in(&scene).await);
    }
}

/// Where it cannot be told whether a new session was logged out, nobody is in, and nobody is told that they are out.
#[tokio::test]
async fn a_first_use_waits_for_the_store() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    assert!(browser.get(&callback).await.sets_session());
    scene.damage("seen_logout_tokens").await;
    browser.get(&scene.url("/auth/account")).await.explains("store_unavailable");
    scene.repair("seen_logout_tokens").await;
    assert!(browser.is_signed_in(&scene).await);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_told_to_the_provider_and_the_same_token_succeeds_later() {
    let mut scene = Scene::patient().await;
    let browser = signs_in(&scene, "alice", None).await;
    let token = token(&scene, &[]);
    scene.kill().await;
    scene.provider.down().await;
    scene.start().await;
    has_failed(&post(&scene, &token).await);
    assert!(browser.is_signed_in(&scene).await);
    scene.provider.up().await.unwrap();
    eventually("the provider's keys are there", || async {
        (post(&scene, &token).await.status == reqwest::StatusCode::OK).then_some(())
    })
    .await;
    assert!(!browser.is_signed_in(&scene).await);
}
