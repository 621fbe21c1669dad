//! The authorization request, and what its response says of its issuer.

use std::{future::ready, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use sha2::{Digest as _, Sha256};
use test_provider::{Document, Edit};
use vestibule::server::{
    provider::{AuthorizationRequest, Prompt, Providers},
    settings::{AuthenticationRequestSettings, ProviderSettings, PublicUrl, ResponseMode},
};

use super::rig::{CLIENT, NONCE, REDIRECT_URI, Rig, VERIFIER, edit, op, request, settings, system};

#[tokio::test]
async fn the_authentication_request_says_what_is_needed_and_no_more() {
    let rig = Rig::new().await;
    let url = rig.begin().await.unwrap();
    let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
    pairs.sort();
    let mut expected = [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("scope", "openid profile email"),
        ("redirect_uri", REDIRECT_URI),
        ("state", &"x".repeat(500)),
        ("nonce", NONCE),
        ("code_challenge", &B64.encode(Sha256::digest(VERIFIER))),
        ("code_challenge_method", "S256"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()));
    expected.sort();
    assert_eq!(pairs, expected);
    assert!(url.as_str().len() < 1500);
    let again = rig.provider().authorization_url(request(Prompt::AnotherAccount), |_| ready(Some(()))).await.unwrap();
    assert!(again.query().unwrap().contains("&prompt=login"));
}

/// All that an operator may ask for.
fn everything(settings: &mut ProviderSettings) {
    settings.request = AuthenticationRequestSettings {
        response_mode: ResponseMode::FormPost,
        prompt: vec!["consent".into(), "select_account".into()],
        max_age: Some(Duration::from_millis(90_500)),
        acr_values: vec!["phr".into(), "urn:x:a/b".into()],
        ui_locales: vec!["de".into(), "pt-BR".into()],
        claims: Some(r#"{"userinfo":{"groups":null}}"#.into()),
    };
}

#[tokio::test]
async fn what_the_operator_and_the_person_want_is_asked_for_once_each() {
    let op = op(|_| {}).await;
    let rig = Rig::over(std::sync::Arc::clone(&op), everything);
    let pairs = |url: url::Url| url.query_pairs().into_owned().collect::<Vec<_>>();
    let asked = AuthorizationRequest { login_hint: Some("Ada & Eve".into()), ..request(Prompt::Usual) };
    let url = rig.provider().authorization_url(asked, |_| ready(Some(()))).await.unwrap();
    let all = pairs(url);
    for (name, value) in [
        ("response_mode", "form_post"),
        ("prompt", "consent select_account"),
        ("max_age", "90"),
        ("acr_values", "phr urn:x:a/b"),
        ("ui_locales", "de pt-BR"),
        ("claims", r#"{"userinfo":{"groups":null}}"#),
        ("login_hint", "Ada & Eve"),
    ] {
        let values: Vec<_> = all.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [value], "{name}");
    }
    assert_eq!(all.len(), 9 + 7, "each once, and nothing more: {all:?}");

    for (set, wanted, sent) in [
        (&[][..], Prompt::Usual, None),
        (&[], Prompt::AnotherAccount, Some("login")),
        (&[], Prompt::Silent, Some("none")),
        (&["login"], Prompt::Usual, Some("login")),
        (&["login"], Prompt::AnotherAccount, Some("login")),
        (&["consent", "login"], Prompt::AnotherAccount, Some("consent login")),
        (&["select_account"], Prompt::AnotherAccount, Some("select_account")),
        (&["consent"], Prompt::AnotherAccount, Some("login consent")),
        (&["consent"], Prompt::Silent, Some("none")),
    ] {
        let set: Vec<String> = set.iter().copied().map(str::to_owned).collect();
        let rig = Rig::over(std::sync::Arc::clone(&op), |settings| settings.request.prompt = set.clone());
        let pairs = pairs(rig.provider().authorization_url(request(wanted), |_| ready(Some(()))).await.unwrap());
        let prompt = pairs.iter().find(|(name, _)| name == "prompt").map(|(_, value)| value.as_str());
        assert_eq!(prompt, sent, "{set:?} {wanted:?}");
    }
}

#[tokio::test]
async fn iss_of_the_response_is_compared_byte_for_byte() {
    let rig = Rig::new().await;
    let provider = rig.provider();
    let base = rig.op.issuer();
    provider.check_response_issuer(Some(base)).await.unwrap();
    for wrong in [
        None,
        Some(""),
        Some("http://other.example.com"),
        Some(&format!("{base}/") as &str),
        Some(&base.to_uppercase()),
    ] {
        assert_eq!(provider.check_response_issuer(wrong).await.unwrap_err().code(), "issuer_mismatch", "{wrong:?}");
    }
    let silent = Rig::new().await;
    silent.says([edit(Document::Discovery, Edit::remove("authorization_response_iss_parameter_supported"))]);
    silent.provider().check_response_issuer(None).await.unwrap();
    assert!(silent.provider().check_response_issuer(Some("http://other.example.com")).await.is_err());
}

#[tokio::test]
async fn the_fingerprint_is_of_all_that_an_attempt_is_checked_against() {
    let of = |issuer: &str, client: &str, public: &str| {
        let mut settings = settings(issuer);
        settings.client_id = client.into();
        let providers = Providers::new(vec![settings], &PublicUrl::parse(public).unwrap(), &system()).unwrap();
        providers.iter().next().unwrap().fingerprint()
    };
    let one = of("https://a.example.com", "c", "https://rp.example.com");
    assert_eq!(one, of("https://a.example.com", "c", "https://rp.example.com"));
    assert_ne!(one, of("https://a.example.com/", "c", "https://rp.example.com"));
    assert_ne!(one, of("https://a.example.com", "d", "https://rp.example.com"));
    assert_ne!(one, of("https://a.example.com", "c", "https://rp2.example.com"));
    let with = |change: fn(&mut AuthenticationRequestSettings)| {
        let mut settings = settings("https://a.example.com");
        settings.client_id = "c".into();
        change(&mut settings.request);
        let public = PublicUrl::parse("https://rp.example.com").unwrap();
        Providers::new(vec![settings], &public, &system()).unwrap().iter().next().unwrap().fingerprint()
    };
    assert_eq!(one, with(|request| (request.prompt, request.claims) = (vec!["login".into()], Some("{}".into()))));
    let all = [
        one,
        with(|request| request.response_mode = ResponseMode::FormPost),
        with(|request| request.max_age = Some(Duration::from_secs(1))),
        with(|request| request.acr_values = vec!["1".into()]),
        with(|request| request.acr_values = vec!["1".into(), "2".into()]),
    ];
    assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
}
