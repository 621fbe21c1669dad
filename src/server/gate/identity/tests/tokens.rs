use std::sync::Arc;

use super::*;

#[test]
fn an_assertion_is_verified_by_a_library_that_is_not_ours() {
    let (names, site) = site(vec![Preset::Assertion], &[], None);
    let identities = identities(&[2, 1], false);
    let ada = ada();
    let identity = identities.of(&names, &site, &person(&ada), NOW);
    let assertion = identity.headers["x-vestibule-assertion"].to_str().unwrap();
    let expected = json!({
        "iss": "https://login.example.com",
        "aud": "https://wiki.example.com",
        "sub": "0123456789abcdef01234567",
        "iat": 1_795_694_400,
        "exp": 1_795_694_700,
        "name": "Ada Lovelace-Müller",
        "preferred_username": "ada",
        "email": "ada@example.com",
        "email_verified": true,
        "groups": ["admins", "R&D, Berlin"],
        "role": "admin",
        "idp": { "issuer": "https://id.example.com", "subject": "s-1" },
    });
    assert_eq!(verified(&identities, assertion), expected);
    assert_eq!(identity.renew_at, Some(NOW + time::Duration::seconds(150)));
    assert!(identity.headers["x-vestibule-assertion"].is_sensitive());
}

#[test]
fn an_assertion_leaves_out_what_is_not_known() {
    let (names, site) = site(vec![Preset::Assertion], &[], None);
    let identities = identities(&[1], false);
    let mut nobody = ada();
    nobody.user = User {
        username: String::new(),
        email: None,
        email_verified: false,
        full_name: None,
        role: Role::User,
        ..nobody.user
    };
    nobody.facts = SessionFacts::default();
    let identity = identities.of(&names, &site, &person(&nobody), NOW);
    let expected = json!({
        "iss": "https://login.example.com",
        "aud": "https://wiki.example.com",
        "sub": "0123456789abcdef01234567",
        "iat": 1_795_694_400,
        "exp": 1_795_694_700,
        "role": "user",
        "idp": { "issuer": "https://id.example.com" },
    });
    assert_eq!(verified(&identities, identity.headers["x-vestibule-assertion"].to_str().unwrap()), expected);
}

#[test]
fn a_promoted_key_verifies_what_its_process_had_signed_before() {
    let (names, site) = site(vec![Preset::Assertion], &[], None);
    let ada = ada();
    let before = identities(&[1, 2], false).of(&names, &site, &person(&ada), NOW);
    let after = identities(&[2, 1], false);
    verified(&after, before.headers["x-vestibule-assertion"].to_str().unwrap());
}

#[test]
fn a_site_of_its_own_is_its_audience() {
    let (names, site) = site(vec![Preset::Assertion], &[], None);
    let other = Site { origin: Arc::from("https://two.example.com:8443"), ..site };
    let ada = ada();
    let identities = identities(&[1], false);
    let identity = identities.of(&names, &other, &person(&ada), NOW);
    let assertion = identity.headers["x-vestibule-assertion"].to_str().unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_exp = false;
    validation.set_audience(&["https://two.example.com:8443"]);
    let keys: JwkSet = serde_json::from_str(identities.jwks()).unwrap();
    let key = DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    assert!(decode::<Json>(assertion, &key, &validation).is_ok());
    validation.set_audience(&["https://wiki.example.com"]);
    assert!(decode::<Json>(assertion, &key, &validation).is_err());
}

#[test]
fn claudelens_is_told_four_claims() {
    let (names, site) = site(vec![claudelens()], &[], None);
    let ada = ada();
    let identities = identities(&[1], false);
    let identity = identities.of(&names, &site, &person(&ada), NOW);
    let claims = json!({ "sub": "ada", "user_id": "0123456789abcdef01234567", "role": "admin", "exp": 1_795_694_700 });
    assert_eq!(as_claudelens(identity.headers["authorization"].to_str().unwrap()), claims);
    assert_eq!(identity.renew_at, Some(NOW + time::Duration::seconds(150)));
    assert!(identity.headers["authorization"].is_sensitive());
    let token = identities.token(&names, &site, &person(&ada), NOW).unwrap();
    assert_eq!(as_claudelens(&format!("Bearer {}", token.access_token)), claims);
}

#[test]
fn a_script_is_given_an_assertion_where_claudelens_is_not_meant() {
    let (names, site) = site(vec![Preset::Remote], &[], Some(&["admins"]));
    let ada = ada();
    let identities = identities(&[1], false);
    let token = identities.token(&names, &site, &person(&ada), NOW).unwrap();
    let claims = verified(&identities, &token.access_token);
    assert_eq!((&claims["sub"], &claims["groups"]), (&json!("0123456789abcdef01234567"), &json!(["admins"])));
    let body = json!({ "access_token": token.access_token, "token_type": "Bearer", "expires_in": 300 });
    assert_eq!(serde_json::to_value(&token).unwrap(), body);
}
