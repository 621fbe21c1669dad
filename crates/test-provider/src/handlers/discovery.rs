//! The provider's metadata (OpenID Connect Discovery 1.0 3) and its keys (RFC 7517).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    endpoint::Document,
    keys::{KeyName, Keys},
    profile::Profile,
    provider::Provider,
    reply::json_text,
    rules::{JwksFault, Members, render},
};

/// Authelia advertises every algorithm, whatever keys it has: the client's registration decides.
const EVERY_ALGORITHM: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

pub(crate) async fn metadata(State(provider): State<Arc<Provider>>) -> Response {
    let paths = &provider.issuer.paths;
    let at = |path: &str| json!(format!("{}{path}", provider.issuer.origin));
    let mut members: Vec<(&str, Value)> = vec![
        ("issuer", json!(provider.issuer.url)),
        ("authorization_endpoint", at(&paths.authorize)),
        ("pushed_authorization_request_endpoint", at(&paths.pushed)),
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
    members.extend(match provider.config.profile {
        Profile::Standard => vec![
            ("id_token_signing_alg_values_supported", json!(["RS256", "ES256"])),
            (
                "token_endpoint_auth_methods_supported",
                json!(["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]),
            ),
        ],
        Profile::Authelia => vec![
            ("id_token_signing_alg_values_supported", json!(EVERY_ALGORITHM)),
            ("userinfo_signing_alg_values_supported", json!(EVERY_ALGORITHM)),
            (
                "token_endpoint_auth_methods_supported",
                json!(["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]),
            ),
            ("request_parameter_supported", json!(false)),
            ("request_uri_parameter_supported", json!(false)),
            ("require_pushed_authorization_requests", json!(false)),
        ],
    });
    members.extend(provider.config.end_session.then(|| ("end_session_endpoint", at(&paths.end_session))));
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    json_text(StatusCode::OK, render(members, &provider.rules.edits(Document::Discovery)))
}

pub(crate) async fn keys(State(provider): State<Arc<Provider>>) -> Response {
    let mut published: Vec<Value> = provider.published_keys().map(|key| provider.keys.jwk(key)).collect();
    if let Some(fault) = provider.rules.jwks() {
        spoil(&mut published, &provider.keys, fault);
    }
    let members = Members::from_iter([("keys".to_owned(), Value::Array(published))]);
    json_text(StatusCode::OK, render(members, &provider.rules.edits(Document::Jwks)))
}

fn spoil(published: &mut Vec<Value>, keys: &Keys, fault: JwksFault) {
    match fault {
        JwksFault::Empty => published.clear(),
        JwksFault::Huge => {
            let useless = (0..4000).map(|n| keys.jwk_as(KeyName::Stranger, &format!("unused-{n}")));
            published.splice(..0, useless);
        }
        JwksFault::Extra => published.extend([
            json!({ "kty": "OKP", "crv": "X448", "use": "enc", "kid": "extra-okp", "x": "AAAA" }),
            json!({ "kty": "EC", "crv": "secp256k1", "use": "sig", "kid": "extra-curve", "x": "AAAA", "y": "AAAA" }),
            json!({ "kty": "LATTICE", "use": "sig", "kid": "extra-kind", "alg": "ML-DSA-44", "pub": "AAAA" }),
            encryption(keys.jwk_as(KeyName::Stranger, "extra-enc")),
        ]),
        JwksFault::WithoutKid => {
            for key in published.iter_mut().filter_map(Value::as_object_mut) {
                key.remove("kid");
            }
        }
        JwksFault::Poisoned => {
            for key in published {
                let kid = key.get("kid").and_then(Value::as_str).unwrap_or_default();
                *key = keys.jwk_as(KeyName::Stranger, kid);
            }
        }
    }
}

fn encryption(mut key: Value) -> Value {
    if let Some(members) = key.as_object_mut() {
        members.insert("use".to_owned(), json!("enc"));
        members.remove("alg");
    }
    key
}
