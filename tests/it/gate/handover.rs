//! One sign-in for applications on many hosts: everything that people and their browsers do on the way.

use futures_util::future::join_all;
use reqwest::{StatusCode, Url};
use test_provider::{Behaviour, Document, JwtEdit, Rule};

use super::rig::{BOARD, Endpoint, Question, Visitor, WIKI, scene, user};
use crate::support::{
    browser::Browser,
    claims::raw,
    scene::{LOGIN_HOST, Scene},
};

/// Each address on the way from a page to that page, signed in; nothing but redirects.
async fn way(browser: &Browser, scene: &Scene, page: &str) -> Vec<Url> {
    let mut way = vec![Url::parse(page).unwrap()];
    loop {
        let last = way.last().unwrap();
        let answer = browser.visits(scene, scene.at(), last).await;
        if answer.status == StatusCode::OK {
            assert!(user(&answer).is_some(), "{last}: {answer:#?}");
            return way;
        }
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{last}: {answer:#?}");
        way.push(last.join(answer.location()).unwrap());
    }
}

/// The first address on the way that is of that path.
fn step<'w>(way: &'w [Url], path: &str) -> &'w Url {
    way.iter().find(|url| url.path() == path).unwrap_or_else(|| panic!("no {path}: {way:#?}"))
}

#[tokio::test]
async fn the_second_application_opens_without_a_page_or_a_sign_in() {
    let scene = scene().await;
    let alice = Browser::default();
    let wiki = way(&alice, &scene, &scene.page(WIKI, "/page?a=b&c=%20d")).await;
    assert_eq!(wiki.last().unwrap().as_str(), scene.page(WIKI, "/page?a=b&c=%20d"));
    let board = way(&alice, &scene, &scene.page(BOARD, "/")).await;
    let paths: Vec<_> = board.iter().map(|url| (url.host_str().unwrap(), url.path())).collect();
    let expected = [(BOARD, "/"), (LOGIN_HOST, "/auth/handover"), (BOARD, "/.vestibule/enter"), (BOARD, "/")];
    assert_eq!(paths, expected);
    assert_eq!(scene.redeemed(), 1);
    // Each host has cookies of its own, and none has another's.
    let cookies = [LOGIN_HOST, WIKI, BOARD].map(|host| alice.cookie_of(&scene, host, "vestibule").unwrap());
    assert!(cookies[0] != cookies[1] && cookies[1] != cookies[2] && cookies[0] != cookies[2]);
    for url in wiki.iter().chain(&board) {
        let enters = url.path().ends_with("/enter") || url.path().ends_with("/handover");
        assert_eq!(url.as_str().contains("ticket=") || url.as_str().contains("request="), enters, "{url}");
    }
}

/// Whoever is signed in at the login host already has nothing to do either, and one who signs in there first.
#[tokio::test]
async fn who_has_signed_in_at_the_login_host_is_signed_in_everywhere() {
    let scene = scene().await;
    let alice = Browser::default();
    let (there, page) = alice.goes(&scene, &scene.url("/auth/oidc/login?return_to=/auth/account")).await;
    assert_eq!((there.path(), page.status), ("/auth/account", StatusCode::OK));
    for host in [WIKI, BOARD] {
        alice.opens(&scene, &scene.page(host, "/page"), "alice").await;
    }
    assert_eq!(scene.redeemed(), 1);
}

/// Every address on the way, opened once more afterwards: by Reload, by Back, from the history. The application opens.
#[tokio::test]
async fn reload_and_back_lead_to_the_page() {
    let scene = scene().await;
    for later in [0, 31, 24 * 3600] {
        let alice = Browser::default();
        let page = scene.page(WIKI, "/page");
        let way = way(&alice, &scene, &page).await;
        scene.later(later);
        for url in way.iter().filter(|url| [LOGIN_HOST, WIKI].contains(&url.host_str().unwrap())) {
            let (there, answer) = alice.goes(&scene, url.as_str()).await;
            assert_eq!((there.as_str(), user(&answer)), (&*page, Some("alice")), "{later} s after {url}: {answer:#?}");
        }
    }
}

