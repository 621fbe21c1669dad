//! Sessions and their cookies (matrix group L).

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use test_provider::{Behaviour, Edit, JwtEdit, Profile, Rule};

use crate::support::{browser::Browser, scene::Scene};

const SESSION: &str = "vestibule";

fn plant(browser: &Browser, scene: &Scene, session: &str) {
    browser.cookies.lock().unwrap().insert((scene.origin.clone(), SESSION.into()), session.into());
}

/// SE-03, SE-04: nobody is signed in by an id that somebody else knows.
#[tokio::test]
async fn a_cookie_that_was_planted_is_nobodys() {
    let scene = Scene::patient().await;
    let attacker = scene.browser();
    attacker.sign_in(&scene).await;
    let theirs = attacker.cookie(&scene, SESSION).unwrap();
    for planted in ["AAAAAAAAAAAAAAAAAAAAAA", "attacker-chosen", &theirs] {
        let victim = scene.browser();
        plant(&victim, &scene, planted);
        let page = victim.get(&scene.url("/auth/oidc/login?again=1&prompt=login")).await;
        let callback = victim.get(page.location()).await.location().to_owned();
        assert!(victim.get(&callback).await.sets_session());
        let now = victim.cookie(&scene, SESSION).unwrap();
        assert_ne!(now, planted, "a sign-in makes an id of its own");
        assert!(victim.is_signed_in(&scene).await);
        victim.post(&scene.url("/auth/logout"), "").await;
        let again = scene.browser();
        plant(&again, &scene, planted);
        assert!(planted == theirs || !again.is_signed_in(&scene).await, "{planted} is never adopted");
    }
}

/// SE-06: one of them is foreign, and nobody can tell which.
#[tokio::test]
async fn two_session_cookies_are_none() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let own = browser.cookie(&scene, SESSION).unwrap();
    let stranger = scene.browser();
    let account = async |cookie: &str| stranger.get_as(&scene.url("/auth/account"), &[("cookie", cookie)]).await.status;
    assert_eq!(account(&format!("vestibule={own}")).await, StatusCode::OK);
    for cookies in [
        format!("vestibule={own}; vestibule=x"),
        format!("vestibule=x; vestibule={own}"),
        format!("vestibule={own}; vestibule={own}"),
    ] {
        assert_eq!(account(&cookies).await, StatusCode::SEE_OTHER, "{cookies}");
    }
}

/// SE-10, SE-11, ID-40: whatever the ID token says of its own end.
#[tokio::test]
async fn a_session_ends_by_our_own_limits() {
    for exp in [json!(253_402_300_799_i64), json!(i64::from(u32::MAX))] {
        let mut scene = Scene::with(Profile::Standard, |settings| {
            settings.sign_in.patience = Duration::from_secs(20);
            settings.session.idle = Duration::from_secs(600);
            settings.session.absolute = Duration::from_secs(1_500);
        })
        .await;
        scene.provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(Edit::set("exp", exp)))));
        let (used, idle) = (scene.browser(), scene.browser());
        used.sign_in(&scene).await;
        idle.sign_in(&scene).await;
        for (passed, used_lives, idle_lives) in
            [(500, true, true), (500, true, false), (490, true, false), (60, false, false)]
        {
            scene.later(passed);
            // What is known of a session is a moment old, whatever the clock says.
            scene.kill().await;
            scene.start().await;
            assert_eq!(used.is_signed_in(&scene).await, used_lives, "{passed}");
            if passed != 500 || !idle_lives {
                assert_eq!(idle.is_signed_in(&scene).await, idle_lives, "{passed}");
            }
        }
    }
}

/// SE-14
#[tokio::test]
async fn sessions_in_two_browsers_are_apart() {
    let scene = Scene::patient().await;
    let (one, other) = (scene.browser(), scene.browser());
    one.sign_in(&scene).await;
    other.sign_in(&scene).await;
    assert_ne!(one.cookie(&scene, SESSION), other.cookie(&scene, SESSION));
    one.post(&scene.url("/auth/logout"), "").await;
    assert!(!one.is_signed_in(&scene).await);
    assert!(other.is_signed_in(&scene).await);
}

/// SE-21
#[tokio::test]
async fn a_session_in_an_address_is_none() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let session = browser.cookie(&scene, SESSION).unwrap();
    let stranger = scene.browser();
    for path in [
        format!("/auth/account?vestibule={session}"),
        format!("/auth/account?sid={session}&session={session}"),
        format!("/auth/account;jsessionid={session}"),
        format!("/auth/account;vestibule={session}"),
    ] {
        let page = stranger.get(&scene.url(&path)).await;
        assert!(page.status == StatusCode::SEE_OTHER || page.status == StatusCode::NOT_FOUND, "{path}: {page:#?}");
        assert!(!page.body.contains("Alice Example"), "{path}");
    }
    let page = browser.get(&scene.url("/auth/account")).await;
    assert!(!page.body.contains(&session), "nor is it written into one");
}

/// SE-27
#[tokio::test]
async fn a_clock_that_is_set_back_breaks_nothing() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    scene.later(360);
    let before = browser.get(&scene.url("/auth/oidc/login?return_to=/a")).await;
    let unused = browser.get(before.location()).await.location().to_owned();
    scene.later(-360);
    assert!(!browser.is_signed_in(&scene).await);
    // What was begun at a time that has not come is not taken, and a new sign-in works.
    browser.follow(&scene, &unused).await.unwrap().explains("attempt_expired");
    let other = scene.browser();
    other.sign_in(&scene).await;
    scene.later(-300);
    assert!(other.is_signed_in(&scene).await);
    assert_eq!(other.post(&scene.url("/auth/logout"), "").await.status, StatusCode::SEE_OTHER);
    assert!(!other.is_signed_in(&scene).await);
}
