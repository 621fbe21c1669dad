//! `session.recheck`: who is signed in goes through the provider again, in passing, and is what it says now.

use std::time::Duration;

use reqwest::StatusCode;
use test_provider::{Behaviour, CallbackEdit, Document, Endpoint as At, JwtEdit, Rule};
use vestibule::server::settings::Settings;

use super::rig::{BOARD, Endpoint, Question, Visitor, WIKI, applications, user};
use crate::support::{browser::Browser, claims::raw, scene::Scene, wait::eventually};

fn rechecked(settings: &mut Settings) {
    applications(settings);
    settings.session.recheck = Some(Duration::from_secs(12 * 3600));
}

/// Alice, who is signed in at both applications.
async fn alice() -> (Scene, Browser) {
    let scene = Scene::with_applications(rechecked).await;
    let browser = Browser::default();
    for host in [WIKI, BOARD] {
        browser.opens(&scene, &scene.page(host, "/page"), "alice").await;
    }
    (scene, browser)
}

/// The provider last said who it is 13 hours ago; the gate has to know that first.
async fn is_due(scene: &Scene, browser: &Browser) {
    scene.was_confirmed_earlier(13 * 3_600_000).await;
    eventually("the gate knows", || async {
        let page = browser.asks(scene, Question::about(Endpoint::Verify, "/page")).await;
        (page.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

/// What the provider was asked to do with the person.
fn prompts(scene: &Scene) -> Vec<Option<String>> {
    let requests = scene.provider.requests_to(At::Authorize);
    let prompt =
        |query: &[(String, String)]| query.iter().find(|(name, _)| name == "prompt").map(|(_, value)| value.clone());
    requests.iter().map(|request| prompt(&request.query)).collect()
}

fn silent() -> Vec<Option<String>> {
    vec![Some("none".to_owned())]
}

#[tokio::test]
async fn a_page_is_shown_once_the_provider_has_confirmed_who_it_is() {
    let (scene, browser) = alice().await;
    let session = browser.cookie_of(&scene, "login.localhost", "vestibule");
    is_due(&scene, &browser).await;
    scene.provider.forget_requests();
    browser.opens(&scene, &scene.page(WIKI, "/page?x=1"), "alice").await;
    assert_eq!(prompts(&scene), silent());
    assert_eq!(browser.cookie_of(&scene, "login.localhost", "vestibule"), session, "the session goes on");
    assert_eq!(scene.count("login_sessions").await, 1);
    // The cookie of every host names it still, and the next page is shown at once.
    browser.opens(&scene, &scene.page(BOARD, "/page"), "alice").await;
    assert!(browser.is_known_at(&scene, WIKI).await && browser.is_known_at(&scene, BOARD).await);
    assert_eq!(prompts(&scene), silent());
}

/// A form, a script: whoever works in an open page loses nothing.
#[tokio::test]
async fn what_is_no_page_passes_meanwhile() {
    let (scene, browser) = alice().await;
    is_due(&scene, &browser).await;
    for visitor in [Visitor::Form, Visitor::Script, Visitor::WebSocket] {
        let question = Question { visitor, ..Question::about(Endpoint::Verify, "/page") };
        assert_eq!(browser.asks(&scene, question).await.status, StatusCode::OK, "{visitor:?}");
    }
}

#[tokio::test]
async fn a_group_that_was_lost_is_lost_and_one_that_was_won_is_won() {
    let (scene, browser) = alice().await;
    let may = |uri: &'static str| {
        let (scene, browser) = (&scene, &browser);
        async move { browser.goes(scene, &scene.page(WIKI, uri)).await.1.status }
    };
    assert_eq!((may("/staff/").await, may("/admin/").await), (StatusCode::OK, StatusCode::FORBIDDEN));
    let edit = raw("groups", r#"["admins"]"#);
    scene.provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(edit.clone()))));
    scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit }));
    is_due(&scene, &browser).await;
    assert_eq!((may("/staff/").await, may("/admin/").await), (StatusCode::FORBIDDEN, StatusCode::OK));
}

/// Whoever is signed out there, or disabled: the session has ended, and they sign in again.
#[tokio::test]
async fn who_is_not_signed_in_there_any_more_signs_in_again() {
    let (scene, browser) = alice().await;
    is_due(&scene, &browser).await;
    scene.provider.log_in_by_form();
    scene.provider.forget_requests();
    let (there, form) = browser.goes(&scene, &scene.page(WIKI, "/page?x=1")).await;
    assert!(there.as_str().starts_with(scene.provider.issuer()) && form.body.contains("password"), "{there} {form:#?}");
    assert_eq!(prompts(&scene), [Some("none".to_owned()), None]);
    for host in [WIKI, BOARD] {
        let question = Question { visitor: Visitor::Script, ..Question::about(Endpoint::Verify, "/page").at(host) };
        assert_eq!(browser.asks(&scene, question).await.status, StatusCode::UNAUTHORIZED, "{host}");
    }
    // The page is not lost.
    scene.provider.log_in_as("alice");
    browser.opens(&scene, &scene.page(WIKI, "/page?x=1"), "alice").await;
}

/// TK-30: the session was not theirs.
#[tokio::test]
async fn somebody_else_gets_a_session_of_their_own() {
    let (scene, browser) = alice().await;
    let session = browser.cookie_of(&scene, "login.localhost", "vestibule");
    is_due(&scene, &browser).await;
    scene.provider.log_in_as("bob");
    browser.opens(&scene, &scene.page(WIKI, "/page"), "bob").await;
    assert_ne!(browser.cookie_of(&scene, "login.localhost", "vestibule"), session);
    let old = Browser::default();
    old.set_cookie_of(&scene, "login.localhost", "vestibule", &session.unwrap());
    assert!(!old.is_signed_in(&scene).await);
}

