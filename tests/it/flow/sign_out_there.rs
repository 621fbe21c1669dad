//! Sign-out at the provider, too (matrix group O: LO, and CT-39 to CT-41).

use futures_util::future::join;
use reqwest::{Method, StatusCode, Url};
use test_provider::{Behaviour, Document, Edit, EndSessionFault, Endpoint, LoggedRequest, Rule};

use crate::support::{
    browser::Browser,
    mongo,
    page::{MOST_HEADER_BYTES, Page},
    scene::{CLIENT_ID, Scene},
    wait::eventually,
};

/// The button.
async fn signs_out(browser: &Browser, scene: &Scene) -> Page {
    let page = browser.post(&scene.url("/auth/logout"), "").await;
    assert!(page.header_bytes() < MOST_HEADER_BYTES, "{}", page.header_bytes());
    assert_eq!(page.header("cache-control"), "no-store");
    page
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Where the page goes by itself.
fn goes_on(page: &Page) -> Option<Url> {
    let (_, rest) = page.body.split_once("http-equiv=\"refresh\" content=\"0;url=")?;
    Some(Url::parse(&unescaped(rest.split_once('"')?.0)).unwrap())
}

/// A parameter of that URL.
fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|(given, _)| given == name).map(|(_, value)| value.into_owned());
    let first = values.next();
    assert_eq!(values.next(), None, "{name} once: {url}");
    first
}

/// The form that the page sends by itself: where, and what.
fn form(page: &Page) -> (String, String) {
    let (_, form) = page.body.split_once("<form").unwrap();
    let attribute = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!(" {name}=\"")).unwrap();
        unescaped(rest.split_once('"').unwrap().0)
    };
    let mut fields = url::form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input").skip(1) {
        fields.append_pair(&attribute(input, "name"), &attribute(input, "value"));
    }
    assert_eq!(attribute(form, "method"), "post");
    (attribute(form, "action"), fields.finish())
}

/// From the button to the page after it, by way of the provider.
async fn there_and_back(browser: &Browser, scene: &Scene) -> Page {
    let away = goes_on(&signs_out(browser, scene).await).unwrap();
    let back = browser.get(away.as_str()).await;
    assert!(back.location().starts_with(&scene.url("/auth/signed-out")), "{back:#?}");
    browser.get(back.location()).await
}

/// Whether the next sign-in asks who it is.
async fn asks(browser: &Browser, scene: &Scene) -> bool {
    let start = browser.start(scene, "/").await;
    parameter(&Url::parse(&start).unwrap(), "prompt").as_deref() == Some("login")
}

fn last_at_end_session(scene: &Scene) -> LoggedRequest {
    scene.provider.requests_to(Endpoint::EndSession).pop().unwrap()
}

/// LO-02, CT-39: the ID token of the session, letter by letter, and all the rest; on both stores. The provider takes nothing
/// else.
#[tokio::test]
async fn lo_02_the_provider_is_told_whom_to_sign_out_and_sends_them_back() {
    for uri in [None, Some(mongo::server().await.uri())] {
        let scene = Scene::offering_sign_out(uri).await;
        let mut states = Vec::new();
        for _ in 0..2 {
            let browser = scene.browser();
            scene.provider.log_in_as("alice");
            browser.sign_in(&scene).await;
            let page = signs_out(&browser, &scene).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(
                page.body.contains("You are signed out here") && page.body.contains("<bdi>Example</bdi>"),
                "{page:#?}"
            );
            assert!(!page.body.contains("<script") && !page.body.contains("<form"), "{page:#?}");
            let away = goes_on(&page).unwrap();
            assert!(away.as_str().starts_with(&scene.provider.url(Endpoint::EndSession)));
            assert_eq!(unescaped(&page.button()), away.as_str(), "a person can click it, too");
            assert_eq!(parameter(&away, "client_id").as_deref(), Some(CLIENT_ID));
            assert_eq!(parameter(&away, "post_logout_redirect_uri"), Some(scene.url("/auth/signed-out")));
            assert_eq!(parameter(&away, "id_token_hint").unwrap().split('.').count(), 3);
            states.push(parameter(&away, "state").unwrap());
            let back = browser.get(away.as_str()).await;
            let expected = format!("{}?state={}", scene.url("/auth/signed-out"), states.last().unwrap());
            assert_eq!((back.status, back.location()), (StatusCode::SEE_OTHER, &*expected));
            let page = browser.get(back.location()).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.body.contains("was asked to sign you out there, too"), "{page:#?}");
            // The provider does not know the person any more.
            let start = browser.start(&scene, "/").await;
            assert_eq!(browser.get(&start).await.status, StatusCode::OK, "its form");
        }
        assert_ne!(states[0], states[1]);
    }
}

