//! Several tabs of one browser, and other browsers.

use crate::support::scene::Scene;

#[tokio::test]
async fn twenty_tabs_each_land_on_their_own_page() {
    let scene = Scene::patient().await;
    // Restored at the same moment in a browser without a cookie: every tab is given a key of its own.
    let browser = scene.browser();
    let tabs = (0..20).map(|_| scene.browser());
    let starts = tabs.enumerate().map(async |(n, tab)| {
        let url = tab.start(&scene, &format!("/page/{n}")).await;
        (n, url, tab.cookie(&scene, "vestibule-flow").unwrap())
    });
    let starts = futures_util::future::join_all(starts).await;
    for (_, _, flow) in &starts {
        browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow.clone());
    }
    for (n, url, _) in starts.iter().rev() {
        let landed = browser.follow(&scene, url).await;
        assert_eq!(landed.unwrap_err(), format!("/page/{n}"));
    }
    assert!(browser.is_signed_in(&scene).await);
    assert_eq!(scene.count("users").await, 1);
}

#[tokio::test]
async fn twenty_tabs_of_a_known_browser_need_one_exchange_each() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let mut callbacks = Vec::new();
    for n in 0..20 {
        callbacks.push((n, browser.callback_url(&scene, &format!("/page/{n}")).await));
    }
    for (n, callback) in callbacks.iter().rev() {
        assert_eq!(browser.get(callback).await.location(), format!("/page/{n}"));
    }
    assert!(browser.is_signed_in(&scene).await);
}

#[tokio::test]
async fn a_callback_in_another_browser_consumes_nothing() {
    let scene = Scene::patient().await;
    let owner = scene.browser();
    owner.get(&scene.url("/auth/oidc/login")).await;
    let callback = owner.callback_url(&scene, "/reports").await;
    // It begins anew there (`flow::handed_on`), and the owner's attempt stays as it was.
    let elsewhere = scene.browser();
    let look = elsewhere.get(&callback).await;
    elsewhere.get(&scene.url(look.location())).await;
    assert_eq!((scene.redeemed(), scene.count("login_attempts").await), (0, 0));
    // The owner is not disturbed.
    assert_eq!(owner.get(&callback).await.location(), "/reports");
}
