//! A login that a third party initiates (OpenID Connect Core 4): `iss`, `login_hint`, `target_link_uri`, by GET or POST.
//! And what else may stand in the address of a start.

use reqwest::{Method, StatusCode, Url};

use crate::support::{browser::Browser, page::Page, scene::Scene};

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The values of a parameter in the address of an authorization request.
fn values(location: &str, name: &str) -> Vec<String> {
    let url = Url::parse(location).unwrap();
    url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}

async fn start(scene: &Scene, browser: &Browser, query: &str) -> Page {
    browser.get(&scene.url(&format!("/auth/oidc/login?{query}"))).await
}

/// Follows from the redirect to the provider to where the person lands.
async fn lands(scene: &Scene, browser: &Browser, to_the_provider: &Page) -> String {
    let callback = browser.get(to_the_provider.location()).await.location().to_owned();
    browser.follow(scene, &callback).await.unwrap_err()
}

/// CT-38, AR-20.
#[tokio::test]
async fn iss_chooses_the_provider_and_the_hint_reaches_it() {
    let scene =
        Scene::beside_a_neighbour(|settings| settings.sign_in.patience = std::time::Duration::from_secs(20)).await;
    for provider in [&scene.provider, scene.neighbour.as_ref().unwrap()] {
        let browser = scene.browser();
        let iss = encoded(provider.issuer());
        let target = encoded(&scene.url("/reports?year=2026&x=1"));
        let query = format!("iss={iss}&login_hint=ada%40example.com&target_link_uri={target}&return_to=/other");
        let page = start(&scene, &browser, &query).await;
        assert!(page.location().starts_with(provider.issuer()), "{page:#?}");
        assert_eq!(values(page.location(), "login_hint"), ["ada@example.com"]);
        assert_eq!(lands(&scene, &browser, &page).await, "/reports?year=2026&x=1");
    }
    // Without a target: home. One that is not ours: as with `return_to`.
    for target in ["", "&target_link_uri=https%3A%2F%2Fevil.example%2F", "&target_link_uri=%2F%2Fevil.example"] {
        let browser = scene.browser();
        let page = start(&scene, &browser, &format!("iss={}{target}", encoded(scene.provider.issuer()))).await;
        assert_eq!(lands(&scene, &browser, &page).await, "/", "{target}");
    }
    // It has no meaning without `iss`.
    let browser = scene.browser();
    let page = start(&scene, &browser, "provider=op&target_link_uri=/target&return_to=/asked").await;
    assert_eq!(lands(&scene, &browser, &page).await, "/asked");
}

/// AR-20.
#[tokio::test]
async fn iss_is_one_of_ours_byte_for_byte_and_there_once() {
    let scene = Scene::beside_a_neighbour(|_| {}).await;
    let ours = scene.provider.issuer().to_owned();
    let neighbour = encoded(scene.neighbour.as_ref().unwrap().issuer());
    let one = encoded(&ours);
    for (query, code) in [
        ("iss=https%3A%2F%2Fevil.example".to_owned(), "unknown_provider"),
        ("iss=".to_owned(), "unknown_provider"),
        ("iss".to_owned(), "unknown_provider"),
        (format!("iss={}", encoded(&format!("{ours}/"))), "unknown_provider"),
        (format!("iss={}", encoded(&ours.to_uppercase())), "unknown_provider"),
        (format!("iss={}", encoded(&one)), "unknown_provider"),
        (format!("iss={}", &one[..one.len() - 1]), "unknown_provider"),
        (format!("iss={one}&provider=neighbour"), "unknown_provider"),
        (format!("iss={one}&iss={one}"), "bad_request"),
        (format!("iss={one}&iss={neighbour}"), "bad_request"),
        (format!("provider=op&iss={one}&x=1&iss="), "bad_request"),
    ] {
        let browser = scene.browser();
        let page = start(&scene, &browser, &query).await;
        page.explains(code);
        assert!(!page.headers.contains_key("location") && !page.headers.contains_key("set-cookie"), "{page:#?}");
        let posted = browser.request(Method::POST, &scene.url("/auth/oidc/login"), &[], Some(query.clone())).await;
        posted.explains(code);
    }
    let page = start(&scene, &scene.browser(), &format!("iss={one}&provider=op")).await;
    assert!(page.location().starts_with(&ours), "{page:#?}");
}

