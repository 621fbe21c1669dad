//! Userinfo: whose claims they are, in which form, and what happens without them.

use serde_json::{Value, json};
use test_provider::{Behaviour, Document, Edit, Endpoint, Fault, HeadEdit, JwtEdit, KeyName, SignatureFault};

use super::rig::{CLIENT, KID, NAME_AT_USERINFO, NAME_IN_ID_TOKEN, NOW, Rig, code, edit, fault, head};

fn set(members: &Value) -> Edit {
    Edit { set: members.as_object().unwrap().clone(), ..Edit::default() }
}

/// JSON, in every way that is right or wrong.
fn plain() -> Vec<(&'static str, Vec<Behaviour>, &'static str)> {
    let change = |change| edit(Document::Userinfo, change);
    let content_type = |value| head(Endpoint::Userinfo, HeadEdit::content_type(value));
    let status = |status| fault(Endpoint::Userinfo, Fault::json(status, &json!({})));
    let tags = set(&json!({"name#fr": "x", "name#": 1, "name#a#b": 1}));
    let ill_typed = set(&json!({"address": "x", "updated_at": [], "locale": 5}));
    let sources = set(&json!({
        "_claim_names": {"groups": "s"}, "_claim_sources": {"s": {"endpoint": "http://169.254.169.254/"}},
    }));
    let tagged_sub = Edit { remove: vec!["sub".to_owned()], ..Edit::set("sub#fr", "subject-1") };
    vec![
        ("good", vec![], "ok"),
        ("other sub", vec![change(Edit::set("sub", "subject-2"))], "userinfo_invalid"),
        ("sub case", vec![change(Edit::set("sub", "Subject-1"))], "userinfo_invalid"),
        ("sub number", vec![change(Edit::set("sub", 1))], "userinfo_invalid"),
        ("no sub", vec![change(Edit::remove("sub"))], "userinfo_invalid"),
        ("sub#fr", vec![change(tagged_sub)], "userinfo_invalid"),
        ("tags", vec![change(tags)], "ok"),
        ("ill-typed", vec![change(ill_typed)], "ok"),
        ("sources", vec![change(sources)], "ok"),
        ("space", vec![content_type("application/json ;charset=utf-8")], "ok"),
        ("no type", vec![head(Endpoint::Userinfo, HeadEdit::no_content_type())], "ok"),
        ("HTML", vec![content_type("text/html")], "provider_bad_answer"),
        ("trailing", vec![change(Edit::append("x"))], "provider_bad_answer"),
        ("twice", vec![change(Edit::duplicate("sub", "x"))], "provider_bad_answer"),
        ("endless", vec![fault(Endpoint::Userinfo, Fault::EndlessBody)], "provider_bad_answer"),
        ("401", vec![status(401)], "userinfo_unavailable"),
        ("429", vec![status(429)], "userinfo_unavailable"),
    ]
}

/// JWTs.
fn signed(base: &str) -> Vec<(&'static str, JwtEdit, &'static str)> {
    let now = NOW.unix_timestamp();
    let claim = |name: &str, value: Value| JwtEdit::claims(Edit::set(name, value));
    let for_us = set(&json!({"iss": base, "aud": [CLIENT], "exp": now + 9, "nbf": now}));
    let stranger = JwtEdit { header: Edit::set("kid", KID), ..JwtEdit::key(KeyName::Stranger) };
    vec![
        ("signed", JwtEdit::default(), "ok"),
        ("signed iss aud", JwtEdit::claims(for_us), "ok"),
        ("signed other sub", claim("sub", json!("subject-2")), "userinfo_invalid"),
        ("signed iss", claim("iss", json!("https://other.example.com")), "userinfo_invalid"),
        ("signed aud", claim("aud", json!("other")), "userinfo_invalid"),
        ("signed expired", claim("exp", json!(now - 60)), "userinfo_invalid"),
        ("signed early", claim("nbf", json!(now + 61)), "userinfo_invalid"),
        ("signed by stranger", stranger, "userinfo_invalid"),
        (
            "signed none",
            JwtEdit { header: Edit::remove("kid"), ..JwtEdit::signature(SignatureFault::Unsigned) },
            "userinfo_invalid",
        ),
        ("signed HS256", JwtEdit::signature(SignatureFault::ClientSecret), "userinfo_invalid"),
        ("signed ES256", JwtEdit::key(KeyName::P256), "ok"),
    ]
}

#[tokio::test]
async fn userinfo_must_be_about_the_same_person() {
    let rig = Rig::new().await;
    let signed = signed(rig.op.issuer());
    let signed = signed.into_iter().map(|(what, edit, code)| (what, vec![Behaviour::SignedUserinfo(edit)], code));
    for (what, behaviours, expected) in plain().into_iter().chain(signed) {
        rig.says(behaviours);
        let outcome = rig.redeem().await;
        assert_eq!(code(&outcome), expected, "{what}");
        if let Ok(person) = &outcome {
            assert_eq!(person.claims().name.as_deref(), Some(NAME_AT_USERINFO), "{what}");
        }
    }
}

#[tokio::test]
async fn a_signed_answer_uses_an_algorithm_that_the_provider_lists_for_it() {
    for (listed, expected) in [(json!(["RS256"]), "ok"), (json!(["ES256"]), "userinfo_invalid"), (json!(null), "ok")] {
        let rig = Rig::new().await;
        let listed = edit(Document::Discovery, Edit::set("userinfo_signing_alg_values_supported", listed));
        rig.says([listed, Behaviour::SignedUserinfo(JwtEdit::default())]);
        assert_eq!(rig.code_of().await, expected);
    }
}

#[tokio::test]
async fn userinfo_is_asked_twice_and_never_replaced_by_the_id_token() {
    let rig = Rig::new().await;
    let down = || fault(Endpoint::Userinfo, Fault::html(503));
    rig.once(down());
    assert_eq!(rig.code_of().await, "ok");
    rig.says([down()]);
    assert_eq!(rig.code_of().await, "userinfo_unavailable");
    assert_eq!(rig.op.count(Endpoint::Userinfo), 4);
    assert_eq!(rig.op.count(Endpoint::Token), 2);
}

#[tokio::test]
async fn without_userinfo_the_id_token_speaks() {
    let rig = Rig::new().await;
    rig.says([edit(Document::Discovery, Edit::remove("userinfo_endpoint"))]);
    let person = rig.redeem().await.unwrap();
    assert_eq!(person.claims().name.as_deref(), Some(NAME_IN_ID_TOKEN));
    assert_eq!(rig.op.count(Endpoint::Userinfo), 0);
}

/// UI-11: where it is registered to be signed, claims that nobody signed do not count, nor those signed otherwise.
#[tokio::test]
async fn userinfo_that_has_to_be_signed_is() {
    let rig = Rig::new().await;
    for (pinned, answer, expected) in [
        (&["RS256"][..], None, "userinfo_invalid"),
        (&["RS256"], Some(JwtEdit::default()), "ok"),
        (&["RS256"], Some(JwtEdit::key(KeyName::P256)), "userinfo_invalid"),
        (&["ES256"], Some(JwtEdit::key(KeyName::P256)), "ok"),
        (&["ES256"], Some(JwtEdit::default()), "userinfo_invalid"),
    ] {
        let rig = Rig::over(std::sync::Arc::clone(&rig.op), |settings| {
            settings.userinfo_algorithms = pinned.iter().map(ToString::to_string).collect();
        });
        let words = format!("{pinned:?} {answer:?}");
        rig.says(answer.map(Behaviour::SignedUserinfo));
        assert_eq!(rig.code_of().await, expected, "{words}");
    }
}
