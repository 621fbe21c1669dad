//! What an administrator finds under a reference: each failed step of a sign-in says at which endpoint it failed, with
//! which status, and what the provider said about it, as `docs/errors.md` promises.

use std::time::Duration;

use serde_json::{Value, json};
use test_provider::{Behaviour, Endpoint, Fault, Profile, Rule};

use crate::support::{
    browser::Browser,
    scene::{CLIENT_SECRET, Scene},
};

/// A sign-in during which `endpoint` fails; returns the last step of its trace.
async fn failed_step(endpoint: Endpoint, fault: Fault, code: &str) -> Value {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    scene.provider.behave(Rule::standing(Behaviour::Fault { at: endpoint, fault }));
    last_step(&scene, &callback, &browser, code).await
}

async fn last_step(scene: &Scene, callback: &str, browser: &Browser, code: &str) -> Value {
    let page = browser.follow(scene, callback).await.unwrap();
    page.explains(code);
    let reference = page.data("reference").unwrap();
    let found = browser.get(&format!("http://{}/attempts/{reference}", scene.admin)).await;
    assert!(!found.body.contains(CLIENT_SECRET), "{}", found.body);
    let attempt: Value = serde_json::from_str(&found.body).unwrap();
    assert_eq!(attempt["code"], code, "{attempt:#}");
    attempt["steps"].as_array().unwrap().last().unwrap().clone()
}

#[track_caller]
fn says(step: &Value, name: &str, result: &str, detail: &str) {
    assert_eq!((&step["name"], &step["result"], &step["detail"]), (&json!(name), &json!(result), &json!(detail)));
}

#[tokio::test]
async fn a_server_error_names_endpoint_status_and_the_providers_words() {
    let step = failed_step(Endpoint::Token, Fault::html(502), "provider_server_error").await;
    says(&step, "token", "provider_server_error", "answered 502 at token");
    let body = json!({"error": "server_error", "error_description": "the directory is away"});
    let step = failed_step(Endpoint::Token, Fault::json(500, &body), "provider_server_error").await;
    let detail = "answered 500 at token: server_error: the directory is away";
    says(&step, "token", "provider_server_error", detail);
}

#[tokio::test]
async fn an_unusable_response_names_endpoint_and_status() {
    let step = failed_step(Endpoint::Token, Fault::html(403), "provider_bad_answer").await;
    says(&step, "token", "provider_bad_answer", "unusable response at token: status 403, `text/html` instead of JSON");
}

#[tokio::test]
async fn a_refused_token_request_names_status_error_and_description() {
    let body = json!({"error": "unauthorized_client", "error_description": "grant\r\nnot allowed"});
    let step = failed_step(Endpoint::Token, Fault::json(400, &body), "token_refused").await;
    let detail = "refused the token request: status 400, unauthorized_client: grant\\r\\nnot allowed";
    says(&step, "token", "token_refused", detail);

    let body = json!({"error": "invalid_client", "error_description": format!("no client has {CLIENT_SECRET}")});
    let step = failed_step(Endpoint::Token, Fault::json(401, &body), "client_refused").await;
    let detail = "refused the client (client_secret_basic): status 401, invalid_client: no client has [hidden]";
    says(&step, "token", "client_refused", detail);

    // Keycloak, for a wrong secret.
    let body =
        json!({"error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials"});
    let step = failed_step(Endpoint::Token, Fault::json(401, &body), "client_refused").await;
    let detail = "refused the client (client_secret_basic): status 401, unauthorized_client: Invalid client or Invalid client credentials";
    says(&step, "token", "client_refused", detail);

    let challenge = Fault::Answer {
        status: 401,
        headers: vec![("www-authenticate".into(), "Basic realm=\"example\"".into())],
        body: String::new(),
    };
    let step = failed_step(Endpoint::Token, challenge, "client_refused").await;
    let detail = "refused the client (client_secret_basic): status 401, Basic realm=\"example\"";
    says(&step, "token", "client_refused", detail);

    let body = json!({"error": "invalid_grant"});
    let step = failed_step(Endpoint::Token, Fault::json(400, &body), "code_refused").await;
    says(&step, "token", "code_refused", "refused the code: status 400, invalid_grant");
}

