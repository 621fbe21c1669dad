//! Sign-out, and what it ends.

use reqwest::{Method, StatusCode};
use test_provider::Endpoint;

use crate::support::{browser::Browser, page::Page, scene::Scene, wait::eventually};

#[tokio::test]
async fn only_our_own_pages_sign_out() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let logout = scene.url("/auth/logout");
    for headers in
        [&[][..], &[("sec-fetch-site", "cross-site")], &[("origin", "null")], &[("origin", "https://evil.example")]]
    {
        let page = browser.request(Method::POST, &logout, headers, Some(String::new())).await;
        page.explains("cross_site");
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    let page = browser.get(&logout).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Alice Example"), "it says who is signed in: {page:#?}");
    assert!(page.body.contains("method=\"post\" action=\"/auth/logout\""), "{page:#?}");
    browser.get(&scene.url("/auth/signed-out")).await;
    assert!(browser.is_signed_in(&scene).await);
    let out = browser.post(&logout, "").await;
    assert_eq!(out.location(), "/auth/signed-out?provider=op");
    assert!(!browser.is_signed_in(&scene).await);
    let page = browser.get(&scene.url(out.location())).await;
    assert!(page.body.contains("prompt=login"), "{page:#?}");
    assert_eq!(browser.post(&logout, "").await.location(), "/auth/signed-out", "twice is once");
    assert_eq!(browser.get(&logout).await.location(), "/auth/signed-out", "there is nothing to ask");
}

#[tokio::test]
async fn a_callback_opened_again_leads_on_and_after_sign_out_admits_nobody() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    assert!(browser.get(&callback).await.sets_session());
    assert!(browser.is_signed_in(&scene).await);
    let again = browser.get(&callback).await;
    assert_eq!((again.location(), again.sets_session()), ("/reports", false), "the session is used; it leads on");
    let session = browser.cookie(&scene, "vestibule").unwrap();

    let out = browser.post(&scene.url("/auth/logout"), "").await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert!(!browser.is_signed_in(&scene).await);
    // Though the person still has a session at the provider.
    browser.follow(&scene, &callback).await.unwrap().explains("already_used");
    assert!(!browser.is_signed_in(&scene).await);
    // The old cookie is dead at the server.
    browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), session);
    assert!(!browser.is_signed_in(&scene).await);
    assert_eq!(scene.redeemed(), 1);
}

#[tokio::test]
async fn sign_out_before_the_session_was_used_closes_delivery_too() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let flow = browser.cookie(&scene, "vestibule-flow").unwrap();
    assert!(browser.get(&callback).await.sets_session());
    browser.post(&scene.url("/auth/logout"), "").await;
    // Even with the browser key of that time.
    browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    let page = browser.follow(&scene, &callback).await.unwrap();
    page.explains("already_used");
}

#[tokio::test]
async fn sign_out_ends_what_parallel_callbacks_have_left_behind() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let (one, two) = (browser.callback_url(&scene, "/a").await, browser.callback_url(&scene, "/b").await);
    let third = browser.callback_url(&scene, "/c").await;
    let flow = browser.cookie(&scene, "vestibule-flow").unwrap();
    let (first, second) = tokio::join!(browser.get(&one), browser.get(&two));
    let session = |page: &Page| {
        let cookies = page.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap());
        let session = cookies.into_iter().find_map(|it| it.strip_prefix("vestibule=")).unwrap();
        session.split(';').next().unwrap().to_owned()
    };
    let sessions = [session(&first), session(&second)];
    assert_ne!(sessions[0], sessions[1]);
    // Verified and never fetched: the tab was closed.
    {
        scene.provider.hold(Endpoint::Token);
        tokio::select! {
            _ = browser.get(&third) => panic!("answered"),
            () = scene.provider.wait_for(Endpoint::Token, 3) => scene.provider.release(Endpoint::Token),
        }
        eventually("all three are verified", || async {
            (scene.count("login_attempts WHERE state = 'verified'").await == 3).then_some(())
        })
        .await;
    }
    browser.post(&scene.url("/auth/logout"), "").await;
    for session in sessions {
        let thief = scene.browser();
        thief.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), session);
        assert!(!thief.is_signed_in(&scene).await);
    }
    let back = scene.browser();
    back.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    for callback in [one, two, third] {
        back.follow(&scene, &callback).await.unwrap().explains("already_used");
    }
    assert!(!back.is_signed_in(&scene).await);
}

