//! Who gets which answer: the table of `docs/gate.md`, every cell, on both of a proxy's ways to ask.

use reqwest::StatusCode;
use vestibule::server::settings::Settings;

use super::rig::{
    BOARD, BOARD_PREFIX, ENDPOINTS, Endpoint, Question, VISITORS, Visitor, WIKI, applications, json, scene, user,
};
use crate::support::{browser::Browser, page::Page, scene::Scene};

/// What holds for every answer of the gate's.
#[track_caller]
fn check(page: &Page, question: Question<'_>) {
    let what = format!("{question:?}: {page:#?}");
    assert_eq!(page.header("cache-control"), "no-store", "{what}");
    assert!(page.header("vary").contains("Cookie"), "{what}");
    for name in page.headers.keys().filter(|name| *name != "set-cookie") {
        assert_eq!(page.headers.get_all(name).iter().count(), 1, "{name} twice: {what}");
    }
    if page.status == StatusCode::OK {
        assert!(!page.headers.contains_key("set-cookie"), "{what}");
    }
    if let Some(location) = page.headers.get("location") {
        assert!(location.to_str().unwrap().starts_with("http://"), "{what}");
    }
}

/// The answer of a proxy's question, checked.
async fn answer(browser: &Browser, scene: &Scene, question: Question<'_>) -> Page {
    let page = browser.asks(scene, question).await;
    check(&page, question);
    page
}

/// A page for persons, JSON for machines.
#[track_caller]
fn explains(page: &Page, visitor: Visitor, status: u16, code: &str) {
    assert_eq!(page.status.as_u16(), status, "{visitor:?}: {page:#?}");
    if visitor.sees_pages() {
        page.explains(code);
    } else if visitor != Visitor::Head || !page.body.is_empty() {
        assert_eq!(json(page)["error"], code, "{visitor:?}: {page:#?}");
    }
}

#[tokio::test]
async fn nobody() {
    let scene = scene().await;
    for endpoint in ENDPOINTS {
        for visitor in VISITORS {
            let question = Question::about(endpoint, "/page?a=b&c=%20d").by(visitor);
            let page = answer(&Browser::default(), &scene, question).await;
            let what = format!("{question:?}: {page:#?}");
            if endpoint == Endpoint::Verify {
                assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{what}");
                assert_eq!(page.header("www-authenticate"), "Cookie", "{what}");
                assert!(page.body.is_empty() && !page.headers.contains_key("set-cookie"), "{what}");
            } else if visitor == Visitor::Navigation {
                assert_eq!(page.status, StatusCode::SEE_OTHER, "{what}");
                assert!(page.location().starts_with(&scene.url("/auth/handover?request=")), "{what}");
                assert!(page.header("set-cookie").starts_with("vestibule-flow="), "{what}");
            } else {
                let code = if visitor == Visitor::Form { "form_not_sent" } else { "login_required" };
                explains(&page, visitor, 401, code);
                if !visitor.sees_pages() {
                    assert_eq!(page.header("www-authenticate"), "Cookie", "{what}");
                    let login = scene.page(WIKI, "/auth/login");
                    assert_eq!(page.header("x-vestibule-login"), login, "{what}");
                    if visitor != Visitor::Head || !page.body.is_empty() {
                        assert_eq!(json(&page)["login_url"], login, "{what}");
                    }
                }
                assert!(!page.headers.contains_key("set-cookie"), "{what}");
            }
        }
    }
}

/// A script is sent back to the page that it runs on, and to no other application's.
#[tokio::test]
async fn a_script_learns_where_to_sign_in() {
    let scene = scene().await;
    for (host, referer, path) in [
        (WIKI, scene.page(WIKI, "/page?a=b"), "/auth/login?return_to=/page%3Fa%3Db".to_owned()),
        (WIKI, scene.page(BOARD, "/page"), "/auth/login".to_owned()),
        (WIKI, "https://elsewhere.example/".to_owned(), "/auth/login".to_owned()),
        (BOARD, scene.page(BOARD, "/page"), format!("{BOARD_PREFIX}/login?return_to=/page")),
    ] {
        for endpoint in [Endpoint::Denied, Endpoint::Forward, Endpoint::ExtAuthz] {
            let question = Question::about(endpoint, "/api").by(Visitor::Script).at(host);
            let page = Browser::default().asks_at(&scene, scene.at(), question, &[("referer", &referer)]).await;
            assert_eq!(json(&page)["login_url"], scene.page(host, &path), "{referer}");
            assert_eq!(page.header("x-vestibule-login"), scene.page(host, &path));
        }
    }
}

