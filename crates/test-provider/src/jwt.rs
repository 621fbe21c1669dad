//! Tokens, put together by hand so that any defect can be produced.

use serde_json::{Value, json};

use crate::{
    keys::{KeyName, Keys, encode, hs256},
    rules::{Edit, JwtEdit, Members, SignatureFault, render},
};

/// A JWT of this payload, with everything that `edits` do to header, signature and the finished token; the payload has
/// been edited already.
pub(crate) fn edited(
    keys: &Keys,
    key: KeyName,
    client_secret: Option<&str>,
    payload: &str,
    edits: &[JwtEdit],
) -> String {
    if edits.iter().any(|edit| edit.rotate_first) {
        keys.rotate();
    }
    let key = edits.iter().rev().find_map(|edit| edit.key).unwrap_or(key);
    let fault = edits.iter().rev().find_map(|edit| edit.signature);
    let header = Members::from_iter([
        ("alg".to_owned(), json!(alg(key, fault))),
        ("kid".to_owned(), json!(keys.kid(key))),
        ("typ".to_owned(), json!("JWT")),
    ]);
    let header = encode(render(header, edits.iter().map(|edit| &edit.header)).as_bytes());
    let input = |payload: &str| format!("{header}.{}", encode(payload.as_bytes()));
    let signed = input(payload);
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
        Some(SignatureFault::Empty | SignatureFault::Missing | SignatureFault::Unsigned) => Vec::new(),
        Some(SignatureFault::Zeroed) => vec![0; right().len()],
        Some(SignatureFault::ClientSecret) => hs256(client_secret.unwrap_or_default().as_bytes(), signed.as_bytes()),
        Some(SignatureFault::PublicKey(form)) => hs256(&keys.public_bytes(form), signed.as_bytes()),
        Some(SignatureFault::OtherPayload) => keys.sign(key, input(r#"{"sub":"somebody-else"}"#).as_bytes()),
        Some(SignatureFault::Rs512) => keys.sign_rs512(signed.as_bytes()),
        Some(SignatureFault::Ps256) => keys.sign_ps256(signed.as_bytes()),
    };
    let whole = edits.iter().rev().find_map(|edit| edit.whole.clone());
    let token = whole.unwrap_or_else(|| match fault {
        Some(SignatureFault::Missing) => signed,
        _ => format!("{signed}.{}", encode(&signature)),
    });
    edits.iter().fold(token, |token, edit| token + &edit.append)
}

fn alg(key: KeyName, fault: Option<SignatureFault>) -> &'static str {
    match fault {
        Some(SignatureFault::Unsigned) => "none",
        Some(SignatureFault::ClientSecret | SignatureFault::PublicKey(_)) => "HS256",
        Some(SignatureFault::Rs512) => "RS512",
        Some(SignatureFault::Ps256) => "PS256",
        _ => Keys::alg(key),
    }
}

/// A JWT access token (RFC 9068) of about `bytes` bytes.
pub(crate) fn access_token(keys: &Keys, key: KeyName, mut claims: Members, edits: &[Edit], bytes: usize) -> String {
    let sign = |payload: &str| {
        let header = json!({ "alg": Keys::alg(key), "kid": keys.kid(key), "typ": "at+jwt" });
        let input = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.as_bytes()));
        let signature = encode(&keys.sign(key, input.as_bytes()));
        format!("{input}.{signature}")
    };
    let bare = sign(&Value::Object(claims.clone()).to_string());
    // The member's name and quotes, then four characters of base64 for three bytes.
    let missing = (bytes.saturating_sub(bare.len()) * 3 / 4).saturating_sub(r#","entitlements":"""#.len());
    claims.insert("entitlements".to_owned(), json!("e".repeat(missing)));
    sign(&render(claims, edits))
}