/// LO-01: nothing waits for the provider, which hangs here, and is gone then.
#[tokio::test]
async fn lo_01_the_session_here_is_dead_whatever_the_provider_does() {
    let scene = Scene::offering_sign_out(None).await;
    let dead = async |browser: &Browser, session: String| {
        browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), session);
        assert!(!browser.is_signed_in(&scene).await, "whoever has the cookie");
    };
    for endpoint in [Endpoint::EndSession, Endpoint::Discovery, Endpoint::Token] {
        let browser = scene.browser();
        browser.sign_in(&scene).await;
        let session = browser.cookie(&scene, "vestibule").unwrap();
        scene.provider.hold(endpoint);
        let page = signs_out(&browser, &scene).await;
        assert!(goes_on(&page).is_some() && browser.cookie(&scene, "vestibule").is_none(), "{page:#?}");
        dead(&browser, session).await;
        scene.provider.release(endpoint);
    }
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let session = browser.cookie(&scene, "vestibule").unwrap();
    scene.provider.down().await;
    let page = signs_out(&browser, &scene).await;
    assert!(page.body.contains("As long as you see this page, that has not happened yet."), "{page:#?}");
    dead(&browser, session).await;
    assert!(browser.get(&scene.url("/auth/signed-out")).await.body.contains("You may still be signed in"));
}

/// LO-01: where the provider is known to be away, nobody is sent into nothing; a click may try.
#[tokio::test]
async fn lo_01_nobody_is_sent_to_a_provider_that_is_known_to_be_away() {
    let scene = Scene::offering_sign_out(None).await;
    let (browser, other) = (scene.browser(), scene.browser());
    browser.sign_in(&scene).await;
    let callback = other.callback_url(&scene, "/").await;
    scene.provider.down().await;
    // A code that cannot be redeemed makes the program look after the provider.
    other.get(&callback).await;
    eventually("the provider is known to be away", || async {
        browser.get(&scene.url("/auth/login")).await.body.contains("cannot be reached").then_some(())
    })
    .await;
    let page = signs_out(&browser, &scene).await;
    assert!(goes_on(&page).is_none(), "{page:#?}");
    assert!(page.body.contains("cannot be reached at the moment, so you are still signed in there"), "{page:#?}");
    assert!(page.button().starts_with(&scene.provider.url(Endpoint::EndSession)), "{page:#?}");
    assert!(!browser.is_signed_in(&scene).await);
}

/// LO-03: the page says what is true, and the next sign-in asks; the one after it does not.
#[tokio::test]
async fn lo_03_a_provider_that_offers_no_sign_out_still_knows_the_person_and_the_next_sign_in_asks() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    assert!(!asks(&browser, &scene).await);
    browser.sign_in(&scene).await;
    assert_eq!(scene.count("login_sessions WHERE id_token IS NOT NULL").await, 0, "what is not used is not kept");
    let out = signs_out(&browser, &scene).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/auth/signed-out?provider=op"));
    let page = browser.get(&scene.url(out.location())).await;
    assert!(page.body.contains("You are still signed in at <bdi>Example</bdi>."), "{page:#?}");
    assert!(page.body.contains("Whoever signs in next in this browser is asked who they are."), "{page:#?}");
    assert!(asks(&browser, &scene).await && asks(&browser, &scene).await, "until somebody has signed in");
    assert!(!asks(&scene.browser(), &scene).await, "no other browser");
    browser.sign_in(&scene).await;
    browser.forget(&scene, "vestibule");
    assert!(!asks(&browser, &scene).await);
}

/// The same where nobody has clicked: an attempt of another browser that begins anew in this one.
#[tokio::test]
async fn a_sign_in_that_begins_anew_by_itself_after_sign_out_asks_too() {
    let scene = Scene::patient().await;
    let (browser, other) = (scene.browser(), scene.browser());
    browser.sign_in(&scene).await;
    signs_out(&browser, &scene).await;
    scene.later(1);
    let foreign = other.callback_url(&scene, "/").await;
    let page = browser.get(&foreign).await;
    assert!(page.location().starts_with(&scene.provider.url(Endpoint::Authorize)), "{page:#?}");
    assert_eq!(parameter(&Url::parse(page.location()).unwrap(), "prompt").as_deref(), Some("login"));
}

