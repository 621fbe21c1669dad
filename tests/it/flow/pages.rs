//! What holds for every page and every address.

use reqwest::{Method, StatusCode};

use crate::support::{
    page::MOST_HEADER_BYTES,
    scene::{CLIENT_SECRET, Scene},
};

#[tokio::test]
async fn garbage_never_breaks_it() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    for path in [
        "/auth/oidc/callback?%",
        "/auth/oidc/callback?state=%zz&code=%c0%af",
        "/auth/oidc/callback?=&&&==",
        "/auth/oidc/callback?state[$ne]=1",
        "/auth/oidc/login?return_to=%00",
        "/auth/oidc/login?return_to=a&return_to=b",
        "/auth/login?return_to=//evil.example",
        "/auth/../auth/login",
        "/auth//login",
        "/auth/assets/../../Cargo.toml",
        "/auth/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/auth/api/nothing",
        "/%ff",
        "/auth/account?x=%00",
    ] {
        let page = browser.get(&scene.url(path)).await;
        assert!(page.status.as_u16() < 500, "{path}: {page:#?}");
        assert!(page.header_bytes() < 2_048);
        assert!(!page.body.contains("[package]"));
    }
    let huge = "x".repeat(20_000);
    for cookie in [
        "a=\u{e4}; ;;;=x; $Version=1",
        "vestibule={\"$ne\":null}",
        "vestibule=../..",
        "vestibule=%00",
        "vestibule=a; vestibule=b",
        "vestibule-flow=x; vestibule-flow=y",
        &format!("other={huge}"),
    ] {
        let page = browser.get_as(&scene.url("/auth/account"), &[("cookie", cookie)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{cookie:.40}: {page:#?}");
    }
    let page = browser.get_as(&scene.url("/auth/login"), &[("cookie", &"x".repeat(40_000))]).await;
    page.explains("headers_too_large");
    let page = browser.post(&scene.url("/auth/oidc/callback"), &"x=y&".repeat(20_000)).await;
    page.explains("too_large");
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(browser.callback_url(&scene, "/").await.contains("code="));
}

#[tokio::test]
async fn every_page_carries_the_security_headers_and_no_script_unless_it_waits() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    for path in ["/auth/login", "/auth/account", "/auth/signed-out", "/nowhere"] {
        let page = browser.get(&scene.url(path)).await;
        assert!(!page.body.contains("<script"), "{path}");
        assert!(!page.body.contains("style="), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(page.header_bytes() < MOST_HEADER_BYTES);
        for secret in [CLIENT_SECRET, "authelia_at_"] {
            assert!(!page.body.contains(secret));
        }
    }
}

#[tokio::test]
async fn doubled_slashes_are_no_other_page() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    assert_eq!(browser.get(&scene.url("//auth//login")).await.status, StatusCode::OK);
    let start = browser.get(&scene.url("//auth/oidc//login?return_to=/reports")).await;
    let callback = browser.get(start.location()).await.location().replace("/auth/", "//auth/");
    assert_eq!(browser.get(&callback).await.location(), "/reports");
    assert_eq!(browser.get(&scene.url("/auth//account")).await.status, StatusCode::OK);
    // The guard sees the same path as the routes: a form of another site does not sign anybody out by it.
    let out = browser.request(Method::POST, &scene.url("/auth//logout"), &[], Some(String::new())).await;
    out.explains("cross_site");
}
