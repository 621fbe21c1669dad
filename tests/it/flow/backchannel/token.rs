//! Which logout tokens are accepted. Whatever is refused, the session of the person in it goes on, and a correct token
//! right after it ends that session.

use serde_json::{Value, json};
use test_provider::{
    Behaviour, Document, Edit, Endpoint, JwtEdit, KeyName, Profile, ProviderConfig, PublicKeyForm, Rule, SignatureFault,
};

use super::{alice, claims, is_done, is_refused, post, signs_in, token};
use crate::support::{
    browser::Browser,
    claims::raw,
    scene::{CLIENT_ID, Scene},
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn set(name: &str, value: impl Into<Value>) -> JwtEdit {
    claims(Edit::set(name, value))
}

fn without(name: &str) -> JwtEdit {
    claims(Edit::remove(name))
}

fn typ(typ: &str) -> JwtEdit {
    JwtEdit::header(Edit::set("typ", typ))
}

fn signed(fault: SignatureFault) -> JwtEdit {
    JwtEdit::signature(fault)
}

/// None of these ends the session of `browser`; then the right one does.
async fn all_are_refused(scene: &Scene, browser: &Browser, tokens: Vec<(&str, String)>) {
    for (what, token) in tokens {
        is_refused(&post(scene, &token).await, what);
        assert!(browser.is_signed_in(scene).await, "{what}");
    }
    is_done(&post(scene, &token(scene, &[])).await, "the right one");
    assert!(!browser.is_signed_in(scene).await);
}

async fn all_defects_are_refused(defects: Vec<(&str, JwtEdit)>) {
    let scene = Scene::patient().await;
    let browser = signs_in(&scene, "alice", Some("one")).await;
    let tokens = defects.into_iter().map(|(what, defect)| (what, token(&scene, &[defect]))).collect();
    all_are_refused(&scene, &browser, tokens).await;
}

/// CT-42, BC-09, BC-10, BC-15, BC-17, BC-20.
#[tokio::test]
async fn harmless_variants_are_accepted() {
    let scene = Scene::patient().await;
    for (what, edit) in [
        ("as it is", JwtEdit::default()),
        ("BC-17 no typ", JwtEdit::header(Edit::remove("typ"))),
        ("BC-17 JWT", typ("JWT")),
        ("BC-17 with application/", typ("application/logout+jwt")),
        ("BC-17 any case", typ("LOGOUT+JWT")),
        ("BC-09 a list of one", set("aud", json!([CLIENT_ID]))),
        ("BC-10 exp in a year", claims(Edit::shift("exp", 365 * 86_400))),
        ("BC-10 exp just over", claims(Edit::shift("exp", -170))),
        ("BC-11 five minutes old", claims(Edit::shift("iat", -300))),
        // Ten minutes, and the leeway; the machine may take some seconds.
        ("BC-11 nearly too old", claims(Edit::shift("iat", -585))),
        ("BC-11 a clock half a minute ahead", claims(Edit::shift("iat", 30))),
        ("BC-15 another event beside it", set("events", json!({ EVENT: {}, "https://example.com/event": 1 }))),
        ("BC-14 something in the event", set("events", json!({ EVENT: { "revoke_offline_access": true } }))),
        ("BC-20 another claim", set("ignored_claim", "ignored")),
        ("CT-42 all of that", JwtEdit { header: Edit::remove("typ"), ..set("ignored_claim", "ignored") }),
        ("JW no kid", JwtEdit { key: Some(KeyName::P256), header: Edit::remove("kid"), ..JwtEdit::default() }),
        ("ES256, which the provider lists", JwtEdit::key(KeyName::P256)),
        ("a display name that is damaged", claims(raw("name", r#""\ud83d""#))),
    ] {
        // A late one spares a sign-in that is newer.
        let browser = signs_in(&scene, "alice", Some("one")).await;
        is_done(&post(&scene, &token(&scene, std::slice::from_ref(&edit))).await, what);
        let is_late = edit.claims.shift.get("iat").is_some_and(|by| *by < 0);
        assert_eq!(browser.is_signed_in(&scene).await, is_late, "{what}");
    }
}

/// BC-08, BC-30, CT-43.
#[tokio::test]
async fn signatures() {
    all_defects_are_refused(vec![
        ("CT-43 none", signed(SignatureFault::Unsigned)),
        ("none in other letters", JwtEdit { header: Edit::set("alg", "NonE"), ..signed(SignatureFault::Empty) }),
        ("flipped", signed(SignatureFault::FlippedBit)),
        ("truncated", signed(SignatureFault::Truncated)),
        ("empty", signed(SignatureFault::Empty)),
        ("missing", signed(SignatureFault::Missing)),
        ("of another payload", signed(SignatureFault::OtherPayload)),
        ("zeros on a curve", JwtEdit { key: Some(KeyName::P256), ..signed(SignatureFault::Zeroed) }),
        ("HS256 with the secret", signed(SignatureFault::ClientSecret)),
        ("HS256 with the public key", signed(SignatureFault::PublicKey(PublicKeyForm::Pem))),
        ("RS512, not listed", signed(SignatureFault::Rs512)),
        ("PS256, not listed", signed(SignatureFault::Ps256)),
        ("a stranger's", JwtEdit::key(KeyName::Stranger)),
        (
            "a stranger's as ours",
            JwtEdit { key: Some(KeyName::Stranger), header: Edit::set("kid", "demo-rsa-2048-0"), ..JwtEdit::default() },
        ),
        ("unknown kid", JwtEdit::header(Edit::set("kid", "unknown"))),
        ("no alg", JwtEdit::header(Edit::remove("alg"))),
        ("kid number", JwtEdit::header(Edit::set("kid", 5))),
        ("crit", JwtEdit::header(Edit::set("crit", json!(["exp"])))),
        ("cty", JwtEdit::header(Edit::set("cty", "JWT"))),
        ("BC-17 at+jwt", typ("at+jwt")),
        ("BC-17 secevent+jwt", typ("secevent+jwt")),
        ("BC-17 JOSE", typ("JOSE")),
        ("typ empty", typ("")),
        ("typ number", JwtEdit::header(Edit::set("typ", 1))),
        ("typ twice", JwtEdit::header(Edit::duplicate("typ", "JWT"))),
        ("BC-30 five parts", JwtEdit::append(".AAAA.AAAA")),
        ("a space", JwtEdit::append(" ")),
        ("nothing", JwtEdit::whole("")),
        ("no token", JwtEdit::whole("logout")),
        ("dots", JwtEdit::whole("..")),
        ("an empty object", JwtEdit::whole("e30.e30.")),
        ("not UTF-8", JwtEdit::whole("eyJ\u{fffd}.e30.AA")),
    ])
    .await;
}

/// CT-47: a well-signed token whose algorithm is none that the provider lists.
#[tokio::test]
async fn an_algorithm_that_is_not_listed_is_refused_though_its_key_is_published() {
    let config = ProviderConfig { token_delay: std::time::Duration::ZERO, ..ProviderConfig::new(Profile::Standard) };
    let mut scene = Scene::configured(config, super::patient).await;
    scene.kill().await;
    let rs256 = Edit::set("id_token_signing_alg_values_supported", json!(["RS256"]));
    scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Discovery, edit: rs256 }));
    scene.start().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let es256 = token(&scene, &[JwtEdit::key(KeyName::P256)]);
    all_are_refused(&scene, &browser, vec![("ES256", es256)]).await;
}

/// BC-09, CT-48, CT-49.
#[tokio::test]
async fn issuer_and_audience() {
    all_defects_are_refused(vec![
        ("CT-49 another iss", claims(Edit::replace("\"iss\":\"http", "\"iss\":\"INVALIDhttp"))),
        ("iss with a slash", set("iss", "http://127.0.0.1/")),
        ("no iss", without("iss")),
        ("iss null", set("iss", Value::Null)),
        ("iss list", set("iss", json!(["http://127.0.0.1"]))),
        ("iss twice", claims(Edit::duplicate("iss", "https://evil.example.com"))),
        ("CT-48 another aud", set("aud", format!("{CLIENT_ID}INVALID"))),
        ("no aud", without("aud")),
        ("aud null", set("aud", Value::Null)),
        ("aud empty", set("aud", json!([]))),
        ("aud with another", set("aud", json!([CLIENT_ID, "other"]))),
        ("aud number", set("aud", 5)),
        ("aud object", set("aud", json!({ CLIENT_ID: 1 }))),
        ("azp another", set("azp", "other")),
        ("aud twice", claims(Edit::duplicate("aud", "other"))),
    ])
    .await;
}

/// BC-10, BC-11.
#[tokio::test]
async fn times() {
    all_defects_are_refused(vec![
        ("no exp", without("exp")),
        ("exp null", set("exp", Value::Null)),
        ("exp over", claims(Edit::shift("exp", -190))),
        ("exp text", set("exp", "4102444800")),
        ("exp too large", claims(raw("exp", "1e999"))),
        ("no iat", without("iat")),
        ("iat null", set("iat", Value::Null)),
        ("iat an hour ago", claims(Edit::shift("iat", -3_600))),
        (
            "iat an hour ago, exp in a year",
            JwtEdit::claims(Edit {
                shift: [("iat".to_owned(), -3_600), ("exp".to_owned(), 31_536_000)].into(),
                ..Edit::default()
            }),
        ),
        ("iat in the future", claims(Edit::shift("iat", 90))),
        ("iat text", set("iat", "now")),
        ("nbf in the future", set("nbf", 4_102_444_800_i64)),
    ])
    .await;
}

/// BC-04, BC-12, BC-14, BC-16, CT-44, CT-45, CT-46.
#[tokio::test]
async fn what_makes_it_a_logout_token() {
    all_defects_are_refused(vec![
        ("BC-04 neither sub nor sid", without("sub")),
        ("BC-05 sub null", set("sub", Value::Null)),
        (
            "sub null beside a sid",
            JwtEdit::claims(Edit {
                set: json!({ "sub": null, "sid": "one" }).as_object().unwrap().clone(),
                ..Edit::default()
            }),
        ),
        ("sub empty", set("sub", "")),
        ("sub number", set("sub", 5)),
        ("sub list", set("sub", json!([alice()]))),
        ("sub too long", set("sub", "x".repeat(256))),
        ("sub of other letters", set("sub", "älice")),
        ("sub damaged", claims(raw("sub", r#""\ud83d""#))),
        ("sub twice", claims(Edit::duplicate("sub", "bob"))),
        ("sid null", set("sid", Value::Null)),
        ("sid empty", set("sid", "")),
        ("sid number", set("sid", 1)),
        ("sid list", set("sid", json!(["one"]))),
        (
            "a sid that no session keeps, and no sub",
            JwtEdit::claims(Edit { remove: vec!["sub".to_owned()], ..Edit::set("sid", "x".repeat(256)) }),
        ),
        ("sid damaged", claims(raw("sid", r#""\ud83d""#))),
        ("BC-12 no jti", without("jti")),
        ("BC-12 jti number", set("jti", 1)),
        ("BC-12 jti null", set("jti", Value::Null)),
        ("BC-12 jti empty", set("jti", "")),
        ("BC-12 jti long", set("jti", "x".repeat(5_000))),
        ("CT-44 no events", without("events")),
        ("events null", set("events", Value::Null)),
        ("CT-45 another event", set("events", json!({ "http://schemas.openid.net/event/foobar": {} }))),
        ("events list", set("events", json!([EVENT]))),
        ("events list of objects", set("events", json!([{ EVENT: {} }]))),
        ("events text", set("events", EVENT)),
        ("events empty", set("events", json!({}))),
        ("event true", set("events", json!({ EVENT: true }))),
        ("event null", set("events", json!({ EVENT: null }))),
        ("event list", set("events", json!({ EVENT: [] }))),
        ("event text", set("events", json!({ EVENT: "" }))),
        ("event https", set("events", json!({ "https://schemas.openid.net/event/backchannel-logout": {} }))),
        ("event twice", claims(raw("events", &format!(r#"{{"{EVENT}":{{}},"{EVENT}":{{}}}}"#)))),
        ("CT-46 nonce", set("nonce", "n")),
        ("BC-16 nonce empty", set("nonce", "")),
        ("nonce null", set("nonce", Value::Null)),
        ("nonce damaged", claims(raw("nonce", r#""\ud83d""#))),
        ("payload list", claims(Edit::whole("[]"))),
        ("payload text", claims(Edit::whole("\"logout\""))),
        ("payload empty", claims(Edit::whole(""))),
        ("something after it", claims(Edit::append("{}"))),
    ])
    .await;
}

/// BC-25, WB-18: whatever is posted, the provider is asked for its keys once more, and people sign in all the same.
#[tokio::test]
async fn made_up_keys_cost_the_provider_one_question() {
    let scene = Scene::patient().await;
    let browser = signs_in(&scene, "alice", None).await;
    scene.provider.forget_requests();
    let posts = (0..200).map(|number| {
        let kid = JwtEdit::header(Edit::set("kid", format!("made up {number}")));
        let token = token(&scene, &[kid]);
        let scene = &scene;
        async move { is_refused(&post(scene, &token).await, "made up") }
    });
    futures_util::future::join_all(posts).await;
    assert_eq!(scene.provider.count(Endpoint::Jwks), 1);
    assert!(browser.is_signed_in(&scene).await);
    // A sign-in has its own question: it meets a key that the provider has changed to meanwhile.
    scene.provider.rotate_keys();
    signs_in(&scene, "alice", None).await;
    assert_eq!(scene.provider.count(Endpoint::Jwks), 2);
    is_done(&post(&scene, &token(&scene, &[])).await, "with the new key");
}

/// BC-26.
#[tokio::test]
async fn a_token_with_a_brand_new_key_is_accepted() {
    let scene = Scene::patient().await;
    let browser = signs_in(&scene, "alice", None).await;
    scene.provider.rotate_keys();
    is_done(&post(&scene, &token(&scene, &[])).await, "rotated");
    assert!(!browser.is_signed_in(&scene).await);
}
