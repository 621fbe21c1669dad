//! Keys and algorithms (matrix groups F and H) with signatures of every kind, and times by a clock that is given.

use openidconnect::{AccessToken, core::CoreJsonWebKeySet};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use time::{Duration, macros::datetime};

use super::*;
use crate::server::{
    client_key::{ClientKey, NewKey},
    provider::{algorithms::ALGORITHMS, id_token, jwks},
    public_url::PublicUrl,
    settings::Settings,
};

const NOW: OffsetDateTime = datetime!(2026-11-26 12:00:00 UTC);

struct Signer {
    key: ClientKey,
    jwk: Value,
}

impl Signer {
    fn new(kind: NewKey) -> Self {
        Self::read(&ClientKey::new_pem(kind).unwrap())
    }

    fn rsa() -> Self {
        Self::read(include_str!("../../../../crates/test-provider/keys/rsa-2048.pem"))
    }

    fn read(pem: &str) -> Self {
        let key = ClientKey::read(pem).unwrap();
        Self { jwk: serde_json::to_value(key.public()).unwrap(), key }
    }

    fn algorithm(&self) -> &'static str {
        self.key.algorithm()
    }

    /// Its public key, with `changes`; `null` removes.
    fn with(&self, changes: &Value) -> Value {
        let mut jwk = self.jwk.clone();
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "kid": self.jwk["kid"] }), claims)
    }
}

fn registration() -> ClientRegistration {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    let text = "public_url = \"https://rp.example.com\"\n\
        [[provider]]\nid = \"p\"\nissuer = \"https://op.example.com\"\nclient_id = \"us\"\nclient_auth = \"none\"\n";
    std::fs::write(&file, text).unwrap();
    let settings = Settings::load(Some(&file), std::iter::empty()).unwrap();
    ClientRegistration::new(&settings.providers[0], &PublicUrl::parse("https://rp.example.com").unwrap()).unwrap()
}

fn set(keys: &[Value]) -> Result<CoreJsonWebKeySet, String> {
    jwks::read(json!({ "keys": keys }).as_object().unwrap()).map_err(|fault| fault.to_string())
}

fn verify(token: &str, keys: &CoreJsonWebKeySet) -> Result<(), String> {
    let registration = registration();
    let expected = Expected { registration: &registration, algorithms: &ALGORITHMS, keys, now: NOW };
    expected.verify(token, &PLAIN).map(|_| ()).map_err(Rejection::into_words)
}

fn all() -> [Signer; 4] {
    [Signer::new(NewKey::Es256), Signer::new(NewKey::Es384), Signer::new(NewKey::EdDsa), Signer::rsa()]
}

/// ID-07, ID-08, ID-21, JW-01 and JW-09: each with its own key, whatever else is in the set.
#[test]
fn each_algorithm_is_verified_with_its_own_type_and_curve() {
    let signers = all();
    let keys = set(&signers.each_ref().map(|signer| signer.with(&json!({ "kid": "1" })))).unwrap();
    for signer in &signers {
        let alone = set(&[signer.with(&json!({ "kid": null }))]).unwrap();
        verify(&signer.sign(&json!({ "alg": signer.algorithm() }), &json!({})), &alone).unwrap();
        let alone = set(std::slice::from_ref(&signer.jwk)).unwrap();
        verify(&signer.token(&json!({})), &alone).unwrap();
        // The key of another curve or type is no key for it, though its `kid` is the same.
        for other in &signers {
            let header = json!({ "alg": other.algorithm(), "kid": signer.jwk["kid"] });
            let same = signer.algorithm() == other.algorithm();
            assert_eq!(verify(&signer.sign(&header, &json!({})), &alone).is_ok(), same, "{}", other.algorithm());
        }
        let by_name = signer.sign(&json!({ "alg": signer.algorithm(), "kid": "1" }), &json!({}));
        verify(&by_name, &keys).unwrap();
    }
}

#[test]
fn a_key_that_nobody_knows_is_named_in_one_short_line() {
    let signer = Signer::new(NewKey::Es256);
    let keys = set(&[Signer::rsa().jwk]).unwrap();
    let why = |header: &Value| verify(&signer.sign(header, &json!({})), &keys).unwrap_err();
    let named = |kid: &str| why(&json!({ "alg": "ES256", "kid": kid }));
    assert_eq!(named("next\nyear"), "no key of the provider fits its `alg` and its `kid` (next\\nyear)");
    assert!(named(&"x".repeat(100_000)).len() < 300);
    assert_eq!(why(&json!({ "alg": "ES256" })), "no key of the provider fits its `alg`; it has no `kid`");
}

