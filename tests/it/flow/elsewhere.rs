//! No answer of ours leads to a foreign place: not a redirect, not a refresh, not a link or form, whatever the request says
//! (WB-01, WB-03, WB-06, WB-14, WB-15, AR-06, RT-01 and on).

use reqwest::{Method, StatusCode, Url};

use crate::{
    gate::rig::{self, WIKI},
    support::{browser::Browser, page::Page, scene::Scene},
};

const EVIL: &str = "evil.example";

/// What stands behind `name` and its quotation mark, each time.
fn attributes<'b>(body: &'b str, name: &str) -> Vec<&'b str> {
    let begin = format!(" {name}=\"");
    body.split(&begin[..]).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Everywhere that `page` leads to.
fn ways(page: &Page) -> Vec<String> {
    let mut ways = Vec::new();
    for name in ["location", "content-location"] {
        ways.extend(page.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()));
    }
    let refreshes = page.headers.get_all("refresh").iter().map(|value| value.to_str().unwrap());
    let refreshes = refreshes.chain(attributes(&page.body, "content"));
    ways.extend(refreshes.filter_map(|value| value.split_once("url=")).map(|(_, url)| url.replace("&amp;", "&")));
    for name in ["href", "action", "src", "formaction"] {
        ways.extend(attributes(&page.body, name).into_iter().map(|url| url.replace("&amp;", "&")));
    }
    ways
}

/// Asserts that everything on `page`, at `url`, leads to ourselves, an application or the provider.
fn leads_nowhere_else(page: &Page, url: &str, allowed: &[String], how: &str) {
    let base = Url::parse(url).unwrap();
    for way in ways(page) {
        let there = base.join(&way).unwrap_or_else(|_| panic!("{way}"));
        let origin = there.origin().ascii_serialization();
        assert!(allowed.contains(&origin), "{way} from {url}: {how}\n{page:#?}");
    }
    // WB-14
    let shared = page.header("access-control-allow-origin");
    assert!(
        !shared.contains(EVIL) && !page.headers.contains_key("access-control-allow-credentials"),
        "{url} {page:#?}"
    );
    assert_ne!(page.status, StatusCode::INTERNAL_SERVER_ERROR, "{url}");
}

const PATHS: [&str; 24] = [
    "/",
    "/auth",
    "/login",
    "/auth/login",
    "/auth/account",
    "/auth/logout",
    "/auth/signed-out",
    "/auth/oidc/login",
    "/auth/oidc/callback",
    "/auth/handover",
    "/auth/enter",
    "/auth/userinfo",
    "/auth/token",
    "/auth/jwks.json",
    "/auth/api/complete-sign-in",
    "/auth/api/none",
    "/auth/assets/none",
    "/healthz",
    "/readyz",
    "/robots.txt",
    "/favicon.ico",
    "/nowhere",
    "//evil.example/auth/login",
    "/auth/login/..//evil.example",
];

/// What an attacker writes where a page is named.
const TARGETS: [&str; 9] = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/%09/evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/%0d%0aLocation:%20https://evil.example",
    "https://127.0.0.1@evil.example/",
    "/auth/oidc/login?return_to=https://evil.example",
];

fn queries() -> Vec<String> {
    let names =
        ["return_to", "target_link_uri", "redirect_uri", "next", "url", "rd", "continue", "state", "request", "ticket"];
    let all = |target: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        names.map(|name| format!("{name}={encoded}")).join("&")
    };
    let mut queries: Vec<_> = TARGETS.iter().map(|target| format!("again=1&{}", all(target))).collect();
    queries.extend(TARGETS.iter().take(4).map(|target| format!("again=1&provider=op&return_to={target}")));
    queries.push(format!("iss=https%3A%2F%2Fevil.example&{}", all(TARGETS[0])));
    queries.push(String::new());
    queries
}

