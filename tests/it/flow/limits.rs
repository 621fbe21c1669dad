//! What one client may use up, and that others do not notice it.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use test_provider::{Endpoint, Profile, ProviderConfig, RateLimit};
use vestibule::server::limits;

use crate::support::{browser::Browser, page::Page, scene::Scene, wait::eventually};

/// The provider's response to a start of this browser, with other parameters than the provider sent.
async fn forged(browser: &Browser, scene: &Scene, answer: &str, headers: &[(&str, &str)]) -> Page {
    let start = browser.get_as(&scene.url("/auth/oidc/login?again=1"), headers).await;
    let location = reqwest::Url::parse(start.location()).unwrap();
    let state = location.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let page = browser.get_as(&scene.url(&format!("/auth/oidc/callback?{answer}&state={state}")), headers).await;
    if page.status.is_redirection() { browser.get_as(&scene.url(page.location()), headers).await } else { page }
}

/// A provider that refuses everybody after some failures, and a program that believes its proxy.
async fn with_authelias_limit() -> Scene {
    let config = ProviderConfig {
        token_delay: Duration::ZERO,
        rate_limit: Some(RateLimit::authelia()),
        ..ProviderConfig::new(Profile::Authelia)
    };
    Scene::configured(config, |settings| {
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        settings.sign_in.patience = Duration::from_secs(20);
    })
    .await
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn the_junk_of_one_address_does_not_use_up_the_providers_limit() {
    let scene = with_authelias_limit().await;
    let vandal = scene.browser();
    let from = &[("x-forwarded-for", "203.0.113.66")];
    vandal.get_as(&scene.url("/auth/oidc/login"), from).await;
    let issuer = encoded(scene.provider.issuer());
    let began = Instant::now();
    // As fast as possible: side by side, so that none waits for another's failure to be counted.
    let junk = futures_util::future::join_all((0..60).map(async |n| {
        let page = forged(&vandal, &scene, &format!("code=junk{n}&iss={issuer}"), from).await;
        ["too_many_failures", "code_refused"]
            .into_iter()
            .find(|code| page.data("code") == Some(*code))
            .map(str::to_owned)
    }));
    let junk = junk.await;
    assert!(junk.iter().all(Option::is_some), "{junk:?}");
    // What may fail at once, and one more every few seconds.
    let every = limits::REFUSAL_EVERY.as_secs();
    let most = limits::REFUSALS as usize + usize::try_from(began.elapsed().as_secs() / every).unwrap() + 1;
    assert!(scene.redeemed() <= most, "{} of {most}", scene.redeemed());
    let honest = scene.browser();
    let callback = honest.callback_url(&scene, "/").await;
    let done = honest.get_as(&callback, &[("x-forwarded-for", "198.51.100.1")]).await;
    assert!(done.sets_session(), "{done:#?}");
}

#[tokio::test]
async fn a_neighbour_whose_sign_ins_are_refused_slows_down_new_browsers_and_no_known_one() {
    let scene = with_authelias_limit().await;
    let known = scene.browser();
    known.sign_in(&scene).await;
    known.post(&scene.url("/auth/logout"), "").await;
    let neighbour = scene.browser();
    let issuer = encoded(scene.provider.issuer());
    let every = i64::try_from(limits::REFUSAL_EVERY.as_secs()).unwrap();
    let mut refused = 0;
    for n in 0..100 {
        let page = forged(&neighbour, &scene, &format!("code=junk{n}&iss={issuer}"), &[]).await;
        if page.data("code") == Some("code_refused") {
            refused += 1;
        } else {
            page.explains("too_many_failures");
            scene.later(every);
        }
        if refused == 10 {
            break;
        }
    }
    assert_eq!(refused, 10, "slowed down, and never shut out");

    // From the same address, at once, though signed out meanwhile.
    let callback = known.callback_url(&scene, "/known").await;
    assert_eq!(known.follow(&scene, &callback).await.unwrap_err(), "/known");
    assert!(known.is_signed_in(&scene).await);

    let new = scene.browser();
    let callback = new.callback_url(&scene, "/new").await;
    let page = new.follow(&scene, &callback).await.unwrap();
    page.explains("too_many_failures");
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.body.contains("http-equiv=\"refresh\""), "it goes on by itself: {}", page.body);
    let wait: i64 = page.header("retry-after").parse().unwrap();
    assert!((1..=every + 1).contains(&wait), "{wait}");
    scene.later(wait);
    // The page asks again with the same code, which was not sent yet.
    let again = new.get(&callback).await.location().to_owned();
    assert_eq!(again, "/new");
    assert!(new.is_signed_in(&scene).await);
    let codes = scene.provider.redemptions();
    assert!(codes.iter().all(|code| code.presented == 1));
}

#[tokio::test]
async fn a_known_browser_that_fails_is_slowed_down_itself() {
    let scene = with_authelias_limit().await;
    let vandal = scene.browser();
    vandal.sign_in(&scene).await;
    let before = scene.redeemed();
    let issuer = encoded(scene.provider.issuer());
    for n in 0..30 {
        vandal.forget(&scene, "vestibule");
        // A new key each time; it stays the same browser.
        vandal.post(&scene.url("/auth/logout"), "").await;
        forged(&vandal, &scene, &format!("code=junk{n}&iss={issuer}"), &[]).await;
    }
    assert!(scene.redeemed() - before <= 2 * limits::REFUSALS as usize, "{}", scene.redeemed());
    let neighbour = scene.browser();
    neighbour.sign_in(&scene).await;
}

