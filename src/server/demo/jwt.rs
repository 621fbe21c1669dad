//! Tokens, put together by hand so that any defect can be produced.

use serde_json::{Value, json};

use super::{
    edit::{Edit, Members, render},
    faults::{IdTokenEdit, SignatureFault},
    keys::{KeyName, Keys, encode, hs256},
};

/// `header.payload.signature` of a well-made token.
pub(super) fn sign(keys: &Keys, key: KeyName, typ: &str, payload: &str) -> String {
    let header = json!({ "alg": Keys::alg(key), "kid": keys.kid(key), "typ": typ });
    let input = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.as_bytes()));
    let signature = encode(&keys.sign(key, input.as_bytes()));
    format!("{input}.{signature}")
}

/// The ID token, with everything `edits` do to it.
pub(super) fn id_token(
    keys: &Keys,
    key: KeyName,
    client_secret: Option<&str>,
    claims: Members,
    edits: &[IdTokenEdit],
) -> String {
    if edits.iter().any(|edit| edit.rotate_first) {
        keys.rotate();
    }
    if let Some(whole) = edits.iter().rev().find_map(|edit| edit.whole.clone()) {
        return whole;
    }
    let key = edits.iter().rev().find_map(|edit| edit.key).unwrap_or(key);
    let fault = edits.iter().rev().find_map(|edit| edit.signature);
    let alg = match fault {
        Some(SignatureFault::Unsigned) => "none",
        Some(SignatureFault::ClientSecret | SignatureFault::PublicKey(_)) => "HS256",
        _ => Keys::alg(key),
    };
    let header = Members::from_iter([
        ("alg".to_owned(), json!(alg)),
        ("kid".to_owned(), json!(keys.kid(key))),
        ("typ".to_owned(), json!("JWT")),
    ]);
    let header = encode(render(header, edits.iter().map(|edit| &edit.header)).as_bytes());
    let input = |payload: &str| format!("{header}.{}", encode(payload.as_bytes()));
    let other = render(claims.clone(), [&Edit::set("sub", "somebody-else")]);
    let signed = input(&render(claims, edits.iter().map(|edit| &edit.claims)));
    let right = || keys.sign(key, signed.as_bytes());
    let signature = match fault {
        None => right(),
        Some(SignatureFault::FlippedBit) => {
            let mut signature = right();
            if let Some(byte) = signature.first_mut() {
                *byte ^= 1;
            }
            signature
        }
        Some(SignatureFault::Truncated) => {
            let mut signature = right();
            signature.truncate(signature.len() / 2);
            signature
        }
        Some(SignatureFault::Empty | SignatureFault::Unsigned) => Vec::new(),
        Some(SignatureFault::Zeroed) => vec![0; right().len()],
        Some(SignatureFault::ClientSecret) => hs256(client_secret.unwrap_or_default().as_bytes(), signed.as_bytes()),
        Some(SignatureFault::PublicKey(form)) => hs256(&keys.public_bytes(form), signed.as_bytes()),
        Some(SignatureFault::OtherPayload) => keys.sign(key, input(&other).as_bytes()),
    };
    format!("{signed}.{}", encode(&signature))
}

/// A JWT access token (RFC 9068) of about `bytes` bytes.
pub(super) fn access_token(keys: &Keys, key: KeyName, mut claims: Members, edits: &[Edit], bytes: usize) -> String {
    let bare = sign(keys, key, "at+jwt", &Value::Object(claims.clone()).to_string());
    // The member's name and quotes, then four characters of base64 for three bytes.
    let missing = (bytes.saturating_sub(bare.len()) * 3 / 4).saturating_sub(r#","entitlements":"""#.len());
    claims.insert("entitlements".to_owned(), json!("e".repeat(missing)));
    sign(keys, key, "at+jwt", &render(claims, edits))
}
