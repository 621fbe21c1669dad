//! What comes back from the provider's site, in the person's browser and in an attacker's (matrix group D).

use std::net::Ipv4Addr;

use reqwest::{Method, StatusCode, Url};
use test_provider::{Behaviour, CallbackEdit, Grant, Rule};

use crate::support::{
    page::query,
    scene::{CLIENT_ID, Scene},
    wire::Wire,
};

/// What a page holds of the state of a start, and what the provider was told.
async fn begun(scene: &Scene, browser: &crate::support::browser::Browser) -> (String, String) {
    let start = Url::parse(&browser.start(scene, "/reports").await).unwrap();
    let told = |name: &str| start.query_pairs().find(|(this, _)| this == name).unwrap().1.into_owned();
    (told("state"), told("code_challenge"))
}

fn grant(scene: &Scene, nonce: &str, challenge: &str) -> Grant {
    Grant {
        client_id: CLIENT_ID.into(),
        redirect_uri: scene.url("/auth/oidc/callback"),
        username: "bob".into(),
        scope: "openid profile email".into(),
        nonce: Some(nonce.into()),
        challenge: Some(challenge.into()),
        signed_in_at: vestibule::server::clock::System::real().now(),
    }
}

/// CB-28, CB-29, ID-45, ID-46, ID-67: the victim's code, in the attacker's own sign-in.
#[tokio::test]
async fn a_code_of_another_sign_in_signs_nobody_in() {
    let scene = Scene::patient().await;
    for (pkce_is_checked, code) in [(true, "code_refused"), (false, "id_token_invalid")] {
        let attacker = scene.browser();
        let (state, challenge) = begun(&scene, &attacker).await;
        let challenge = if pkce_is_checked { "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" } else { &challenge };
        let stolen = format!("stolen-{code}");
        scene.provider.issue_code(&stolen, grant(&scene, "the nonce of the victim", challenge));
        let issuer: String = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect();
        let url = scene.url(&format!("/auth/oidc/callback?code={stolen}&state={state}&iss={issuer}"));
        attacker.follow(&scene, &url).await.unwrap().explains(code);
        assert!(!attacker.is_signed_in(&scene).await);
    }
    assert_eq!((scene.count("users").await, scene.count("login_sessions").await), (0, 0));
}

/// CB-30, CB-32
#[tokio::test]
async fn what_comes_beside_a_code_is_ignored() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    let more = "id_token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJldmlsIn0.&access_token=front-channel-token&token_type=Bearer\
                &session_state=a.b&foo=1&bar[]=2&state[$ne]=1&STATE=x&scope=openid";
    let done = browser.get(&format!("{callback}&{more}")).await;
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert!(done.sets_session());
    assert!(browser.get(&scene.url("/auth/account")).await.body.contains("Alice Example"));
    let stored = scene.dump().await;
    assert!(!stored.contains("front-channel-token") && !stored.contains("eyJhbGciOiJub25lIn0"));
}

/// CB-17, CB-19, WB-12
#[tokio::test]
async fn the_words_of_an_error_never_become_part_of_a_page() {
    let scene = Scene::patient().await;
    let words = [
        "<script>alert(1)</script>".to_owned(),
        "\"><img src=x onerror=alert(1)>".to_owned(),
        "</title></main><h1>MARKED".to_owned(),
        "MARKED \u{202e}evil\u{2066}".to_owned(),
        format!("MARKED{}", "x".repeat(5_000)),
        "javascript:alert(1)".to_owned(),
    ];
    for word in words {
        let browser = scene.browser();
        let (state, _) = begun(&scene, &browser).await;
        let mut url = Url::parse(&scene.url("/auth/oidc/callback")).unwrap();
        url.query_pairs_mut().extend_pairs([
            ("error", "access_denied"),
            ("error_description", &word),
            ("error_uri", "javascript:alert(1)"),
            ("state", &state),
            ("iss", scene.provider.issuer()),
        ]);
        let page = browser.follow(&scene, url.as_str()).await.unwrap();
        page.explains("access_denied");
        for mark in ["alert(1)", "MARKED", "onerror", "\u{202e}", "javascript:", "xxxxx"] {
            assert!(!page.body.contains(mark), "{word:.60}: {}", page.body);
        }
    }
}

