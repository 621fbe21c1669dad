//! What every answer says to browsers, whoever asks and however (matrix group N).

use reqwest::{Method, StatusCode};

use crate::support::{scene::Scene, wait::eventually};

/// Pages, redirects, files, answers for machines, and what is not there.
const PATHS: [&str; 14] = [
    "/",
    "/auth",
    "/auth/login",
    "/auth/account",
    "/auth/logout",
    "/auth/signed-out",
    "/auth/oidc/login",
    "/auth/oidc/callback",
    "/auth/oidc/callback?state=x&code=y",
    "/auth/api/complete-sign-in",
    "/auth/assets/nothing",
    "/healthz",
    "/nowhere",
    "/robots.txt",
];

/// WB-08, WB-10
#[tokio::test]
async fn every_answer_has_them() {
    let scene = Scene::patient().await;
    for path in PATHS {
        for method in [Method::GET, Method::POST, Method::PUT] {
            let page = scene.browser().request(method.clone(), &scene.url(path), &[], Some(String::new())).await;
            assert!(page.status.as_u16() < 500, "{method} {path}: {page:#?}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(page.header(name), value, "{method} {path}: {name}");
            }
            assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{method} {path}");
            assert!(["no-referrer", "same-origin"].contains(&page.header("referrer-policy")), "{method} {path}");
            for name in ["server", "x-powered-by", "via"] {
                assert!(!page.headers.contains_key(name), "{method} {path}: {name}");
            }
        }
    }
}

/// WB-14: with a session and without, and for a preflight.
#[tokio::test]
async fn no_other_origin_may_read_an_answer() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    for path in PATHS {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            for origin in ["https://evil.example", "null"] {
                let asks = [("origin", origin), ("access-control-request-method", "POST")];
                let page = browser.request(method.clone(), &scene.url(path), &asks, None).await;
                let grants = page.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(grants, None, "{method} {path} from {origin}");
            }
        }
    }
    assert!(browser.is_signed_in(&scene).await);
}

/// WB-12
#[tokio::test]
async fn nothing_that_is_sent_is_reflected() {
    const MARK: &str = "marked<script>";
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let encoded = "marked%3Cscript%3E";
    for path in [
        format!("/{encoded}"),
        format!("/auth/{encoded}"),
        format!("/auth/login?{encoded}={encoded}&provider={encoded}&return_to=/{encoded}"),
        format!("/auth/oidc/login?provider={encoded}"),
        format!("/auth/oidc/callback?state={encoded}&error={encoded}&error_description={encoded}"),
        format!("/auth/signed-out?provider={encoded}&state={encoded}"),
        format!("/auth/assets/{encoded}"),
    ] {
        let lies = [
            ("user-agent", MARK),
            ("referer", MARK),
            ("accept-language", MARK),
            ("x-forwarded-host", MARK),
            ("cookie", MARK),
        ];
        let page = browser.get_as(&scene.url(&path), &lies).await;
        assert!(!page.body.contains(MARK), "{path}: {}", page.body);
        assert!(
            page.headers.values().all(|value| !value.as_bytes().windows(8).any(|part| part == b"<script>")),
            "{path}"
        );
    }
}

/// WB-17, LG-07
#[tokio::test]
async fn a_panic_is_a_page_and_the_process_lives() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let page = eventually("a handler panics, and not what runs beside it", || async {
        scene.panics_once();
        let page = browser.get(&scene.url("/auth/oidc/login?return_to=/a")).await;
        (page.data("code") == Some("internal")).then_some(page)
    });
    let page = page.await;
    assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.data("reference").is_some_and(|reference| !reference.is_empty()), "{page:#?}");
    for inside in ["on purpose", "panicked", ".rs:", "backtrace"] {
        assert!(!page.body.contains(inside), "{}", page.body);
    }
    browser.sign_in(&scene).await;
}
