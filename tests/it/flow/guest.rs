//! A guest in the house: addresses as proxies, providers and people write them.

use reqwest::{Method, StatusCode};

use crate::support::{page::MOST_HEADER_BYTES, scene::Scene};

#[tokio::test]
async fn a_post_with_the_answer_in_its_query_goes_on_as_a_get() {
    let scene = Scene::patient().await;
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", Some(String::new())),
        ("application/x-www-form-urlencoded", Some("code=other&state=other".to_owned())),
        ("application/json", Some("{}".to_owned())),
        ("text/plain", Some("x".repeat(64 * 1024))),
        ("application/x-www-form-urlencoded; charset=\u{e4}", None),
    ] {
        let browser = scene.browser();
        let callback = browser.callback_url(&scene, "/reports").await;
        let posted = browser.request(Method::POST, &callback, &[("content-type", content_type)], body).await;
        assert_eq!(posted.status, StatusCode::SEE_OTHER, "{content_type}: {posted:#?}");
        assert!(!posted.location().contains("code="), "{}", posted.location());
        assert!(posted.header_bytes() < MOST_HEADER_BYTES, "{}", posted.header_bytes());
        let done = browser.get(&scene.url(posted.location())).await;
        assert_eq!(done.location(), "/reports", "{content_type}: {done:#?}");
    }
}

#[tokio::test]
async fn a_post_whose_answer_is_not_ours_is_explained_by_a_get() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let url = scene.url("/auth/oidc/callback");
    for (query, code) in [
        ("?code=x&state=unknown", "state_invalid"),
        ("?code=x", "state_missing"),
        ("?error=access_denied", "state_missing"),
        ("?code=x&state=a&state=a", "answer_malformed"),
    ] {
        let posted = browser.request(Method::POST, &format!("{url}{query}"), &[], None).await;
        assert_eq!(posted.status, StatusCode::SEE_OTHER, "{query}: {posted:#?}");
        assert!(!posted.location().contains("code="), "{}", posted.location());
        browser.follow(&scene, &scene.url(posted.location())).await.unwrap().explains(code);
        // The same as a form.
        let form = Some(query[1..].to_owned());
        let posted = browser.request(Method::POST, &url, &[], form).await;
        browser.follow(&scene, &scene.url(posted.location())).await.unwrap().explains(code);
    }
    browser.request(Method::POST, &url, &[], None).await.explains("bad_request");
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_leaves_the_address_before_it_is_explained() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let state = callback.split(['?', '&']).find(|pair| pair.starts_with("state=")).unwrap();
    for (url, code) in [
        (format!("{callback}&{state}"), "answer_malformed"),
        (callback.replace(state, "x=y"), "state_missing"),
        (callback.replace(state, "state="), "state_missing"),
        (callback.replace(state, "state=other"), "state_invalid"),
        (callback.replace(state, &format!("state={}", "A".repeat(3_000))), "state_invalid"),
    ] {
        let first = browser.get(&url).await;
        assert_eq!(first.status, StatusCode::SEE_OTHER, "{url}: {first:#?}");
        assert!(!first.location().contains("code="), "{}", first.location());
        assert!(first.header_bytes() < MOST_HEADER_BYTES, "{}", first.header_bytes());
        let page = browser.get(&scene.url(first.location())).await;
        page.explains(code);
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!((scene.redeemed(), scene.count("login_attempts").await), (0, 0));
    assert!(browser.get(&callback).await.sets_session(), "the sign-in itself still succeeds");
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    for (path, location) in [
        ("/auth", "/auth/account"),
        ("/auth/", "/auth/account"),
        ("//auth//", "/auth/account"),
        ("/auth/?return_to=/reports?a=b&c=d", "/auth/login?return_to=/reports%3Fa%3Db%26c%3Dd"),
        ("/auth?return_to=%2Freports", "/auth/login?return_to=/reports"),
        ("/", "/auth/account"),
        ("/auth/account/", "/auth/login?return_to=/auth/account"),
        ("/login/?return_to=/reports", "/auth/login?return_to=/reports"),
    ] {
        let page = browser.get(&scene.url(path)).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, location), "{path}");
    }
    for path in ["/auth/login/", "/auth/login/?return_to=/reports", "/auth/signed-out/", "/healthz/", "/robots.txt/"] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(browser.request(method, &scene.url(path), &[], None).await.status, StatusCode::OK, "{path}");
        }
    }
    for (method, path) in [(Method::PUT, "/auth/signed-out/"), (Method::POST, "/auth/"), (Method::POST, "/auth/login/")]
    {
        let page = browser.request(method, &scene.url(path), &[("sec-fetch-site", "same-origin")], None).await;
        page.explains("method_not_allowed");
    }
    for path in ["/auth/nowhere/", "/Auth/Login", "/auth/login/x", "/authx/"] {
        browser.get(&scene.url(path)).await.explains("not_found");
    }
}

#[tokio::test]
async fn a_whole_sign_in_with_slashes_at_every_end() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let start = browser.get(&scene.url("/auth/oidc/login/?provider=op&return_to=/auth/account/")).await;
    assert!(start.location().starts_with(scene.provider.issuer()), "{start:#?}");
    let callback = browser.get(start.location()).await.location().replace("/callback?", "/callback/?");
    // The same way as a form, in a browser that has no cookie at that moment.
    let (url, form) = callback.split_once('?').unwrap();
    let posted = scene.browser().request(Method::POST, url, &[], Some(form.to_owned())).await;
    assert!(posted.location().starts_with("/auth/oidc/callback?state="), "{posted:#?}");
    assert_eq!(browser.get(&callback).await.location(), "/auth/account/");
    assert_eq!(browser.get(&scene.url("/auth/account/")).await.status, StatusCode::OK);
    let foreign = browser.request(Method::POST, &scene.url("/auth/logout/"), &[], Some(String::new())).await;
    foreign.explains("cross_site");
    let out = browser.post(&scene.url("/auth/logout/"), "").await;
    assert_eq!(out.location(), "/auth/signed-out?provider=op");
    assert!(!browser.is_signed_in(&scene).await);
}

#[tokio::test]
async fn a_page_that_does_not_exist_says_what_is_true() {
    let scene = Scene::patient().await;
    let page = scene.browser().get(&scene.url("/nowhere")).await;
    assert!(!page.body.contains("You can fix this yourself"), "{}", page.body);
    assert_eq!(page.button(), "/");
}
