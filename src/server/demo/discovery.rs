//! The provider's metadata (OpenID Connect Discovery 1.0 3) and its keys (RFC 7517).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    clients::Algorithm,
    config::Profile,
    edit::{Members, render},
    faults::{Document, JwksFault},
    keys::KeyName,
    server::{Provider, json_text},
};

/// Authelia advertises every algorithm, whatever keys it has: the client's registration decides.
const EVERY_ALGORITHM: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

pub(super) async fn metadata(State(provider): State<Arc<Provider>>) -> Response {
    let issuer = &provider.issuer.url;
    let paths = &provider.issuer.paths;
    let at = |path: &str| json!(format!("{}{path}", provider.issuer.origin));
    let authelia = provider.config.profile == Profile::Authelia;
    let mut members: Vec<(&str, Value)> = vec![
        ("issuer", json!(issuer)),
        ("authorization_endpoint", at(&paths.authorize)),
        ("token_endpoint", at(&paths.token)),
        ("userinfo_endpoint", at(&paths.userinfo)),
        ("jwks_uri", at(&paths.jwks)),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query", "form_post"])),
        ("grant_types_supported", json!(["authorization_code"])),
        ("subject_types_supported", json!(["public"])),
        ("scopes_supported", json!(["openid", "profile", "email", "groups"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        (
            "claims_supported",
            json!(["sub", "iss", "aud", "exp", "iat", "name", "preferred_username", "email", "groups"]),
        ),
    ];
    if authelia {
        members.extend([
            ("id_token_signing_alg_values_supported", json!(EVERY_ALGORITHM)),
            ("userinfo_signing_alg_values_supported", json!(EVERY_ALGORITHM)),
            (
                "token_endpoint_auth_methods_supported",
                json!(["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]),
            ),
            ("request_parameter_supported", json!(false)),
            ("request_uri_parameter_supported", json!(false)),
            ("require_pushed_authorization_requests", json!(false)),
        ]);
    } else {
        members.extend([
            ("id_token_signing_alg_values_supported", json!(["RS256", "ES256"])),
            ("token_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post", "none"])),
        ]);
    }
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    json_text(StatusCode::OK, render(members, &provider.rules.edits(Document::Discovery)))
}

pub(super) async fn keys(State(provider): State<Arc<Provider>>) -> Response {
    let keys = &provider.keys;
    let mut published: Vec<Value> = provider.published_keys().map(|key| keys.jwk(key)).collect();
    match provider.rules.jwks() {
        None => {}
        Some(JwksFault::Empty) => published.clear(),
        Some(JwksFault::Huge) => {
            let useless = (0..4000).map(|n| keys.jwk_as(KeyName::Stranger, &format!("unused-{n}")));
            published = useless.chain(published).collect();
        }
        Some(JwksFault::Extra) => published.extend([
            json!({ "kty": "OKP", "crv": "X448", "use": "enc", "kid": "extra-okp", "x": "AAAA" }),
            json!({ "kty": "EC", "crv": "secp256k1", "use": "sig", "kid": "extra-curve", "x": "AAAA", "y": "AAAA" }),
            json!({ "kty": "LATTICE", "use": "sig", "kid": "extra-kind", "alg": "ML-DSA-44", "pub": "AAAA" }),
            enc(keys.jwk_as(KeyName::Stranger, "extra-enc")),
        ]),
        Some(JwksFault::WithoutKid) => {
            for key in published.iter_mut().filter_map(Value::as_object_mut) {
                key.remove("kid");
            }
        }
        Some(JwksFault::Poisoned) => {
            for key in &mut published {
                let kid = key.get("kid").and_then(Value::as_str).unwrap_or_default();
                *key = keys.jwk_as(KeyName::Stranger, kid);
            }
        }
    }
    let members = Members::from_iter([("keys".to_owned(), Value::Array(published))]);
    json_text(StatusCode::OK, render(members, &provider.rules.edits(Document::Jwks)))
}

fn enc(mut key: Value) -> Value {
    if let Some(members) = key.as_object_mut() {
        members.insert("use".to_owned(), json!("enc"));
        members.remove("alg");
    }
    key
}

/// The key behind a registered algorithm.
pub(super) fn key_for(algorithm: Algorithm) -> KeyName {
    match algorithm {
        Algorithm::Rs256 => KeyName::Rsa2048,
        Algorithm::Es256 => KeyName::P256,
    }
}
