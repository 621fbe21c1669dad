//! A callback that arrives in a browser without a cookie of ours: an office program or a web view has opened the link
//! first and handed it on, or the browser keeps no cookies. Which of the two is looked at, not guessed.

use reqwest::{Method, StatusCode};
use test_provider::{Behaviour, CallbackEdit, Endpoint, Rule};

use crate::support::{
    browser::Browser,
    page::{MOST_HEADER_BYTES, Page},
    scene::Scene,
};

const FLOW: &str = "vestibule-flow";

/// The first hop: the code leaves the address, and a cookie is set to see whether it comes back.
#[track_caller]
fn is_looked_at(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
    let location = page.location();
    assert!(location.starts_with("/auth/oidc/callback?state=") && location.contains("&cookie_set="), "{location}");
    assert!(!location.contains("code=") && !location.contains("error="), "{location}");
    assert!(page.header("set-cookie").starts_with("vestibule-flow="), "{page:#?}");
    assert!(!page.sets_session());
    assert!(page.header_bytes() < MOST_HEADER_BYTES, "{}", page.header_bytes());
    location.to_owned()
}

/// A callback that another program than `browser` has brought about.
async fn handed_on(scene: &Scene, return_to: &str) -> String {
    scene.browser().callback_url(scene, return_to).await
}

async fn untouched(scene: &Scene) -> bool {
    (scene.redeemed(), scene.count("login_attempts").await) == (0, 0)
}

#[tokio::test]
async fn a_link_that_an_office_program_opened_first_begins_anew_in_the_browser() {
    let scene = Scene::patient().await;
    let callback = handed_on(&scene, "/reports").await;
    let browser = scene.browser();
    let second = is_looked_at(&browser.get(&callback).await);
    let restart = browser.get(&scene.url(&second)).await;
    assert!(restart.location().starts_with(scene.provider.issuer()), "{restart:#?}");
    assert!(untouched(&scene).await, "the code that was handed on is not used");
    assert_eq!(browser.follow(&scene, restart.location()).await.unwrap_err(), "/reports");
    assert!(browser.is_signed_in(&scene).await);
    assert_eq!((scene.redeemed(), scene.count("users").await), (1, 1));
}

#[tokio::test]
async fn a_browser_that_does_not_bring_the_cookie_is_told_so() {
    let scene = Scene::patient().await;
    let callback = handed_on(&scene, "/reports").await;
    // Nothing at all; another application's cookies only; ours, but nothing that we have set.
    for cookie in ["", "other=1; session=abc", "vestibule-flow=junk", "vestibule-flow=a; vestibule-flow=b"] {
        // Each request in a jar of its own: nothing is kept.
        let get = |url: String| async move { Browser::default().get_as(&url, &[("cookie", cookie)]).await };
        let second = is_looked_at(&get(callback.clone()).await);
        let page = get(scene.url(&second)).await;
        page.explains("cookies_blocked");
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert_eq!(page.button(), "/auth/oidc/login?provider=op&return_to=/reports&again=1");
        assert!(page.body.contains("did not send it back"), "{}", page.body);
    }
    assert!(untouched(&scene).await);
}

#[tokio::test]
async fn what_was_tested_before_says_nothing_in_another_browser() {
    let scene = Scene::patient().await;
    let callback = handed_on(&scene, "/reports").await;
    let web_view = scene.browser();
    let second = is_looked_at(&web_view.get(&callback).await);
    web_view.forget(&scene, FLOW);
    web_view.get(&scene.url(&second)).await.explains("cookies_blocked");
    // "Open in browser", and the same browser after cookies were allowed.
    scene.later(30);
    for browser in [&scene.browser(), &web_view] {
        is_looked_at(&browser.get(&scene.url(&second)).await);
        assert_eq!(browser.follow(&scene, &scene.url(&second)).await.unwrap_err(), "/reports");
        assert!(browser.is_signed_in(&scene).await);
    }
}

#[tokio::test]
async fn a_browser_that_loses_its_cookie_on_every_way_to_the_provider_is_not_redirected_for_ever() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let mut url = handed_on(&scene, "/reports").await;
    let mut redirects = 0;
    let page = loop {
        let page = browser.get(&url).await;
        if !page.status.is_redirection() {
            break page;
        }
        redirects += 1;
        assert!(redirects < 15, "a browser follows 20");
        url = reqwest::Url::parse(&url).unwrap().join(page.location()).unwrap().to_string();
        if url.starts_with(scene.provider.issuer()) {
            browser.forget(&scene, FLOW);
        }
    };
    page.explains("other_browser");
    assert!(untouched(&scene).await);
}

