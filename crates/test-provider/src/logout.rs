//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.4).

use serde_json::json;

use crate::{
    jwt,
    keys::KeyName,
    provider::Provider,
    rules::{Edit, JwtEdit, Members, render},
};

/// Seconds that a logout token lives, as at the certification suite.
const LIFE: i64 = 120;

/// A logout token for that client, whom `edits` say; without any it ends nobody's session and is no good.
pub(crate) fn token(provider: &Provider, client_id: &str, edits: &[JwtEdit]) -> String {
    let now = provider.now().unix_timestamp();
    let claims = Members::from_iter([
        ("iss".to_owned(), json!(provider.issuer.url)),
        ("aud".to_owned(), json!(client_id)),
        ("iat".to_owned(), json!(now)),
        ("exp".to_owned(), json!(now + LIFE)),
        ("jti".to_owned(), json!(provider.random_text())),
        ("events".to_owned(), json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
    ]);
    let typed = [JwtEdit::header(Edit::set("typ", "logout+jwt"))];
    let edits = [&typed[..], edits].concat();
    let payload = render(claims, edits.iter().map(|edit| &edit.claims));
    let client = provider.client(client_id);
    let key = client.map_or(KeyName::Rsa2048, |client| client.id_token_alg.key());
    let secret = client.and_then(|client| client.secret());
    jwt::edited(&provider.keys, key, secret, &payload, &edits)
}
