//! ID tokens: which pass, which do not, and what is said of those that cannot be read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use test_provider::{Behaviour, Edit, Endpoint, JwtEdit, KeyName, PublicKeyForm, SignatureFault};

use super::rig::{ACCESS, CLIENT, CODE, KID, NONCE, NOW, Rig, claims, header};

fn claim(name: &str, value: impl Into<Value>) -> Behaviour {
    claims(Edit::set(name, value))
}

/// As `c_hash` has it with an algorithm of SHA-256 (Core 3.3.2.11).
fn half_hash(text: &str) -> String {
    B64.encode(&Sha256::digest(text)[..16])
}

fn without(name: &str) -> Behaviour {
    claims(Edit::remove(name))
}

fn signature(fault: SignatureFault) -> Behaviour {
    Behaviour::IdToken(JwtEdit::signature(fault))
}

/// The token without `kid` and `typ`, which an attacker has no reason to name.
fn bare_header() -> Edit {
    Edit { remove: vec!["kid".to_owned(), "typ".to_owned()], ..Edit::default() }
}

#[tokio::test]
async fn es256_and_harmless_variants_are_accepted() {
    let rig = Rig::new().await;
    let now = NOW.unix_timestamp();
    for (what, behaviour) in [
        ("as it is, with at_hash", claim("sub", "subject-1")),
        ("ES256", Behaviour::IdToken(JwtEdit::key(KeyName::P256))),
        ("aud text", claim("aud", CLIENT)),
        ("aud twice", claim("aud", json!([CLIENT, CLIENT]))),
        ("no azp", without("azp")),
        ("no at_hash", without("at_hash")),
        ("c_hash", claim("c_hash", half_hash(CODE))),
        ("exp far", claim("exp", 253_402_300_799_i64)),
        ("exp -59", claim("exp", now - 59)),
        ("iat -60", claim("iat", now - 60)),
        ("iat +60", claim("iat", now + 60)),
        ("no typ", header(Edit::remove("typ"))),
        ("no typ, no kid", header(bare_header())),
        ("jwk", header(Edit::set("jwk", json!({"kty": "RSA"})))),
        ("jku", header(Edit::set("jku", "https://evil.example.com/"))),
    ] {
        rig.says([behaviour]);
        assert_eq!(rig.code_of().await, "ok", "{what}");
    }
}

/// Zitadel names the project and all its applications.
#[tokio::test]
async fn other_audiences_pass_only_where_the_operator_trusts_each_and_azp_is_us() {
    let rig = Rig::new().await;
    let trusting =
        Rig::over(std::sync::Arc::clone(&rig.op), |settings| settings.trusted_audiences = vec!["project".into()]);
    for (aud, azp, expected) in [
        (json!([CLIENT, "project"]), Some(CLIENT), "ok"),
        (json!(["project", CLIENT]), Some(CLIENT), "ok"),
        (json!([CLIENT]), None, "ok"),
        (json!([CLIENT, "project"]), None, "id_token_invalid"),
        (json!([CLIENT, "project"]), Some("project"), "id_token_invalid"),
        (json!([CLIENT, "project", "other"]), Some(CLIENT), "id_token_invalid"),
        (json!(["project"]), Some(CLIENT), "id_token_invalid"),
        (json!("project"), Some(CLIENT), "id_token_invalid"),
    ] {
        let azp = azp.map_or_else(|| Edit::remove("azp"), |azp| Edit::set("azp", azp));
        rig.says([claim("aud", aud.clone()), claims(azp)]);
        assert_eq!(trusting.code_of().await, expected, "{aud}");
    }
}