/// LO-04: people sign in and out as at a provider that offers none.
#[tokio::test]
async fn lo_04_an_endpoint_that_cannot_be_used_is_not_used() {
    for bad in ["javascript:alert(1)", "http://op.example.com/end", "data:text/html,x", "//evil.example/"] {
        let mut scene = Scene::offering_sign_out(None).await;
        let edit = Edit::set("end_session_endpoint", bad);
        scene.kill().await;
        scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Discovery, edit }));
        scene.start().await;
        let browser = scene.browser();
        browser.sign_in(&scene).await;
        assert_eq!(signs_out(&browser, &scene).await.location(), "/auth/signed-out?provider=op", "{bad}");
        assert!(!browser.is_signed_in(&scene).await);
    }
}

/// LO-05: a form, which may lead to the provider; every other page's may not.
#[tokio::test]
async fn lo_05_a_long_id_token_goes_by_a_form() {
    let scene = Scene::offering_sign_out(None).await;
    scene.provider.log_in_as("incident");
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let page = signs_out(&browser, &scene).await;
    assert!(page.body.len() > 12_000 && goes_on(&page).is_none() && page.body.contains("/auth/assets/submit.js"));
    let policy = page.header("content-security-policy");
    assert!(policy.ends_with("; form-action 'self' http:") && policy.starts_with("default-src 'none'"), "{policy}");
    let (action, fields) = form(&page);
    assert_eq!(action, scene.provider.url(Endpoint::EndSession));
    let back = browser.request(Method::POST, &action, &[], Some(fields)).await;
    assert!(back.location().starts_with(&scene.url("/auth/signed-out?state=")), "{back:#?}");
    assert!(browser.get(back.location()).await.body.contains("was asked to sign you out there, too"));
    let request = last_at_end_session(&scene);
    assert!(request.query.is_empty() && request.form("id_token_hint").is_some_and(|hint| hint.len() > 12_000));
    // A page without such a form.
    let policy = browser.get(&scene.url("/auth/signed-out")).await.header("content-security-policy").to_owned();
    assert!(policy.ends_with("; form-action 'self'"), "{policy}");
}

/// LO-06: the page that holds the token is stored nowhere and names nothing to the provider; afterwards nobody has it.
#[tokio::test]
async fn lo_06_the_id_token_is_kept_sealed_shown_once_and_wiped() {
    let scene = Scene::offering_sign_out(None).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    assert_eq!(scene.count("login_sessions WHERE id_token IS NOT NULL").await, 1);
    let cookies = format!("{:?}", browser.cookies.lock().unwrap());
    let page = signs_out(&browser, &scene).await;
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let hint = parameter(&goes_on(&page).unwrap(), "id_token_hint").unwrap();
    assert!(!cookies.contains(&hint), "it was never in a cookie");
    assert_eq!(scene.count("login_sessions WHERE id_token IS NOT NULL").await, 0);
    assert!(!scene.dump().await.contains(&hint), "nor in clear in the database");
}

/// LO-07, CT-40, CT-41: nothing is reflected, nothing happens, nothing loops.
#[tokio::test]
async fn lo_07_whatever_state_comes_back_the_page_is_neutral() {
    let scene = Scene::offering_sign_out(None).await;
    for fault in [EndSessionFault::OtherState, EndSessionFault::NoState] {
        let browser = scene.browser();
        scene.provider.log_in_as("alice");
        browser.sign_in(&scene).await;
        scene.provider.behave(Rule::once(Behaviour::EndSession(fault)));
        let page = there_and_back(&browser, &scene).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("_INVALID") && !page.body.contains("was asked to"), "{page:#?}");
        assert!(page.body.contains("You may still be signed in at your sign-in provider."), "{page:#?}");
        assert!(!browser.is_signed_in(&scene).await && asks(&browser, &scene).await);
    }
    let browser = scene.browser();
    let neutral = browser.get(&scene.url("/auth/signed-out")).await;
    assert!(neutral.body.contains("may still remember you"), "{neutral:#?}");
    for state in ["", "x", "%3Cscript%3Ealert(1)%3C/script%3E", "%00%ff", &"A".repeat(20_000), "a&state=b"] {
        let page = browser.get(&scene.url(&format!("/auth/signed-out?state={state}"))).await;
        assert_eq!((page.status, &page.body), (StatusCode::OK, &neutral.body));
        assert!(!page.headers.contains_key("set-cookie"), "{page:#?}");
    }
    // No server reads so long a URL; it is refused, and the next one is served.
    let url = Url::parse(&scene.url(&format!("/auth/signed-out?state={}", "A".repeat(1 << 20)))).unwrap();
    #[allow(clippy::disallowed_methods)]
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    if let Ok(answer) = client.get(url).send().await {
        assert!(answer.status().is_client_error(), "{answer:?}");
    }
    assert_eq!(browser.get(&scene.url("/auth/signed-out")).await.body, neutral.body);
}

