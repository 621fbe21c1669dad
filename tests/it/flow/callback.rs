//! The callback: what it takes, once and no more, and what it does not take.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use test_provider::{Behaviour, CallbackEdit, Endpoint, Profile, Rule};

use crate::support::{
    page::{MOST_HEADER_BYTES, query},
    scene::Scene,
    wait::eventually,
};

#[tokio::test]
async fn the_quick_path_is_the_whole_sign_in() {
    for profile in [Profile::Standard, Profile::Authelia] {
        let scene = Scene::with(profile, |settings| settings.sign_in.patience = Duration::from_secs(20)).await;
        let browser = scene.browser();
        let start = browser.get(&scene.url("/auth/oidc/login?return_to=/reports%3Fyear%3D2026")).await;
        assert_eq!(start.status, StatusCode::SEE_OTHER);
        assert!(start.header_bytes() < MOST_HEADER_BYTES);
        let request = browser.get(start.location()).await;
        let done = browser.get(request.location()).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:#?}");
        assert_eq!(done.location(), "/reports?year=2026");
        assert!(done.sets_session());
        assert!(done.header_bytes() < MOST_HEADER_BYTES, "{}", done.header_bytes());
        assert!(done.body.is_empty());
        assert!(browser.is_signed_in(&scene).await);
        assert_eq!(scene.redeemed(), 1);
        assert_eq!(scene.count("users").await, 1);
    }
}

#[tokio::test]
async fn a_warm_sign_in_asks_the_provider_twice() {
    let scene = Scene::patient().await;
    scene.browser().sign_in(&scene).await;
    scene.provider.forget_requests();
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let asked: Vec<_> = scene.provider.requests().iter().map(|request| request.endpoint).collect();
    assert_eq!(asked, [Endpoint::Authorize, Endpoint::Token, Endpoint::Userinfo]);
    assert_eq!(scene.count("users").await, 1);
}

#[tokio::test]
async fn the_incident_stays_under_the_header_budget() {
    let scene = Scene::patient().await;
    scene.provider.log_in_as("incident");
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    let done = browser.get(&callback).await;
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert!(done.header_bytes() < MOST_HEADER_BYTES, "{}", done.header_bytes());
    let account = browser.get(&scene.url("/auth/account")).await;
    assert_eq!(account.status, StatusCode::OK);
    assert!(account.header_bytes() < MOST_HEADER_BYTES, "{}", account.header_bytes());
}

#[tokio::test]
async fn a_slow_provider_means_a_waiting_page_and_one_redemption() {
    let scene = Scene::hasty().await;
    scene.provider.hold(Endpoint::Token);
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    // The provider responds only after we hold the first byte: a request never waits for it longer than
    // `sign_in.patience`.
    let pending = browser.get(&callback).await;
    assert_eq!(pending.status, StatusCode::SEE_OTHER);
    assert!(!pending.location().contains("code="), "the code leaves the address: {}", pending.location());
    assert!(pending.header_bytes() < MOST_HEADER_BYTES);
    let waiting = browser.get(&scene.url(pending.location())).await;
    assert_eq!(waiting.status, StatusCode::OK);
    assert!(waiting.body.contains("Completing Sign In"), "{waiting:#?}");
    let (_, outcome) = browser.ask(&scene, query(pending.location())).await;
    assert_eq!(outcome["outcome"], "pending");
    assert!((1000..=3300).contains(&outcome["ask_again_in"].as_u64().unwrap()));
    scene.provider.release(Endpoint::Token);
    // Held for up to `sign_in.patience` until the status changes, and then the redirect itself.
    let held = scene.url(&format!("{}&wait=1", pending.location()));
    let done = eventually("signed in", || async {
        let page = browser.get(&held).await;
        (page.status != StatusCode::OK).then_some(page)
    });
    let done = done.await;
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert!(done.sets_session());
    let (page, outcome) = browser.ask(&scene, query(pending.location())).await;
    assert_eq!(outcome, serde_json::json!({ "outcome": "done", "location": "/reports" }));
    assert!(page.sets_session(), "the same session, delivered again");
    assert_eq!(scene.redeemed(), 1);
    assert_eq!(scene.count("login_sessions").await, 1);
}

/// What the panel asks may reach another process than the one that redeems the code.
#[tokio::test]
async fn another_process_tells_how_the_exchange_has_ended() {
    let scene = Scene::hasty().await;
    scene.provider.hold(Endpoint::Token);
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    let pending = browser.get(&callback).await;
    browser.go_through(&scene, &scene.start_second().await);
    let ask = async || browser.ask(&scene, query(pending.location())).await.1;
    assert_eq!(ask().await["outcome"], "pending");
    scene.provider.release(Endpoint::Token);
    let ended = eventually("told", || async {
        let outcome = ask().await;
        (outcome["outcome"] != "pending").then_some(outcome)
    });
    assert_eq!(ended.await, serde_json::json!({ "outcome": "done", "location": "/reports" }));
    assert_eq!(scene.redeemed(), 1);
}