#[tokio::test]
async fn a_provider_that_asks_us_to_wait_names_the_time() {
    let step = failed_step(Endpoint::Token, Fault::retry_after(429, 600), "provider_busy").await;
    says(&step, "token", "provider_busy", "answered 429, with Retry-After 600 s");
}

#[tokio::test]
async fn missing_userinfo_names_status_and_how_long_it_took() {
    for (status, detail) in [
        (401, "userinfo unavailable: unusable response at userinfo: status 401"),
        (403, "userinfo unavailable: unusable response at userinfo: status 403"),
        (503, "userinfo unavailable: answered 503 at userinfo"),
    ] {
        let step = failed_step(Endpoint::Userinfo, Fault::status(status), "userinfo_unavailable").await;
        says(&step, "userinfo", "userinfo_unavailable", detail);
        assert!(step["took_ms"].is_u64(), "{step}");
    }
    let challenge = "Bearer error=\"insufficient_scope\", error_description=\"needs openid\"";
    let refusals = [
        (
            Fault::json(403, &json!({"error": "insufficient_scope", "error_description": "needs openid"})),
            "insufficient_scope: needs openid",
        ),
        (Fault::json(500, &json!({"message": "the directory is away"})), "the directory is away"),
        (
            Fault::Answer {
                status: 401,
                headers: vec![("www-authenticate".into(), challenge.into())],
                body: String::new(),
            },
            challenge,
        ),
    ];
    for (fault, words) in refusals {
        let step = failed_step(Endpoint::Userinfo, fault, "userinfo_unavailable").await;
        let detail = step["detail"].as_str().unwrap();
        assert!(detail.ends_with(words), "{detail}");
    }
}

#[tokio::test]
async fn a_request_without_a_response_names_the_endpoint() {
    let scene = Scene::with(Profile::Standard, |settings| {
        settings.sign_in.patience = Duration::from_secs(20);
        settings.sign_in.deadline = Duration::from_secs(2);
    })
    .await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    scene.provider.behave(Rule::standing(Behaviour::Fault { at: Endpoint::Token, fault: Fault::NeverAnswer }));
    let step = last_step(&scene, &callback, &browser, "provider_slow").await;
    says(&step, "token", "provider_slow", "no complete response in time: token endpoint");
}

#[tokio::test]
async fn a_provider_that_is_down_names_the_endpoint() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    // The keys are in memory then, so that the token request is what fails.
    scene.browser().sign_in(&scene).await;
    scene.provider.down().await;
    let step = last_step(&scene, &callback, &browser, "provider_unreachable").await;
    assert_eq!(step["name"], "token");
    let detail = step["detail"].as_str().unwrap();
    let address = scene.provider.issuer().trim_start_matches("http://");
    assert!(
        detail.starts_with(&format!("cannot be reached: token endpoint at {address}, ")) && detail.len() <= 200,
        "{detail}"
    );
}

#[tokio::test]
async fn documents_that_cannot_be_fetched_name_endpoint_and_status() {
    for (endpoint, step) in [(Endpoint::Jwks, "keys"), (Endpoint::Discovery, "discovery")] {
        // This profile sends `iss`, so that nothing else needs the discovery document first.
        let mut scene =
            Scene::with(Profile::Authelia, |settings| settings.sign_in.patience = Duration::from_secs(20)).await;
        let browser = scene.browser();
        let callback = browser.callback_url(&scene, "/").await;
        // The program has neither document in memory after a restart.
        scene.kill().await;
        scene.provider.behave(Rule::standing(Behaviour::Fault { at: endpoint, fault: Fault::status(500) }));
        scene.start().await;
        let last = last_step(&scene, &callback, &browser, "provider_server_error").await;
        says(&last, step, "provider_server_error", &format!("answered 500 at {step}"));
    }
}
