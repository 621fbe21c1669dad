//! What one client may use up, and that others do not notice it.

use std::time::Duration;

use reqwest::StatusCode;
use vestibule::server::demo::{Endpoint, Profile, ProviderConfig, RateLimit};

use crate::support::{browser::Browser, page::Page, scene::Scene, wait::eventually};

/// The provider's answer for a start of this browser, with other parameters than the provider gave.
async fn forged(browser: &Browser, scene: &Scene, answer: &str, headers: &[(&str, &str)]) -> Page {
    let start = browser.get_as(&scene.url("/auth/oidc/login?again=1"), headers).await;
    let location = reqwest::Url::parse(start.location()).unwrap();
    let state = location.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let page = browser.get_as(&scene.url(&format!("/auth/oidc/callback?{answer}&state={state}")), headers).await;
    if page.status.is_redirection() { browser.get_as(&scene.url(page.location()), headers).await } else { page }
}

#[tokio::test]
async fn one_visitors_junk_does_not_use_up_the_providers_patience() {
    let config = ProviderConfig {
        token_delay: Duration::ZERO,
        rate_limit: Some(RateLimit::authelia()),
        ..ProviderConfig::new(Profile::Authelia)
    };
    let scene = Scene::configured(config, |settings| {
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        settings.sign_in.patience = Duration::from_secs(20);
    })
    .await;
    let vandal = scene.browser();
    vandal.get(&scene.url("/auth/oidc/login")).await;
    // As fast as possible: side by side, so that none waits for another's failure to be counted.
    let junk = futures_util::future::join_all((0..60).map(async |n| {
        let start = vandal.get_as(&scene.url("/auth/oidc/login?again=1"), &[("x-forwarded-for", "203.0.113.66")]).await;
        let location = reqwest::Url::parse(start.location()).unwrap();
        let state = location.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let issuer: String = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect();
        let junk = scene.url(&format!("/auth/oidc/callback?code=junk{n}&iss={issuer}&state={state}"));
        let page = vandal.get_as(&junk, &[("x-forwarded-for", "203.0.113.66")]).await;
        let page = vandal.get_as(&scene.url(page.location()), &[("x-forwarded-for", "203.0.113.66")]).await;
        page.data("code") == Some("too_many_failures")
    }));
    let refused = junk.await.into_iter().filter(|refused| *refused).count();
    assert!(refused >= 45, "{refused}");
    // What may fail at once and what may fail before the others wait, together.
    assert!(scene.redeemed() <= 13, "{}", scene.redeemed());
    let honest = scene.browser();
    let callback = honest.callback_url(&scene, "/").await;
    let done = honest.get_as(&callback, &[("x-forwarded-for", "198.51.100.1")]).await;
    assert!(done.sets_session(), "{done:#?}");
}

#[tokio::test]
async fn one_visitors_junk_fills_the_store_up_to_a_bound_only() {
    let scene = Scene::with(Profile::Standard, |settings| {
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        settings.sign_in.patience = Duration::from_secs(20);
    })
    .await;
    let vandal = scene.browser();
    let from = &[("x-forwarded-for", "203.0.113.66")];
    vandal.get_as(&scene.url("/auth/oidc/login"), from).await;
    let issuer: String = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect();
    let most = usize::try_from(vestibule::server::sign_in::visitor::MOST_RECORDED).unwrap();
    for n in 0..most + 40 {
        let (answer, codes): (String, &[&str]) = match n % 4 {
            0 => (format!("error=access_denied&iss={issuer}"), &["access_denied"]),
            1 => (format!("code=x{n}&iss=https%3A%2F%2Fevil.example"), &["issuer_mismatch", "too_many_failures"]),
            2 => ("code=a&code=b".to_owned(), &["answer_malformed"]),
            _ => (format!("code=x{n}&iss={issuer}"), &["code_refused", "too_many_failures"]),
        };
        let page = forged(&vandal, &scene, &answer, from).await;
        assert!(page.data("code").is_some_and(|code| codes.contains(&code)), "{answer}: {page:#?}");
    }
    let stored = usize::try_from(scene.count("login_attempts").await).unwrap();
    assert!(stored <= most, "{stored} documents");
    assert!(scene.redeemed() <= 5, "{}", scene.redeemed());
    // Somebody else is not concerned; nor is somebody honest behind the same address kept from an answer.
    let honest = scene.browser();
    let callback = honest.callback_url(&scene, "/").await;
    assert!(honest.get_as(&callback, &[("x-forwarded-for", "198.51.100.1")]).await.sets_session());
}

#[tokio::test]
async fn many_refusals_at_the_provider_keep_nobody_behind_the_same_address_out() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let issuer: String = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect();
    for _ in 0..80 {
        let page = forged(&browser, &scene, &format!("error=access_denied&iss={issuer}"), &[]).await;
        page.explains("access_denied");
    }
    browser.sign_in(&scene).await;
}

#[tokio::test]
async fn starting_costs_the_store_nothing() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    for _ in 0..300 {
        browser.start(&scene, "/a").await;
    }
    assert_eq!(scene.count("login_attempts").await + scene.count("login_sessions").await, 0);
    assert_eq!(browser.cookies.lock().unwrap().keys().filter(|(site, _)| *site == scene.origin).count(), 1);
}

#[tokio::test]
async fn a_hundred_who_wait_for_one_provider_do_not_keep_others_from_theirs() {
    let scene = Scene::beside_a_neighbour(|settings| {
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        settings.sign_in.patience = Duration::from_millis(500);
        settings.sign_in.deadline = Duration::from_secs(300);
    })
    .await;
    scene.provider.hold(Endpoint::Token);
    let people = futures_util::future::join_all((0..100).map(async |n| {
        let person = scene.browser();
        let start = person.get(&scene.url("/auth/oidc/login?provider=op&return_to=/reports")).await;
        let callback = person.get(start.location()).await.location().to_owned();
        let from = format!("203.0.113.{n}");
        (from.clone(), person.get_as(&callback, &[("x-forwarded-for", &from)]).await, person)
    }));
    let people = people.await;
    // As many as the provider gets at once; the others wait, and their codes with them.
    scene.provider.wait_for(Endpoint::Token, 32).await;
    assert_eq!(scene.redeemed(), 32);

    let neighbour = scene.browser();
    let start = neighbour.get(&scene.url("/auth/oidc/login?provider=neighbour&return_to=/elsewhere")).await;
    let callback = neighbour.get(start.location()).await.location().to_owned();
    let held = format!("{callback}&wait=1");
    let landed =
        eventually("the neighbour's person is signed in", || async { neighbour.follow(&scene, &held).await.err() });
    assert_eq!(landed.await, "/elsewhere");
    assert!(neighbour.is_signed_in(&scene).await);
    assert_eq!(scene.redeemed(), 32);

    scene.provider.release(Endpoint::Token);
    for (from, page, person) in people {
        assert!(page.location().starts_with("/auth/oidc/callback?"), "{page:#?}");
        let held = scene.url(&format!("{}&wait=1", page.location()));
        let done = eventually("everybody is signed in", || async {
            let page = person.get_as(&held, &[("x-forwarded-for", &from)]).await;
            (page.status != StatusCode::OK).then_some(page)
        });
        let done = done.await;
        assert!(done.sets_session(), "{done:#?}");
        assert_eq!(done.location(), "/reports");
    }
    assert_eq!(scene.redeemed(), 100);
    assert!(scene.provider.redemptions().iter().all(|code| code.presented == 1));
}