/// Whatever stands in the address, it is the address that opens, and on that host.
#[tokio::test]
async fn every_address_leads_back_to_itself() {
    let scene = scene().await;
    for path in [
        "/",
        "/page?a=b&c=%20d&e=%25",
        "/a;b=c/d",
        "//elsewhere.example/x",
        "/x?return_to=https://elsewhere.example/&request=x&ticket=y",
        "/%C3%BC?%C3%A4=%F0%9F%90%88",
        "/a%2Fb",
        "/auth",
        "/authority/x",
    ] {
        let alice = Browser::default();
        let page = scene.page(BOARD, path);
        alice.opens(&scene, &page, "alice").await;
    }
    // Too long to be carried: its path, and if that is too long itself, the application.
    for (path, opened) in [
        (format!("/x?{}", "a".repeat(4_000)), "/x".to_owned()),
        (format!("/{}", "a".repeat(4_000)), "/".to_owned()),
        (format!("/{}", "%C3%BC".repeat(100)), format!("/{}", "%C3%BC".repeat(100))),
    ] {
        let (there, page) = Browser::default().goes(&scene, &scene.page(BOARD, &path)).await;
        assert_eq!((there.as_str(), user(&page)), (&*scene.page(BOARD, &opened), Some("alice")));
    }
}

/// A ticket that is delivered twice is the same session, and not another.
#[tokio::test]
async fn a_ticket_used_twice_is_one_session() {
    let scene = scene().await;
    let alice = Browser::default();
    let way = way(&alice, &scene, &scene.page(WIKI, "/page")).await;
    let enter = step(&way, "/auth/enter");
    for _ in 0..3 {
        let answer = alice.visits(&scene, scene.at(), enter).await;
        assert_eq!(answer.location(), scene.page(WIKI, "/page"));
        assert!(alice.is_known_at(&scene, WIKI).await);
    }
    assert_eq!(scene.count("login_sessions").await, 1);
    alice.signs_out(&scene).await;
    alice.visits(&scene, scene.at(), enter).await;
    assert!(!alice.is_known_at(&scene, WIKI).await, "a ticket revives nothing");
}

#[tokio::test]
async fn a_restart_at_any_step_is_not_noticed() {
    let mut scene = scene().await;
    let page = scene.page(WIKI, "/page");
    let steps = way(&Browser::default(), &scene, &page).await.len();
    for restarted_at in 1..steps {
        let alice = Browser::default();
        let mut url = Url::parse(&page).unwrap();
        for _ in 0..restarted_at {
            let answer = alice.visits(&scene, scene.at(), &url).await;
            url = url.join(answer.location()).unwrap();
        }
        scene.kill().await;
        scene.start().await;
        let (there, answer) = alice.goes(&scene, url.as_str()).await;
        assert_eq!((there.as_str(), user(&answer)), (&*page, Some("alice")), "restarted before {url}");
    }
}

/// As restored at the start of a browser without a cookie: all begin at once, and each ends on its own page.
#[tokio::test]
async fn twenty_tabs_on_three_hosts_at_once_end_on_their_pages() {
    for are_known in [false, true] {
        let scene = scene().await;
        let browser = Browser::default();
        if are_known {
            browser.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
            for host in [WIKI, BOARD] {
                browser.forget_of(&scene, host, "vestibule");
            }
        }
        let tabs = (0..20).flat_map(|number| {
            [scene.page(WIKI, &format!("/page/{number}")), scene.page(BOARD, &format!("/page/{number}")), {
                scene.url(&format!("/auth/oidc/login?return_to=/page/{number}"))
            }]
        });
        let tabs = tabs.map(async |url| {
            let (mut there, mut answer) = browser.goes(&scene, &url).await;
            // On a machine that is slow the store is late for some: their page tries again by itself.
            for _ in 0..50 {
                if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                    (there, answer) = browser.goes(&scene, there.as_str()).await;
                }
            }
            if url.starts_with(&scene.origin) {
                // The application behind the login host is none of the gate's here.
                assert!(url.ends_with(there.path()), "{url} ends at {there}: {answer:#?}");
            } else {
                assert_eq!((there.as_str(), user(&answer)), (&*url, Some("alice")), "{answer:#?}");
            }
        });
        join_all(tabs).await;
        assert_eq!(scene.count("users").await, 1);
    }
}

