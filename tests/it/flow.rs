//! The flow on the real router over real TCP, against the test provider.

use std::time::Duration;

use crate::support::scene::{MOST_HEADER_BYTES, Scene, query};
use reqwest::{Method, StatusCode};
use test_provider::{Behaviour, CallbackEdit, Endpoint, Fault, Profile, ProviderConfig, RateLimit, Rule};

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
async fn the_longest_return_to_fits() {
    let scene = Scene::patient().await;
    let path = format!("/{}", "x".repeat(511));
    let start = scene.browser().get(&scene.url(&format!("/auth/oidc/login?return_to={path}"))).await;
    assert!(start.header_bytes() < 2_048, "{}", start.header_bytes());
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, &path).await;
    assert_eq!(browser.get(&callback).await.location(), path);
}

#[tokio::test]
async fn a_slow_provider_means_a_waiting_page_and_one_redemption() {
    let scene = Scene::hasty().await;
    scene.provider.hold(Endpoint::Token);
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    // The provider answers only after we hold the first byte: we never wait for it beyond the patience.
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
    // Held for the patience until there is news, and then the redirect itself.
    let held = format!("{}&wait=1", pending.location());
    let mut done = browser.get(&scene.url(&held)).await;
    while done.status == StatusCode::OK {
        done = browser.get(&scene.url(&held)).await;
    }
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert!(done.sets_session());
    let (page, outcome) = browser.ask(&scene, query(pending.location())).await;
    assert_eq!(outcome, serde_json::json!({ "outcome": "done", "location": "/reports" }));
    assert!(page.sets_session(), "the same session, delivered again");
    assert_eq!(scene.redeemed(), 1);
    assert_eq!(scene.count("login_sessions").await, 1);
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
async fn a_callback_opened_again_leads_on_and_after_sign_out_admits_nobody() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    assert!(browser.get(&callback).await.sets_session());
    assert!(browser.is_signed_in(&scene).await);
    let again = browser.get(&callback).await;
    assert_eq!((again.location(), again.sets_session()), ("/reports", false), "the session is used; it leads on");
    let session = browser.cookie(&scene, "vestibule").unwrap();

    let out = browser.post(&scene.url("/auth/logout"), "").await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert!(!browser.is_signed_in(&scene).await);
    // Though the provider still knows the person and would answer at once.
    browser.follow(&scene, &callback).await.unwrap().explains("already_used");
    assert!(!browser.is_signed_in(&scene).await);
    // The old cookie is dead at the server.
    browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), session);
    assert!(!browser.is_signed_in(&scene).await);
    assert_eq!(scene.redeemed(), 1);
}

#[tokio::test]
async fn sign_out_before_the_session_was_used_closes_delivery_too() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let flow = browser.cookie(&scene, "vestibule-flow").unwrap();
    assert!(browser.get(&callback).await.sets_session());
    browser.post(&scene.url("/auth/logout"), "").await;
    // Even with the browser key of that time.
    browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    let page = browser.follow(&scene, &callback).await.unwrap();
    page.explains("already_used");
}

#[tokio::test]
async fn twenty_tabs_each_land_on_their_own_page() {
    let scene = Scene::patient().await;
    // Restored at the same moment in a browser without a cookie: every tab is given a key of its own.
    let browser = scene.browser();
    let tabs = (0..20).map(|_| scene.browser());
    let starts = tabs.enumerate().map(async |(n, tab)| {
        let url = tab.start(&scene, &format!("/page/{n}")).await;
        (n, url, tab.cookie(&scene, "vestibule-flow").unwrap())
    });
    let starts = futures_util::future::join_all(starts).await;
    for (_, _, flow) in &starts {
        browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow.clone());
    }
    for (n, url, _) in starts.iter().rev() {
        let landed = browser.follow(&scene, url).await;
        assert_eq!(landed.unwrap_err(), format!("/page/{n}"));
    }
    assert!(browser.is_signed_in(&scene).await);
    assert_eq!(scene.count("users").await, 1);
}

