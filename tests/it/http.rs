//! The responses of the pages, whatever the sign-in does.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use test_provider::Profile;
use vestibule::server::settings::{PublicUrl, Settings};

use crate::support::{page::Page, scene::Scene};

const IDLE: i64 = 7 * 24 * 60 * 60;

fn removes_session(page: &Page) -> bool {
    let cookies = page.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap());
    cookies.into_iter().any(|it| it.starts_with("vestibule=;") && it.contains("Max-Age=0"))
}

#[tokio::test]
async fn a_session_cookie_that_names_nothing_is_removed_by_the_page_that_finds_out() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let session = browser.cookie(&scene, "vestibule").unwrap();
    assert!(!removes_session(&browser.get(&scene.url("/auth/login")).await), "the session lives");

    scene.later(IDLE + 60);
    let with_session = format!("vestibule={session}");
    let stranger = scene.browser();
    let get = |path: &str| {
        let (stranger, url, with_session) = (&stranger, scene.url(path), with_session.as_str());
        async move { stranger.get_as(&url, &[("cookie", with_session)]).await }
    };
    let account = get("/auth/account").await;
    assert_eq!(account.status, StatusCode::SEE_OTHER, "{account:#?}");
    assert!(removes_session(&account) && account.location().starts_with("/auth/login"), "{account:#?}");
    // Another tab's callback may set a new one at this moment.
    assert!(!removes_session(&get("/auth/login").await));
    let start = get("/auth/oidc/login").await;
    assert!(start.status == StatusCode::SEE_OTHER && !removes_session(&start), "{start:#?}");
    // A browser without a session cookie has none to remove.
    assert!(!removes_session(&scene.browser().get(&scene.url("/auth/login")).await));
}

#[tokio::test]
async fn a_store_that_cannot_tell_removes_no_session_cookie() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.execute("ALTER TABLE login_sessions RENAME TO elsewhere").await;
    for path in ["/auth/account", "/auth/login"] {
        let page = browser.get(&scene.url(path)).await;
        assert!(!removes_session(&page), "{path}: {page:#?}");
    }
    scene.execute("ALTER TABLE elsewhere RENAME TO login_sessions").await;
    assert!(browser.is_signed_in(&scene).await);
}

#[tokio::test]
async fn readiness_says_that_a_proxy_is_not_trusted() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let notices = || async {
        let page = browser.get(&format!("http://{}/readyz", scene.admin)).await;
        serde_json::from_str::<serde_json::Value>(&page.body).unwrap()["notices"].clone()
    };
    browser.get(&scene.url("/auth/login")).await;
    assert_eq!(notices().await, serde_json::json!([]));
    browser.get_as(&scene.url("/auth/login"), &[("x-forwarded-for", "192.0.2.7")]).await;
    let notices = notices().await;
    assert!(notices[0].as_str().unwrap().starts_with("proxy_not_trusted: "), "{notices}");
    assert!(!notices.to_string().contains("192.0.2.7") && !notices.to_string().contains("127.0.0.1"), "{notices}");
}

#[tokio::test]
async fn a_provider_that_fails_is_no_failure_of_this_process() {
    use test_provider::{Behaviour, Endpoint, Fault, Rule};

    let scene = Scene::patient().await;
    let browser = scene.browser();
    let refused = Fault::json(401, &serde_json::json!({ "error": "invalid_client" }));
    scene.provider.behave(Rule::once(Behaviour::Fault { at: Endpoint::Token, fault: refused }));
    let callback = browser.callback_url(&scene, "/").await;
    let page = browser.follow(&scene, &callback).await.unwrap();
    page.explains("client_refused");
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::FAILED_DEPENDENCY, ""));
}

#[tokio::test]
async fn every_step_of_a_sign_in_is_measured() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let metrics = browser.get(&format!("http://{}/metrics", scene.admin)).await.body;
    for step in ["claim", "token", "id_token", "userinfo", "user"] {
        let name = format!("vestibule_sign_in_step_seconds_bucket{{step=\"{step}\",result=\"ok\",le=\"60\"}}");
        assert!(metrics.contains(&name), "{step}: {metrics}");
    }
}

#[tokio::test]
async fn a_poll_that_cannot_be_read_is_the_callers_mistake_and_leads_nowhere() {
    let scene = Scene::patient().await;
    let url = scene.url("/auth/api/complete-sign-in");
    let headers = [("sec-fetch-site", "same-origin"), ("accept", "text/html"), ("referer", "http://evil.example/from")];
    for body in ["", "x=y", "query=a&query=b", "query[]=1", &"q".repeat(64 * 1024)] {
        let page = scene.browser().request(Method::POST, &url, &headers, Some(body.to_owned())).await;
        let status = page.status.as_u16();
        assert!((400..500).contains(&status), "{}: {page:#?}", body.len());
        assert!(!page.headers.contains_key("location"), "{page:#?}");
    }
}

/// What the program says of https on the host, on a page and on an asset, with these settings.
async fn hsts(tweak: fn(&mut Settings)) -> Vec<String> {
    let scene = Scene::with(Profile::Standard, tweak).await;
    let mut said = Vec::new();
    for path in ["/auth/login", "/healthz", "/nowhere"] {
        let page = scene.browser().get(&format!("http://{}{path}", scene.address)).await;
        let headers = page.headers.get_all("strict-transport-security").iter();
        said.push(headers.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" and "));
    }
    said
}

#[tokio::test]
async fn browsers_are_bound_to_https_only_if_the_operator_says_so() {
    let unset = hsts(|settings| settings.move_to(PublicUrl::parse("https://auth.example.com").unwrap()));
    assert_eq!(unset.await, [""; 3]);
    let set = hsts(|settings| {
        settings.move_to(PublicUrl::parse("https://auth.example.com").unwrap());
        settings.hsts = Some(Duration::from_secs(31_536_000));
    });
    assert_eq!(set.await, ["max-age=31536000"; 3]);
    let forgotten = hsts(|settings| {
        settings.move_to(PublicUrl::parse("https://auth.example.com").unwrap());
        settings.hsts = Some(Duration::ZERO);
    });
    assert_eq!(forgotten.await, ["max-age=0"; 3]);
    // RFC 6797, 7.2: never over http.
    assert_eq!(hsts(|settings| settings.hsts = Some(Duration::from_secs(31_536_000))).await, [""; 3]);
}