/// One tab after the other, as a person opens bookmarks: no bound on loops is met.
#[tokio::test]
async fn many_tabs_one_after_the_other_are_no_loop() {
    let scene = scene().await;
    let browser = Browser::default();
    for number in 0..60 {
        for host in [WIKI, BOARD] {
            browser.opens(&scene, &scene.page(host, &format!("/page/{number}")), "alice").await;
        }
    }
    assert_eq!(scene.redeemed(), 1);
}

/// The button of the page that keeps somebody out leads to the page that they wanted, as somebody else.
#[tokio::test]
async fn another_account_takes_the_place_of_the_first() {
    let scene = scene().await;
    for at in [WIKI, BOARD] {
        let browser = Browser::default();
        scene.provider.log_in_as("alice");
        for host in [WIKI, BOARD] {
            browser.opens(&scene, &scene.page(host, "/staff/x"), "alice").await;
        }
        scene.provider.log_in_as("bob");
        let wanted = scene.page(at, "/admin/x");
        let (_, page) = browser.goes(&scene, &wanted).await;
        page.explains("not_admitted");
        let button = Url::parse(&wanted).unwrap().join(&page.button()).unwrap();
        let (there, page) = browser.goes(&scene, button.as_str()).await;
        assert_eq!(there.as_str(), wanted);
        page.explains("not_admitted");
        assert!(page.body.contains("Bob Example"), "{page:#?}");
        for host in [WIKI, BOARD] {
            browser.opens(&scene, &scene.page(host, "/page"), "bob").await;
            let (_, page) = browser.goes(&scene, &scene.page(host, "/staff/x")).await;
            page.explains("not_admitted");
        }
    }
}

/// A form that finds nobody signed in: its page's button leads through a sign-in, in another tab, and Back keeps the form.
#[tokio::test]
async fn a_form_is_sent_after_a_sign_in_beside() {
    let scene = scene().await;
    for host in [WIKI, BOARD] {
        let browser = Browser::default();
        let form = Question::about(Endpoint::Forward, "/form").by(Visitor::Form).at(host);
        let page = browser.asks(&scene, form).await;
        page.explains("form_not_sent");
        let button = Url::parse(&scene.page(host, "/form")).unwrap().join(&page.button()).unwrap();
        let (there, page) = browser.goes(&scene, button.as_str()).await;
        assert_eq!((there.as_str(), user(&page)), (&*scene.page(host, "/"), Some("alice")), "{page:#?}");
        assert_eq!(user(&browser.asks(&scene, form).await), Some("alice"));
    }
}

