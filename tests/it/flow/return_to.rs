//! Where a person lands, as proxies, applications and bookmarks say it.

use reqwest::{Method, StatusCode};

use crate::support::{page::MOST_HEADER_BYTES, port::Port, process::Nginx, scene::Scene};

/// The budget of the redirects that carry a `return_to`.
const MOST_WITH_A_RETURN_TO: usize = 3_072;

#[tokio::test]
async fn the_longest_return_to_fits_every_redirect() {
    let scene = Scene::patient().await;
    for path in [format!("/{}", "x".repeat(999)), format!("/a?{}", "%C3%BC=1&b=".repeat(90) + "1234567")] {
        assert_eq!(path.len(), 1_000);
        let browser = scene.browser();
        let small = |page: &crate::support::page::Page| {
            assert!(page.header_bytes() < MOST_WITH_A_RETURN_TO, "{} {page:#?}", page.header_bytes());
        };
        let hint = format!("login_hint={}", "%C3%BC".repeat(33));
        let hinted = browser.get(&scene.url(&format!("/auth/oidc/login?{hint}&return_to={path}"))).await;
        small(&hinted);
        assert!(hinted.location().contains(&hint), "the longest hint is passed on");
        let encoded: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        let iss: String = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect();
        let form = format!("iss={iss}&{hint}&target_link_uri={encoded}");
        let posted = browser.request(Method::POST, &scene.url("/auth/oidc/login"), &[], Some(form)).await;
        small(&posted);
        assert!(posted.location().contains(&hint));
        let start = browser.get(&scene.url(&format!("/auth/oidc/login?return_to={path}"))).await;
        small(&start);
        let callback = browser.get(start.location()).await.location().to_owned();
        // In a browser that has no cookie, and then in one whose key is another.
        let elsewhere = scene.browser();
        let look = elsewhere.get(&callback).await;
        small(&look);
        assert!(!look.location().contains("code="), "the code leaves the address");
        let restart = elsewhere.get(&scene.url(look.location())).await;
        small(&restart);
        assert!(restart.location().starts_with(scene.provider.issuer()));
        let done = browser.get(&callback).await;
        small(&done);
        assert_eq!(done.location(), path);
        let account = browser.get(&scene.url("/auth/account")).await;
        assert!(account.status == StatusCode::OK && account.header_bytes() < MOST_HEADER_BYTES);
    }
}

#[tokio::test]
async fn a_person_lands_where_they_wanted_to_go_or_at_home() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let origin = scene.origin.clone();
    let upper = origin.to_ascii_uppercase();
    for (query, landed) in [
        ("return_to=/shop/item?id=7&colour=red".to_owned(), "/shop/item?id=7&colour=red"),
        (
            "provider=op&return_to=/shop?id=7&provider=acme&prompt=login".to_owned(),
            "/shop?id=7&provider=acme&prompt=login",
        ),
        ("return_to=%2Fshop%3Fid%3D7%26colour%3Dred&provider=op".to_owned(), "/shop?id=7&colour=red"),
        (format!("return_to={origin}/shop?id=7&colour=red"), "/shop?id=7&colour=red"),
        (format!("return_to={upper}/x"), "/x"),
        ("return_to=/a%3Fb%3D%0A%5C%09".to_owned(), "/a?b=%0A%5C%09"),
        ("return_to=/a?b=%0A%5C%09+%2B%zz;c".to_owned(), "/a?b=%0A%5C%09+%2B%zz;c"),
        ("return_to=/caf%E9".to_owned(), "/caf%E9"),
        ("return_to=/auth/account/".to_owned(), "/auth/account/"),
        ("return_to=%2F%2Fevil.example".to_owned(), "/"),
        ("return_to=/%09/evil.example".to_owned(), "/"),
        ("return_to=/%5Cevil.example".to_owned(), "/"),
        ("return_to=/\\evil.example?a=b&c=d".to_owned(), "/"),
        ("return_to=//evil.example?a=b&c=d".to_owned(), "/"),
        ("return_to=https://evil.example/?a=b&c=d".to_owned(), "/"),
        (format!("return_to={origin}@evil.example/"), "/"),
        (format!("return_to={}/x", origin.replace("http", "https")), "/"),
        ("return_to[]=/a".to_owned(), "/"),
        ("return_to=%252Fa".to_owned(), "/"),
        ("return_to=/auth/logout?a=b&c=d".to_owned(), "/"),
        ("return_to=/a&return_to=/b".to_owned(), "/a"),
    ] {
        let page = browser.get(&scene.url(&format!("/auth/oidc/login?again=1&{query}"))).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, landed), "{query}");
    }
}

/// The configuration that docs/return-to.md gives, word for word but for the two upstreams.
#[tokio::test]
async fn nginx_hands_it_over_as_the_page_of_documentation_says() {
    const PAGE: &str = include_str!("../../../docs/return-to.md");
    let documented = PAGE.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
    let (folder, port, application) = (tempfile::tempdir().unwrap(), Port::reserve(), Port::reserve());
    let scene = Scene::behind(port.address, |settings| {
        settings.sign_in.patience = std::time::Duration::from_secs(20);
    });
    let scene = scene.await;
    let configuration = documented
        .replace("http://127.0.0.1:3000", "http://vestibule")
        .replace("127.0.0.1:8080", &application.address.to_string())
        .replace("location / {", "location /shop {");
    // The application: it knows nobody, and says so.
    let app = axum::Router::new().fallback(async || StatusCode::UNAUTHORIZED);
    let listener = tokio::net::TcpListener::bind(application.address).await.unwrap();
    let app = tokio::spawn(async move { axum::serve(listener, app).await });
    let servers = format!("server {};", scene.address);
    let _nginx = Nginx::configured(folder.path(), port.address, &servers, &configuration).await;
    for asked in [
        "/shop/item?id=7&colour=red",
        "/shop/item?id=7&provider=acme&again=1",
        "/shop/a%20b/%C3%BC",
        "/shop/a%2Fb?x=%2F&y=a%26b%0A%5C+c",
        "/shop?q",
    ] {
        let browser = scene.browser();
        let refused = browser.get(&scene.url(asked)).await;
        assert_eq!(refused.status, StatusCode::SEE_OTHER, "{refused:#?}");
        let url = reqwest::Url::parse(&scene.origin).unwrap().join(refused.location()).unwrap();
        assert_eq!(browser.follow(&scene, url.as_str()).await.unwrap_err(), asked);
    }
    app.abort();
}
