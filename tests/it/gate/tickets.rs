//! What cannot be taken from one host, browser, time or key to another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use reqwest::{StatusCode, Url};
use vestibule::server::{application::HostPattern, limits, settings::Settings};

use super::rig::{BOARD, Endpoint, Question, WIKI, applications, scene, user};
use crate::support::{
    browser::Browser,
    page::Page,
    scene::{LOGIN_HOST, Scene},
};

/// The address by which the browser, which is signed in at the login host, enters the application.
async fn ticket(browser: &Browser, scene: &Scene, host: &str) -> Url {
    let asked = browser.asks(scene, Question::about(Endpoint::Forward, "/page").at(host)).await;
    let asked = Url::parse(asked.location()).unwrap();
    let enter = browser.visits(scene, scene.at(), &asked).await;
    Url::parse(enter.location()).unwrap()
}

/// Alice, at the login host alone.
async fn alice(scene: &Scene) -> Browser {
    let alice = Browser::default();
    alice.goes(scene, &scene.url("/auth/oidc/login?return_to=/auth/account")).await;
    alice
}

fn sets_session(page: &Page) -> bool {
    page.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().starts_with("vestibule="))
}

#[tokio::test]
async fn a_ticket_works_in_the_browser_that_asked_and_in_no_other() {
    let scene = scene().await;
    let alice = alice(&scene).await;
    let enter = ticket(&alice, &scene, WIKI).await;
    scene.provider.log_in_by_form();
    // One that has never been there, and one with a key of its own.
    let known = Browser::default();
    known.asks(&scene, Question::about(Endpoint::Forward, "/page")).await;
    for other in [Browser::default(), known] {
        let page = other.visits(&scene, scene.at(), &enter).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, &*scene.page(WIKI, "/page")));
        assert!(!sets_session(&page), "{page:#?}");
        assert!(!other.is_known_at(&scene, WIKI).await);
        let (there, _) = other.goes(&scene, enter.as_str()).await;
        assert_eq!(there.port(), Some(scene.provider.addr().port()), "a sign-in of its own: {there}");
    }
    // The owner is not disturbed.
    alice.visits(&scene, scene.at(), &enter).await;
    assert!(alice.is_known_at(&scene, WIKI).await);
}

#[tokio::test]
async fn an_expired_ticket_begins_anew() {
    let scene = scene().await;
    let alice = alice(&scene).await;
    for later in [31, 3600, -3600] {
        let enter = ticket(&alice, &scene, WIKI).await;
        scene.later(later);
        let page = alice.visits(&scene, scene.at(), &enter).await;
        assert!(!sets_session(&page), "{later}: {page:#?}");
        let (there, page) = alice.goes(&scene, enter.as_str()).await;
        assert_eq!((there.as_str(), user(&page)), (&*scene.page(WIKI, "/page"), Some("alice")));
        alice.forget_of(&scene, WIKI, "vestibule");
    }
    let enter = ticket(&alice, &scene, WIKI).await;
    scene.later(20);
    assert!(sets_session(&alice.visits(&scene, scene.at(), &enter).await));
}

/// A ticket of yesterday, however many there were in a row, says nothing about the cookies of the browser that brings it.
#[tokio::test]
async fn an_old_ticket_is_no_proof_that_cookies_are_blocked() {
    let scene = scene().await;
    let alice = alice(&scene).await;
    for _ in 0..limits::HANDOVERS_WITHOUT_COOKIE {
        ticket(&alice, &scene, WIKI).await;
    }
    let enter = ticket(&alice, &scene, WIKI).await;
    Browser::default().visits(&scene, scene.at(), &enter).await.explains("cookies_blocked");
    scene.later(31);
    let page = Browser::default().visits(&scene, scene.at(), &enter).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, &*scene.page(WIKI, "/page")));
}

