//! The provider's key set, and when it is fetched again.

use test_provider::{Behaviour, Edit, Endpoint, JwksFault, JwtEdit, KeyName};

use super::rig::{PLENTY, Rig, header, steps};

fn unknown_key() -> Behaviour {
    Behaviour::IdToken(JwtEdit::key(KeyName::Stranger))
}

#[tokio::test]
async fn rotated_keys_are_fetched_in_the_same_sign_in_and_a_flood_of_unknown_ones_causes_no_more_fetches() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    rig.op.rotate_keys();
    let (outcome, trace) = rig.redeem_within(PLENTY).await;
    outcome.unwrap();
    assert_eq!(steps(&trace), ["token", "keys", "id_token", "userinfo"]);
    assert_eq!(rig.op.count(Endpoint::Jwks), 2);

    rig.says([unknown_key()]);
    for _ in 0..20 {
        assert_eq!(rig.code_of().await, "id_token_invalid");
    }
    assert_eq!(rig.op.count(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn a_key_that_nobody_knows_is_named_where_the_keys_are_fetched_again_and_where_the_sign_in_fails() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    rig.says([header(Edit::set("kid", "next\nyear"))]);
    let (outcome, trace) = rig.redeem_within(PLENTY).await;
    let why = "no key of the provider fits its `alg` and its `kid` (next\\nyear)";
    assert_eq!(outcome.unwrap_err().to_string(), format!("ID token: {why}"));
    let fetched = trace.steps().iter().find(|step| step.name == "keys").unwrap();
    assert_eq!((fetched.result.as_str(), fetched.detail.as_deref()), ("ok", Some(why)));
}

#[tokio::test]
async fn a_useless_key_set_never_replaces_a_good_one() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    rig.says([Behaviour::Jwks(JwksFault::Empty), unknown_key()]);
    assert_eq!(rig.code_of().await, "provider_keys");
    rig.says([Behaviour::Jwks(JwksFault::Empty)]);
    assert_eq!(rig.code_of().await, "ok");
}