#[tokio::test]
async fn signed_in_but_not_allowed() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    for uri in ["/admin/x", "/closed/x", "/admin/../public/x"] {
        for endpoint in ENDPOINTS {
            for visitor in VISITORS {
                let question = Question::about(endpoint, uri).by(visitor);
                // A client of reqwest's resolves dots itself.
                if endpoint == Endpoint::ExtAuthz && uri.contains("..") {
                    continue;
                }
                let page = answer(&alice, &scene, question).await;
                if endpoint == Endpoint::Verify {
                    assert_eq!((page.status, &*page.body), (StatusCode::FORBIDDEN, ""), "{question:?}");
                    continue;
                }
                explains(&page, visitor, 403, "not_admitted");
                if visitor.sees_pages() && uri == "/admin/x" {
                    assert!(page.body.contains("Alice Example"), "{page:#?}");
                    assert!(page.body.contains("/auth/login?prompt=login&amp;again=1&amp;return_to="), "{page:#?}");
                } else if !visitor.sees_pages() && visitor != Visitor::Head {
                    let reference = json(&page)["reference"].clone();
                    assert_eq!(reference.as_str().unwrap().len(), 9, "{page:#?}");
                }
            }
        }
    }
    // A rule that admits nobody admits nobody, whoever it is.
    let question = Question::about(Endpoint::Forward, "/closed/x");
    explains(&answer(&Browser::default(), &scene, question).await, Visitor::Navigation, 403, "not_admitted");
}

#[tokio::test]
async fn allowed() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    alice.opens(&scene, &scene.page(BOARD, "/page"), "alice").await;
    for host in [WIKI, BOARD] {
        alice.set_cookie_of(&scene, host, "other", "1");
        for endpoint in ENDPOINTS {
            for visitor in VISITORS {
                for uri in ["/page", "/staff/x"] {
                    let question = Question::about(endpoint, uri).by(visitor).at(host);
                    if endpoint == Endpoint::Denied {
                        continue;
                    }
                    let page = answer(&alice, &scene, question).await;
                    assert_eq!(user(&page), Some("alice"), "{question:?}: {page:#?}");
                    assert_eq!(page.header("remote-groups"), "staff", "{question:?}");
                    assert_eq!(page.headers.contains_key("x-vestibule-assertion"), host == WIKI, "{question:?}");
                    let others = if endpoint == Endpoint::Verify { "" } else { "other=1" };
                    assert_eq!(page.header("cookie"), others, "{question:?}");
                    assert!(page.body.is_empty(), "{question:?}");
                }
            }
        }
    }
}

/// How often a check ended so, in this process.
async fn counted(scene: &Scene, verdict: &str) -> u64 {
    let metrics = Browser::default().get(&format!("http://{}/metrics", scene.admin)).await.body;
    let name = format!("vestibule_gate_checks_total{{verdict=\"{verdict}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_check_is_counted_by_how_it_ended() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    let nobody = Browser::default();
    for (verdict, browser, path) in [
        ("passed", &alice, "/page"),
        ("passed", &nobody, "/public/x"),
        ("nobody", &nobody, "/page"),
        ("not_admitted", &alice, "/admin/x"),
        ("misasked", &alice, ""),
    ] {
        for endpoint in ENDPOINTS.into_iter().filter(|endpoint| *endpoint != Endpoint::Denied) {
            // Envoy's question is its own path, which is never empty.
            if path.is_empty() && endpoint == Endpoint::ExtAuthz {
                continue;
            }
            let before = counted(&scene, verdict).await;
            browser.asks(&scene, Question::about(endpoint, path)).await;
            // Other tests ask meanwhile.
            assert!(counted(&scene, verdict).await > before, "{verdict}: {endpoint:?} {path}");
        }
    }
}

/// Without a session, and with one: an identity of nobody, under every name.
#[tokio::test]
async fn open_to_anyone() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    for browser in [&alice, &Browser::default()] {
        for endpoint in ENDPOINTS.into_iter().filter(|endpoint| *endpoint != Endpoint::Denied) {
            for visitor in VISITORS {
                let question = Question::about(endpoint, "/public/x").by(visitor);
                let page = answer(browser, &scene, question).await;
                assert_eq!(user(&page), Some(""), "{question:?}: {page:#?}");
                for name in ["remote-name", "remote-email", "remote-groups", "x-vestibule-assertion"] {
                    assert_eq!(page.headers.get(name).unwrap(), "", "{question:?}");
                }
            }
        }
    }
}