#[tokio::test]
async fn any_number_of_callbacks_are_one_exchange_and_one_session() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    scene.provider.hold(Endpoint::Token);
    let calls = (0..10).map(|_| browser.get(&callback));
    let calls = futures_util::future::join_all(calls);
    let release = async {
        scene.provider.wait_for(Endpoint::Token, 1).await;
        scene.provider.release(Endpoint::Token);
    };
    let (pages, ()) = tokio::join!(calls, release);
    for page in pages {
        assert_eq!(page.location(), "/reports");
        assert!(page.sets_session());
    }
    assert_eq!(scene.redeemed(), 1);
    assert_eq!(scene.count("login_sessions").await, 1);
    assert_eq!(scene.count("login_attempts").await, 1);
}

#[tokio::test]
async fn the_response_of_a_peer_that_went_away_is_not_lost() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    scene.provider.hold(Endpoint::Token);
    {
        let gone = browser.get(&callback);
        tokio::select! {
            _ = gone => panic!("answered"),
            () = scene.provider.wait_for(Endpoint::Token, 1) => {}
        }
    }
    scene.provider.release(Endpoint::Token);
    let done = browser.get(&callback).await;
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert!(done.sets_session());
    assert_eq!(scene.redeemed(), 1);
}

#[tokio::test]
async fn a_foreign_state_is_explained_and_touches_nothing() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let (head, state) = callback.split_once("state=").unwrap();
    let (state, tail) = state.split_once('&').unwrap_or((state, ""));
    let with = |state: &str| format!("{head}state={state}&{tail}");
    for (url, code, status) in [
        (scene.url("/auth/oidc/callback"), "state_missing", 400),
        (scene.url("/auth/oidc/callback?code=x"), "state_missing", 400),
        (with(""), "state_missing", 400),
        (with("unknown"), "state_invalid", 400),
        (with(&format!("{state}A")), "state_invalid", 400),
        (with(&state.to_ascii_uppercase()), "state_invalid", 400),
        (format!("{}&state={state}", with(state)), "answer_malformed", 400),
        (scene.url("/auth/oidc/callback?error=access_denied"), "state_missing", 400),
        (scene.url("/auth/oidc/callback?error=%3Cscript%3Ealert(1)%3C/script%3E&state=x"), "state_invalid", 400),
        (scene.url(&format!("/auth/oidc/callback?state={state}")), "answer_malformed", 400),
        (scene.url("/nowhere"), "not_found", 404),
        (scene.url("/auth/oidc/login?provider=other"), "unknown_provider", 404),
    ] {
        let page = browser.follow(&scene, &url).await.unwrap();
        page.explains(code);
        assert_eq!(page.status.as_u16(), status, "{url}");
        assert!(!page.body.contains("<script>alert"), "reflected");
    }
    assert_eq!((scene.redeemed(), scene.count("login_attempts").await), (0, 0));
    // And the sign-in itself still succeeds.
    assert!(browser.get(&callback).await.sets_session());
}

#[tokio::test]
async fn an_invalid_response_ends_the_owners_attempt_and_sends_no_code() {
    for (edit, code, status) in [
        (CallbackEdit::Repeat("code".into()), "answer_malformed", 400),
        (CallbackEdit::Add("code".into(), "other".into()), "answer_malformed", 400),
        (CallbackEdit::Set("code".into(), "a\u{7}b".into()), "answer_malformed", 400),
        (CallbackEdit::Set("iss".into(), "https://evil.example".into()), "issuer_mismatch", 400),
        (
            CallbackEdit::Error { code: "access_denied".into(), description: Some("<b>x</b>".into()) },
            "access_denied",
            403,
        ),
        (CallbackEdit::Error { code: "login_required".into(), description: None }, "provider_interaction", 400),
        (CallbackEdit::Error { code: "temporarily_unavailable".into(), description: None }, "provider_error", 424),
        (CallbackEdit::Error { code: "<svg/onload=x>".into(), description: None }, "provider_refused_request", 424),
        (CallbackEdit::Add("error".into(), "server_error".into()), "provider_error", 424),
    ] {
        let scene =
            Scene::with(Profile::Authelia, |settings| settings.sign_in.patience = Duration::from_secs(20)).await;
        let browser = scene.browser();
        scene.provider.behave(Rule::once(Behaviour::Callback(edit.clone())));
        let callback = browser.callback_url(&scene, "/").await;
        for _ in 0..2 {
            let page = browser.follow(&scene, &callback).await.unwrap();
            page.explains(code);
            assert_eq!(page.status.as_u16(), status, "{edit:?}");
            assert!(!page.body.contains("<svg/onload"), "reflected");
        }
        assert_eq!(scene.redeemed(), 0, "{edit:?}");
        assert_eq!(scene.count("users").await, 0);
        assert_eq!(scene.count("login_attempts WHERE state = 'failed'").await, 1, "{edit:?}");
        browser.sign_in(&scene).await;
    }
}

