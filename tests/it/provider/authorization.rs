//! The authorization request, and what its response says of its issuer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use sha2::{Digest as _, Sha256};
use test_provider::{Document, Edit};
use vestibule::server::{provider::Providers, settings::PublicUrl};

use super::rig::{CLIENT, NONCE, REDIRECT_URI, Rig, VERIFIER, edit, request, settings, system};

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
    let again = rig.provider().authorization_url(request(true)).await.unwrap();
    assert!(again.query().unwrap().contains("&prompt=login"));
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
async fn the_fingerprint_is_of_issuer_client_and_redirect_uri() {
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
}
