//! What `make fuzz` does with what a provider sends (`server/fuzzing.rs`). What has to hold is written without regard to
//! the code that is tried.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what panics here is found")]

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{AccessToken, JsonWebKey as _, core::CoreJwsSigningAlgorithm};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use url::Url;

use super::{
    algorithms::ALGORITHMS,
    claims::VerifiedClaims,
    client_registration::ClientRegistration,
    discovery::Metadata,
    id_token::{self, Attempt},
    jwks,
    jwt::Expected,
    set::Providers,
    strict_json,
};
use crate::server::{
    clock::System,
    ids::{Issuer, ProviderId, Subject},
    limits,
    settings::{AuthenticationRequestSettings, ClientAuth, ProviderSettings, PublicUrl},
};

const ISSUER: &str = "https://op.example/t1";
const US: &str = "vestibule";
const TRUSTED: &str = "api.example";
const NONCE: &str = "nonce-of-this-attempt";
const ACCESS_TOKEN: &str = "access-token";
/// Seconds of Unix time.
const NOW: i64 = 1_795_000_000;
const STARTED: i64 = NOW - 30;
const LEEWAY: f64 = 60.0;

struct World {
    providers: Providers,
    registration: ClientRegistration,
    key: SigningKey,
    keys: openidconnect::core::CoreJsonWebKeySet,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let settings = || ProviderSettings {
        id: ProviderId::new("op"),
        name: "op".into(),
        issuer: Issuer::new(ISSUER),
        client_id: US.into(),
        client_auth: ClientAuth::None,
        pushed_requests: false,
        id_token_algorithms: Vec::new(),
        userinfo_algorithms: Vec::new(),
        scopes: vec!["openid".into()],
        trusted_audiences: vec![TRUSTED.into()],
        request: AuthenticationRequestSettings::default(),
        ca_file: None,
    };
    let public_url = PublicUrl::parse("https://rp.example").expect("an origin");
    let key = SigningKey::from_slice(&[7; 32]).expect("a key");
    let point = key.verifying_key().to_sec1_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| URL_SAFE_NO_PAD.encode(bytes.expect("a coordinate"));
    let (x, y) = (coordinate(point.x()), coordinate(point.y()));
    let ours = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "1", "use": "sig"});
    let other = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "2"});
    let set = json!({"keys": [ours, other]});
    World {
        providers: Providers::new(vec![settings()], &public_url, &System::real()).expect("settings"),
        registration: ClientRegistration::new(&settings(), &public_url).expect("settings"),
        key,
        keys: jwks::read(set.as_object().expect("an object")).expect("keys"),
    }
});

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).expect("a date")
}

/// The header and the payload of a token that we have signed.
type Signed<'b> = (&'b [u8], &'b [u8]);

/// The first line is the header and all that follows the payload, which are signed; without a line end it is a token as it
/// is.
fn token(bytes: &[u8]) -> (String, Option<Signed<'_>>) {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return (String::from_utf8_lossy(bytes).into_owned(), None);
    };
    let (header, payload) = bytes.split_at(end);
    let payload = payload.strip_prefix(b"\n").unwrap_or_default();
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature: Signature = WORLD.key.sign(text.as_bytes());
    (format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())), Some((header, payload)))
}

fn expected() -> Expected<'static> {
    const ALGORITHMS: &[CoreJwsSigningAlgorithm] = &[
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::EdDsa,
    ];
    Expected { registration: &WORLD.registration, algorithms: ALGORITHMS, keys: &WORLD.keys, now: at(NOW) }
}

/// The header of a token that was accepted.
fn header_holds(header: &[u8]) {
    let header: Value = serde_json::from_slice(header).expect("JSON");
    assert_eq!(header.get("alg"), Some(&json!("ES256")));
    assert!(header.get("crit").is_none() && header.get("kid").is_none_or(|kid| kid == "1"));
}

/// An ID token: one that is accepted is signed by the provider, for us, now, and for this sign-in.
pub fn id_token(bytes: &[u8]) {
    let (token, signed) = token(bytes);
    let access_token = AccessToken::new(ACCESS_TOKEN.into());
    let code = SecretString::from("code");
    let attempt = Attempt { nonce: NONCE, started: at(STARTED), code: &code, access_token: &access_token };
    let Ok(accepted) = id_token::verify(&token, &attempt, &expected()) else { return };
    let (header, payload) = signed.expect("nobody else has the key");
    header_holds(header);
    // What is damaged in one claim costs that claim, where another reader takes none.
    let payload = serde_json::from_slice(payload).unwrap_or_else(|_| Value::Object(accepted.all.members.clone()));
    holds(&payload);
    let issuer = Issuer::new(ISSUER);
    assert_eq!(Some(accepted.subject.as_str()), payload["sub"].as_str());
    let _ = VerifiedClaims::new(issuer, accepted.subject, &accepted.all, Some(&accepted.all));
}

