//! `response_mode = "form_post"` (OAuth 2.0 Form Post Response Mode), and that an answer comes in the way it was asked for.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use test_provider::{Behaviour, CallbackEdit, Profile, Rule};
use vestibule::server::settings::{ResponseMode, Settings};

use crate::support::{
    browser::Browser,
    page::{MOST_HEADER_BYTES, Page},
    scene::Scene,
};

/// As browsers send the provider's page.
const CROSS_SITE: [(&str, &str); 4] = [
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("origin", "https://op.test"),
];

fn by_form(settings: &mut Settings) {
    settings.sign_in.patience = Duration::from_secs(20);
    settings.providers[0].request.response_mode = ResponseMode::FormPost;
}

async fn scene() -> Scene {
    Scene::with(Profile::Standard, by_form).await
}

/// The fields of the page that posts itself.
fn fields(page: &Page) -> Vec<(String, String)> {
    let inputs = page.body.split("<input type=\"hidden\" name=\"").skip(1);
    let field = |input: &str| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        (name.to_owned(), rest.split_once('"').unwrap().0.replace("&amp;", "&"))
    };
    inputs.map(field).collect()
}

fn encoded(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// From a start to the form that the provider lets the browser post.
async fn answer(scene: &Scene, browser: &Browser, return_to: &str) -> String {
    let authorize = browser.start(scene, return_to).await;
    assert!(authorize.contains("&response_mode=form_post"), "{authorize}");
    encoded(&fields(&browser.get(&authorize).await))
}

/// The post itself, which carries no cookie of ours.
async fn post(scene: &Scene, path_and_query: &str, form: &str) -> Page {
    let url = scene.url(path_and_query);
    scene.browser().request(Method::POST, &url, &CROSS_SITE, Some(form.to_owned())).await
}

const CALLBACK: &str = "/auth/oidc/callback";

/// CT-22.
#[tokio::test]
async fn an_answer_by_form_signs_in_though_it_carries_no_cookie() {
    let scene = scene().await;
    let browser = scene.browser();
    let form = answer(&scene, &browser, "/reports").await;
    let posted = post(&scene, CALLBACK, &form).await;
    assert_eq!(posted.status, StatusCode::SEE_OTHER, "{posted:#?}");
    assert!(!posted.location().contains("code=") && posted.header_bytes() < MOST_HEADER_BYTES, "{posted:#?}");
    assert!(!posted.headers.contains_key("set-cookie"), "the browser key is not made anew: {posted:#?}");
    let key = browser.cookie(&scene, "vestibule-flow");
    let done = browser.get(&scene.url(posted.location())).await;
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert!(done.sets_session() && key.is_some());
    // CB-08: once more, by either.
    let again = post(&scene, CALLBACK, &form).await;
    assert_eq!(browser.follow(&scene, &scene.url(again.location())).await.unwrap_err(), "/reports");
    assert_eq!(scene.redeemed(), 1);
}

/// CT-23, CB-15: nothing in an error is secret, and whoever meets one needs the explanation, however it comes.
#[tokio::test]
async fn an_error_is_explained_however_it_comes() {
    let scene = scene().await;
    let denied = CallbackEdit::Error { code: "access_denied".into(), description: None };
    for by_query in [false, true] {
        let browser = scene.browser();
        scene.provider.behave(Rule::once(Behaviour::Callback(denied.clone())));
        let form = answer(&scene, &browser, "/").await;
        let url = if by_query {
            format!("{CALLBACK}?{form}")
        } else {
            post(&scene, CALLBACK, &form).await.location().to_owned()
        };
        browser.follow(&scene, &scene.url(&url)).await.unwrap().explains("access_denied");
    }
    assert_eq!(scene.redeemed(), 0);
}

/// CB-34, CB-36: a code in an address is not taken where it was to stay out of it, whatever the body says.
#[tokio::test]
async fn a_code_by_query_is_refused_where_a_form_was_asked_for() {
    let scene = scene().await;
    for is_post in [false, true] {
        let browser = scene.browser();
        let form = answer(&scene, &browser, "/").await;
        let url = format!("{CALLBACK}?{form}");
        let first = if is_post { post(&scene, &url, &form).await } else { browser.get(&scene.url(&url)).await };
        assert!(!first.location().contains("code="), "{first:#?}");
        let page = browser.follow(&scene, &scene.url(first.location())).await.unwrap();
        page.explains("response_mode_mismatch");
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        // The attempt is spent: the right way comes too late.
        let late = post(&scene, CALLBACK, &form).await;
        browser.follow(&scene, &scene.url(late.location())).await.unwrap().explains("response_mode_mismatch");
    }
    assert_eq!((scene.redeemed(), scene.count("users").await), (0, 0));
    let browser = scene.browser();
    let form = answer(&scene, &browser, "/x").await;
    // Another query beside it is nobody's.
    let posted = post(&scene, &format!("{CALLBACK}?state=other&iss=x"), &form).await;
    assert_eq!(browser.follow(&scene, &scene.url(posted.location())).await.unwrap_err(), "/x");
}

/// CB-34 the other way round: `query` is the default.
#[tokio::test]
async fn a_code_by_form_is_refused_where_the_query_was_asked_for() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    scene.provider.behave(Rule::once(Behaviour::Callback(CallbackEdit::FormPost)));
    let authorize = browser.start(&scene, "/").await;
    assert!(!authorize.contains("response_mode"), "{authorize}");
    let form = encoded(&fields(&browser.get(&authorize).await));
    let posted = post(&scene, CALLBACK, &form).await;
    let page = browser.follow(&scene, &scene.url(posted.location())).await.unwrap();
    page.explains("response_mode_mismatch");
    assert_eq!(scene.redeemed(), 0);
    browser.sign_in(&scene).await;
}

/// CB-35, CB-37 and the methods of CB-34: nothing is read, nothing is used up.
#[tokio::test]
async fn what_is_no_form_is_refused_and_spends_nothing() {
    let scene = scene().await;
    let browser = scene.browser();
    let form = answer(&scene, &browser, "/").await;
    let url = scene.url(CALLBACK);
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let headers = [("content-type", content_type)];
        let page = browser.request(Method::POST, &url, &headers, Some(form.clone())).await;
        page.explains("bad_request");
    }
    let long = format!("{form}&x={}", "y".repeat(100 * 1024));
    browser.request(Method::POST, &url, &[], Some(long)).await.explains("too_large");
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH, Method::TRACE] {
        let page = browser.request(method.clone(), &url, &[], None).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method}: {page:#?}");
    }
    // As many fields as there is room for.
    let many = post(&scene, CALLBACK, &format!("{form}&{}", "a=&".repeat(2_000))).await;
    assert_eq!(browser.follow(&scene, &scene.url(many.location())).await.unwrap_err(), "/");
    assert_eq!(scene.redeemed(), 1);
}