#[tokio::test]
async fn twenty_links_handed_to_a_browser_without_a_cookie_all_lead_on() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let mut seconds = Vec::new();
    for n in 0..20 {
        let callback = handed_on(&scene, &format!("/page/{n}")).await;
        // All at once: no request has a cookie yet, and the last answer's stays.
        browser.forget(&scene, FLOW);
        seconds.push((n, is_looked_at(&browser.get(&callback).await)));
    }
    for (n, second) in seconds.iter().rev() {
        assert_eq!(browser.follow(&scene, &scene.url(second)).await.unwrap_err(), format!("/page/{n}"));
    }
    assert_eq!(scene.redeemed(), 1, "the others find the person signed in");
}

#[tokio::test]
async fn nothing_that_looks_ahead_is_given_a_cookie() {
    let scene = Scene::patient().await;
    let callback = handed_on(&scene, "/").await;
    let browser = scene.browser();
    let head = browser.request(Method::HEAD, &callback, &[], None).await;
    let prefetch = browser.get_as(&callback, &[("sec-purpose", "prefetch")]).await;
    let image = browser.get_as(&callback, &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")]).await;
    for page in [head, prefetch, image] {
        assert!(!page.headers.contains_key("set-cookie") && !page.headers.contains_key("location"), "{page:#?}");
    }
    assert!(untouched(&scene).await);
}

#[tokio::test]
async fn what_has_expired_is_explained_in_any_browser() {
    let scene = Scene::patient().await;
    let callback = handed_on(&scene, "/reports").await;
    let fresh = handed_on(&scene, "/reports").await;
    let browser = scene.browser();
    let second = is_looked_at(&scene.browser().get(&fresh).await);
    scene.later(11 * 60);
    let first = browser.get(&callback).await;
    assert!(!first.headers.contains_key("set-cookie") && !first.location().contains("code="), "{first:#?}");
    for url in [callback, scene.url(&second)] {
        let page = browser.follow(&scene, &url).await.unwrap();
        page.explains("attempt_expired");
        assert_eq!(page.button(), "/auth/oidc/login?provider=op&return_to=/reports&again=1");
    }
}

#[tokio::test]
async fn an_error_of_the_provider_without_a_cookie_begins_anew_and_is_then_explained() {
    let scene = Scene::patient().await;
    let denied = || {
        let edit = CallbackEdit::Error { code: "access_denied".into(), description: None };
        scene.provider.behave(Rule::once(Behaviour::Callback(edit)));
    };
    denied();
    let callback = handed_on(&scene, "/reports").await;
    let browser = scene.browser();
    let second = is_looked_at(&browser.get(&callback).await);
    denied();
    let page = browser.follow(&scene, &scene.url(&second)).await.unwrap();
    page.explains("access_denied");
    assert_eq!(scene.provider.count(Endpoint::Authorize), 2, "once by a person, once by itself");
}

#[tokio::test]
async fn a_form_post_is_looked_at_by_the_request_that_can_have_a_cookie() {
    let scene = Scene::patient().await;
    let callback = handed_on(&scene, "/reports").await;
    let (url, form) = callback.split_once('?').unwrap();
    let browser = scene.browser();
    let posted = browser.request(Method::POST, url, &[("sec-fetch-site", "cross-site")], Some(form.to_owned())).await;
    assert!(posted.location().contains("&answer=") && !posted.headers.contains_key("set-cookie"), "{posted:#?}");
    let second = is_looked_at(&browser.get(&scene.url(posted.location())).await);
    assert_eq!(browser.follow(&scene, &scene.url(&second)).await.unwrap_err(), "/reports");
}

#[tokio::test]
async fn a_waiting_page_that_is_handed_on_begins_anew() {
    let scene = Scene::hasty().await;
    scene.provider.hold(Endpoint::Token);
    let owner = scene.browser();
    let pending = owner.get(&owner.callback_url(&scene, "/reports").await).await;
    let query = pending.location().split_once('?').unwrap().1.to_owned();
    // The panel of a page whose cookies were deleted leaves the look to the page.
    let browser = scene.browser();
    let (page, outcome) = browser.ask(&scene, &query).await;
    assert!(!page.headers.contains_key("set-cookie"), "{page:#?}");
    assert_eq!(outcome, serde_json::json!({ "outcome": "failed", "location": pending.location() }));
    let second = is_looked_at(&browser.get(&scene.url(pending.location())).await);
    let restart = browser.get(&scene.url(&second)).await;
    assert!(restart.location().starts_with(scene.provider.issuer()), "{restart:#?}");
    scene.provider.release(Endpoint::Token);
}

#[tokio::test]
async fn a_person_who_is_signed_in_here_is_led_on() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let callback = handed_on(&scene, "/reports").await;
    browser.forget(&scene, FLOW);
    let redeemed = scene.redeemed();
    assert_eq!(browser.follow(&scene, &callback).await.unwrap_err(), "/reports");
    assert_eq!(scene.redeemed(), redeemed);
}