/// LO-07: an authentic state counts in the browser that left with it, and for an hour.
#[tokio::test]
async fn lo_07_a_state_of_another_browser_or_of_long_ago_says_nothing() {
    let scene = Scene::offering_sign_out(None).await;
    let (browser, other) = (scene.browser(), scene.browser());
    browser.sign_in(&scene).await;
    other.sign_in(&scene).await;
    let state = parameter(&goes_on(&signs_out(&browser, &scene).await).unwrap(), "state").unwrap();
    signs_out(&other, &scene).await;
    let back = scene.url(&format!("/auth/signed-out?state={state}"));
    assert!(browser.get(&back).await.body.contains("was asked to sign you out"));
    for stranger in [&other, &scene.browser()] {
        assert!(!stranger.get(&back).await.body.contains("was asked to sign you out"));
    }
    scene.later(3_700);
    assert!(!browser.get(&back).await.body.contains("was asked to sign you out"));
}

/// LO-08: the page says who is signed in, with the button.
#[tokio::test]
async fn lo_08_the_page_after_sign_out_signs_nobody_out() {
    let scene = Scene::offering_sign_out(None).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    for query in ["", "?state=x", "?provider=op"] {
        let page = browser.get(&scene.url(&format!("/auth/signed-out{query}"))).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains("Alice Example") && page.body.contains("method=\"post\" action=\"/auth/logout\""));
        assert!(!page.body.contains("You are signed out"), "{page:#?}");
    }
    assert!(browser.is_signed_in(&scene).await);
}

/// LO-09: whoever stays signed in at the provider is signed out here, and the next sign-in asks: also where the provider sends
/// them back as if it had signed them out, as `oidc-provider` does.
#[tokio::test]
async fn lo_09_who_declines_at_the_provider_is_signed_out_here() {
    for fault in [EndSessionFault::Decline, EndSessionFault::DeclineAndReturn] {
        let scene = Scene::offering_sign_out(None).await;
        let browser = scene.browser();
        browser.sign_in(&scene).await;
        scene.provider.behave(Rule::once(Behaviour::EndSession(fault)));
        let away = goes_on(&signs_out(&browser, &scene).await).unwrap();
        let declined = browser.get(away.as_str()).await;
        if fault == EndSessionFault::DeclineAndReturn {
            let page = browser.get(declined.location()).await;
            assert!(page.body.contains("was asked to sign you out") && page.body.contains("is asked who they are"));
        }
        assert!(!browser.is_signed_in(&scene).await);
        assert!(asks(&browser, &scene).await, "{fault:?}");
    }
}

/// LO-10: a second click, and two tabs at the same time.
#[tokio::test]
async fn lo_10_to_sign_out_twice_is_to_sign_out_once() {
    let scene = Scene::offering_sign_out(None).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let session = browser.cookie(&scene, "vestibule").unwrap();
    assert!(goes_on(&signs_out(&browser, &scene).await).is_some());
    assert_eq!(signs_out(&browser, &scene).await.location(), "/auth/signed-out");
    // As a tab does that still has the cookie.
    browser.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), session);
    assert_eq!(signs_out(&browser, &scene).await.location(), "/auth/signed-out");
    scene.provider.log_in_as("alice");
    browser.sign_in(&scene).await;
    let (one, other) = join(signs_out(&browser, &scene), signs_out(&browser, &scene)).await;
    for page in [one, other] {
        assert!(goes_on(&page).is_some() || page.location() == "/auth/signed-out", "{page:#?}");
    }
    assert!(!browser.is_signed_in(&scene).await);
    assert_eq!(scene.browser().post(&scene.url("/auth/logout"), "").await.location(), "/auth/signed-out", "a stranger");
}

/// LO-11
#[tokio::test]
async fn lo_11_who_clicks_after_the_session_has_ended_gets_the_page() {
    let scene = Scene::offering_sign_out(None).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.later(8 * 24 * 3_600);
    let out = signs_out(&browser, &scene).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/auth/signed-out"));
    let page = browser.get(&scene.url(out.location())).await;
    assert!(page.body.contains("You may still be signed in at your sign-in provider."), "{page:#?}");
    assert!(asks(&browser, &scene).await);
}

