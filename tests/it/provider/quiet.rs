//! What a provider says too little of, or too much.

use serde_json::json;
use test_provider::{Behaviour, Document, Edit, Endpoint, HeadEdit, JwtEdit, KeyName, SignatureFault};

use super::rig::{Rig, claims, edit, head};

/// TK-13, TK-25, FA-12
#[tokio::test]
async fn a_token_response_may_say_less() {
    let rig = Rig::new().await;
    for what in [
        Edit { remove: ["expires_in", "scope", "refresh_token"].map(str::to_owned).into(), ..Edit::default() },
        Edit::set("scope", "profile"),
        Edit::set("scope", ""),
        Edit::set("expires_in", json!(null)),
    ] {
        rig.says([edit(Document::Token, what.clone())]);
        assert_eq!(rig.code_of().await, "ok", "{what:?}");
    }
}

/// TK-28, DI-19: there is no jar for them.
#[tokio::test]
async fn a_providers_cookies_are_not_kept() {
    let rig = Rig::new().await;
    let all = [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Token, Endpoint::Userinfo];
    let sets = || HeadEdit { set: vec![("set-cookie".into(), "tracked=1; Path=/".into())], ..HeadEdit::default() };
    rig.says(all.map(|at| head(at, sets())));
    for _ in 0..2 {
        assert_eq!(rig.code_of().await, "ok");
    }
    let requests = rig.op.requests();
    assert!(requests.len() >= 6);
    assert!(requests.iter().all(|request| request.header("cookie").is_none()));
}

/// UI-17, CT-31, CT-32: at userinfo and in the ID token.
#[tokio::test]
async fn sources_of_claims_are_never_asked() {
    let rig = Rig::new().await;
    let elsewhere = Rig::new().await;
    let sources = json!({
        "_claim_names": {"groups": "a", "email": "b", "name": "a"},
        "_claim_sources": {
            "a": {"endpoint": format!("{}/claims", elsewhere.op.issuer()), "access_token": "t"},
            "b": {"JWT": "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImV2aWxAZXhhbXBsZS5jb20ifQ."},
        },
    });
    let said = Edit { set: sources.as_object().unwrap().clone(), remove: vec!["email".to_owned()], ..Edit::default() };
    rig.says([edit(Document::Userinfo, said.clone()), claims(said)]);
    let person = rig.redeem().await.unwrap();
    assert_eq!(person.claims().email, None, "not what is sent along without a signature");
    assert!(elsewhere.op.requests().is_empty());
}

/// JW-20
#[tokio::test]
async fn a_key_set_may_be_called_by_its_own_name() {
    for content_type in ["application/jwk-set+json", "application/json", "Application/JWK-Set+JSON; charset=utf-8"] {
        let rig = Rig::new().await;
        rig.says([head(Endpoint::Jwks, HeadEdit::content_type(content_type))]);
        assert_eq!(rig.code_of().await, "ok", "{content_type}");
    }
    let rig = Rig::new().await;
    rig.says([head(Endpoint::Jwks, HeadEdit::no_content_type())]);
    assert_eq!(rig.code_of().await, "ok");
    let rig = Rig::new().await;
    rig.says([head(Endpoint::Jwks, HeadEdit::content_type("text/plain"))]);
    assert_eq!(rig.code_of().await, "provider_bad_answer");
}

/// CT-25
#[tokio::test]
async fn keys_come_from_where_the_metadata_say() {
    let (rig, keys) = (Rig::new().await, Rig::new().await);
    rig.says([edit(Document::Discovery, Edit::set("jwks_uri", keys.op.url(Endpoint::Jwks)))]);
    assert_eq!(rig.code_of().await, "ok");
    assert_eq!((keys.op.count(Endpoint::Jwks), rig.op.count(Endpoint::Jwks)), (1, 0));
}

/// CB-20, CB-23
#[tokio::test]
async fn an_issuer_that_nobody_promised_is_believed_where_it_is_right() {
    let rig = Rig::new().await;
    rig.says([edit(Document::Discovery, Edit::remove("authorization_response_iss_parameter_supported"))]);
    let provider = rig.provider();
    provider.check_response_issuer(Some(rig.op.issuer())).await.unwrap();
    provider.check_response_issuer(None).await.unwrap();
    for wrong in [format!("{}/", rig.op.issuer()), rig.op.issuer().replace("127.0.0.1", "127.0.0.2"), String::new()] {
        let fault = provider.check_response_issuer(Some(&wrong)).await.unwrap_err();
        assert_eq!(fault.code(), "issuer_mismatch", "{wrong}");
    }
}

/// CT-16, ID-09
#[tokio::test]
async fn a_damaged_signature_is_refused_by_es256_too() {
    let rig = Rig::new().await;
    let signed = |signature| Behaviour::IdToken(JwtEdit { signature, ..JwtEdit::key(KeyName::P256) });
    rig.says([signed(None)]);
    assert_eq!(rig.code_of().await, "ok");
    for fault in [SignatureFault::FlippedBit, SignatureFault::Truncated, SignatureFault::Empty, SignatureFault::Zeroed]
    {
        rig.says([signed(Some(fault))]);
        assert_eq!(rig.code_of().await, "id_token_invalid", "{fault:?}");
    }
}
