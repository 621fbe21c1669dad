//! Several providers, one of which is not honest (RFC 9700 4.4, RFC 9207).

use std::time::Duration;

use serde_json::json;
use test_provider::{Behaviour, Document, Edit, Endpoint, Rule, RunningProvider};

use crate::support::scene::Scene;

async fn scene() -> Scene {
    Scene::beside_a_neighbour(|settings| settings.sign_in.patience = Duration::from_secs(20)).await
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A parameter of an address, as it stands there.
fn raw<'u>(url: &'u str, name: &str) -> &'u str {
    url.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

fn neighbour(scene: &Scene) -> &RunningProvider {
    scene.neighbour.as_ref().unwrap()
}

/// CB-20, CB-21: right, wrong, and missing where it is promised.
#[tokio::test]
async fn iss_of_the_answer_is_the_provider_that_was_asked() {
    let scene = scene().await;
    let (ours, other) = (scene.provider.issuer().to_owned(), neighbour(&scene).issuer().to_owned());
    for (iss, code) in [
        (Some(other), "issuer_mismatch"),
        (Some(format!("{ours}/")), "issuer_mismatch"),
        (Some(ours.to_uppercase()), "issuer_mismatch"),
        (Some(encoded(&ours)), "issuer_mismatch"),
        (Some(ours[..ours.len() - 1].to_owned()), "issuer_mismatch"),
        (Some(String::new()), "answer_malformed"),
        (None, "issuer_mismatch"),
    ] {
        let browser = scene.browser();
        let start = browser.get(&scene.url("/auth/oidc/login?provider=op")).await;
        let callback = browser.get(start.location()).await.location().to_owned();
        let given = format!("iss={}", raw(&callback, "iss"));
        let changed = match &iss {
            Some(iss) => callback.replace(&given, &format!("iss={}", encoded(iss))),
            None => callback.replace(&given, "x=y"),
        };
        browser.follow(&scene, &changed).await.unwrap().explains(code);
    }
    assert_eq!((scene.redeemed(), neighbour(&scene).count(Endpoint::Token)), (0, 0));
    let browser = scene.browser();
    let start = browser.get(&scene.url("/auth/oidc/login?provider=op&return_to=/right")).await;
    let callback = browser.get(start.location()).await.location().to_owned();
    assert_eq!(browser.follow(&scene, &callback).await.unwrap_err(), "/right");
}

/// CB-25: an answer of one provider under the state of the other, both ways.
#[tokio::test]
async fn a_code_goes_to_the_provider_of_its_state_alone() {
    let scene = scene().await;
    for (first, second) in [("op", "neighbour"), ("neighbour", "op")] {
        let browser = scene.browser();
        let mut answers = Vec::new();
        for id in [first, second] {
            let start = browser.get(&scene.url(&format!("/auth/oidc/login?provider={id}"))).await;
            answers.push(browser.get(start.location()).await.location().to_owned());
        }
        let mixed = answers[1].replace(raw(&answers[1], "state"), raw(&answers[0], "state"));
        browser.follow(&scene, &mixed).await.unwrap().explains("issuer_mismatch");
        assert_eq!((scene.redeemed(), neighbour(&scene).count(Endpoint::Token)), (0, 0));
    }
}

/// The same where neither promises `iss`: the code reaches the provider of the state, which does not know it.
#[tokio::test]
async fn without_iss_a_foreign_code_reaches_no_other_provider_than_that_of_the_state() {
    let scene = scene().await;
    scene.kill().await;
    for provider in [&scene.provider, neighbour(&scene)] {
        let silent = Edit::remove("authorization_response_iss_parameter_supported");
        provider.behave(Rule::standing(Behaviour::Edit { of: Document::Discovery, edit: silent }));
    }
    let mut scene = scene;
    scene.start().await;
    let browser = scene.browser();
    let mut answers = Vec::new();
    for id in ["op", "neighbour"] {
        let start = browser.get(&scene.url(&format!("/auth/oidc/login?provider={id}"))).await;
        let callback = browser.get(start.location()).await.location().to_owned();
        answers.push(callback.replace(&format!("iss={}", raw(&callback, "iss")), "x=y"));
    }
    let mixed = answers[1].replace(raw(&answers[1], "state"), raw(&answers[0], "state"));
    browser.follow(&scene, &mixed).await.unwrap().explains("code_refused");
    assert_eq!((scene.redeemed(), neighbour(&scene).count(Endpoint::Token)), (1, 0));
}

/// CB-27: a provider's metadata name another's login page beside its own token endpoint.
#[tokio::test]
async fn the_login_page_of_an_honest_provider_yields_no_code_for_a_dishonest_one() {
    let scene = scene().await;
    scene.kill().await;
    let honest = json!(neighbour(&scene).url(Endpoint::Authorize));
    let edit = Edit::set("authorization_endpoint", honest);
    scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Discovery, edit }));
    let mut scene = scene;
    scene.start().await;
    let browser = scene.browser();
    let start = browser.get(&scene.url("/auth/oidc/login?provider=op")).await;
    assert!(start.location().starts_with(neighbour(&scene).issuer()), "{start:#?}");
    let callback = browser.get(start.location()).await.location().to_owned();
    browser.follow(&scene, &callback).await.unwrap().explains("issuer_mismatch");
    assert_eq!((scene.redeemed(), neighbour(&scene).count(Endpoint::Token)), (0, 0), "no code, no secret");
}

/// CB-26: there is one callback, and none for each provider.
#[tokio::test]
async fn there_is_no_callback_of_one_provider() {
    let scene = scene().await;
    let browser = scene.browser();
    let start = browser.get(&scene.url("/auth/oidc/login?provider=op")).await;
    let callback = browser.get(start.location()).await.location().to_owned();
    browser.get(&callback.replace("/callback?", "/callback/neighbour?")).await.explains("not_found");
    assert_eq!(scene.redeemed(), 0);
}