/// JW-02, JW-04 and their like: whether the token names the key or not.
#[test]
fn a_key_for_something_else_never_verifies() {
    for signer in all() {
        let good = Signer::new(NewKey::Es256).with(&json!({ "kid": "good", "alg": "ES256" }));
        let other = if signer.algorithm() == "ES256" { Signer::rsa().jwk } else { good };
        let named = signer.token(&json!({}));
        let nameless = signer.sign(&json!({ "alg": signer.algorithm() }), &json!({}));
        for changes in [
            json!({ "use": "enc" }),
            json!({ "use": "SIG" }),
            json!({ "use": null, "key_ops": ["sign"] }),
            json!({ "use": null, "key_ops": ["encrypt", "wrapKey"] }),
            json!({ "use": null, "key_ops": [] }),
            json!({ "use": null, "key_ops": "sign" }),
            json!({ "use": "sig", "key_ops": ["sign"] }),
            json!({ "alg": "RS512" }),
            json!({ "alg": "RSA-OAEP" }),
            json!({ "alg": "HS256" }),
            json!({ "kty": "oct", "k": "AAAA" }),
        ] {
            let keys = set(&[signer.with(&changes), other.clone()]).unwrap();
            for token in [&named, &nameless] {
                assert!(verify(token, &keys).is_err(), "{} {changes}", signer.algorithm());
            }
        }
        for changes in [
            json!({ "use": null, "alg": null }),
            json!({ "use": null, "key_ops": ["verify"] }),
            json!({ "key_ops": ["verify", "sign"] }),
            // JW-10: what is private there is not looked at.
            json!({ "d": "AAAA", "p": "AAAA", "q": "AAAA" }),
        ] {
            verify(&named, &set(&[signer.with(&changes), other.clone()]).unwrap()).unwrap();
        }
    }
}

/// ID-22 and JW-08.
#[test]
fn a_key_that_is_not_the_only_one_to_fit_is_not_guessed() {
    let [one, two] = [Signer::new(NewKey::Es256), Signer::new(NewKey::Es256)];
    let keys = set(&[one.jwk.clone(), two.jwk.clone()]).unwrap();
    let nameless = one.sign(&json!({ "alg": "ES256" }), &json!({}));
    assert!(verify(&nameless, &keys).unwrap_err().starts_with("several keys"));
    verify(&one.token(&json!({})), &keys).unwrap();
    let twins = set(&[one.with(&json!({ "kid": "1" })), two.with(&json!({ "kid": "1" }))]).unwrap();
    let named = one.sign(&json!({ "alg": "ES256", "kid": "1" }), &json!({}));
    assert!(verify(&named, &twins).unwrap_err().starts_with("several keys"));
}

/// JW-06, JW-07 and JW-11.
#[test]
fn degenerate_keys_are_never_used() {
    let (rsa, curve) = (Signer::rsa(), Signer::new(NewKey::Es256));
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let modulus = URL_SAFE_NO_PAD.decode(rsa.jwk["n"].as_str().unwrap()).unwrap();
    let even: Vec<u8> = modulus.iter().copied().take(255).chain([0]).collect();
    for (what, key) in [
        ("e = 1", rsa.with(&json!({ "e": number(&[1]) }))),
        ("e even", rsa.with(&json!({ "e": number(&[1, 0, 0]) }))),
        ("e = 0", rsa.with(&json!({ "e": number(&[0]) }))),
        ("e large", rsa.with(&json!({ "e": number(&[4, 0, 0, 0, 1]) }))),
        ("n even", rsa.with(&json!({ "n": number(&even) }))),
        ("n = 0", rsa.with(&json!({ "n": number(&[0]) }))),
        ("n short", rsa.with(&json!({ "n": number(&modulus[..128]) }))),
        ("n with zeros in front", rsa.with(&json!({ "n": number(&[&[0; 128], &modulus[..128]].concat()) }))),
        ("n long", rsa.with(&json!({ "n": number(&[modulus.as_slice(); 8].concat()) }))),
        ("no e", rsa.with(&json!({ "e": null }))),
        ("off the curve", curve.with(&json!({ "y": number(&[5; 32]) }))),
        ("x short", curve.with(&json!({ "x": number(&[5; 31]) }))),
        ("no y", curve.with(&json!({ "y": null }))),
        ("another curve", curve.with(&json!({ "crv": "secp256k1" }))),
        ("P-256 called P-384", curve.with(&json!({ "crv": "P-384" }))),
    ] {
        assert!(set(&[key]).is_err(), "{what}");
    }
}

