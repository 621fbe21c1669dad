//! Tokens and keys that are wrong in the way that was asked for.

use serde_json::json;
use test_provider::{
    Behaviour, DemoPerson, Edit, Endpoint, JwksFault, JwtEdit, KeyName, Profile, PublicKeyForm, Rule, RunningProvider,
    SignatureFault,
};

use crate::support::{config, get, part, provider, tokens, userinfo, verifies};

#[tokio::test]
async fn the_person_of_the_incident_is_heavy() {
    let config = config(Profile::Authelia).with_person(DemoPerson::incident());
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("incident");
    let tokens = tokens(&op).await;
    let (id_token, access_token) = (tokens["id_token"].as_str().unwrap(), tokens["access_token"].as_str().unwrap());
    assert!((65_000..=65_540).contains(&access_token.len()), "{}", access_token.len());
    assert_eq!(part(access_token, 0)["typ"], "at+jwt");
    assert_eq!(id_token.rsplit('.').next().unwrap().len(), 683, "4096 bits");
    assert!(verifies(&op, id_token).await && verifies(&op, access_token).await);
    assert_eq!(part(id_token, 1)["groups"].as_array().unwrap().len(), 500);
    assert_eq!(part(id_token, 1)["email"], "incident@example.com");
    assert_eq!(tokens["refresh_token"].as_str().unwrap().len(), 99);
    assert_eq!(userinfo(&op, access_token).await.json()["groups"].as_array().unwrap().len(), 500);
}

#[tokio::test]
async fn the_id_token_is_spoilt_as_asked() {
    let op = provider(Profile::Standard).await;
    let token = async |edit: JwtEdit| {
        op.behave(Rule::once(Behaviour::IdToken(edit)));
        tokens(&op).await["id_token"].as_str().unwrap().to_owned()
    };
    let claims = token(JwtEdit::claims(Edit::shift("exp", -7200))).await;
    assert!(verifies(&op, &claims).await, "only the claim is wrong");
    assert!(part(&claims, 1)["exp"].as_i64() < part(&claims, 1)["iat"].as_i64());
    let header = token(JwtEdit::header(Edit::set("crit", json!(["exp"])))).await;
    assert!(verifies(&op, &header).await);
    assert_eq!(part(&header, 0)["crit"], json!(["exp"]));
    for fault in [
        SignatureFault::FlippedBit,
        SignatureFault::Truncated,
        SignatureFault::Empty,
        SignatureFault::Zeroed,
        SignatureFault::OtherPayload,
    ] {
        let spoilt = token(JwtEdit::signature(fault)).await;
        assert_eq!(part(&spoilt, 0)["alg"], "RS256");
        assert!(!verifies(&op, &spoilt).await, "{fault:?}");
    }
    let unsigned = token(JwtEdit::signature(SignatureFault::Unsigned)).await;
    assert!(part(&unsigned, 0)["alg"] == "none" && unsigned.ends_with('.'));
    for fault in [
        SignatureFault::ClientSecret,
        SignatureFault::PublicKey(PublicKeyForm::Pem),
        SignatureFault::PublicKey(PublicKeyForm::ModulusText),
    ] {
        let symmetric = token(JwtEdit::signature(fault)).await;
        assert_eq!(part(&symmetric, 0)["alg"], "HS256");
        assert_eq!(symmetric.rsplit('.').next().unwrap().len(), 43);
    }
    assert!(!verifies(&op, &token(JwtEdit::key(KeyName::Stranger)).await).await);
    assert!(verifies(&op, &token(JwtEdit::key(KeyName::P256)).await).await);
    for (fault, alg, bytes) in [(SignatureFault::Rs512, "RS512", 342), (SignatureFault::Ps256, "PS256", 342)] {
        let other = token(JwtEdit::signature(fault)).await;
        assert_eq!((part(&other, 0)["alg"].as_str(), other.rsplit('.').next().unwrap().len()), (Some(alg), bytes));
    }
    assert_eq!(token(JwtEdit::signature(SignatureFault::Missing)).await.split('.').count(), 2);
    assert!(token(JwtEdit::append(".x")).await.ends_with(".x"));
    assert_eq!(token(JwtEdit::whole("a.b")).await, "a.b");
    let before = get(&op, Endpoint::Jwks).await.text();
    let rotated = token(JwtEdit { rotate_first: true, ..JwtEdit::default() }).await;
    assert!(!before.contains(part(&rotated, 0)["kid"].as_str().unwrap()));
    assert!(verifies(&op, &rotated).await);
}

#[tokio::test]
async fn key_sets_are_spoilt_as_asked() {
    let op = provider(Profile::Standard).await;
    let good = get(&op, Endpoint::Jwks).await.json();
    let keys = async |fault: JwksFault| {
        op.behave(Rule::once(Behaviour::Jwks(fault)));
        get(&op, Endpoint::Jwks).await.json()["keys"].as_array().unwrap().clone()
    };
    assert_eq!(good["keys"].as_array().unwrap().len(), 2);
    assert!(good.to_string().find("\"d\"").is_none(), "no private member");
    assert!(keys(JwksFault::Empty).await.is_empty());
    assert!(keys(JwksFault::Huge).await.len() > 4000);
    assert_eq!(keys(JwksFault::Extra).await.len(), 6);
    assert!(keys(JwksFault::WithoutKid).await.iter().all(|key| key["kid"].is_null() && !key["kty"].is_null()));
    let poisoned = keys(JwksFault::Poisoned).await;
    assert_eq!(poisoned[0]["kid"], good["keys"][0]["kid"]);
    assert_ne!(poisoned[0]["n"], good["keys"][0]["n"]);
    op.rotate_keys();
    assert_ne!(get(&op, Endpoint::Jwks).await.json(), good);
}