/// Keycloak, for a tab in which its own login page was left open for too long.
#[tokio::test]
async fn a_login_page_that_ran_out_at_the_provider_begins_again_by_itself_once() {
    let expired = CallbackEdit::Error {
        code: "temporarily_unavailable".into(),
        description: Some("authentication_expired".into()),
    };
    let scene = Scene::with(Profile::Authelia, |settings| settings.sign_in.patience = Duration::from_secs(20)).await;
    let browser = scene.browser();
    scene.provider.behave(Rule::once(Behaviour::Callback(expired.clone())));
    let callback = browser.callback_url(&scene, "/shop").await;
    assert_eq!(browser.follow(&scene, &callback).await.unwrap_err(), "/shop", "signed in without a click");
    assert_eq!(scene.count("login_attempts").await, 1, "the one that had run out is not used up");

    let browser = scene.browser();
    scene.provider.behave(Rule::standing(Behaviour::Callback(expired)));
    let callback = browser.callback_url(&scene, "/").await;
    browser.follow(&scene, &callback).await.unwrap().explains("provider_error");
    assert_eq!(scene.provider.count(Endpoint::Authorize), 4, "two sign-ins, each begun again once");
}

/// The same, but what another issuer says is refused, and who wanted another account is asked for one.
#[tokio::test]
async fn an_expired_login_page_is_believed_of_the_provider_alone_and_leads_nobody_past_the_login() {
    let scene = Scene::with(Profile::Authelia, |settings| settings.sign_in.patience = Duration::from_secs(20)).await;
    let browser = scene.browser();
    let expired = |callback: &str, more: &str| {
        let state = query(callback).split('&').find(|pair| pair.starts_with("state=")).unwrap().to_owned();
        let said = "error=temporarily_unavailable&error_description=authentication_expired";
        scene.url(&format!("/auth/oidc/callback?{said}&{state}{more}"))
    };
    let callback = browser.callback_url(&scene, "/").await;
    let forged = expired(&callback, "&iss=https%3A%2F%2Fevil.example");
    browser.follow(&scene, &forged).await.unwrap().explains("issuer_mismatch");

    browser.sign_in(&scene).await;
    let issuer: String = url::form_urlencoded::byte_serialize(scene.provider.issuer().as_bytes()).collect();
    let start = browser.get(&scene.url("/auth/oidc/login?prompt=login&return_to=/other")).await;
    let callback = browser.get(start.location()).await.location().to_owned();
    let again = browser.get(&expired(&callback, &format!("&iss={issuer}"))).await;
    assert!(again.location().starts_with(scene.provider.issuer()), "to the login, not to the page: {again:#?}");
    assert!(again.location().contains("prompt=login"), "{again:#?}");
}

#[tokio::test]
async fn the_same_state_with_another_code_is_already_used() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    assert!(browser.get(&callback).await.sets_session());
    let code = query(&callback).split('&').find(|pair| pair.starts_with("code=")).unwrap();
    let other = callback.replace(code, "code=another");
    assert_eq!(browser.follow(&scene, &other).await.unwrap_err(), "/", "a signed-in person is redirected");
    browser.forget(&scene, "vestibule");
    let page = browser.follow(&scene, &other).await.unwrap();
    page.explains("already_used");
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert_eq!(scene.redeemed(), 1);
}

#[tokio::test]
async fn nothing_but_a_navigation_begins_or_consumes() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let start = scene.url("/auth/oidc/login?return_to=/a");
    for (headers, status) in [
        // A failure, or the browser may use this response for the click.
        (&[("sec-purpose", "prefetch")][..], StatusCode::SERVICE_UNAVAILABLE),
        (&[("purpose", "prefetch")], StatusCode::SERVICE_UNAVAILABLE),
        (&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], StatusCode::NO_CONTENT),
        (&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], StatusCode::NO_CONTENT),
    ] {
        for url in [&start, &callback] {
            let page = browser.get_as(url, headers).await;
            assert_eq!(page.status, status, "{headers:?}");
            assert_eq!(page.header("cache-control"), "no-store");
        }
    }
    for url in [&start, &callback] {
        assert_eq!(browser.request(Method::HEAD, url, &[], None).await.status, StatusCode::NO_CONTENT);
    }
    let page = browser.get_as(&start, &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    let body: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(body["login_url"], scene.url("/auth/login?return_to=/a"));
    assert_eq!((scene.redeemed(), scene.count("login_attempts").await), (0, 0));
    assert!(browser.get(&callback).await.sets_session());
}