/// ID-55.
#[tokio::test]
async fn with_max_age_the_token_says_when_the_person_signed_in_and_that_is_not_long_ago() {
    let rig = Rig::new().await;
    let now = NOW.unix_timestamp();
    rig.says([without("auth_time")]);
    assert_eq!(rig.code_of().await, "ok", "nothing was asked");
    let max_age = Some(std::time::Duration::from_secs(600));
    let asking = Rig::over(std::sync::Arc::clone(&rig.op), |settings| settings.request.max_age = max_age);
    for (what, behaviour, expected) in [
        ("now", claim("auth_time", now), "ok"),
        ("at the edge", claim("auth_time", now - 660), "ok"),
        ("a fraction", claim("auth_time", now as f64 - 0.5), "ok"),
        ("a clock ahead", claim("auth_time", now + 60), "ok"),
        ("too long ago", claim("auth_time", now - 661), "id_token_invalid"),
        ("ages ago", claim("auth_time", 0), "id_token_invalid"),
        ("in the future", claim("auth_time", now + 61), "id_token_invalid"),
        ("missing", without("auth_time"), "id_token_invalid"),
        ("null", claim("auth_time", json!(null)), "id_token_invalid"),
        ("text", claim("auth_time", now.to_string()), "id_token_invalid"),
        ("huge", claim("auth_time", 1e300), "id_token_invalid"),
    ] {
        rig.says([behaviour]);
        assert_eq!(asking.code_of().await, expected, "{what}");
    }
}

/// ID-56.
#[tokio::test]
async fn with_acr_values_the_token_names_one_of_them() {
    let rig = Rig::new().await;
    rig.says([claim("acr", "0")]);
    assert_eq!(rig.code_of().await, "ok", "nothing was asked");
    let asking = Rig::over(std::sync::Arc::clone(&rig.op), |settings| {
        settings.request.acr_values = vec!["phr".into(), "mfa".into()];
    });
    for (what, behaviour, expected) in [
        ("the best", claim("acr", "phr"), "ok"),
        ("the other", claim("acr", "mfa"), "ok"),
        ("lower", claim("acr", "pwd"), "authentication_too_weak"),
        ("both in one", claim("acr", "phr mfa"), "authentication_too_weak"),
        ("other letters", claim("acr", "MFA"), "authentication_too_weak"),
        ("empty", claim("acr", ""), "authentication_too_weak"),
        ("missing", without("acr"), "authentication_too_weak"),
        ("a list", claim("acr", json!(["phr"])), "authentication_too_weak"),
        ("a number", claim("acr", 1), "authentication_too_weak"),
    ] {
        rig.says([behaviour]);
        assert_eq!(asking.code_of().await, expected, "{what}");
    }
    // What is wrong with the token as such comes first.
    rig.says([claim("acr", "pwd"), claim("nonce", "other")]);
    assert_eq!(asking.code_of().await, "id_token_invalid");
    rig.says([claim("acr", "pwd")]);
    let fault = asking.redeem().await.unwrap_err().to_string();
    assert_eq!(fault, "ID token: acr is `pwd`, acr_values of the settings are phr mfa");
}

