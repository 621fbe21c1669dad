//! What a start sends to the provider, and what it takes from whoever links to it (matrix group C).

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{StatusCode, Url};

use crate::support::{page::Page, scene::Scene};

fn parameters(location: &str) -> BTreeMap<String, String> {
    let pairs: Vec<_> = Url::parse(location).unwrap().query_pairs().into_owned().collect();
    let parameters: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(parameters.len(), pairs.len(), "a parameter is there twice: {location}");
    parameters
}

fn url_safe(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

/// AR-01, AR-02, AR-03, AR-07, AR-17, AR-18
#[tokio::test]
async fn each_start_has_secrets_of_its_own() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let mut seen = BTreeSet::new();
    let start = "/auth/oidc/login?again=1&return_to=/secret-page&scope=admin&request_uri=https://evil.example&state=fixed\
                 &nonce=fixed&redirect_uri=https://evil.example/&response_type=token&client_id=evil&code_challenge_method=plain";
    for _ in 0..20 {
        let page = browser.get(&scene.url(start)).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "never one that posts again");
        assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
        let sent = parameters(page.location());
        let names: Vec<_> = sent.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "client_id",
                "code_challenge",
                "code_challenge_method",
                "nonce",
                "redirect_uri",
                "response_type",
                "scope",
                "state"
            ]
        );
        assert_eq!((&*sent["response_type"], &*sent["code_challenge_method"]), ("code", "S256"));
        assert_eq!(sent["redirect_uri"], scene.url("/auth/oidc/callback"));
        assert!(!page.location().contains("evil") && !page.location().contains("secret-page"), "{}", page.location());
        // 128 bits and more, in characters that no server alters.
        assert!((22..=43).contains(&sent["nonce"].len()) && url_safe(&sent["nonce"]), "{}", sent["nonce"]);
        assert!(sent["state"].len() >= 43 && url_safe(&sent["state"]), "{}", sent["state"]);
        assert_eq!(sent["code_challenge"].len(), 43);
        for secret in ["state", "nonce", "code_challenge"] {
            assert!(seen.insert(sent[secret].clone()), "{secret} a second time");
        }
    }
}

/// AR-06: at the start and at the callback, where nobody trusts the visitor.
#[tokio::test]
async fn no_header_changes_an_address_of_ours() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let lies = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "444"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "/evil"),
        ("x-rewrite-url", "/evil"),
        ("x-host", "evil.example"),
    ];
    let start = browser.get_as(&scene.url("/auth/oidc/login?return_to=/reports"), &lies).await;
    assert_eq!(parameters(start.location())["redirect_uri"], scene.url("/auth/oidc/callback"));
    let callback = browser.get(start.location()).await.location().to_owned();
    let done = browser.get_as(&callback, &lies).await;
    assert_eq!(done.location(), "/reports");
    let sent = scene.provider.requests_to(test_provider::Endpoint::Token).remove(0);
    let redirect = sent.form.iter().find(|(name, _)| name == "redirect_uri").unwrap();
    assert_eq!(redirect.1, scene.url("/auth/oidc/callback"));
}

/// AR-22: what a link brings along has no effect; only the browser that began a sign-in ends it.
#[tokio::test]
async fn a_link_brings_no_sign_in_along() {
    let scene = Scene::patient().await;
    let attacker = scene.browser();
    attacker.sign_in(&scene).await;
    let session = attacker.cookie(&scene, "vestibule").unwrap();
    let state = parameters(&scene.browser().start(&scene, "/attacker").await).remove("state");
    let own = scene.browser();
    let clean = |page: &Page| assert!(!page.sets_session(), "{page:#?}");
    for name in ["state", "txn", "session", "sid", "vestibule", "vestibule-flow", "code"] {
        for value in [Some(&session), state.as_ref()].into_iter().flatten() {
            let page = own.get(&scene.url(&format!("/auth/oidc/login?again=1&{name}={value}"))).await;
            clean(&page);
            if let Some(state) = &state {
                assert!(!page.location().contains(state.as_str()), "{name}");
            }
            clean(&own.get(&scene.url(&format!("/auth/login?{name}={value}"))).await);
            assert!(!own.is_signed_in(&scene).await, "{name}");
        }
    }
}