#[tokio::test]
async fn twenty_tabs_of_a_known_browser_need_one_exchange_each() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let mut callbacks = Vec::new();
    for n in 0..20 {
        callbacks.push((n, browser.callback_url(&scene, &format!("/page/{n}")).await));
    }
    for (n, callback) in callbacks.iter().rev() {
        assert_eq!(browser.get(callback).await.location(), format!("/page/{n}"));
    }
    assert!(browser.is_signed_in(&scene).await);
}

#[tokio::test]
async fn a_callback_in_another_browser_consumes_nothing() {
    let scene = Scene::patient().await;
    let owner = scene.browser();
    owner.get(&scene.url("/auth/oidc/login")).await;
    let callback = owner.callback_url(&scene, "/reports").await;
    // Without any key: explained, and different for a browser that showed a cookie at the start and one that did not.
    let page = scene.browser().follow(&scene, &callback).await.unwrap();
    page.explains("other_browser");
    let fresh = scene.browser();
    let first = fresh.callback_url(&scene, "/").await;
    fresh.forget(&scene, "vestibule-flow");
    fresh.follow(&scene, &first).await.unwrap().explains("cookies_blocked");
    assert_eq!((scene.redeemed(), scene.count("login_attempts").await), (0, 0));
    // The owner is not disturbed.
    assert_eq!(owner.get(&callback).await.location(), "/reports");
}

#[tokio::test]
async fn what_is_no_state_of_ours_is_explained_and_touches_nothing() {
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
async fn a_spoilt_answer_spends_the_owners_attempt_and_sends_no_code() {
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
        (CallbackEdit::Error { code: "temporarily_unavailable".into(), description: None }, "provider_error", 503),
        (CallbackEdit::Error { code: "<svg/onload=x>".into(), description: None }, "provider_refused_request", 503),
        (CallbackEdit::Add("error".into(), "server_error".into()), "provider_error", 503),
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

#[tokio::test]
async fn the_same_state_with_another_code_is_already_used() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    assert!(browser.get(&callback).await.sets_session());
    let code = query(&callback).split('&').find(|pair| pair.starts_with("code=")).unwrap();
    let other = callback.replace(code, "code=another");
    assert_eq!(browser.follow(&scene, &other).await.unwrap_err(), "/", "whoever is signed in is led on");
    browser.forget(&scene, "vestibule");
    let page = browser.follow(&scene, &other).await.unwrap();
    page.explains("already_used");
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert_eq!(scene.redeemed(), 1);
}

#[tokio::test]
async fn a_form_post_answer_works_though_it_carries_no_cookie() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    let (url, form) = callback.split_once('?').unwrap();
    let stranger = scene.browser();
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://op.test")];
    let page = stranger.request(Method::POST, url, &headers, Some(form.to_owned())).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
    assert!(!page.location().contains("code="));
    let done = browser.get(&scene.url(page.location())).await;
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert!(done.sets_session());
}

#[tokio::test]
async fn two_first_sign_ins_at_once_make_one_user() {
    let scene = Scene::patient().await;
    let (one, other) = (scene.browser(), scene.browser());
    let (first, second) = (one.callback_url(&scene, "/").await, other.callback_url(&scene, "/").await);
    scene.provider.hold(Endpoint::Userinfo);
    let release = async {
        scene.provider.wait_for(Endpoint::Userinfo, 2).await;
        scene.provider.release(Endpoint::Userinfo);
    };
    let (first, second, ()) = tokio::join!(one.get(&first), other.get(&second), release);
    assert!(first.sets_session() && second.sets_session());
    assert!(one.is_signed_in(&scene).await && other.is_signed_in(&scene).await);
    assert_eq!(scene.count("users").await, 1);
}

#[tokio::test]
async fn a_disabled_user_is_refused_at_once_and_at_sign_in() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.execute("UPDATE users SET is_active = 0").await;
    let page = browser.get(&scene.url("/auth/account")).await;
    page.explains("user_disabled");
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("Access denied. Please contact your administrator."));
    let again = scene.browser();
    let callback = again.callback_url(&scene, "/").await;
    again.follow(&scene, &callback).await.unwrap().explains("user_disabled");
    scene.execute("UPDATE users SET is_active = 1").await;
    assert!(!browser.is_signed_in(&scene).await, "the session is gone for good");
    scene.browser().sign_in(&scene).await;
}