/// What a request says of where it comes from and where it is.
const HEADERS: [&[(&str, &str)]; 3] = [
    &[("referer", "https://evil.example/from"), ("origin", "https://evil.example"), ("accept", "text/html")],
    &[
        ("host", EVIL),
        ("x-forwarded-host", EVIL),
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-prefix", "//evil.example"),
        ("x-forwarded-uri", "//evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "https://evil.example/"),
        ("x-rewrite-url", "//evil.example/"),
        ("referer", "https://evil.example/"),
    ],
    &[
        ("sec-fetch-site", "same-origin"),
        ("accept", "text/html"),
        ("referer", "https://evil.example/?a=b"),
        ("x-http-method-override", "DELETE"),
    ],
];

async fn sweep(browser: &Browser, origin: &str, allowed: &[String], queries: &[String]) -> usize {
    let mut redirects = 0;
    for path in PATHS {
        for query in queries {
            for headers in HEADERS {
                for method in [Method::GET, Method::POST] {
                    let url = format!("{origin}{path}?{query}");
                    let body = (method == Method::POST).then(|| query.clone());
                    let page = browser.request_of(origin, method.clone(), &url, headers, body).await;
                    leads_nowhere_else(&page, &url, allowed, &format!("{method} {headers:?}"));
                    redirects += usize::from(page.status.is_redirection());
                }
            }
        }
    }
    redirects
}

#[tokio::test]
async fn on_the_login_host_every_way_leads_to_us_or_the_provider() {
    let scene = Scene::patient().await;
    let provider = Url::parse(scene.provider.issuer()).unwrap().origin().ascii_serialization();
    let allowed = [scene.origin.clone(), provider];
    let redirects = sweep(&scene.browser(), &scene.origin, &allowed, &queries()).await;
    assert!(redirects > 300, "{redirects}");
    // Someone who is signed in is led on by a start.
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let queries = queries();
    for query in &queries {
        for path in ["/auth/oidc/login", "/auth/login", "/auth/account", "/auth/handover"] {
            let url = scene.url(&format!("{path}?{query}"));
            for headers in HEADERS {
                leads_nowhere_else(&browser.get_as(&url, headers).await, &url, &allowed[..1], &format!("{headers:?}"));
            }
        }
    }
    assert!(browser.is_signed_in(&scene).await, "WB-01, WB-02: nobody was signed out");
}

#[tokio::test]
async fn with_applications_every_way_leads_to_us_to_them_or_to_the_provider() {
    let scene = rig::scene().await;
    let provider = Url::parse(scene.provider.issuer()).unwrap().origin().ascii_serialization();
    let port = scene.address.port();
    let wiki = format!("http://{WIKI}:{port}");
    let allowed = [scene.origin.clone(), provider, wiki.clone(), format!("http://{}:{port}", rig::BOARD)];
    let some: Vec<_> = queries().into_iter().step_by(3).collect();
    let browser = scene.browser();
    let redirects = sweep(&browser, &wiki, &allowed, &some).await;
    assert!(redirects > 50, "{redirects}");
    sweep(&browser, &scene.origin, &allowed, &some[..2]).await;
}

/// The framework answers a form post to a server function by a redirect to its `Referer`, with an error in the query. Ours
/// are refused before it sees them unless they come from our own pages, and whatever it says leads nowhere (WB-03).
#[tokio::test]
async fn a_server_function_is_for_our_own_pages_and_redirects_nobody() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let evil = "https://evil.example";
    let (longer, upper) = (format!("{}.evil.example", scene.origin), scene.origin.to_uppercase());
    let own = scene.origin.as_str();
    let own_referer = scene.url("/auth/oidc/callback?state=x");
    let url = scene.url("/auth/api/complete-sign-in");
    for origin in [None, Some(own), Some("null"), Some(evil), Some(&*longer), Some(&*upper), Some("")] {
        for site in [None, Some("same-origin"), Some("same-site"), Some("cross-site"), Some("none")] {
            for accept in [None, Some("text/html,*/*"), Some("application/json")] {
                for referer in [None, Some("https://evil.example/from?x=1"), Some(&*own_referer)] {
                    for (kind, body) in [
                        ("application/x-www-form-urlencoded", "query=state%3Dx"),
                        ("application/x-www-form-urlencoded", "nothing=here"),
                        ("application/json", "{\"query\":\"state=x\"}"),
                        ("text/plain", "query=state%3Dx"),
                    ] {
                        let mut headers = vec![("content-type", kind)];
                        headers.extend(origin.map(|origin| ("origin", origin)));
                        headers.extend(site.map(|site| ("sec-fetch-site", site)));
                        headers.extend(accept.map(|accept| ("accept", accept)));
                        headers.extend(referer.map(|referer| ("referer", referer)));
                        let page = browser.request(Method::POST, &url, &headers, Some(body.to_owned())).await;
                        let from_us = match site {
                            None => origin == Some(own),
                            Some("same-origin") => matches!(origin, None | Some("null")) || origin == Some(own),
                            Some(_) => false,
                        };
                        let refused = page.data("code") == Some("cross_site");
                        assert_eq!(refused, !from_us, "{headers:?}: {page:#?}");
                        assert!(!page.headers.contains_key("location"), "{headers:?}: {page:#?}");
                        assert!(!page.headers.contains_key("refresh") && !page.body.contains(EVIL), "{headers:?}");
                        assert!(!page.status.is_redirection() && !page.status.is_server_error(), "{headers:?}");
                    }
                }
            }
        }
    }
    // WB-06: none but that one answers, and by POST alone.
    for path in ["/auth/api/", "/auth/api/none", "/auth/api/complete-sign-in/x", "/auth/api/complete-sign-in123"] {
        let page = browser.post(&scene.url(path), "query=x").await;
        assert!(page.status.is_client_error() && !page.headers.contains_key("location"), "{path}: {page:#?}");
    }
    assert_eq!(browser.get(&url).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// WB-01, WB-15.
#[tokio::test]
async fn other_methods_are_refused_and_no_header_makes_one_of_another() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let strange = Method::from_bytes(b"PROPFIND").unwrap();
    for path in ["/auth/login", "/auth/logout", "/auth/account", "/auth/oidc/login", "/auth/oidc/callback", "/healthz"]
    {
        for method in [Method::TRACE, Method::PUT, Method::DELETE, Method::PATCH, strange.clone()] {
            let headers = [("sec-fetch-site", "same-origin")];
            let page = browser.request(method.clone(), &scene.url(path), &headers, None).await;
            assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {page:#?}");
        }
    }
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let page = browser.get_as(&scene.url("/auth/logout?_method=POST"), &[(name, "POST")]).await;
        assert!(page.status == StatusCode::OK && !page.headers.contains_key("set-cookie"), "it only asks: {page:#?}");
    }
    assert!(browser.is_signed_in(&scene).await);
}