/// CT-23
#[tokio::test]
async fn an_error_by_a_form_post_is_explained() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let edit = CallbackEdit::Error { code: "login_required".into(), description: None };
    scene.provider.behave(Rule::once(Behaviour::Callback(edit)));
    let callback = browser.callback_url(&scene, "/").await;
    let (url, form) = callback.split_once('?').unwrap();
    let page = scene.browser().request(Method::POST, url, &[("sec-fetch-site", "cross-site")], Some(form.into())).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
    let page = browser.follow(&scene, &scene.url(page.location())).await.unwrap();
    page.explains("provider_interaction");
    assert_eq!(scene.redeemed(), 0);
}

/// AR-04, CB-10: in the browser that began it, and by no clock but ours.
#[tokio::test]
async fn an_answer_is_taken_for_ten_minutes() {
    let scene = Scene::patient().await;
    for (seconds, in_time) in [(9 * 60 + 50, true), (10 * 60 + 10, false)] {
        let browser = scene.browser();
        let (state, challenge) = begun(&scene, &browser).await;
        scene.later(seconds);
        let code = format!("code-{seconds}");
        scene.provider.issue_code(&code, grant(&scene, "whatever", &challenge));
        let issuer: String = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect();
        let url = scene.url(&format!("/auth/oidc/callback?code={code}&state={state}&iss={issuer}"));
        let before = scene.redeemed();
        let page = browser.follow(&scene, &url).await.unwrap();
        // In time it is sent, and fails by its nonce.
        page.explains(if in_time { "id_token_invalid" } else { "attempt_expired" });
        assert_eq!(scene.redeemed() - before, usize::from(in_time));
    }
}

/// CB-38
#[tokio::test]
async fn codes_have_a_length() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    scene.provider.behave(Rule::once(Behaviour::Callback(CallbackEdit::LongCode(4_096))));
    let callback = browser.callback_url(&scene, "/reports").await;
    assert_eq!(browser.get(&callback).await.location(), "/reports");
    let redeemed = scene.redeemed();
    for length in [7_000, 20_000, 64 * 1024, 1024 * 1024] {
        let browser = scene.browser();
        let (state, _) = begun(&scene, &browser).await;
        let path = format!("/auth/oidc/callback?state={state}&code={}", "c".repeat(length));
        if length < 64 * 1024 {
            let page = browser.follow(&scene, &scene.url(&path)).await.unwrap();
            assert!(page.status.is_client_error() && page.body.contains("<h1"), "{length}: {}", page.status);
        } else {
            // More than a browser's library would send.
            let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", scene.address);
            let said = Wire::open(Ipv4Addr::LOCALHOST, scene.address).await.says(request.as_bytes()).await;
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{length}: {said:.40}");
        }
    }
    assert_eq!(scene.redeemed(), redeemed);
}

/// CB-44, CB-49, SE-22
#[tokio::test]
async fn every_answer_of_the_callback_keeps_to_itself() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    let success = browser.get(&callback).await;
    assert!(success.sets_session());
    let redirected = scene.browser().get(&callback).await;
    let explained = browser.get(&scene.url("/auth/oidc/callback?state=unknown")).await;
    explained.explains("state_invalid");
    for page in [&success, &redirected, &explained] {
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-frame-options"), "DENY");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let referrer = if page.status.is_redirection() { "no-referrer" } else { "same-origin" };
        assert_eq!(page.header("referrer-policy"), referrer);
        assert!(page.status.is_redirection() || !page.body.contains("http://") && !page.body.contains("https://"));
    }
}

/// CB-48
#[tokio::test]
async fn what_is_no_http_harms_nobody() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    let path = format!("/auth/oidc/callback?{}", query(&callback));
    for garbage in [
        "\u{16}\u{3}\u{1}\0\u{ff}no HTTP\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!("GET {path}\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(600_000)),
        "POST /auth/oidc/callback HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef"
            .to_owned(),
        "POST /auth/oidc/callback HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
    ] {
        let said = Wire::open(Ipv4Addr::LOCALHOST, scene.address).await.says(garbage.as_bytes()).await;
        let refused = ["HTTP/1.1 4", "HTTP/1.0 4"].iter().any(|start| said.starts_with(start));
        assert!(said.is_empty() || refused, "{garbage:.60}: {said}");
    }
    assert_eq!(scene.redeemed(), 0);
    assert_eq!(browser.get(&callback).await.location(), "/reports", "the sign-in itself still succeeds");
}
