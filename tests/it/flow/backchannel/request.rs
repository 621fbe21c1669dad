//! How the token comes.

use reqwest::{Method, StatusCode};

use super::{ENDPOINT, form, is_done, is_refused, post, says, signs_in, token};
use crate::support::{browser::Browser, page::Page, scene::Scene};

async fn sends(scene: &Scene, method: Method, media_type: &str, path: &str, body: String) -> Page {
    #[allow(clippy::disallowed_methods)]
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let response = client.request(method, scene.url(path)).header("content-type", media_type).body(body).send().await;
    let response = response.unwrap();
    Page { status: response.status(), headers: response.headers().clone(), body: response.text().await.unwrap() }
}

/// BC-20, BC-21, BC-22.
#[tokio::test]
async fn a_form_with_one_token() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let scene = Scene::patient().await;
    let browser = signs_in(&scene, "alice", None).await;
    let right = token(&scene, &[]);
    let form = form(&right);
    let json = serde_json::json!({ "logout_token": right }).to_string();
    let multipart = format!("--x\r\ncontent-disposition: form-data; name=\"logout_token\"\r\n\r\n{right}\r\n--x--\r\n");
    let in_query = format!("{ENDPOINT}?{form}");
    let (bad, large, other) =
        (StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for (what, media_type, path, body, status) in [
        ("two", FORM, ENDPOINT, format!("{form}&{form}"), bad),
        ("a second that is empty", FORM, ENDPOINT, format!("{form}&logout_token="), bad),
        ("none", FORM, ENDPOINT, String::new(), bad),
        ("empty", FORM, ENDPOINT, "logout_token=".to_owned(), bad),
        ("another name", FORM, ENDPOINT, format!("Logout_Token={right}"), bad),
        ("in the query", FORM, &in_query, String::new(), bad),
        ("not UTF-8", FORM, ENDPOINT, "logout_token=%ff%fe".to_owned(), bad),
        ("JSON", "application/json", ENDPOINT, json, other),
        ("multipart", "multipart/form-data; boundary=x", ENDPOINT, multipart, other),
        ("no media type", "", ENDPOINT, form.clone(), other),
        ("text", "text/plain", ENDPOINT, form.clone(), other),
    ] {
        let page = sends(&scene, Method::POST, media_type, path, body).await;
        assert_eq!(page.status, status, "{what}: {page:#?}");
        says(&page, "invalid_request", what);
    }
    let page = sends(&scene, Method::POST, FORM, ENDPOINT, format!("logout_token={}", "x".repeat(20_000))).await;
    assert_eq!(page.status, large, "{page:#?}");
    says(&page, "invalid_request", "20 kB");
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
        let page = sends(&scene, method.clone(), FORM, &in_query, form.clone()).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method}: {page:#?}");
    }
    assert!(browser.is_signed_in(&scene).await);
    let with_charset = format!("{FORM}; charset=UTF-8");
    let page =
        sends(&scene, Method::POST, &with_charset, ENDPOINT, format!("ignored_parameter=1&{form}&logout_tokens=2"))
            .await;
    is_done(&page, "other parameters are ignored");
    assert!(!browser.is_signed_in(&scene).await);
}

/// BC-23, BC-24: the cookies of the request say nothing.
#[tokio::test]
async fn the_cookies_of_the_request_play_no_part() {
    let scene = Scene::patient().await;
    let (alice, bob) = (signs_in(&scene, "alice", None).await, signs_in(&scene, "bob", None).await);
    let cross_site = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let page = alice.request(Method::POST, &scene.url(ENDPOINT), &cross_site, Some(form("garbage"))).await;
    is_refused(&page, "garbage");
    assert!(alice.is_signed_in(&scene).await);
    // Whoever brings it.
    let page = bob.request(Method::POST, &scene.url(ENDPOINT), &cross_site, Some(form(&token(&scene, &[])))).await;
    is_done(&page, "alice's");
    assert!(!alice.is_signed_in(&scene).await && bob.is_signed_in(&scene).await);
}

/// WB-18: a thousand bad ones leave everything as it was.
#[tokio::test]
async fn a_flood_of_bad_tokens_keeps_nobody_from_anything() {
    let scene = Scene::patient().await;
    let alice = signs_in(&scene, "alice", None).await;
    let bad = token(&scene, &[test_provider::JwtEdit::signature(test_provider::SignatureFault::OtherPayload)]);
    let flood = async {
        for _ in 0..20 {
            let posts = (0..50).map(|_| async { is_refused(&post(&scene, &bad).await, "flood") });
            futures_util::future::join_all(posts).await;
        }
    };
    let (_, bob) = tokio::join!(flood, signs_in(&scene, "bob", None));
    assert!(bob.is_signed_in(&scene).await && alice.is_signed_in(&scene).await);
    assert_eq!(scene.count("seen_logout_tokens").await, 0);
    is_done(&post(&scene, &token(&scene, &[])).await, "and the right one counts");
    assert!(!alice.is_signed_in(&scene).await);
}

/// Only where people sign in: elsewhere the path is not ours to serve.
#[tokio::test]
async fn only_on_the_login_host() {
    let scene = Scene::with_applications(crate::gate::rig::applications).await;
    let host = scene.authority(crate::gate::rig::WIKI);
    let (to, form) = (format!("http://{}{ENDPOINT}", scene.address), form(&token(&scene, &[])));
    let page = Browser::default().request(Method::POST, &to, &[("host", &host)], Some(form.clone())).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND, "{page:#?}");
    let host = scene.authority(crate::support::scene::LOGIN_HOST);
    is_done(&Browser::default().request(Method::POST, &to, &[("host", &host)], Some(form)).await, "at the login host");
}
