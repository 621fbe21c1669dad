//! Whose account it is, where addresses say otherwise.

use serde_json::json;
use test_provider::{Behaviour, Document, Edit, JwtEdit, Rule};

use crate::support::scene::Scene;

/// ID-66, UI-25: an address that is another person's, verified or not, joins nothing; one that changes is the same person's.
#[tokio::test]
async fn an_address_joins_no_accounts() {
    let scene = Scene::patient().await;
    let says = |members: serde_json::Value| {
        let edit = || Edit { set: members.as_object().unwrap().clone(), ..Edit::default() };
        scene.provider.behave_well();
        scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit: edit() }));
        scene.provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(edit()))));
    };
    scene.browser().sign_in(&scene).await;
    assert_eq!(scene.count("users").await, 1);
    for (number, verified) in [json!(true), json!(false), json!(null), json!("true")].into_iter().enumerate() {
        says(json!({"sub": format!("other-{number}"), "email": "alice@example.com", "email_verified": verified}));
        scene.browser().sign_in(&scene).await;
        assert_eq!(scene.count("users").await, 2 + i64::try_from(number).unwrap(), "{verified}");
    }
    says(json!({"sub": "other-0", "email": "changed@example.com", "email_verified": true}));
    scene.browser().sign_in(&scene).await;
    assert_eq!(scene.count("users").await, 5, "the address of a known person has changed");
}
