//! What is kept of a sign-in.

use test_provider::Endpoint;

use crate::support::{
    page::query,
    scene::{CLIENT_SECRET, Scene},
};

/// TK-26, SE-02, DB-08: the provider gives a refresh token that nobody asked for, and tokens of 64 kB.
#[tokio::test]
async fn what_is_not_needed_is_not_kept() {
    let scene = Scene::patient().await;
    scene.provider.log_in_as("incident");
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    assert!(browser.get(&callback).await.sets_session());
    assert!(browser.is_signed_in(&scene).await);
    let stored = scene.dump().await;
    assert!(stored.contains("incident"), "the person is stored: {}", stored.len());
    let code = query(&callback).split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap();
    let userinfo = scene.provider.requests_to(Endpoint::Userinfo).remove(0);
    let access_token = userinfo.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    let session = browser.cookie(&scene, "vestibule").unwrap();
    let sent = scene.provider.requests_to(Endpoint::Token).remove(0);
    let verifier = &sent.form.iter().find(|(name, _)| name == "code_verifier").unwrap().1;
    for (what, secret) in [
        ("code", code),
        ("access token", &access_token[..60]),
        ("session", &session),
        ("verifier", verifier),
        ("client secret", CLIENT_SECRET),
        ("refresh token", "authelia_rt_"),
        ("a JWT", "eyJ"),
    ] {
        assert!(!stored.contains(secret), "{what} is in the database");
    }
}
