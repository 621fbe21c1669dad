//! The provider's key set, and when it is fetched again.

use test_provider::{Behaviour, Endpoint, JwksFault, JwtEdit, KeyName};

use super::rig::{PLENTY, Rig, steps};

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
async fn a_useless_key_set_never_replaces_a_good_one() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    rig.says([Behaviour::Jwks(JwksFault::Empty), unknown_key()]);
    assert_eq!(rig.code_of().await, "provider_keys");
    rig.says([Behaviour::Jwks(JwksFault::Empty)]);
    assert_eq!(rig.code_of().await, "ok");
}
