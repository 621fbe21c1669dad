//! The provider or the database is away, or the program itself.

use std::time::Duration;

use reqwest::StatusCode;
use test_provider::{Behaviour, Document, Edit, Endpoint, Fault, Profile, ProviderConfig, Rule};

use crate::support::{page::query, scene::Scene, wait::eventually};

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
    // Without the old key, the state cannot be opened: this is explained, and one click starts again.
    let browser = scene.browser();
    let late = browser.callback_url(&scene, "/").await;
    scene.kill().await;
    scene.set_keys(&[11]);
    scene.start().await;
    browser.follow(&scene, &late).await.unwrap().explains("state_invalid");
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
async fn a_damaged_database_signs_nobody_out() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.damage("login_sessions").await;
    for path in ["/auth/account", "/auth/oidc/login"] {
        let page = browser.get(&scene.url(path)).await;
        page.explains("store_unavailable");
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!page.header("retry-after").is_empty());
    }
    browser.post(&scene.url("/auth/logout"), "").await.explains("store_unavailable");
    assert!(browser.cookie(&scene, "vestibule").is_some(), "the cookie is not removed");
    scene.repair("login_sessions").await;
    assert!(browser.is_signed_in(&scene).await);
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
    eventually("it recovers", || async {
        let page = browser.get(&scene.url("/auth/oidc/login?return_to=/a")).await;
        if page.status == StatusCode::SEE_OTHER {
            return Some(());
        }
        page.explains("sign_in_unavailable");
        None
    })
    .await;
}

/// Nor is one whose certificate has never been believed: a `ca_file` is missing, or another name is in it.
#[tokio::test]
async fn a_provider_that_was_never_believed_is_not_one_that_is_away() {
    let config = ProviderConfig { tls: true, ..ProviderConfig::new(Profile::Standard) };
    let scene = Scene::configured(config, |settings| settings.sign_in.patience = Duration::from_secs(20)).await;
    let browser = scene.browser();
    let page = browser.get(&scene.url("/auth/oidc/login?return_to=/a")).await;
    page.explains("provider_tls");
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::FAILED_DEPENDENCY, ""));
    let login = browser.get(&scene.url("/auth/login")).await;
    for page in [page, login] {
        assert!(!page.body.contains("http-equiv=\"refresh\"") && !page.body.contains("again.js"), "{}", page.body);
    }
}

