//! What the header of an ID token says of its key, and which of the provider's that is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use serde_json::{Value, json};
use test_provider::{Behaviour, Document, Edit, Endpoint, JwtEdit, KeyName};

use super::rig::{KID, NAME_AT_USERINFO, Rig, edit, header};

/// ID-11, ID-12, ID-13: what a token brings along is neither believed nor fetched.
#[tokio::test]
async fn a_token_brings_no_key_of_its_own() {
    let (rig, elsewhere) = (Rig::new().await, Rig::new().await);
    let keys = elsewhere.op.url(Endpoint::Jwks);
    for (name, value) in [
        ("jwk", json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": KID})),
        ("jku", json!(keys)),
        ("x5u", json!(keys)),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
    ] {
        rig.says([header(Edit::set(name, value.clone()))]);
        assert_eq!(rig.code_of().await, "ok", "{name} is ignored");
        let by_a_stranger = JwtEdit { header: Edit::set(name, value), ..JwtEdit::key(KeyName::Stranger) };
        rig.says([Behaviour::IdToken(by_a_stranger)]);
        assert_eq!(rig.code_of().await, "id_token_invalid", "{name} is ignored");
    }
    assert!(elsewhere.op.requests().is_empty());
}

/// ID-15: the payload is what was signed, and read as everybody reads it.
#[tokio::test]
async fn an_unencoded_payload_is_not_known() {
    let rig = Rig::new().await;
    rig.says([header(Edit::set("b64", json!(false)))]);
    let person = rig.redeem().await.unwrap();
    assert_eq!(person.claims().name.as_deref(), Some(NAME_AT_USERINFO));
    let crit = Edit { set: json!({"b64": false, "crit": ["b64"]}).as_object().unwrap().clone(), ..Edit::default() };
    rig.says([header(crit)]);
    assert_eq!(rig.code_of().await, "id_token_invalid");
}

/// ID-20
#[tokio::test]
async fn an_odd_kid_finds_no_key() {
    let rig = Rig::new().await;
    let odd: Vec<Value> = vec![
        json!(5),
        json!(null),
        json!([KID]),
        json!({"$ne": 1}),
        json!(""),
        json!("../../x"),
        json!(format!("{KID}\0")),
        json!(KID.to_uppercase()),
        json!("k".repeat(100_000)),
    ];
    for kid in odd {
        rig.says([header(Edit::set("kid", kid.clone()))]);
        assert_eq!(rig.code_of().await, "id_token_invalid", "{:.40}", kid.to_string());
    }
    rig.says([]);
    assert_eq!(rig.code_of().await, "ok");
}

/// CT-12, ID-22, JW-08, JW-09: another key in the set, in front of the right one.
#[tokio::test]
async fn of_several_keys_that_fit_none_is_guessed() {
    let modulus = B64.encode([&[0x80], [1; 255].as_slice()].concat());
    let rsa = |more: &str| format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB"{more}}}"#);
    let same_kid = format!(r#","kid":"{KID}""#);
    let point =
        r#""x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    let curve = format!(r#"{{"kty":"EC","crv":"P-256",{point}{same_kid}}}"#);
    for (what, key, token_has_kid, expected) in [
        ("no kid, and one more RSA key", rsa(""), false, "id_token_invalid"),
        ("a kid, and one more RSA key without", rsa(""), true, "ok"),
        ("two RSA keys of one kid", rsa(&same_kid), true, "id_token_invalid"),
        ("two kinds of one kid", curve, true, "ok"),
        ("no kid, and one more RSA key for encryption", rsa(r#","use":"enc""#), false, "ok"),
    ] {
        let rig = Rig::new().await;
        let keys = edit(Document::Jwks, Edit::replace("[", &format!("[{key},")));
        let kid = if token_has_kid { Edit::default() } else { Edit::remove("kid") };
        rig.says([keys, header(kid)]);
        assert_eq!(rig.code_of().await, expected, "{what}");
    }
}