/// A logout token: one that is accepted is signed by the provider, for us and now, says whom it is about, and is no ID token.
pub fn logout_token(bytes: &[u8]) {
    let (token, signed) = token(bytes);
    let provider = WORLD.providers.iter().next().expect("a provider");
    let Ok(accepted) = provider.logout_token(&token, &expected()) else { return };
    let (header, payload) = signed.expect("nobody else has the key");
    header_holds(header);
    // Damage in a claim that nobody reads costs that claim.
    let Ok(claims) = serde_json::from_slice::<Value>(payload) else { return };
    let text = |name: &str| claims.get(name).map(|value| value.as_str().expect("a text"));
    let number = |name: &str| claims[name].as_f64().expect("a number").trunc();
    parties_hold(&claims);
    assert!(number("exp") > NOW as f64 - LEEWAY && number("iat") <= NOW as f64 + LEEWAY);
    assert!(number("iat") > NOW as f64 - 3_600.0, "an old one");
    assert!(claims.get("nonce").is_none(), "an ID token");
    assert!(claims["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(text("jti").is_some_and(|jti| !jti.is_empty() && jti == accepted.id));
    assert_eq!((text("sid"), text("sub")), (accepted.sid.as_deref(), accepted.subject.as_ref().map(Subject::as_str)));
    assert!(accepted.sid.is_some() || accepted.subject.is_some(), "nobody is meant");
}

/// `iss`, `aud` and `azp` of a token that was accepted.
fn parties_hold(claims: &Value) {
    assert_eq!(claims["iss"], ISSUER);
    let audiences = claims["aud"].as_array().cloned().unwrap_or_else(|| vec![claims["aud"].clone()]);
    assert!(audiences.iter().any(|one| one == US) && audiences.iter().all(|one| one == US || one == TRUSTED));
    let azp = claims.get("azp").filter(|azp| !azp.is_null());
    assert!(azp.map_or(audiences.iter().all(|one| one == US), |azp| azp == US));
}

/// OpenID Connect Core 3.1.3.7, of claims that were accepted.
fn holds(claims: &Value) {
    let claim = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let number = |name: &str| claim(name).map(|value| value.as_f64().expect("a number").trunc());
    let (now, started) = (NOW as f64, STARTED as f64);
    parties_hold(claims);
    assert!(number("exp").is_some_and(|exp| exp > now - LEEWAY));
    assert!(number("iat").is_some_and(|iat| (started - LEEWAY..=now + LEEWAY).contains(&iat)));
    assert!(number("nbf").is_none_or(|nbf| nbf <= now + LEEWAY));
    assert_eq!(claims["nonce"], NONCE);
    let subject = claims["sub"].as_str().expect("a text");
    assert!((1..=255).contains(&subject.len()) && subject.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    let hash: Vec<u8> = Sha256::digest(ACCESS_TOKEN).into_iter().take(16).collect();
    assert!(claim("at_hash").is_none_or(|at_hash| *at_hash == URL_SAFE_NO_PAD.encode(hash)));
}

/// A discovery document: one that is accepted is the issuer's, and its endpoints are https.
pub fn discovery(bytes: &[u8]) {
    let Ok(document) = strict_json::object(strict_json::without_mark(bytes)) else { return };
    let metadata = match Metadata::check(&document, &WORLD.registration) {
        Ok(metadata) => metadata,
        Err(fault) => return assert!(!fault.detail().contains(char::is_control), "{fault}"),
    };
    assert_eq!(document.members["issuer"], ISSUER);
    let authorization = &metadata.authorization_endpoint;
    let endpoints = [authorization, &metadata.token_endpoint, &metadata.jwks_uri];
    for endpoint in endpoints.into_iter().chain(&metadata.userinfo_endpoint).chain(metadata.end_session.url()) {
        assert_eq!(endpoint.scheme(), "https");
        assert!(endpoint.has_host() && endpoint.fragment().is_none());
        assert!(endpoint.username().is_empty() && endpoint.password().is_none());
        assert!(document.members.values().any(|value| value.as_str().is_some_and(|text| is_same(text, endpoint))));
    }
    let ambiguous = ["client_id", "response_type", "state", "redirect_uri", "nonce", "scope", "request_uri"];
    assert!(authorization.query_pairs().all(|(name, _)| !ambiguous.contains(&name.as_ref())));
    assert!(!metadata.algorithms.is_empty());
    for algorithm in metadata.algorithms.iter().chain(&metadata.userinfo_algorithms) {
        let name = json!(algorithm);
        assert!(name != "none" && !name.as_str().is_none_or(|name| name.starts_with("HS")), "{name}");
    }
}

fn is_same(text: &str, url: &Url) -> bool {
    Url::parse(text).is_ok_and(|parsed| parsed == *url)
}

/// A key set: whatever is in it, a key that is kept can verify, and does not verify what nobody has signed.
pub fn jwks(bytes: &[u8]) {
    let Ok(document) = strict_json::object(strict_json::without_mark(bytes)) else { return };
    let set = match jwks::read(&document.members) {
        Ok(set) => set,
        Err(fault) => return assert!(!fault.detail().contains(char::is_control), "{fault}"),
    };
    assert!(!set.keys().is_empty());
    for key in set.keys() {
        let written = json!(key);
        assert!(written["kty"] != "oct" && written["use"].as_str().is_none_or(|purpose| purpose == "sig"));
        if written["kty"] == "RSA" {
            let modulus = URL_SAFE_NO_PAD.decode(written["n"].as_str().expect("a modulus")).expect("base64url");
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            assert!((modulus.len() - zeros) * 8 >= limits::RSA_BITS);
        }
        let fitting: Vec<_> = ALGORITHMS.iter().filter(|algorithm| super::jwt::fits(key, algorithm)).collect();
        assert!(!fitting.is_empty());
        for algorithm in fitting {
            for signature in [&[][..], &[0; 64], &[1; 64], &[0; 96], &[0; 256]] {
                assert!(key.verify_signature(algorithm, b"nobody has signed it", signature).is_err());
            }
        }
    }
}