#[tokio::test]
async fn sign_out_interrupts_what_another_tab_still_waits_for() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let (one, two) = (browser.callback_url(&scene, "/a").await, browser.callback_url(&scene, "/b").await);
    assert!(browser.get(&one).await.sets_session());
    let flow = browser.cookie(&scene, "vestibule-flow").unwrap();
    scene.provider.hold(Endpoint::Token);
    tokio::select! {
        _ = browser.get(&two) => panic!("answered"),
        () = scene.provider.wait_for(Endpoint::Token, 2) => {}
    }
    browser.post(&scene.url("/auth/logout"), "").await;
    scene.provider.release(Endpoint::Token);
    // As a tab does that was there before: the last response that it gets would bring the session back.
    let back = scene.browser();
    back.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    back.follow(&scene, &two).await.unwrap().explains("interrupted");
    assert!(!back.is_signed_in(&scene).await);
    assert_eq!(scene.redeemed(), 2);
}

/// Somebody who is signed in, their flow cookie, and the callback of another sign-in that they have begun and not completed.
async fn signed_in_beside_another(scene: &Scene) -> (Browser, String, String) {
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let (one, other) = (browser.callback_url(scene, "/").await, browser.callback_url(scene, "/reports").await);
    let flow = browser.cookie(scene, "vestibule-flow").unwrap();
    assert!(browser.get(&one).await.sets_session());
    assert!(browser.is_signed_in(scene).await);
    (browser, flow, other)
}

/// A callback that has arrived and waits for its turn when the browser signs out, or whose flow cookie somebody has kept.
#[tokio::test]
async fn a_sign_in_that_was_only_begun_before_sign_out_signs_nobody_in_after_it() {
    let scene = Scene::patient().await;
    let (browser, flow, callback) = signed_in_beside_another(&scene).await;
    browser.post(&scene.url("/auth/logout"), "").await;
    let kept = scene.browser();
    kept.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow.clone());
    kept.get(&callback).await;
    assert!(!kept.is_signed_in(&scene).await);
    kept.follow(&scene, &callback).await.unwrap().explains("already_used");
    assert!(!kept.is_signed_in(&scene).await);
    // What begins afterwards is another sign-in, even where the answer to the sign-out was lost.
    let lost = scene.browser();
    lost.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    lost.sign_in(&scene).await;
}

/// Anybody can send as many as they like.
#[tokio::test]
async fn to_sign_out_where_nobody_is_signed_in_writes_nothing() {
    let scene = Scene::patient().await;
    for _ in 0..20 {
        let browser = scene.browser();
        browser.get(&scene.url("/auth/oidc/login")).await;
        browser.post(&scene.url("/auth/logout"), "").await;
    }
    assert_eq!(scene.count("signed_out_browsers").await, 0);
}

/// The session knows its browser: what else that was given ends, too, where the flow cookie is gone or damaged.
#[tokio::test]
async fn sign_out_without_the_flow_cookie_ends_what_its_browser_has() {
    for flow in [None, Some("damaged")] {
        let scene = Scene::patient().await;
        let browser = scene.browser();
        browser.get(&scene.url("/auth/oidc/login")).await;
        let (one, two) = (browser.callback_url(&scene, "/a").await, browser.callback_url(&scene, "/b").await);
        assert!(browser.get(&one).await.sets_session());
        let first = browser.cookie(&scene, "vestibule").unwrap();
        assert!(browser.is_signed_in(&scene).await);
        assert!(browser.get(&two).await.sets_session());
        assert!(browser.is_signed_in(&scene).await);
        let other_tab = scene.browser();
        other_tab.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), first);
        assert!(other_tab.is_signed_in(&scene).await, "for a minute more");
        {
            let mut cookies = browser.cookies.lock().unwrap();
            let name = (scene.origin.clone(), "vestibule-flow".to_owned());
            match flow {
                Some(value) => cookies.insert(name, value.to_owned()),
                None => cookies.remove(&name),
            };
        }
        browser.post(&scene.url("/auth/logout"), "").await;
        assert!(!other_tab.is_signed_in(&scene).await, "{flow:?}");
    }
}

#[tokio::test]
async fn a_sign_out_that_failed_half_way_is_whole_the_next_time() {
    let scene = Scene::patient().await;
    let (browser, flow, late) = signed_in_beside_another(&scene).await;
    scene.damage("signed_out_browsers").await;
    browser.post(&scene.url("/auth/logout"), "").await.explains("store_unavailable");
    scene.repair("signed_out_browsers").await;
    assert!(browser.is_signed_in(&scene).await, "it says that it failed");
    browser.post(&scene.url("/auth/logout"), "").await;
    assert!(!browser.is_signed_in(&scene).await);
    let kept = scene.browser();
    kept.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    kept.get(&late).await;
    assert!(!kept.is_signed_in(&scene).await);
}