#[tokio::test]
async fn nothing_but_a_navigation_begins_or_consumes() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let start = scene.url("/auth/oidc/login?return_to=/a");
    for (headers, status) in [
        // A failure, or the browser may take this answer for the click's.
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

#[tokio::test]
async fn only_our_own_pages_sign_out() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let logout = scene.url("/auth/logout");
    for headers in
        [&[][..], &[("sec-fetch-site", "cross-site")], &[("origin", "null")], &[("origin", "https://evil.example")]]
    {
        let page = browser.request(Method::POST, &logout, headers, Some(String::new())).await;
        page.explains("cross_site");
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.get(&logout).await.status, StatusCode::METHOD_NOT_ALLOWED);
    browser.get(&scene.url("/auth/signed-out")).await;
    assert!(browser.is_signed_in(&scene).await);
    let out = browser.post(&logout, "").await;
    assert_eq!(out.location(), "/auth/signed-out?provider=op");
    assert!(!browser.is_signed_in(&scene).await);
    let page = browser.get(&scene.url(out.location())).await;
    assert!(page.body.contains("prompt=login"), "{page:#?}");
    assert_eq!(browser.post(&logout, "").await.location(), "/auth/signed-out", "twice is once");
}

#[tokio::test]
async fn going_in_circles_is_explained() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let start = scene.url("/auth/oidc/login?return_to=/app");
    // The application does not accept the session and sends the person back each time.
    let mut turns = 0;
    let page = loop {
        turns += 1;
        assert!(turns < 10, "a loop");
        let page = browser.follow(&scene, &start).await;
        browser.forget(&scene, "vestibule");
        match page {
            Err(landed) => assert_eq!(landed, "/app"),
            Ok(page) => break page,
        }
    };
    page.explains("sign_in_loop");
    assert_eq!(turns, 3, "the third start is not made");
    let clicked = browser.follow(&scene, &format!("{start}&again=1")).await;
    assert_eq!(clicked.unwrap_err(), "/app", "a click begins anew");
}

#[tokio::test]
async fn a_browser_that_has_another_key_each_time_is_not_sent_to_and_fro_for_ever() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let mut url = scene.url("/auth/oidc/login?return_to=/app");
    let mut answers = 0;
    let page = loop {
        if url.starts_with(&scene.url("/auth/oidc/callback")) {
            answers += 1;
            assert!(answers < 20, "a loop");
            let other = scene.browser();
            other.start(&scene, "/").await;
            let key = other.cookie(&scene, "vestibule-flow").unwrap();
            browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), key);
        }
        let page = browser.get(&url).await;
        if !page.status.is_redirection() {
            break page;
        }
        url = reqwest::Url::parse(&url).unwrap().join(page.location()).unwrap().to_string();
    };
    page.explains("other_browser");
    // One that a person began, and six by themselves.
    assert_eq!(scene.provider.count(Endpoint::Authorize), 7);
    assert_eq!((scene.redeemed(), scene.count("login_attempts").await), (0, 0), "nothing is consumed");
}

