//! What the operator asks of the provider with each sign-in, and what comes of it where the provider does not do it.

use std::time::Duration;

use reqwest::StatusCode;
use test_provider::{Behaviour, Edit, JwtEdit, Profile, Rule};
use vestibule::server::settings::Settings;

use crate::support::scene::Scene;

fn strong(settings: &mut Settings) {
    settings.sign_in.patience = Duration::from_secs(20);
    settings.providers[0].request.acr_values = vec!["phr".to_owned(), "mfa".to_owned()];
}

fn acr(value: &str) -> Behaviour {
    Behaviour::IdToken(JwtEdit::claims(Edit::set("acr", value)))
}

/// ID-56: the person learns that another way in is wanted, and the button lets the provider ask.
#[tokio::test]
async fn whoever_signs_in_too_weakly_is_told_to_take_another_way() {
    let scene = Scene::with(Profile::Standard, strong).await;
    let browser = scene.browser();
    scene.provider.behave(Rule::once(acr("pwd")));
    let callback = browser.callback_url(&scene, "/reports").await;
    for _ in 0..2 {
        let page = browser.follow(&scene, &callback).await.unwrap();
        page.explains("authentication_too_weak");
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(page.button(), "/auth/oidc/login?provider=op&return_to=/reports&prompt=login&again=1");
    }
    assert_eq!(scene.count("users").await, 0);
    scene.provider.behave(Rule::once(acr("mfa")));
    let start = browser.get(&scene.url("/auth/oidc/login?provider=op&return_to=/reports&prompt=login&again=1")).await;
    assert!(start.location().contains("&prompt=login&acr_values=phr+mfa"), "{}", start.location());
    let callback = browser.get(start.location()).await.location().to_owned();
    assert_eq!(browser.follow(&scene, &callback).await.unwrap_err(), "/reports");
}

/// AR-21: an attempt is judged by what it was asked, and one from before a change begins anew.
#[tokio::test]
async fn settings_that_change_in_the_middle_judge_nobody_by_what_was_not_asked() {
    let mut scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    scene.kill().await;
    scene.set_tweak(strong);
    scene.start().await;
    browser.follow(&scene, &callback).await.unwrap().explains("state_invalid");
    assert_eq!(scene.redeemed(), 0);
    // What is not checked later changes nothing.
    scene.kill().await;
    scene.set_tweak(|settings| settings.sign_in.patience = Duration::from_secs(20));
    scene.start().await;
    let callback = browser.callback_url(&scene, "/a").await;
    scene.kill().await;
    scene.set_tweak(|settings| {
        settings.sign_in.patience = Duration::from_secs(20);
        settings.providers[0].request.ui_locales = vec!["de".to_owned()];
        settings.providers[0].request.prompt = vec!["consent".to_owned()];
    });
    scene.start().await;
    assert_eq!(browser.follow(&scene, &callback).await.unwrap_err(), "/a");
}
