//! Client assertions (Core 9, RFC 7523 3), judged more strictly than anybody has to: one audience, a text, the issuer or
//! the endpoint itself; no `jti` twice; five minutes at most.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use serde_json::Value;

use crate::{
    clients::{Authentication, Client},
    endpoint::Endpoint,
    keys::hs256,
    lock::lock,
    provider::Provider,
};

/// `client_assertion_type`
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who an assertion says that it is from; nothing of it is believed yet.
pub(crate) fn subject(assertion: &str) -> Option<String> {
    Some(part(assertion.split('.').nth(1)?)?.get("sub")?.as_str()?.to_owned())
}

/// What is wrong with it.
pub(crate) fn verify(
    provider: &Provider,
    client: &Client,
    assertion: &str,
    endpoint: Endpoint,
) -> Result<(), &'static str> {
    let parts: Vec<_> = assertion.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return Err("It is no JWT.") };
    let (signed, _) = assertion.rsplit_once('.').unwrap_or_default();
    let (header, claims) = part(header).zip(part(claims)).ok_or("It cannot be read.")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "Its signature cannot be read.")?;
    let text = |members: &Value, name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let right = match &client.authentication {
        Authentication::SecretJwt(secret) => {
            text(&header, "alg").as_deref() == Some("HS256") && hs256(secret.as_bytes(), signed.as_bytes()) == signature
        }
        Authentication::PrivateKeyJwt(keys) => {
            let kid = text(&header, "kid").ok_or("It names no key.")?;
            let key =
                keys.get("keys").and_then(Value::as_array).and_then(|keys| keys.iter().find(|key| key["kid"] == *kid));
            let key = key.and_then(point).ok_or("Its key is not registered.")?;
            text(&header, "alg").as_deref() == Some("ES256")
                && Signature::from_slice(&signature)
                    .is_ok_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok())
        }
        _ => return Err("The client is registered with another method."),
    };
    if !right {
        return Err("Its signature is wrong.");
    }
    if text(&claims, "iss").as_deref() != Some(&client.id) || text(&claims, "sub").as_deref() != Some(&client.id) {
        return Err("Its iss and sub are not the client.");
    }
    let aud = text(&claims, "aud").ok_or("Its aud is no text.")?;
    if aud != provider.issuer.url && aud != provider.issuer.url_of(endpoint) {
        return Err("Its aud is somebody else.");
    }
    let now = provider.now().unix_timestamp();
    let exp = claims.get("exp").and_then(Value::as_i64).ok_or("It has no exp.")?;
    if exp <= now || exp > now + 300 {
        return Err("It has expired, or never does.");
    }
    let jti = text(&claims, "jti").filter(|jti| jti.len() >= 16).ok_or("It has no jti.")?;
    if !lock(&provider.vault).assertions.insert(jti) {
        return Err("It came before.");
    }
    Ok(())
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn point(key: &Value) -> Option<VerifyingKey> {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok();
    VerifyingKey::from_sec1_bytes(&[vec![4], number("x")?, number("y")?].concat()).ok()
}
