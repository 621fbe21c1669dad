//! One application, on the login host: without any `[[app]]` there is nothing to hand over.

use reqwest::StatusCode;
use vestibule::server::settings::Settings;

use super::rig::{ENDPOINTS, Endpoint, Question, Visitor, json, user};
use crate::support::{browser::Browser, scene::Scene, wait::eventually};

const HOST: &str = "127.0.0.1";

fn behind_a_proxy(settings: &mut Settings) {
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings.sign_in.patience = std::time::Duration::from_secs(20);
}

async fn scene(tweak: fn(&mut Settings)) -> Scene {
    Scene::with(test_provider::Profile::Standard, tweak).await
}

#[tokio::test]
async fn a_sign_in_leads_back_to_the_page() {
    let scene = scene(behind_a_proxy).await;
    for endpoint in [Endpoint::Denied, Endpoint::Forward, Endpoint::ExtAuthz] {
        let alice = Browser::default();
        let question = Question::about(endpoint, "/page?a=b").at(HOST);
        let page = alice.asks(&scene, question).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        let landed = alice.follow(&scene, page.location()).await;
        assert_eq!(landed.unwrap_err(), "/page?a=b");
        let page = alice.asks(&scene, question).await;
        if endpoint == Endpoint::Denied {
            assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, &*scene.url("/page?a=b")));
        } else {
            assert_eq!(user(&page), Some("alice"), "{page:#?}");
            assert!(!page.header("x-vestibule-assertion").is_empty());
        }
        let told = json(&alice.get(&scene.url("/auth/userinfo")).await);
        assert_eq!(told["preferred_username"], "alice");
    }
    let page =
        Browser::default().asks(&scene, Question::about(Endpoint::Forward, "/x").by(Visitor::Script).at(HOST)).await;
    assert_eq!(json(&page)["login_url"], scene.url("/auth/login"));
}

#[tokio::test]
async fn signed_out_is_signed_out_at_once() {
    let scene = scene(behind_a_proxy).await;
    let alice = Browser::default();
    alice.sign_in(&scene).await;
    let session = alice.cookie(&scene, "vestibule").unwrap();
    assert!(alice.is_known_at(&scene, HOST).await);
    alice.signs_out(&scene).await;
    alice.set_cookie_of(&scene, HOST, "vestibule", &session);
    for endpoint in ENDPOINTS {
        let page = alice.asks(&scene, Question::about(endpoint, "/page").by(Visitor::Script).at(HOST)).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    }
}

/// Whoever uses an application uses the session, and it ends when nobody has used it.
#[tokio::test]
async fn a_check_is_a_visit() {
    const IDLE: i64 = 600;
    fn idle(settings: &mut Settings) {
        behind_a_proxy(settings);
        settings.session.idle = std::time::Duration::from_secs(IDLE.unsigned_abs());
    }
    let mut scene = scene(idle).await;
    let alice = Browser::default();
    alice.sign_in(&scene).await;
    for _ in 0..3 {
        scene.later(IDLE / 3 * 2);
        // What is known of it is a moment old, whatever the clock says.
        scene.kill().await;
        scene.start().await;
        let before = last_visit(&scene).await;
        assert!(alice.is_known_at(&scene, HOST).await);
        eventually("the visit is noted", || async { (last_visit(&scene).await > before).then_some(()) }).await;
    }
    assert!(alice.is_signed_in(&scene).await);
    scene.later(IDLE + 1);
    scene.kill().await;
    scene.start().await;
    assert!(!alice.is_known_at(&scene, HOST).await);
}

async fn last_visit(scene: &Scene) -> i64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&scene.database);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let visit = sqlx::query_scalar("SELECT max(last_seen_at) FROM login_sessions").fetch_one(&pool).await.unwrap();
    pool.close().await;
    visit
}