/// Somebody who was given a group signs in again, and is let in at once.
#[tokio::test]
async fn another_sign_in_brings_the_groups_of_today() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    let groups = |names: &str| {
        scene.provider.behave_well();
        scene.provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(raw("groups", names)))));
        let edit = raw("groups", names);
        scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit }));
    };
    groups(r#"["staff","admins"]"#);
    let (_, page) = alice.goes(&scene, &scene.page(WIKI, "/admin/x")).await;
    page.explains("not_admitted");
    let button = Url::parse(&scene.page(WIKI, "/")).unwrap().join(&page.button()).unwrap();
    let (there, page) = alice.goes(&scene, button.as_str()).await;
    assert_eq!((there.as_str(), user(&page)), (&*scene.page(WIKI, "/admin/x"), Some("alice")), "{page:#?}");
    // And the other way round.
    groups(r#"["staff"]"#);
    let again = scene.page(WIKI, "/auth/login?prompt=login&return_to=/admin/x");
    let (_, page) = alice.goes(&scene, &again).await;
    page.explains("not_admitted");
}

#[tokio::test]
async fn sign_out_on_any_host_is_sign_out_on_all() {
    let scene = scene().await;
    for at in [LOGIN_HOST, WIKI, BOARD] {
        let alice = Browser::default();
        for host in [WIKI, BOARD] {
            alice.opens(&scene, &scene.page(host, "/page"), "alice").await;
        }
        let prefix = if at == BOARD { "/.vestibule" } else { "/auth" };
        if at != LOGIN_HOST {
            // Its pages for that are the login host's.
            for page in ["account", "logout", "signed-out"] {
                let url = Url::parse(&scene.page(at, &format!("{prefix}/{page}"))).unwrap();
                let answer = alice.visits(&scene, scene.at(), &url).await;
                assert_eq!(answer.location(), scene.url(&format!("/auth/{page}")));
            }
        }
        alice.signs_out(&scene).await;
        for host in [WIKI, BOARD] {
            assert!(!alice.is_known_at(&scene, host).await, "{host}");
        }
        scene.provider.log_in_by_form();
        let (there, _) = alice.goes(&scene, &scene.page(WIKI, "/page")).await;
        assert_eq!(there.port(), Some(scene.provider.addr().port()), "a sign-in: {there}");
        scene.provider.log_in_as("alice");
    }
}

/// The page says it, on the login host, and nothing goes round.
#[tokio::test]
async fn a_disabled_account_is_told_so() {
    let mut scene = scene().await;
    let alice = Browser::default();
    for host in [WIKI, BOARD] {
        alice.opens(&scene, &scene.page(host, "/page"), "alice").await;
    }
    scene.set_of_users("is_active", false).await;
    scene.kill().await;
    scene.start().await;
    for host in [WIKI, BOARD] {
        assert!(!alice.is_known_at(&scene, host).await);
        let (there, page) = alice.goes(&scene, &scene.page(host, "/page")).await;
        assert_eq!(there.host_str(), Some(LOGIN_HOST));
        page.explains("user_disabled");
    }
}

/// An older page than any that is answered, restored: its host asks anew.
#[tokio::test]
async fn a_request_that_is_too_old_is_asked_anew() {
    let scene = scene().await;
    let page = scene.page(WIKI, "/page");
    for signed_in in [false, true] {
        let browser = Browser::default();
        if signed_in {
            browser.opens(&scene, &scene.page(BOARD, "/page"), "alice").await;
        }
        // The provider's clock stays, so ours has to be right when somebody signs in.
        scene.later(-11 * 60);
        let asked = browser.visits(&scene, scene.at(), &Url::parse(&page).unwrap()).await;
        scene.later(11 * 60);
        let (there, answer) = browser.goes(&scene, asked.location()).await;
        assert_eq!((there.as_str(), user(&answer)), (&*page, Some("alice")), "{answer:#?}");
    }
}

/// A browser that keeps no cookie of the application's host gets a page that says so, soon.
#[tokio::test]
async fn blocked_cookies_end_in_a_page() {
    let scene = scene().await;
    for (dropped, code) in [(["vestibule", "vestibule-flow"], "cookies_blocked"), (["vestibule", ""], "sign_in_loop")] {
        let browser = Browser::default();
        let mut url = Url::parse(&scene.page(WIKI, "/page")).unwrap();
        let mut redirects = 0;
        let page = loop {
            let page = browser.visits(&scene, scene.at(), &url).await;
            for name in dropped {
                browser.forget_of(&scene, WIKI, name);
            }
            let next = match page.status {
                StatusCode::SEE_OTHER => page.location().to_owned(),
                StatusCode::OK => super::rig::goes_on(&page).expect("a page that goes on"),
                _ => break page,
            };
            url = url.join(&next).unwrap();
            redirects += 1;
            assert!(redirects < 160, "{code}: it goes round");
        };
        page.explains(code);
        if code == "cookies_blocked" {
            assert!(redirects < 20, "{redirects}: browsers give up at 20");
        }
    }
}

/// Nothing but a person's navigation begins a handover.
#[tokio::test]
async fn only_navigations_are_handed_over() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(BOARD, "/page"), "alice").await;
    let asked = alice.asks(&scene, Question::about(Endpoint::Forward, "/page")).await;
    for headers in [
        &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")][..],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        &[("sec-purpose", "prefetch"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
        &[("x-requested-with", "XMLHttpRequest")],
    ] {
        let page = alice.get_as(asked.location(), headers).await;
        assert!(!page.status.is_redirection() && !page.status.is_success() || page.status == 204, "{page:#?}");
        assert!(!page.headers.contains_key("location"), "{page:#?}");
    }
}