#[tokio::test]
async fn a_signed_in_person_is_sent_on_but_not_for_ever() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let start = scene.url("/auth/oidc/login?return_to=/app");
    let (mut redirects, mut pages) = (0, 0);
    let page = loop {
        let page = browser.get(&start).await;
        if page.status == StatusCode::SEE_OTHER {
            assert_eq!((page.location(), pages), ("/app", 0));
            redirects += 1;
        } else if page.status == StatusCode::OK {
            assert!(page.body.contains(r#"<meta http-equiv="refresh" content="0;url=/app">"#), "{}", page.body);
            assert!(!page.body.contains("noscript"), "with script, too: {}", page.body);
            assert!(page.body.contains(r#"href="/app""#), "{}", page.body);
            pages += 1;
            assert!(pages < 100, "a loop");
        } else {
            break page;
        }
    };
    page.explains("sign_in_loop");
    // A browser follows 20 redirects: two for each of these, and four of the sign-in before.
    assert_eq!((redirects, pages), (3, 35), "twenty tabs that come one after the other are no loop");
    let clicked = browser.get(&format!("{start}&again=1")).await;
    assert_eq!((clicked.status, clicked.location()), (StatusCode::SEE_OTHER, "/app"), "a click begins anew");
}

#[tokio::test]
async fn an_application_that_changes_the_page_each_time_goes_in_circles_too() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let start = |turn| scene.url(&format!("/auth/oidc/login?return_to=/app?turn={turn}"));
    for turn in 0.. {
        let page = browser.get(&start(turn)).await;
        if page.status == StatusCode::CONFLICT {
            page.explains("sign_in_loop");
            break;
        }
        assert!(turn < 100, "a loop");
    }
    // Nor does it go through the provider for ever, where the session is lost each time.
    let browser = scene.browser();
    for turn in 0.. {
        let landed = browser.follow(&scene, &start(turn)).await;
        browser.forget(&scene, "vestibule");
        if let Ok(page) = landed {
            page.explains("sign_in_loop");
            break;
        }
        assert!(turn < 100, "a loop");
    }
}

#[tokio::test]
async fn another_sign_in_keeps_the_former_session_for_a_moment_and_another_person_ends_it() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let former = browser.cookie(&scene, "vestibule").unwrap();
    let callback = browser.callback_url_with(&scene, "/auth/oidc/login?prompt=login&again=1").await;
    assert!(browser.get(&callback).await.sets_session());
    let old_tab = scene.browser();
    old_tab.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), former.clone());
    assert!(old_tab.is_signed_in(&scene).await, "parallel tabs do not look signed out");

    scene.provider.log_in_as("bob");
    let last = browser.cookie(&scene, "vestibule").unwrap();
    let callback = browser.callback_url_with(&scene, "/auth/oidc/login?prompt=login&again=1").await;
    assert!(browser.get(&callback).await.sets_session());
    old_tab.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), last);
    assert!(!old_tab.is_signed_in(&scene).await, "another person's session is dead at once");
}

impl crate::support::scene::Browser {
    async fn callback_url_with(&self, scene: &Scene, path: &str) -> String {
        let page = self.get(&scene.url(path)).await;
        self.get(page.location()).await.location().to_owned()
    }
}

#[tokio::test]
async fn a_restart_between_start_and_callback_loses_nothing() {
    let mut scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    scene.kill().await;
    // Append a key, roll, promote it.
    scene.set_keys(&[9, 7]);
    scene.start().await;
    assert_eq!(browser.get(&callback).await.location(), "/reports");
    assert!(browser.is_signed_in(&scene).await);
    // With the old key gone, the state is a stranger's: explained, one click begins anew.
    let browser = scene.browser();
    let late = browser.callback_url(&scene, "/").await;
    scene.kill().await;
    scene.set_keys(&[11]);
    scene.start().await;
    browser.follow(&scene, &late).await.unwrap().explains("state_invalid");
}

#[tokio::test]
async fn a_damaged_database_signs_nobody_out() {
    let mut scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.stop().await;
    let sound = scene.damage("login_sessions").await;
    scene.start().await;
    for path in ["/auth/account", "/auth/oidc/login"] {
        let page = browser.get(&scene.url(path)).await;
        page.explains("store_unavailable");
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!page.header("retry-after").is_empty());
    }
    browser.post(&scene.url("/auth/logout"), "").await.explains("store_unavailable");
    assert!(browser.cookie(&scene, "vestibule").is_some(), "the cookie is kept");
    scene.stop().await;
    scene.restore(&sound);
    scene.start().await;
    assert!(browser.is_signed_in(&scene).await);
}

