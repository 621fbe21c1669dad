//! `private_key_jwt` and `client_secret_jwt`, against a provider that judges every assertion (RFC 7523 3).

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use secrecy::SecretString;
use serde_json::{Value, json};
use test_provider::{Authentication, Behaviour, Document, Edit, Endpoint, Fault, RunningProvider};
use vestibule::server::{
    client_key::{ClientKey, ClientKeys, NewKey, published},
    settings::{AssertionKey, Audience, ClientAuth},
};

use super::rig::{CLIENT, NOW, Rig, edit, fault, op_with};

const LONG_SECRET: &str = "a-secret-of-at-least-32-bytes+ a&b%c";

fn pem() -> String {
    ClientKey::new_pem(NewKey::Es256).unwrap()
}

fn keys(pems: &[&str]) -> ClientKeys {
    ClientKeys::new(pems.iter().map(|pem| ClientKey::read(pem).unwrap()).collect()).unwrap()
}

/// What the operator registers for these keys.
fn registered(keys: &ClientKeys) -> Authentication {
    Authentication::PrivateKeyJwt(serde_json::from_str(&published(std::iter::once(keys))).unwrap())
}

fn with_keys(op: &Arc<RunningProvider>, keys: &ClientKeys, audience: Audience) -> Rig {
    let keys = keys.clone();
    Rig::over(Arc::clone(op), |settings| {
        settings.client_auth = ClientAuth::Assertion(AssertionKey::Private(keys), audience);
    })
}

/// The form of the last request to `at`, and header and claims of the assertion in it.
fn sent(rig: &Rig, at: Endpoint) -> (Vec<String>, Value, Value) {
    let request = rig.op.requests_to(at).pop().unwrap();
    assert_eq!(request.header("authorization"), None);
    let assertion = &request.form.iter().find(|(name, _)| name == "client_assertion").unwrap().1;
    let part = |n: usize| serde_json::from_slice(&B64.decode(assertion.split('.').nth(n).unwrap()).unwrap()).unwrap();
    let mut names: Vec<_> = request.form.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    (names, part(0), part(1))
}

const FORM: [&str; 7] =
    ["client_assertion", "client_assertion_type", "client_id", "code", "code_verifier", "grant_type", "redirect_uri"];

#[tokio::test]
async fn a_private_key_proves_who_we_are_to_the_issuer_alone() {
    let keys = keys(&[&pem()]);
    let rig = with_keys(&op_with(registered(&keys)).await, &keys, Audience::Issuer);
    rig.redeem().await.unwrap();
    let (names, header, first) = sent(&rig, Endpoint::Token);
    assert_eq!(names, FORM);
    let kid = keys.signing().id();
    assert_eq!(header, json!({ "typ": "client-authentication+jwt", "alg": "ES256", "kid": kid }));
    let now = NOW.unix_timestamp();
    let jti = first["jti"].clone();
    let claims = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": rig.op.issuer(), "jti": jti, "iat": now, "exp": now + 60,
    });
    assert_eq!(first, claims, "one audience, as a text, whatever the endpoint");
    // The provider would refuse the same one.
    rig.redeem().await.unwrap();
    assert_ne!(sent(&rig, Endpoint::Token).2["jti"], jti);
}

/// The older form: then an assertion is for the very URL that it is sent to, and nobody can use it elsewhere.
#[tokio::test]
async fn an_older_provider_gets_an_assertion_for_the_endpoint() {
    let keys = keys(&[&pem()]);
    let rig = with_keys(&op_with(registered(&keys)).await, &keys, Audience::Endpoint);
    rig.redeem().await.unwrap();
    let (_, header, claims) = sent(&rig, Endpoint::Token);
    assert_eq!((&header["typ"], &claims["aud"]), (&json!("JWT"), &json!(rig.op.url(Endpoint::Token))));
}

#[tokio::test]
async fn a_secret_signs_an_assertion_too_and_is_not_sent() {
    let op = op_with(Authentication::SecretJwt(LONG_SECRET.to_owned())).await;
    let with = |secret: &str| {
        let secret = SecretString::from(secret);
        Rig::over(Arc::clone(&op), |settings| {
            settings.client_auth = ClientAuth::Assertion(AssertionKey::Secret(secret), Audience::Issuer);
        })
    };
    let rig = with(LONG_SECRET);
    rig.redeem().await.unwrap();
    let (names, header, claims) = sent(&rig, Endpoint::Token);
    assert_eq!(names, FORM);
    assert_eq!(header, json!({ "typ": "client-authentication+jwt", "alg": "HS256" }));
    assert_eq!(claims["aud"], rig.op.issuer());
    assert_eq!(with("another secret that is as long as it must be").code_of().await, "client_refused");
}

#[tokio::test]
async fn a_refused_assertion_is_the_operators_and_is_told_to_nobody() {
    let (ours, theirs) = (keys(&[&pem()]), keys(&[&pem()]));
    let rig = with_keys(&op_with(registered(&theirs)).await, &ours, Audience::Issuer);
    // The provider repeats it in its words.
    let fault = rig.redeem().await.unwrap_err();
    let words = format!("{fault} {fault:?}");
    assert!(
        words.contains("refused the client (private_key_jwt)") && words.contains("Its key is not registered."),
        "{words}"
    );
    assert!(words.contains("The assertion [hidden] is refused") && !words.contains("eyJ"), "{words}");
}

/// The first key signs, all are known: append, move to the front, remove.
#[tokio::test]
async fn a_key_takes_the_place_of_another_without_a_failed_sign_in() {
    let (old, new) = (pem(), pem());
    let steps = [keys(&[&old]), keys(&[&old, &new]), keys(&[&new, &old]), keys(&[&new])];
    // What the provider has read at each step; while it has not read again, it knows what it read one step before.
    for (step, ours) in steps.iter().enumerate() {
        for known in [&steps[step.saturating_sub(1)], ours] {
            let rig = with_keys(&op_with(registered(known)).await, ours, Audience::Issuer);
            assert_eq!(rig.code_of().await, "ok", "step {step}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_sent_again_has_an_assertion_of_its_own() {
    let keys = keys(&[&pem()]);
    let rig = with_keys(&op_with(registered(&keys)).await, &keys, Audience::Issuer);
    rig.once(fault(Endpoint::Token, Fault::retry_after(429, 0)));
    rig.redeem().await.unwrap();
    let assertions: Vec<_> = rig.op.requests_to(Endpoint::Token).iter().map(|request| request.form.clone()).collect();
    assert_eq!(assertions.len(), 2);
    assert_ne!(assertions[0], assertions[1]);
}

/// Core 9 and the advice against audience injection: what another endpoint's URL is, changes nothing.
#[tokio::test]
async fn metadata_do_not_choose_the_audience() {
    let keys = keys(&[&pem()]);
    let rig = with_keys(&op_with(registered(&keys)).await, &keys, Audience::Issuer);
    let moved: Behaviour =
        edit(Document::Discovery, Edit::set("token_endpoint", format!("{}?x=1", rig.op.url(Endpoint::Token))));
    rig.says([moved]);
    rig.redeem().await.unwrap();
    assert_eq!(sent(&rig, Endpoint::Token).2["aud"], rig.op.issuer());
}