/// ID-38, and `nbf` (RFC 7519 4.1.5): to the second.
#[test]
fn the_leeway_ends_on_the_second() {
    let registration = registration();
    let keys = CoreJsonWebKeySet::new(Vec::new());
    let holds = |now: OffsetDateTime, claims: &Value| {
        let expected = Expected { registration: &registration, algorithms: &[], keys: &keys, now };
        expected.check_times(claims.as_object().unwrap()).is_ok()
    };
    let (leeway, second, millisecond) = (limits::CLOCK_LEEWAY, Duration::SECOND, Duration::MILLISECOND);
    let at = json!({ "exp": NOW.unix_timestamp() });
    assert!(holds(NOW, &at) && holds(NOW + leeway - millisecond, &at));
    assert!(!holds(NOW + leeway, &at) && !holds(NOW + leeway + second, &at));
    let from = json!({ "nbf": NOW.unix_timestamp() });
    assert!(holds(NOW, &from) && holds(NOW - leeway, &from));
    assert!(!holds(NOW - leeway - millisecond, &from) && !holds(NOW - leeway - second, &from));
    assert!(holds(NOW, &json!({})) && holds(NOW, &json!({ "nbf": null })));
    // ID-39 and ID-65
    for odd in [json!("1"), json!(1e300), json!(i64::MAX), json!(-1e300), json!([]), json!(true)] {
        assert!(!holds(NOW, &json!({ "nbf": odd })) && !holds(NOW, &json!({ "exp": odd })), "{odd}");
    }
    for long_ago in [json!(-1), json!(0), json!(1.5)] {
        assert!(!holds(NOW, &json!({ "exp": long_ago })), "{long_ago}");
    }
    assert_eq!(no_date("exp"), "`exp` is no date (seconds since 1970, until the year 9999)");
}

/// ID-48 and ID-49: by the hash that belongs to the header's algorithm.
#[test]
fn at_hash_and_c_hash_are_by_the_hash_of_the_algorithm() {
    const CODE: &str = "the-code";
    const ACCESS: &str = "the-token";
    let registration = registration();
    let (code, access_token) = (SecretString::from(CODE), AccessToken::new(ACCESS.to_owned()));
    let half = |hash: &[u8]| URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]);
    let hashes = |text: &str| [half(&Sha256::digest(text)), half(&Sha384::digest(text)), half(&Sha512::digest(text))];
    for (signer, right) in all().iter().zip([0, 1, 2, 0]) {
        let keys = set(std::slice::from_ref(&signer.jwk)).unwrap();
        let checked = |name: &str, value: &Value| {
            let mut claims = json!({
                "iss": "https://op.example.com", "aud": "us", "sub": "1", "nonce": "n",
                "iat": NOW.unix_timestamp(), "exp": NOW.unix_timestamp() + 60,
            });
            claims[name] = value.clone();
            let attempt = id_token::Attempt { nonce: "n", started: NOW, code: &code, access_token: &access_token };
            let expected = Expected { registration: &registration, algorithms: &ALGORITHMS, keys: &keys, now: NOW };
            id_token::verify(&signer.token(&claims), &attempt, &expected).map(|_| ()).map_err(Rejection::into_words)
        };
        for (name, of, wrong) in [("at_hash", ACCESS, CODE), ("c_hash", CODE, ACCESS)] {
            for (number, hash) in hashes(of).iter().enumerate() {
                let found = checked(name, &json!(hash));
                assert_eq!(found.is_ok(), number == right, "{name} {number} with {}: {found:?}", signer.algorithm());
            }
            for bad in [json!(hashes(wrong)[right]), json!(""), json!(5), json!([])] {
                assert!(checked(name, &bad).unwrap_err().contains(name), "{name} {bad}");
            }
            checked(name, &Value::Null).unwrap();
        }
    }
}
