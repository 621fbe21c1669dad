//! Redirects that would never end.

use reqwest::StatusCode;
use test_provider::Endpoint;

use crate::support::scene::Scene;

#[tokio::test]
async fn a_redirect_loop_is_explained() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let start = scene.url("/auth/oidc/login?return_to=/app");
    // The application does not accept the session and sends the person back each time.
    let mut turns = 0;
    let page = loop {
        turns += 1;
        assert!(turns < 10, "a loop");
        let page = browser.follow(&scene, &start).await;
        browser.forget(&scene, "vestibule");
        match page {
            Err(landed) => assert_eq!(landed, "/app"),
            Ok(page) => break page,
        }
    };
    page.explains("sign_in_loop");
    assert_eq!(turns, 3, "the third start is not made");
    let clicked = browser.follow(&scene, &format!("{start}&again=1")).await;
    assert_eq!(clicked.unwrap_err(), "/app", "a click resets the count");
}

#[tokio::test]
async fn a_browser_that_has_another_key_each_time_is_not_redirected_for_ever() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let mut url = scene.url("/auth/oidc/login?return_to=/app");
    let mut answers = 0;
    let page = loop {
        if url.starts_with(&scene.url("/auth/oidc/callback")) {
            answers += 1;
            assert!(answers < 20, "a loop");
            let other = scene.browser();
            other.start(&scene, "/").await;
            let key = other.cookie(&scene, "vestibule-flow").unwrap();
            browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), key);
        }
        let page = browser.get(&url).await;
        if !page.status.is_redirection() {
            break page;
        }
        url = reqwest::Url::parse(&url).unwrap().join(page.location()).unwrap().to_string();
    };
    page.explains("other_browser");
    // One that a person began, and six by themselves.
    assert_eq!(scene.provider.count(Endpoint::Authorize), 7);
    assert_eq!((scene.redeemed(), scene.count("login_attempts").await), (0, 0), "nothing is consumed");
}

#[tokio::test]
async fn a_signed_in_person_is_sent_on_but_not_for_ever() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let start = scene.url("/auth/oidc/login?return_to=/app");
    let (mut redirects, mut pages) = (0, 0);
    let page = loop {
        let page = browser.get(&start).await;
        if page.status == StatusCode::SEE_OTHER {
            assert_eq!((page.location(), pages), ("/app", 0));
            redirects += 1;
        } else if page.status == StatusCode::OK {
            assert!(page.body.contains(r#"<meta http-equiv="refresh" content="0;url=/app">"#), "{}", page.body);
            assert!(!page.body.contains("noscript"), "with script, too: {}", page.body);
            assert!(page.body.contains(r#"href="/app""#), "{}", page.body);
            pages += 1;
            assert!(pages < 100, "a loop");
        } else {
            break page;
        }
    };
    page.explains("sign_in_loop");
    // Five turns by a redirect, the sign-in among them; forty in all.
    assert_eq!((redirects, pages), (4, 35), "twenty tabs that come one after the other are no loop");
    let clicked = browser.get(&format!("{start}&again=1")).await;
    assert_eq!((clicked.status, clicked.location()), (StatusCode::SEE_OTHER, "/app"), "a click resets the count");
}

#[tokio::test]
async fn an_application_that_changes_the_page_each_time_is_a_loop_too() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let start = |turn| scene.url(&format!("/auth/oidc/login?return_to=/app?turn={turn}"));
    for turn in 0.. {
        let page = browser.get(&start(turn)).await;
        if page.status == StatusCode::CONFLICT {
            page.explains("sign_in_loop");
            break;
        }
        assert!(turn < 100, "a loop");
    }
    // Nor does it go through the provider for ever, where the session is lost each time.
    let browser = scene.browser();
    for turn in 0.. {
        let landed = browser.follow(&scene, &start(turn)).await;
        browser.forget(&scene, "vestibule");
        if let Ok(page) = landed {
            page.explains("sign_in_loop");
            break;
        }
        assert!(turn < 100, "a loop");
    }
}