/// Claims that must not pass.
fn bad_claims(base: &str) -> Vec<(&'static str, Behaviour)> {
    let now = NOW.unix_timestamp();
    let whole_hash = B64.encode(Sha256::digest(ACCESS));
    let twice = |members: &str| claims(Edit::replace("{", &format!("{{{members},")));
    vec![
        ("iss +1", claim("iss", format!("{base}/1"))),
        ("iss /", claim("iss", format!("{base}/"))),
        ("no iss", without("iss")),
        ("aud", claim("aud", "other")),
        ("no aud", without("aud")),
        ("aud []", claim("aud", json!([]))),
        ("aud more", claim("aud", json!([CLIENT, "other"]))),
        ("aud 5", claim("aud", json!([CLIENT, 5]))),
        ("azp", claim("azp", "other")),
        ("nbf", claim("nbf", now + 61)),
        ("nbf text", claim("nbf", "soon")),
        ("at_hash 5", claim("at_hash", 5)),
        ("aud object", claim("aud", json!({CLIENT: 1}))),
        ("azp empty", claim("azp", "")),
        ("azp number", claim("azp", 1)),
        ("azp list", claim("azp", json!([CLIENT]))),
        ("nonce", claim("nonce", "other")),
        ("no nonce", without("nonce")),
        ("nonce list", claim("nonce", json!([NONCE]))),
        ("exp -60", claim("exp", now - 60)),
        ("exp -6min", claim("exp", now - 360)),
        ("no exp", without("exp")),
        ("exp text", claim("exp", "soon")),
        ("exp huge", claim("exp", 1e300)),
        ("exp max", claim("exp", i64::MAX)),
        ("iat old", claim("iat", now - 61)),
        ("iat future", claim("iat", now + 61)),
        ("no iat", without("iat")),
        ("iat far", claim("iat", 8_000_000_000_000_i64)),
        ("iat ancient", claim("iat", -8_000_000_000_000_i64)),
        ("at_hash", claim("at_hash", B64.encode([0; 16]))),
        ("at_hash long", claim("at_hash", whole_hash)),
        ("c_hash", claim("c_hash", half_hash(ACCESS))),
        ("c_hash 5", claim("c_hash", 5)),
        ("c_hash number", twice(r#""c_hash":1e400"#)),
        ("no sub", without("sub")),
        ("sub empty", claim("sub", "")),
        ("sub null", claim("sub", json!(null))),
        ("sub 256", claim("sub", "x".repeat(256))),
        ("sub é", claim("sub", "é")),
        ("sub NUL", claim("sub", "a\0")),
        ("sub number", claim("sub", 1)),
        ("sub twice", twice(r#""sub":"evil""#)),
        ("iss twice", twice(r#""iss":"x""#)),
        ("exp twice", twice(r#""exp":1"#)),
        ("nonce twice", twice(r#""nonce":"x""#)),
        ("jti twice", twice(r#""jti":"x","jti":"y""#)),
        ("sub surrogate", claims(Edit::replace("\"subject-1\"", r#""subject-1\ud800""#))),
        ("azp surrogate", twice(r#""azp":"\ud800""#)),
        ("at_hash number", twice(r#""at_hash":1e400"#)),
        ("roles twice", twice(r#""roles":"user","roles":"admin""#)),
        ("too large", claim("pad", "x".repeat(200_000))),
    ]
}

/// Payloads that are no object.
fn bad_payloads() -> Vec<(&'static str, Behaviour)> {
    vec![
        ("array", claims(Edit::whole("[]"))),
        ("trailing", claims(Edit::append("x"))),
        ("BOM", claims(Edit::replace("{", "\u{feff}{"))),
    ]
}

/// Headers, signatures and tokens that must not pass.
fn bad_tokens() -> Vec<(&'static str, Behaviour)> {
    let token = Behaviour::IdToken;
    let none = |alg: &str, fault| {
        let header = Edit { set: Edit::set("alg", alg).set, ..bare_header() };
        token(JwtEdit { signature: fault, header, ..JwtEdit::default() })
    };
    let stranger = JwtEdit { header: Edit::set("kid", KID), ..JwtEdit::key(KeyName::Stranger) };
    vec![
        ("alg none", none("none", Some(SignatureFault::Unsigned))),
        ("alg None", none("None", Some(SignatureFault::Unsigned))),
        ("alg none signed", none("none", None)),
        ("HS256 n", signature(SignatureFault::PublicKey(PublicKeyForm::ModulusText))),
        ("HS256 raw n", signature(SignatureFault::PublicKey(PublicKeyForm::Modulus))),
        ("HS256 pem", signature(SignatureFault::PublicKey(PublicKeyForm::Pem))),
        ("HS256 der", signature(SignatureFault::PublicKey(PublicKeyForm::Der))),
        ("HS256 secret", signature(SignatureFault::ClientSecret)),
        ("PS256 unlisted", signature(SignatureFault::Ps256)),
        ("RS512 unlisted", signature(SignatureFault::Rs512)),
        ("stranger's key", token(stranger)),
        ("unknown kid", token(JwtEdit::key(KeyName::Stranger))),
        ("flipped", signature(SignatureFault::FlippedBit)),
        ("no signature", signature(SignatureFault::Empty)),
        ("swapped", signature(SignatureFault::OtherPayload)),
        ("ES256 by RSA kid", header(Edit::set("alg", "ES256"))),
        ("crit", header(Edit::set("crit", json!(["exp"])))),
        ("at+jwt", header(Edit::set("typ", "at+jwt"))),
        ("logout+jwt", header(Edit::set("typ", "logout+jwt"))),
        ("cty", header(Edit::set("cty", "JWT"))),
        ("alg twice", header(Edit::duplicate("alg", "RS256"))),
        ("two parts", signature(SignatureFault::Missing)),
        ("four parts", token(JwtEdit::append(".x"))),
        ("five parts", token(JwtEdit::append(".x.y"))),
        ("padded", token(JwtEdit::append("="))),
    ]
}

#[tokio::test]
async fn id_tokens_that_fail_a_check_are_refused_before_userinfo_is_asked() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    let before = rig.op.count(Endpoint::Userinfo);
    for (what, behaviour) in [bad_claims(rig.op.issuer()), bad_payloads(), bad_tokens()].concat() {
        rig.says([behaviour]);
        assert_eq!(rig.code_of().await, "id_token_invalid", "{what}");
    }
    assert_eq!(rig.op.count(Endpoint::Userinfo), before);
    // Nothing of this sticks: the next good one passes.
    rig.says([]);
    assert_eq!(rig.code_of().await, "ok");
    // All those tokens that fitted no key cost one more fetch of the keys.
    assert_eq!(rig.op.count(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn what_is_wrong_with_an_unreadable_id_token_is_named() {
    let rig = Rig::new().await;
    for (behaviour, words) in [
        (claim("azp", json!([CLIENT])), "ID token: `azp` is of the wrong type"),
        (without("exp"), "ID token: `exp` is missing"),
        (claims(Edit::duplicate("sub", "x")), "ID token: payload: member `sub` twice"),
        (Behaviour::IdToken(JwtEdit::whole("e30.e30")), "ID token: not three parts of base64url"),
        (header(Edit::whole("{}")), "ID token: header: `alg` is missing"),
        (
            signature(SignatureFault::ClientSecret),
            "ID token: signed with HS256, which is not among what the provider lists",
        ),
        (header(Edit::set("typ", "at+jwt")), "ID token: header: `typ` is not JWT"),
        (
            claim("aud", json!([CLIENT, "other"])),
            "ID token: aud names `other` beside us, which trusted_audiences does not",
        ),
        (claim("nonce", json!(null)), "ID token: `nonce` is missing"),
    ] {
        rig.says([behaviour]);
        let fault = rig.redeem().await.expect_err(words).to_string();
        assert!(fault.starts_with(words), "{fault}");
    }
}

/// ID-06 (FA-04): what is registered, where the operator says so; else what the provider lists.
#[tokio::test]
async fn the_operator_can_pin_the_algorithm() {
    let rig = Rig::new().await;
    let listed = |all: &[&str]| {
        super::rig::edit(
            test_provider::Document::Discovery,
            Edit::set("id_token_signing_alg_values_supported", json!(all)),
        )
    };
    let unlisted =
        super::rig::edit(test_provider::Document::Discovery, Edit::remove("id_token_signing_alg_values_supported"));
    let es256 = || Behaviour::IdToken(JwtEdit::key(KeyName::P256));
    let (ps256, rs512) = (|| signature(SignatureFault::Ps256), || signature(SignatureFault::Rs512));
    let hs256 = || signature(SignatureFault::ClientSecret);
    let all = listed(&["RS256", "RS512", "PS256", "ES256", "HS256", "none"]);
    for (pinned, metadata, token, expected) in [
        (&[][..], &all, None, "ok"),
        (&[], &all, Some(es256()), "ok"),
        (&["RS256"], &all, None, "ok"),
        (&["RS256"], &all, Some(es256()), "id_token_invalid"),
        (&["RS256"], &all, Some(ps256()), "id_token_invalid"),
        (&["RS256"], &all, Some(rs512()), "id_token_invalid"),
        (&["RS256", "ES256"], &all, Some(es256()), "ok"),
        (&["ES256"], &all, None, "id_token_invalid"),
        (&["ES256"], &all, Some(es256()), "ok"),
        // What the provider does not list, the operator cannot add to.
        (&["RS256", "ES256"], &listed(&["RS256"]), Some(es256()), "id_token_invalid"),
        (&["ES256"], &listed(&["RS256"]), None, "provider_metadata"),
        // Nothing is listed: RS256, unless something else is registered.
        (&[], &unlisted, Some(es256()), "id_token_invalid"),
        (&["ES256"], &unlisted, Some(es256()), "ok"),
        (&["ES256"], &unlisted, None, "id_token_invalid"),
        // ID-04: not by the client's secret, whatever is listed.
        (&[], &all, Some(hs256()), "id_token_invalid"),
    ] {
        let rig = Rig::over(std::sync::Arc::clone(&rig.op), |settings| {
            settings.id_token_algorithms = pinned.iter().map(ToString::to_string).collect();
        });
        let words = format!("{pinned:?} {metadata:?} {token:?}");
        rig.says(std::iter::once(metadata.clone()).chain(token));
        assert_eq!(rig.code_of().await, expected, "{words}");
    }
}