/// LO-13: two browsers of one person; and one browser whose session was replaced.
#[tokio::test]
async fn lo_13_the_token_is_the_one_of_the_session_that_is_signed_out() {
    for uri in [None, Some(mongo::server().await.uri())] {
        let scene = Scene::offering_sign_out(uri).await;
        let nonce = |url: &str| parameter(&Url::parse(url).unwrap(), "nonce").unwrap();
        let hint = async |browser: &Browser| {
            let hint = parameter(&goes_on(&signs_out(browser, &scene).await).unwrap(), "id_token_hint").unwrap();
            let payload = hint.split('.').nth(1).unwrap().to_owned();
            let payload = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).unwrap();
            serde_json::from_slice::<serde_json::Value>(&payload).unwrap()["nonce"].as_str().unwrap().to_owned()
        };
        let (one, two) = (scene.browser(), scene.browser());
        let mut nonces = Vec::new();
        // The second sign-in of `one` takes the place of its first.
        for (browser, again) in [(&one, ""), (&two, ""), (&one, "&prompt=login")] {
            let start = browser.get(&scene.url(&format!("/auth/oidc/login?return_to=/{again}"))).await;
            nonces.push(nonce(start.location()));
            let callback = browser.get(start.location()).await.location().to_owned();
            assert!(browser.get(&callback).await.sets_session());
        }
        assert_eq!([hint(&one).await, hint(&two).await], [nonces[2].clone(), nonces[1].clone()]);
    }
}

/// LO-14
#[tokio::test]
async fn lo_14_where_to_go_afterwards_is_not_for_the_request_to_say() {
    let scene = Scene::offering_sign_out(None).await;
    let browser = scene.browser();
    let evil = "post_logout_redirect_uri=https://evil.example/&return_to=https://evil.example/&id_token_hint=x&state=x";
    browser.sign_in(&scene).await;
    let page = browser.post(&scene.url(&format!("/auth/logout?{evil}")), evil).await;
    assert!(!page.body.contains("evil"), "{page:#?}");
    let away = goes_on(&page).unwrap();
    assert_eq!(parameter(&away, "post_logout_redirect_uri"), Some(scene.url("/auth/signed-out")));
    assert!(browser.get(away.as_str()).await.location().starts_with(&scene.url("/auth/signed-out")));
    let without = browser.post(&scene.url(&format!("/auth/logout?{evil}")), evil).await;
    assert_eq!(without.location(), "/auth/signed-out");
    assert!(!browser.get(&scene.url(&format!("/auth/signed-out?{evil}"))).await.body.contains("evil"));
}

/// A token that was sealed with a key of before is opened; where the key is gone, the provider is asked without it.
#[tokio::test]
async fn the_token_outlives_a_change_of_keys_and_sign_out_its_loss() {
    let mut scene = Scene::offering_sign_out(None).await;
    for (keys, is_there) in [(&[8, 7][..], true), (&[9], false)] {
        scene.provider.log_in_as("alice");
        let browser = scene.browser();
        browser.sign_in(&scene).await;
        scene.stop().await;
        scene.set_keys(keys);
        scene.start().await;
        eventually("the program knows the provider", || async {
            (scene.browser().get(&scene.url("/auth/oidc/login")).await.status == StatusCode::SEE_OTHER).then_some(())
        })
        .await;
        let away = goes_on(&signs_out(&browser, &scene).await).unwrap();
        assert_eq!(parameter(&away, "id_token_hint").is_some(), is_there, "{away}");
        assert!(browser.get(away.as_str()).await.location().starts_with(&scene.url("/auth/signed-out?state=")));
    }
}

/// The store cannot tell: nobody is said to be signed out, and nobody is sent to the provider.
#[tokio::test]
async fn a_store_that_fails_leaves_the_person_signed_in() {
    let scene = Scene::offering_sign_out(None).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.damage("login_sessions").await;
    let page = browser.post(&scene.url("/auth/logout"), "").await;
    page.explains("store_unavailable");
    assert!(goes_on(&page).is_none() && browser.cookie(&scene, "vestibule").is_some());
    browser.get(&scene.url("/auth/signed-out")).await.explains("store_unavailable");
    scene.repair("login_sessions").await;
    assert!(browser.is_signed_in(&scene).await);
}