#[tokio::test]
async fn junk_fills_the_store_up_to_a_bound_only() {
    let scene = Scene::with(Profile::Standard, |settings| {
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        settings.sign_in.patience = Duration::from_secs(20);
    })
    .await;
    let vandal = scene.browser();
    let from = &[("x-forwarded-for", "203.0.113.66")];
    vandal.get_as(&scene.url("/auth/oidc/login"), from).await;
    let issuer = encoded(scene.provider.issuer());
    let began = Instant::now();
    for n in 0..limits::RECORDS * 2 {
        let (answer, codes): (String, &[&str]) = match n % 4 {
            0 => (format!("error=access_denied&iss={issuer}"), &["access_denied"]),
            1 => (format!("code=x{n}&iss=https%3A%2F%2Fevil.example"), &["issuer_mismatch", "too_many_failures"]),
            2 => ("code=a&code=b".to_owned(), &["answer_malformed"]),
            _ => (format!("code=x{n}&iss={issuer}"), &["code_refused", "too_many_failures"]),
        };
        let page = forged(&vandal, &scene, &answer, from).await;
        assert!(page.data("code").is_some_and(|code| codes.contains(&code)), "{answer}: {page:#?}");
    }
    let meanwhile = usize::try_from(began.elapsed().as_secs() / limits::RECORD_EVERY.as_secs()).unwrap() + 1;
    let stored = usize::try_from(scene.count("login_attempts").await).unwrap();
    let most = (limits::RECORDS + limits::REFUSALS) as usize + 2 * meanwhile;
    assert!(stored <= most, "{stored} documents, {most} are allowed");
    // Nobody else notices it.
    let honest = scene.browser();
    let callback = honest.callback_url(&scene, "/").await;
    assert!(honest.get_as(&callback, &[("x-forwarded-for", "198.51.100.1")]).await.sets_session());
}

#[tokio::test]
async fn a_response_that_needs_no_provider_does_not_wait_for_one() {
    let scene = Scene::hasty().await;
    scene.provider.hold(Endpoint::Token);
    // From one address, and more than may be under way for it.
    let waiting = futures_util::future::join_all((0..20).map(async |_| {
        let browser = scene.browser();
        let callback = browser.callback_url(&scene, "/").await;
        assert_eq!(browser.get(&callback).await.status, StatusCode::SEE_OTHER);
        browser
    }));
    let waiting = waiting.await;
    scene.provider.wait_for(Endpoint::Token, limits::REFUSALS as usize).await;
    let issuer = encoded(scene.provider.issuer());
    for (answer, code) in [
        (format!("error=access_denied&iss={issuer}"), "access_denied"),
        (format!("error=server_error&iss={issuer}"), "provider_error"),
        ("code=a&code=b".to_owned(), "answer_malformed"),
        ("code=a&iss=https%3A%2F%2Fevil.example".to_owned(), "issuer_mismatch"),
    ] {
        let browser = scene.browser();
        forged(&browser, &scene, &answer, &[]).await.explains(code);
    }
    assert_eq!(scene.redeemed(), limits::REFUSALS as usize);
    scene.provider.release(Endpoint::Token);
    drop(waiting);
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
async fn sign_ins_waiting_for_one_provider_do_not_delay_those_at_another() {
    const PEOPLE: usize = limits::EXCHANGES_PER_PROVIDER + 32;
    let scene = Scene::beside_a_neighbour(|settings| {
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        settings.sign_in.patience = Duration::from_millis(500);
        settings.sign_in.deadline = Duration::from_secs(300);
    })
    .await;
    scene.provider.hold(Endpoint::Token);
    let people = futures_util::future::join_all((0..PEOPLE).map(async |n| {
        let person = scene.browser();
        let start = person.get(&scene.url("/auth/oidc/login?provider=op&return_to=/reports")).await;
        let callback = person.get(start.location()).await.location().to_owned();
        let from = format!("203.0.113.{n}");
        (from.clone(), person.get_as(&callback, &[("x-forwarded-for", &from)]).await, person)
    }));
    let people = people.await;
    // As many as the provider gets at once; the others wait, and their codes with them.
    scene.provider.wait_for(Endpoint::Token, limits::EXCHANGES_PER_PROVIDER).await;
    assert_eq!(scene.redeemed(), limits::EXCHANGES_PER_PROVIDER);

    let neighbour = scene.browser();
    let start = neighbour.get(&scene.url("/auth/oidc/login?provider=neighbour&return_to=/elsewhere")).await;
    let callback = neighbour.get(start.location()).await.location().to_owned();
    let held = format!("{callback}&wait=1");
    let landed =
        eventually("the neighbour's person is signed in", || async { neighbour.follow(&scene, &held).await.err() });
    assert_eq!(landed.await, "/elsewhere");
    assert!(neighbour.is_signed_in(&scene).await);
    assert_eq!(scene.redeemed(), limits::EXCHANGES_PER_PROVIDER);

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
    assert_eq!(scene.redeemed(), PEOPLE);
    assert!(scene.provider.redemptions().iter().all(|code| code.presented == 1));
}