/// Whatever says nothing about the person is no reason to sign them out, nor to ask again at every page.
#[tokio::test]
async fn a_provider_that_cannot_tell_signs_nobody_out() {
    let (scene, browser) = alice().await;
    let error = |code: &str| Behaviour::Callback(CallbackEdit::Error { code: code.to_owned(), description: None });
    let faults = [
        error("server_error"),
        error("temporarily_unavailable"),
        Behaviour::IdToken(JwtEdit::claims(raw("nonce", "\"another\""))),
    ];
    for fault in faults {
        is_due(&scene, &browser).await;
        scene.provider.behave(Rule::standing(fault.clone()));
        scene.provider.forget_requests();
        browser.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
        browser.opens(&scene, &scene.page(BOARD, "/page"), "alice").await;
        assert_eq!(prompts(&scene), silent(), "{fault:?}: once");
        scene.provider.behave_well();
    }
}

#[tokio::test]
async fn a_provider_that_is_known_to_be_away_is_not_asked() {
    let (scene, browser) = alice().await;
    scene.provider.down().await;
    is_due(&scene, &browser).await;
    // Nothing of it is known yet: the browser meets its silence, and the next page is shown.
    let url = url::Url::parse(&scene.page(WIKI, "/page")).unwrap();
    let page = browser.visits(&scene, scene.at(), &url).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
    let start = browser.visits(&scene, scene.at(), &page.location().parse().unwrap()).await;
    assert!(start.location().starts_with(scene.provider.issuer()), "{start:#?}");
    let again = eventually("the gate knows that it was asked", || async {
        let page = browser.visits(&scene, scene.at(), &url).await;
        (page.status == StatusCode::OK).then_some(page)
    });
    assert_eq!(user(&again.await), Some("alice"));
}

/// Of many tabs one goes to the provider.
#[tokio::test]
async fn of_many_tabs_one_asks() {
    let (scene, browser) = alice().await;
    is_due(&scene, &browser).await;
    scene.provider.forget_requests();
    let pages = (0..8).map(|tab| {
        let (scene, browser) = (&scene, &browser);
        async move { browser.opens(scene, &scene.page(WIKI, &format!("/page?tab={tab}")), "alice").await }
    });
    futures_util::future::join_all(pages).await;
    assert_eq!(prompts(&scene), silent());
}

/// Our own pages are pages, too; and without the setting nobody is asked.
#[tokio::test]
async fn the_account_page_asks_and_nothing_does_by_default() {
    let (scene, browser) = alice().await;
    is_due(&scene, &browser).await;
    scene.provider.forget_requests();
    let page = browser.follow(&scene, &scene.url("/auth/account")).await.unwrap();
    assert!(page.status == StatusCode::OK && page.body.contains("Alice Example"), "{page:#?}");
    assert_eq!(prompts(&scene), silent());

    let scene = super::rig::scene().await;
    let browser = Browser::default();
    browser.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    scene.was_confirmed_earlier(365 * 24 * 3_600_000).await;
    scene.provider.forget_requests();
    browser.follow(&scene, &scene.url("/auth/account")).await.unwrap();
    browser.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    assert!(prompts(&scene).is_empty());
}

/// As of a page in the history, shown again.
#[tokio::test]
async fn an_old_answer_ends_no_newer_session() {
    let (scene, browser) = alice().await;
    is_due(&scene, &browser).await;
    let denied = CallbackEdit::Error { code: "access_denied".to_owned(), description: None };
    scene.provider.behave(Rule::standing(Behaviour::Callback(denied)));
    let (there, page) = browser.goes(&scene, &scene.page(WIKI, "/page")).await;
    page.explains("access_denied");
    assert!(!browser.is_known_at(&scene, BOARD).await, "the provider will not have her");
    scene.provider.behave_well();
    browser.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    browser.goes(&scene, there.as_str()).await;
    assert!(browser.is_known_at(&scene, WIKI).await);
}

/// A recheck that was left, and comes to an end after another one has confirmed the person.
#[tokio::test]
async fn an_old_answer_ends_no_session_that_was_confirmed_since() {
    for error in ["login_required", "access_denied"] {
        let (scene, browser) = alice().await;
        is_due(&scene, &browser).await;
        let away = browser.get(&scene.url("/auth/account")).await.location().to_owned();
        let parameters = url::Url::parse(&away).unwrap().query_pairs().into_owned().collect::<Vec<_>>();
        let state = &parameters.iter().find(|(name, _)| name == "state").unwrap().1;
        // Its five minutes are over.
        scene.was_confirmed_earlier(0).await;
        scene.provider.forget_requests();
        browser.follow(&scene, &scene.url("/auth/account")).await.unwrap();
        assert_eq!(prompts(&scene), silent());
        let issuer = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect::<String>();
        let old = scene.url(&format!("/auth/oidc/callback?state={state}&error={error}&iss={issuer}"));
        browser.goes(&scene, &old).await;
        assert!(browser.is_known_at(&scene, WIKI).await, "{error}");
    }
}

#[tokio::test]
async fn a_store_that_takes_no_note_turns_nobody_away() {
    let (scene, browser) = alice().await;
    is_due(&scene, &browser).await;
    scene.fill("BEFORE UPDATE OF rechecked_at ON login_sessions").await;
    scene.provider.forget_requests();
    browser.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    browser.opens(&scene, &scene.page(BOARD, "/page"), "alice").await;
    assert!(prompts(&scene).is_empty());
}