#[tokio::test]
async fn shutdown_finishes_the_exchange_that_runs() {
    let mut scene = Scene::hasty().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    scene.provider.hold(Endpoint::Token);
    let pending = browser.get(&callback).await;
    let release = async {
        scene.provider.wait_for(Endpoint::Token, 1).await;
        scene.provider.release(Endpoint::Token);
    };
    tokio::join!(scene.stop(), release);
    scene.start().await;
    let done = browser.get(&scene.url(pending.location())).await;
    assert_eq!(done.location(), "/reports", "{done:#?}");
    assert_eq!(scene.redeemed(), 1);
}

#[tokio::test]
async fn the_answer_of_a_peer_that_went_away_is_not_lost() {
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
async fn a_provider_that_is_down_is_explained_and_recovers() {
    let mut scene = Scene::hasty().await;
    scene.kill().await;
    scene.provider.down().await;
    scene.start().await;
    let browser = scene.browser();
    assert_eq!(browser.get(&scene.url("/healthz")).await.status, StatusCode::OK);
    assert_eq!(browser.get(&scene.url("/readyz")).await.status, StatusCode::OK, "a provider is a detail");
    let page = browser.get(&scene.url("/auth/oidc/login?return_to=/a")).await;
    page.explains("sign_in_unavailable");
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("http-equiv=\"refresh\""), "{}", page.body);
    assert!(!page.header("retry-after").is_empty());
    scene.provider.up().await.unwrap();
    // As often as the page would ask, within the program's own pauses.
    for _ in 0..120 {
        let page = browser.get(&scene.url("/auth/oidc/login?return_to=/a")).await;
        if page.status == StatusCode::SEE_OTHER {
            return;
        }
        page.explains("sign_in_unavailable");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("it does not recover");
}

#[tokio::test]
async fn a_provider_fault_is_named_and_a_new_sign_in_succeeds() {
    for (fault, code) in [
        (Fault::html(502), "provider_server_error"),
        (Fault::html(200), "provider_bad_answer"),
        (Fault::CloseUnprocessed, "provider_unreachable"),
        (Fault::Reset, "provider_unreachable"),
        (Fault::status(204), "provider_bad_answer"),
        (Fault::Oversized { bytes: 2_000_000 }, "provider_bad_answer"),
        (Fault::json(400, &serde_json::json!({ "error": "invalid_grant" })), "code_refused"),
        (Fault::json(401, &serde_json::json!({ "error": "invalid_client" })), "client_refused"),
    ] {
        let scene = Scene::patient().await;
        let browser = scene.browser();
        browser.sign_in(&scene).await;
        scene.provider.forget_requests();
        scene.provider.behave(Rule::once(Behaviour::Fault { at: Endpoint::Token, fault: fault.clone() }));
        let other = scene.browser();
        let callback = other.callback_url(&scene, "/a").await;
        for _ in 0..2 {
            other.follow(&scene, &callback).await.unwrap().explains(code);
        }
        assert_eq!(scene.redeemed(), 1, "{fault:?}: never sent twice");
        other.sign_in(&scene).await;
    }
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
        page.body.contains("too_many_failures")
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
async fn garbage_never_breaks_it() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    for path in [
        "/auth/oidc/callback?%",
        "/auth/oidc/callback?state=%zz&code=%c0%af",
        "/auth/oidc/callback?=&&&==",
        "/auth/oidc/callback?state[$ne]=1",
        "/auth/oidc/login?return_to=%00",
        "/auth/oidc/login?return_to=a&return_to=b",
        "/auth/login?return_to=//evil.example",
        "/auth/../auth/login",
        "/auth//login",
        "/auth/assets/../../Cargo.toml",
        "/auth/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/auth/api/nothing",
        "/%ff",
        "/auth/account?x=%00",
    ] {
        let page = browser.get(&scene.url(path)).await;
        assert!(page.status.as_u16() < 500, "{path}: {page:#?}");
        assert!(page.header_bytes() < 2_048);
        assert!(!page.body.contains("[package]"));
    }
    let huge = "x".repeat(20_000);
    for cookie in [
        "a=\u{e4}; ;;;=x; $Version=1",
        "vestibule={\"$ne\":null}",
        "vestibule=../..",
        "vestibule=%00",
        "vestibule=a; vestibule=b",
        "vestibule-flow=x; vestibule-flow=y",
        &format!("other={huge}"),
    ] {
        let page = browser.get_as(&scene.url("/auth/account"), &[("cookie", cookie)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{cookie:.40}: {page:#?}");
    }
    let page = browser.get_as(&scene.url("/auth/login"), &[("cookie", &"x".repeat(40_000))]).await;
    page.explains("headers_too_large");
    let page = browser.post(&scene.url("/auth/oidc/callback"), &"x=y&".repeat(20_000)).await;
    page.explains("too_large");
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(browser.callback_url(&scene, "/").await.contains("code="));
}

#[tokio::test]
async fn every_page_carries_the_security_headers_and_no_script_unless_it_waits() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    for path in ["/auth/login", "/auth/account", "/auth/signed-out", "/nowhere"] {
        let page = browser.get(&scene.url(path)).await;
        assert!(!page.body.contains("<script"), "{path}");
        assert!(!page.body.contains("style="), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(page.header_bytes() < MOST_HEADER_BYTES);
        for secret in [crate::support::scene::CLIENT_SECRET, "authelia_at_"] {
            assert!(!page.body.contains(secret));
        }
    }
}

/// The provider's answer for a start of this browser, with other parameters than the provider gave.
async fn forged(
    browser: &crate::support::scene::Browser,
    scene: &Scene,
    answer: &str,
    headers: &[(&str, &str)],
) -> crate::support::scene::Page {
    let start = browser.get_as(&scene.url("/auth/oidc/login?again=1"), headers).await;
    let location = reqwest::Url::parse(start.location()).unwrap();
    let state = location.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let page = browser.get_as(&scene.url(&format!("/auth/oidc/callback?{answer}&state={state}")), headers).await;
    if page.status.is_redirection() { browser.get_as(&scene.url(page.location()), headers).await } else { page }
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
        assert!(codes.iter().any(|code| page.body.contains(*code)), "{answer}: {page:#?}");
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

/// Five codes were sent, and no more are for the moment.
async fn with_a_provider_that_has_failed_in_a_row() -> Scene {
    let scene = Scene::patient().await;
    scene.browser().sign_in(&scene).await;
    scene.provider.forget_requests();
    scene.provider.behave(Rule::standing(Behaviour::Fault { at: Endpoint::Token, fault: Fault::html(502) }));
    for _ in 0..5 {
        let browser = scene.browser();
        let callback = browser.callback_url(&scene, "/").await;
        browser.follow(&scene, &callback).await.unwrap().explains("provider_server_error");
    }
    scene
}

#[tokio::test]
async fn a_provider_that_fails_in_a_row_is_left_alone_and_no_code_is_wasted_on_it() {
    let scene = with_a_provider_that_has_failed_in_a_row().await;
    let held = scene.browser();
    let callback = held.callback_url(&scene, "/reports").await;
    let page = held.follow(&scene, &callback).await.unwrap();
    page.explains("provider_down");
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("http-equiv=\"refresh\""), "it goes on by itself");
    assert!((1..=3).contains(&page.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(scene.redeemed(), 5, "the sixth code was not sent");
    assert_eq!(scene.count("login_attempts").await, 6, "nor was its attempt claimed");
    // Before the click, too.
    let login = scene.browser().get(&scene.url("/auth/login")).await;
    assert!(login.body.contains("cannot be reached at the moment"), "{}", login.body);
    assert!(login.body.contains("again.js") && login.body.contains("http-equiv=\"refresh\""), "{}", login.body);

    scene.provider.behave_well();
    let landed = loop {
        match held.follow(&scene, &callback).await {
            Err(landed) => break landed,
            Ok(page) => page.explains("provider_down"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(landed, "/reports", "with the same code");
    assert!(held.is_signed_in(&scene).await);
    let login = scene.browser().get(&scene.url("/auth/login")).await;
    assert!(!login.body.contains("cannot be reached at the moment"), "{}", login.body);
    for code in scene.provider.redemptions() {
        assert!(code.presented <= 1);
    }
}

#[tokio::test]
async fn a_code_that_is_dead_by_now_is_not_sent() {
    let scene = with_a_provider_that_has_failed_in_a_row().await;
    let held = scene.browser();
    let callback = held.callback_url(&scene, "/reports").await;
    // A code's life begins when it comes, not when the sign-in began.
    scene.later(60);
    // The address of the page that goes on by itself, which says when the answer came.
    let waiting = scene.url(held.get(&callback).await.location());
    held.get(&waiting).await.explains("provider_down");
    scene.provider.behave_well();
    scene.later(56);
    let mut asked = 0;
    let page = loop {
        let page = held.get(&waiting).await;
        // What it said last holds for a few seconds.
        if page.status != StatusCode::SERVICE_UNAVAILABLE {
            break page;
        }
        page.explains("provider_down");
        asked += 1;
        assert!(asked < 600, "it never says that the code is too old");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    page.explains("attempt_expired");
    assert_eq!(scene.redeemed(), 5, "the sixth code was not sent");
}

#[tokio::test]
async fn the_login_page_learns_from_a_failed_sign_in_that_the_provider_is_away_and_that_it_is_back() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let login = async || scene.browser().get(&scene.url("/auth/login")).await.body;
    assert!(!login().await.contains("cannot be reached"));
    scene.provider.down().await;
    browser.follow(&scene, &callback).await.unwrap().explains("provider_unreachable");
    while !login().await.contains("cannot be reached") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ready: serde_json::Value =
        serde_json::from_str(&browser.get(&format!("http://{}/readyz", scene.admin)).await.body).unwrap();
    assert_eq!(ready["store"]["ready"], true);
    assert_eq!(ready["providers"][0]["availability"]["available"], false);
    assert_eq!(ready["providers"][0]["availability"]["code"], "provider_unreachable");
    scene.provider.up().await.unwrap();
    // Nobody signs in meanwhile: it looks by itself.
    while login().await.contains("cannot be reached") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn sign_out_ends_what_parallel_callbacks_have_left_behind() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let (one, two) = (browser.callback_url(&scene, "/a").await, browser.callback_url(&scene, "/b").await);
    let third = browser.callback_url(&scene, "/c").await;
    let flow = browser.cookie(&scene, "vestibule-flow").unwrap();
    let (first, second) = tokio::join!(browser.get(&one), browser.get(&two));
    let session = |page: &crate::support::scene::Page| {
        let cookies = page.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap());
        let session = cookies.into_iter().find_map(|it| it.strip_prefix("vestibule=")).unwrap();
        session.split(';').next().unwrap().to_owned()
    };
    let sessions = [session(&first), session(&second)];
    assert_ne!(sessions[0], sessions[1]);
    // Verified and never fetched: the tab was closed.
    {
        scene.provider.hold(Endpoint::Token);
        tokio::select! {
            _ = browser.get(&third) => panic!("answered"),
            () = scene.provider.wait_for(Endpoint::Token, 3) => scene.provider.release(Endpoint::Token),
        }
        while scene.count("login_attempts WHERE state = 'verified'").await < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    browser.post(&scene.url("/auth/logout"), "").await;
    for session in sessions {
        let thief = scene.browser();
        thief.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), session);
        assert!(!thief.is_signed_in(&scene).await);
    }
    let back = scene.browser();
    back.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    for callback in [one, two, third] {
        back.follow(&scene, &callback).await.unwrap().explains("already_used");
    }
    assert!(!back.is_signed_in(&scene).await);
}

#[tokio::test]
async fn sign_out_interrupts_what_another_tab_still_waits_for() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.get(&scene.url("/auth/oidc/login")).await;
    let (one, two) = (browser.callback_url(&scene, "/a").await, browser.callback_url(&scene, "/b").await);
    assert!(browser.get(&one).await.sets_session());
    let flow = browser.cookie(&scene, "vestibule-flow").unwrap();
    scene.provider.hold(Endpoint::Token);
    tokio::select! {
        _ = browser.get(&two) => panic!("answered"),
        () = scene.provider.wait_for(Endpoint::Token, 2) => {}
    }
    browser.post(&scene.url("/auth/logout"), "").await;
    scene.provider.release(Endpoint::Token);
    // As the tab does that had been there before: the answer that it gets last would bring the session back.
    let back = scene.browser();
    back.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule-flow".into()), flow);
    back.follow(&scene, &two).await.unwrap().explains("interrupted");
    assert!(!back.is_signed_in(&scene).await);
    assert_eq!(scene.redeemed(), 2);
}

#[tokio::test]
async fn a_reference_finds_the_steps_of_its_sign_in() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    scene.provider.behave(Rule::once(Behaviour::Fault { at: Endpoint::Userinfo, fault: Fault::status(403) }));
    let callback = browser.callback_url(&scene, "/").await;
    let page = browser.follow(&scene, &callback).await.unwrap();
    page.explains("userinfo_unavailable");
    let (_, rest) = page.body.split_once("data-reference=\"").unwrap();
    let reference = rest.split('"').next().unwrap();
    let admin = |path: &str| format!("http://{}/attempts/{path}", scene.admin);
    // As somebody reads it out.
    let spoken = reference.to_ascii_lowercase().replace('-', "");
    for asked in [reference, &spoken] {
        let found = browser.get(&admin(asked)).await;
        assert_eq!(found.status, StatusCode::OK, "{found:#?}");
        let trace: serde_json::Value = serde_json::from_str(&found.body).unwrap();
        assert_eq!(trace["reference"], reference);
        assert_eq!((&trace["state"], &trace["code"]), (&"failed".into(), &"userinfo_unavailable".into()));
        let steps: Vec<_> =
            trace["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
        assert_eq!(steps, ["claim", "token", "id_token", "userinfo"]);
        assert_eq!(trace["steps"][3]["result"], "userinfo_unavailable");
        assert!(trace["to_do"].as_str().unwrap().contains("userinfo"));
        assert!(!found.body.contains("alice") && !found.body.contains("code="), "{}", found.body);
    }
    assert_eq!(browser.get(&admin("0000-0000")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&admin("what")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get(&scene.url(&format!("/attempts/{reference}"))).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn doubled_slashes_are_no_other_page() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    assert_eq!(browser.get(&scene.url("//auth//login")).await.status, StatusCode::OK);
    let start = browser.get(&scene.url("//auth/oidc//login?return_to=/reports")).await;
    let callback = browser.get(start.location()).await.location().replace("/auth/", "//auth/");
    assert_eq!(browser.get(&callback).await.location(), "/reports");
    assert_eq!(browser.get(&scene.url("/auth//account")).await.status, StatusCode::OK);
    // The guard sees the same path as the routes: a form of another site does not sign anybody out by it.
    let out = browser.request(Method::POST, &scene.url("/auth//logout"), &[], Some(String::new())).await;
    out.explains("cross_site");
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
    let mut url = neighbour.get(start.location()).await.location().to_owned();
    let landed = loop {
        match neighbour.follow(&scene, &url).await {
            Err(landed) => break landed,
            Ok(page) => assert!(page.body.contains("Completing Sign In"), "{page:#?}"),
        }
        url = url.split("&wait").next().unwrap().to_owned() + "&wait=1";
    };
    assert_eq!(landed, "/elsewhere");
    assert!(neighbour.is_signed_in(&scene).await);
    assert_eq!(scene.redeemed(), 32);

    scene.provider.release(Endpoint::Token);
    for (from, page, person) in people {
        let mut page = page;
        while !page.sets_session() {
            assert!(page.location().starts_with("/auth/oidc/callback?"), "{page:#?}");
            let held = format!("{}&wait=1", page.location());
            let next = person.get_as(&scene.url(&held), &[("x-forwarded-for", &from)]).await;
            page = if next.status == StatusCode::OK { page } else { next };
        }
        assert_eq!(page.location(), "/reports");
    }
    assert_eq!(scene.redeemed(), 100);
    assert!(scene.provider.redemptions().iter().all(|code| code.presented == 1));
}