/// It answers, and only the operator can mend it: nothing reloads by itself, and other providers are offered.
#[tokio::test]
async fn a_provider_that_answers_wrongly_is_not_one_that_is_away() {
    for edit in [
        Edit::set("issuer", "https://other.example"),
        Edit::set("id_token_signing_alg_values_supported", serde_json::json!(["HS256", "none"])),
        Edit::remove("jwks_uri"),
        Edit::whole("{\"issuer\": "),
    ] {
        let scene = Scene::beside_a_neighbour(|settings| settings.sign_in.patience = Duration::from_secs(20)).await;
        scene.kill().await;
        scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Discovery, edit }));
        let mut scene = scene;
        scene.start().await;
        let browser = scene.browser();
        let mut references = Vec::new();
        for _ in 0..2 {
            let page = browser.get(&scene.url("/auth/oidc/login?provider=op&return_to=/a%3Fb%3Dc")).await;
            page.explains("provider_metadata");
            assert_eq!((page.status, page.header("retry-after")), (StatusCode::FAILED_DEPENDENCY, ""));
            assert!(!page.body.contains("http-equiv=\"refresh\"") && !page.body.contains("again.js"), "{}", page.body);
            assert_eq!(page.button(), "/auth/oidc/login?provider=op&return_to=/a%3Fb%3Dc&again=1");
            assert!(page.body.contains("href=\"/auth/login?return_to=/a%3Fb%3Dc\""), "{}", page.body);
            references.push(page.data("reference").unwrap().to_owned());
        }
        assert_eq!(references[0], references[1], "one line in the log");
        // Nor does the login page, where the other one can be chosen.
        let login = browser.get(&scene.url("/auth/login")).await;
        assert!(!login.body.contains("http-equiv=\"refresh\"") && !login.body.contains("again.js"), "{}", login.body);
        assert!(login.body.contains("is not set up correctly. Please tell the administrator"), "{}", login.body);
        let start = browser.get(&scene.url("/auth/oidc/login?provider=neighbour")).await;
        assert!(start.location().starts_with(scene.neighbour.as_ref().unwrap().issuer()), "{start:#?}");
        // The operator sees why, and which algorithms were listed.
        let ready = browser.get(&format!("http://{}/readyz", scene.admin)).await.body;
        assert!(ready.contains("provider_metadata"), "{ready}");
        assert!(!ready.contains("no algorithm") || ready.contains("(RS256 is the usual one): HS256 none"), "{ready}");
        // It is mended without a restart.
        scene.provider.behave_well();
        eventually("it is mended", || async {
            let start = browser.get(&scene.url("/auth/oidc/login?provider=op")).await;
            (start.status == StatusCode::SEE_OTHER).then_some(())
        })
        .await;
    }
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
async fn an_open_circuit_sends_no_token_request_and_wastes_no_code() {
    let scene = with_a_provider_that_has_failed_in_a_row().await;
    let held = scene.browser();
    let callback = held.callback_url(&scene, "/reports").await;
    let page = held.follow(&scene, &callback).await.unwrap();
    page.explains("provider_down");
    assert_eq!(page.status, StatusCode::FAILED_DEPENDENCY);
    assert!(page.body.contains("http-equiv=\"refresh\""), "it goes on by itself");
    assert!((1..=3).contains(&page.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(scene.redeemed(), 5, "the sixth code was not sent");
    assert_eq!(scene.count("login_attempts").await, 6, "nor was its attempt claimed");
    // Before the click, too.
    let login = scene.browser().get(&scene.url("/auth/login")).await;
    assert!(login.body.contains("cannot be reached at the moment"), "{}", login.body);
    assert!(login.body.contains("again.js") && login.body.contains("http-equiv=\"refresh\""), "{}", login.body);

    scene.provider.behave_well();
    let landed = eventually("it signs people in again", || async {
        match held.follow(&scene, &callback).await {
            Err(landed) => Some(landed),
            Ok(page) => {
                page.explains("provider_down");
                None
            }
        }
    });
    assert_eq!(landed.await, "/reports", "with the same code");
    assert!(held.is_signed_in(&scene).await);
    let login = scene.browser().get(&scene.url("/auth/login")).await;
    assert!(!login.body.contains("cannot be reached at the moment"), "{}", login.body);
    for code in scene.provider.redemptions() {
        assert!(code.presented <= 1);
    }
}

#[tokio::test]
async fn a_code_that_has_expired_is_not_sent() {
    let scene = with_a_provider_that_has_failed_in_a_row().await;
    let held = scene.browser();
    let callback = held.callback_url(&scene, "/reports").await;
    // A code's life begins when it comes, not when the sign-in began.
    scene.later(60);
    // The URL that the page continues to, which contains when the response came.
    let waiting = scene.url(held.get(&callback).await.location());
    held.get(&waiting).await.explains("provider_down");
    scene.provider.behave_well();
    scene.later(56);
    let page = eventually("another code is asked for", || async {
        let page = held.get(&waiting).await;
        // What it said last holds for a few seconds.
        if page.status != StatusCode::FAILED_DEPENDENCY {
            return Some(page);
        }
        page.explains("provider_down");
        None
    });
    let page = page.await;
    assert!(page.location().starts_with(&scene.provider.url(Endpoint::Authorize)), "{page:#?}");
    assert_eq!(scene.redeemed(), 5, "the sixth code was not sent");
}

#[tokio::test]
async fn the_login_page_learns_from_a_failed_sign_in_that_the_provider_is_away_and_that_it_is_back() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    let says_so = async || {
        let login = scene.browser().get(&scene.url("/auth/login")).await;
        login.body.contains("cannot be reached")
    };
    assert!(!says_so().await);
    scene.provider.down().await;
    browser.follow(&scene, &callback).await.unwrap().explains("provider_unreachable");
    eventually("the login page says so", || async { says_so().await.then_some(()) }).await;
    let ready: serde_json::Value =
        serde_json::from_str(&browser.get(&format!("http://{}/readyz", scene.admin)).await.body).unwrap();
    assert_eq!(ready["store"]["ready"], true);
    assert_eq!(ready["providers"][0]["availability"]["available"], false);
    assert_eq!(ready["providers"][0]["availability"]["code"], "provider_unreachable");
    scene.provider.up().await.unwrap();
    // Nobody signs in meanwhile: it looks by itself.
    eventually("the login page says no more so", || async { (!says_so().await).then_some(()) }).await;
}

#[tokio::test]
async fn a_reload_does_not_reset_the_age_of_a_code() {
    let scene = with_a_provider_that_has_failed_in_a_row().await;
    let held = scene.browser();
    let callback = held.callback_url(&scene, "/reports").await;
    held.follow(&scene, &callback).await.unwrap().explains("provider_down");
    scene.provider.behave_well();
    scene.later(56);
    // The very address that the provider has sent it to, as after a proxy's error page.
    let landed = eventually("another code is asked for", || async { held.follow(&scene, &callback).await.err() });
    assert_eq!(landed.await, "/reports");
    assert_eq!(scene.redeemed(), 6, "the code that was too old was not sent");
}

#[tokio::test]
async fn a_poll_while_a_table_is_gone_gets_a_response_and_continues_by_itself() {
    let scene = Scene::hasty().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    assert_eq!(browser.follow(&scene, &callback).await.unwrap_err(), "/reports");
    assert!(browser.is_signed_in(&scene).await);
    let question = query(&callback).split('&').find(|pair| pair.starts_with("state=")).unwrap().to_owned();
    scene.execute("ALTER TABLE login_attempts RENAME TO away").await;
    let (_, outcome) = browser.ask(&scene, &question).await;
    assert_eq!(outcome["outcome"], "failed", "waiting is of no use: {outcome}");
    let page = browser.get(&scene.url(outcome["location"].as_str().unwrap())).await;
    page.explains("store_unavailable");
    assert!(page.body.contains("http-equiv=\"refresh\""), "{}", page.body);
    scene.execute("ALTER TABLE away RENAME TO login_attempts").await;
    let page = browser.get(&scene.url(outcome["location"].as_str().unwrap())).await;
    assert_eq!(page.location(), "/reports");
}