/// Browsers send it without a cookie, so that it can pass as nobody's alone; where nobody may, it may not.
#[tokio::test]
async fn a_preflight_passes_where_the_operator_says_so() {
    fn preflights(settings: &mut Settings) {
        applications(settings);
        settings.applications[0].preflight = true;
    }
    let scene = Scene::with_applications(preflights).await;
    let preflight =
        [("origin", "https://elsewhere.example"), ("access-control-request-method", "PUT"), ("sec-fetch-mode", "cors")];
    for (host, uri, method, headers, expected) in [
        (WIKI, "/page", "OPTIONS", &preflight[..], 200),
        (WIKI, "/admin/x", "OPTIONS", &preflight, 200),
        (WIKI, "/closed/x", "OPTIONS", &preflight, 403),
        (WIKI, "/page", "OPTIONS", &preflight[..1], 401),
        (WIKI, "/page", "PUT", &preflight, 401),
        (BOARD, "/page", "OPTIONS", &preflight, 401),
    ] {
        let authority = scene.authority(host);
        let mut headers = headers.to_vec();
        headers.extend([("x-forwarded-method", method), ("x-forwarded-proto", "http"), ("x-forwarded-uri", uri)]);
        headers.push(("x-forwarded-host", &authority));
        let page = Browser::default().get_as(&format!("http://{}/auth/forward", scene.gate), &headers).await;
        assert_eq!(page.status, expected, "{host} {uri} {method}");
        assert_eq!(user(&page), (expected == 200).then_some(""), "{host} {uri} {method}");
    }
}

/// What the proxy refuses though it may pass is sent there once; after that it is the proxy itself.
#[tokio::test]
async fn allowed_but_the_proxy_refuses() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    let somebody = Browser::default();
    for (browser, uri, other) in [(&alice, "/page?a=b", "/page?a=c"), (&somebody, "/public/x?a=b", "/public/x?a=c")] {
        let question = Question::about(Endpoint::Denied, uri);
        let page = answer(browser, &scene, question).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, &*scene.page(WIKI, uri)));
        assert!(!page.headers.contains_key("set-cookie"), "{page:#?}");
        for _ in 0..2 {
            explains(&answer(browser, &scene, question).await, Visitor::Navigation, 403, "proxy_refused");
        }
        // Another page is another question.
        let page = answer(browser, &scene, Question { uri: other, ..question }).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        for visitor in VISITORS.into_iter().filter(|visitor| *visitor != Visitor::Navigation) {
            let page = answer(browser, &scene, question.by(visitor)).await;
            explains(&page, visitor, 403, "proxy_refused");
        }
    }
}

/// Nobody is told that they are nobody because the store is away; what is open stays open.
#[tokio::test]
async fn the_store_cannot_tell() {
    let mut scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    // Nothing is known of her any more.
    scene.kill().await;
    scene.start().await;
    scene.damage("login_sessions").await;
    for endpoint in ENDPOINTS {
        for visitor in VISITORS {
            let question = Question::about(endpoint, "/page").by(visitor);
            let page = answer(&alice, &scene, question).await;
            if endpoint == Endpoint::Verify {
                assert_eq!((page.status, &*page.body), (StatusCode::SERVICE_UNAVAILABLE, ""), "{question:?}");
            } else {
                explains(&page, visitor, 503, "store_unavailable");
                assert!(page.headers.contains_key("retry-after"), "{page:#?}");
            }
            let question = Question { uri: "/public/x", ..question };
            if endpoint != Endpoint::Denied {
                assert_eq!(user(&answer(&alice, &scene, question).await), Some(""), "{question:?}");
            }
        }
    }
    scene.repair("login_sessions").await;
    assert_eq!(user(&answer(&alice, &scene, Question::about(Endpoint::Forward, "/page")).await), Some("alice"));
}

/// No page script can read identity off the checks: the public address does not know them, on any host.
#[tokio::test]
async fn no_browser_reaches_the_checks() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    for host in [WIKI, "login.localhost", "unknown.localhost"] {
        for path in ["/auth/verify", "/auth/denied", "/auth/forward", "/auth/ext-authz", "/auth/ext-authz/page"] {
            let authority = scene.authority(WIKI);
            let headers = [
                ("x-forwarded-method", "GET"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", &*authority),
                ("x-forwarded-uri", "/page"),
            ];
            let page = alice.get_as(&scene.page(host, path), &headers).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{host}{path}");
            assert_eq!(user(&page), None);
        }
    }
    // Nor are pages among the checks.
    for path in ["/", "/auth/login", "/auth/account", "/auth/userinfo", "/healthz", "/auth/ext-authzz/page"] {
        let page = alice.get(&format!("http://{}{path}", scene.gate)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}