/// Core 4: "via HTTP GET or POST". A cross-site post carries none of our cookies.
#[tokio::test]
async fn by_a_form_it_goes_on_as_a_get_with_the_cookies_that_the_browser_has() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let form = format!(
        "iss={}&login_hint=ada%40example.com&target_link_uri=%2Freports%3Fa%3Db&again=1&prompt=none&scope=admin",
        encoded(scene.provider.issuer())
    );
    let headers = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ];
    let url = scene.url("/auth/oidc/login?return_to=/in-the-query&provider=other");
    let posted = scene.browser().request(Method::POST, &url, &headers, Some(form)).await;
    assert_eq!(posted.status, StatusCode::SEE_OTHER, "AR-17: {posted:#?}");
    let path = "/auth/oidc/login?provider=op&return_to=/reports%3Fa%3Db&login_hint=ada%40example.com";
    assert_eq!(posted.location(), path);
    assert!(!posted.headers.contains_key("set-cookie"), "{posted:#?}");
    let page = browser.get(&scene.url(path)).await;
    assert_eq!(values(page.location(), "login_hint"), ["ada@example.com"]);
    assert_eq!(lands(&scene, &browser, &page).await, "/reports?a=b");

    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "login_hint=ada"),
        ("application/x-www-form-urlencoded", ""),
        ("application/json", "{}"),
        ("text/plain", "iss=x"),
    ] {
        let headers = [("content-type", content_type)];
        let page = scene.browser().request(Method::POST, &url, &headers, Some(body.to_owned())).await;
        page.explains("bad_request");
    }
}

/// A browser that has a key keeps it (design 2): the attempt that it has begun elsewhere still ends well.
#[tokio::test]
async fn the_browser_key_is_not_made_anew_by_a_login_that_is_initiated() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let earlier = browser.callback_url(&scene, "/earlier").await;
    let form = format!("iss={}", encoded(scene.provider.issuer()));
    let posted = scene.browser().request(Method::POST, &scene.url("/auth/oidc/login"), &[], Some(form)).await;
    let page = browser.get(&scene.url(posted.location())).await;
    assert!(!page.headers.contains_key("set-cookie"), "{page:#?}");
    assert_eq!(browser.get(&earlier).await.location(), "/earlier");
}

/// AR-07, AR-22: nothing of a start's query reaches the provider but a short and printable `login_hint`.
#[tokio::test]
async fn nothing_is_passed_through_but_the_hint() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let hostile = "scope=admin&request_uri=https%3A%2F%2Fevil.example&request=x&redirect_uri=https%3A%2F%2Fevil.example\
        &client_id=evil&response_type=token&response_mode=fragment&state=fixed&nonce=fixed&code_challenge=x\
        &code_challenge_method=plain&prompt=none&max_age=0&acr_values=0&ui_locales=xx&claims=%7B%7D&id_token_hint=x\
        &display=popup&txn=1&session=1";
    let page = start(&scene, &browser, &format!("{hostile}&login_hint=ada%40example.com&login_hint=eve")).await;
    let url = Url::parse(page.location()).unwrap();
    let mut names: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    names.sort_unstable();
    let expected = [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "login_hint",
        "nonce",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    ];
    assert_eq!(names, expected);
    assert!(!page.location().contains("evil") && !page.location().contains("fixed"), "{}", page.location());
    assert_eq!(values(page.location(), "login_hint"), ["ada@example.com"], "the first counts");

    for (hint, passed) in [
        ("J%C3%BCrgen+M%C3%BCller", Some("Jürgen Müller")),
        ("%2B49%20170", Some("+49 170")),
        ("a%26prompt%3Dnone", Some("a&prompt=none")),
        (&"a".repeat(200), Some(&*"a".repeat(200))),
        (&"a".repeat(201), None),
        (&"%C3%BC".repeat(34), None),
        ("a%0d%0ab", None),
        ("a%00", None),
        ("a%e2%80%aeb", None),
        ("", None),
    ] {
        let page = start(&scene, &browser, &format!("login_hint={hint}&return_to=/a")).await;
        assert_eq!(values(page.location(), "login_hint"), passed.into_iter().collect::<Vec<_>>(), "{hint}");
        assert!(page.header_bytes() < crate::support::page::MOST_HEADER_BYTES + 400, "{}", page.header_bytes());
    }
}