#[tokio::test]
async fn what_is_damaged_is_explained() {
    let scene = scene().await;
    let alice = alice(&scene).await;
    let enter = ticket(&alice, &scene, WIKI).await;
    let sealed = enter.query().unwrap().strip_prefix("ticket=").unwrap();
    let request = alice.asks(&scene, Question::about(Endpoint::Forward, "/page")).await;
    let request = request.location().split_once("?request=").unwrap().1;
    let flipped =
        |sealed: &str| format!("{}{}", &sealed[..sealed.len() - 2], if sealed.ends_with("AA") { "BB" } else { "AA" });
    let session = alice.cookie_of(&scene, LOGIN_HOST, "vestibule").unwrap();
    for (host, path) in [
        (WIKI, "/auth/enter".to_owned()),
        (WIKI, "/auth/enter?ticket=".to_owned()),
        (WIKI, "/auth/enter?ticket=junk".to_owned()),
        (WIKI, format!("/auth/enter?ticket={}", &sealed[..sealed.len() / 2])),
        (WIKI, format!("/auth/enter?ticket={}", flipped(sealed))),
        (WIKI, format!("/auth/enter?ticket={sealed}{sealed}")),
        (WIKI, format!("/auth/enter?ticket={request}")),
        (WIKI, format!("/auth/enter?ticket={session}")),
        (WIKI, format!("/auth/enter?page={sealed}")),
        // Of another host.
        (BOARD, format!("/.vestibule/enter?ticket={sealed}")),
        (LOGIN_HOST, "/auth/handover".to_owned()),
        (LOGIN_HOST, "/auth/handover?request=junk".to_owned()),
        (LOGIN_HOST, format!("/auth/handover?request={}", &request[..request.len() / 2])),
        (LOGIN_HOST, format!("/auth/handover?request={}", flipped(request))),
        (LOGIN_HOST, format!("/auth/handover?request={sealed}")),
    ] {
        let url = Url::parse(&scene.page(host, &path)).unwrap();
        let page = alice.visits(&scene, scene.at(), &url).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{url}: {page:#?}");
        page.explains("handover_invalid");
    }
    for url in [scene.page(LOGIN_HOST, "/auth/enter?ticket=x"), scene.page(WIKI, "/auth/handover?request=x")] {
        let page = alice.visits(&scene, scene.at(), &Url::parse(&url).unwrap()).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{url}");
    }
}

/// A cookie of one host is nothing at another, and nothing sealed for one purpose serves another.
#[tokio::test]
async fn a_cookie_is_for_one_host() {
    let scene = scene().await;
    let alice = Browser::default();
    for host in [WIKI, BOARD] {
        alice.opens(&scene, &scene.page(host, "/page"), "alice").await;
    }
    let [login, wiki, board] =
        [LOGIN_HOST, WIKI, BOARD].map(|host| alice.cookie_of(&scene, host, "vestibule").unwrap());
    let flow = alice.cookie_of(&scene, WIKI, "vestibule-flow").unwrap();
    alice.forget_of(&scene, WIKI, "vestibule");
    let enter = ticket(&alice, &scene, WIKI).await;
    let ticket = enter.query().unwrap().strip_prefix("ticket=").unwrap();
    let mallory = Browser::default();
    for _ in 0..2 {
        for (host, cookies) in [(WIKI, [&*login, &board, &flow, ticket]), (BOARD, [&*login, &wiki, &flow, ticket])] {
            for cookie in cookies {
                mallory.set_cookie_of(&scene, host, "vestibule", cookie);
                assert!(!mallory.is_known_at(&scene, host).await, "{host}: {cookie}");
            }
        }
        for cookie in [&*wiki, &board, &flow, ticket] {
            mallory.set_cookie_of(&scene, LOGIN_HOST, "vestibule", cookie);
            let page = mallory.get(&scene.url("/auth/account")).await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
        }
        // Each on its own host is known, before and after: nothing kept for one is found for another.
        for (host, cookie) in [(WIKI, &wiki), (BOARD, &board)] {
            mallory.set_cookie_of(&scene, host, "vestibule", cookie);
            assert!(mallory.is_known_at(&scene, host).await);
        }
    }
    // Twice, it is nobody's: one of them is foreign, and nobody can tell which.
    mallory.set_cookie_of(&scene, WIKI, "vestibule", &format!("{wiki}; vestibule={wiki}"));
    assert!(!mallory.is_known_at(&scene, WIKI).await);
}

/// All hosts below a name are one application, and each has cookies and tickets of its own.
#[tokio::test]
async fn the_hosts_of_one_application_are_apart() {
    const HOSTS: [&str; 2] = ["one.apps.localhost", "two.apps.localhost"];
    fn below(settings: &mut Settings) {
        applications(settings);
        settings.applications[0].origins[0].host = HostPattern::Below("apps.localhost".to_owned());
    }
    let scene = Scene::with_applications(below).await;
    let alice = alice(&scene).await;
    let enter = ticket(&alice, &scene, HOSTS[0]).await;
    let elsewhere = enter.as_str().replacen("one.", "two.", 1);
    alice.asks(&scene, Question::about(Endpoint::Forward, "/page").at(HOSTS[1])).await;
    let page = alice.visits(&scene, scene.at(), &Url::parse(&elsewhere).unwrap()).await;
    page.explains("handover_invalid");
    for host in HOSTS {
        alice.opens(&scene, &scene.page(host, "/page"), "alice").await;
        let page = alice.asks(&scene, Question::about(Endpoint::Verify, "/page").at(host)).await;
        let assertion = page.header("x-vestibule-assertion").split('.').nth(1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(assertion).unwrap()).unwrap();
        assert_eq!(claims["aud"], scene.page(host, ""));
    }
    let mallory = Browser::default();
    for (from, to) in [(HOSTS[0], HOSTS[1]), (HOSTS[1], HOSTS[0])] {
        let cookie = alice.cookie_of(&scene, from, "vestibule").unwrap();
        mallory.set_cookie_of(&scene, to, "vestibule", &cookie);
        assert!(!mallory.is_known_at(&scene, to).await);
    }
    for host in ["apps.localhost", "a.one.apps.localhost", ".apps.localhost", "-apps.localhost"] {
        let page = alice.asks(&scene, Question::about(Endpoint::Verify, "/page").at(host)).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{host}");
    }
}

#[tokio::test]
async fn keys_are_rotated_without_a_sign_in() {
    let mut scene = scene().await;
    let alice = alice(&scene).await;
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    let enter = ticket(&alice, &scene, BOARD).await;
    let mut known_keys = Vec::new();
    for (keys, wiki_is_known) in [(&[7, 8][..], true), (&[8, 7], true), (&[8], false)] {
        scene.set_keys(keys);
        scene.kill().await;
        scene.start().await;
        let assertion = alice.asks(&scene, Question::about(Endpoint::Verify, "/page")).await;
        assert_eq!(user(&assertion).is_some(), wiki_is_known, "{keys:?}");
        let jwks = alice.get(&scene.page(WIKI, "/auth/jwks.json")).await;
        let jwks: JwkSet = serde_json::from_str(&jwks.body).unwrap();
        assert_eq!(jwks.keys.len(), keys.len());
        known_keys.push(jwks);
        if !wiki_is_known {
            // The cookie is sealed with a key that is gone; the login host's session is not, and enters anew.
            alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
        }
    }
    let kids = |set: &JwkSet| set.keys.iter().map(|key| key.common.key_id.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(kids(&known_keys[0]), kids(&known_keys[1]).into_iter().rev().collect::<Vec<_>>());
    assert_eq!(kids(&known_keys[2])[0], kids(&known_keys[1])[0]);
    assert_eq!(scene.redeemed(), 1);
    // It was sealed with the key that is gone: explained, and the button leads on.
    let page = alice.visits(&scene, scene.at(), &enter).await;
    page.explains("handover_invalid");
}

fn without_the_wiki(settings: &mut Settings) {
    applications(settings);
    settings.applications.remove(0);
}

#[tokio::test]
async fn an_application_that_is_no_more_opens_to_nobody() {
    let mut scene = scene().await;
    let alice = alice(&scene).await;
    for host in [WIKI, BOARD] {
        alice.opens(&scene, &scene.page(host, "/page"), "alice").await;
    }
    let begun = Browser::default();
    let asked = begun.asks(&scene, Question::about(Endpoint::Forward, "/page")).await;
    let away = begun.visits(&scene, scene.at(), &Url::parse(asked.location()).unwrap()).await;
    let back = begun.get(away.location()).await;
    scene.set_tweak(without_the_wiki);
    scene.kill().await;
    scene.start().await;
    let page = alice.asks(&scene, Question::about(Endpoint::Forward, "/page")).await;
    page.explains("unknown_application");
    // The board has the place in the settings that the wiki had.
    assert!(alice.is_known_at(&scene, BOARD).await);
    let page = begun.visits(&scene, scene.at(), &Url::parse(asked.location()).unwrap()).await;
    page.explains("handover_invalid");
    // Who is at the provider for it meanwhile is signed in, and leaves no further than the login host.
    let (there, page) = begun.goes(&scene, back.location()).await;
    assert_eq!(there.host_str(), Some(LOGIN_HOST), "{there}: {page:#?}");
}
