//! The provider's signing keys (RFC 7517).

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKey as _,
    SignatureVerificationError::{InvalidKey, UnsupportedAlg},
    core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJsonWebKeyType},
};
use serde_json::{Map, Value};

use super::{
    algorithms::ALGORITHMS,
    cache::Cache,
    discovery::Discovery,
    fault::ProviderFault,
    http::{Endpoint, Http},
    jwt,
    source::{Schedule, Source},
};
use crate::server::{clock::System, limits, log_text::clip};

/// Where the key set comes from: an endpoint that the discovery document names.
pub(super) struct Jwks {
    pub(super) http: Arc<Http>,
    pub(super) metadata: Arc<Cache<Discovery>>,
    pub(super) system: System,
}

impl Source for Jwks {
    type Document = CoreJsonWebKeySet;
    const NAME: &'static str = "keys";
    const SCHEDULE: Schedule =
        Schedule { refresh: limits::JWKS_REFRESH, max_age: limits::JWKS_MAX_AGE, stale: limits::JWKS_STALE };

    async fn fetch(&self) -> Result<CoreJsonWebKeySet, ProviderFault> {
        let metadata = self.metadata.get().await?;
        let document = self.http.document(Endpoint::Keys, &metadata.jwks_uri, self.system.now()).await?;
        read(&document.object()?.members)
    }
}

/// Reads a key set. Keys that no signature of ours can be verified with are skipped (RFC 7517 5).
///
/// # Errors
/// Where no key is left, with what is wrong with each: such a set never replaces a good one.
pub(super) fn read(document: &Map<String, Value>) -> Result<CoreJsonWebKeySet, ProviderFault> {
    let fault = |what: String| ProviderFault::Keys(clip(&what));
    let entries = document.get("keys").and_then(Value::as_array);
    let entries = entries.ok_or_else(|| fault("`keys` is missing or not a list".into()))?;
    let (mut keys, mut faults) = (Vec::new(), Vec::new());
    for entry in entries {
        match usable(entry) {
            // Listed twice, it is still one.
            Ok(key) if keys.contains(&key) => {}
            Ok(key) => keys.push(key),
            Err(what) => faults.push(what),
        }
    }
    if !keys.is_empty() {
        return Ok(CoreJsonWebKeySet::new(keys));
    }
    faults.sort();
    faults.dedup();
    Err(fault(match faults.as_slice() {
        [] => "the set is empty".into(),
        _ => format!("no key can be used: {}", faults.join("; ")),
    }))
}

/// The key, if there is a signature that it can verify.
fn usable(entry: &Value) -> Result<CoreJsonWebKey, String> {
    if !entry.is_object() {
        return Err("one that cannot be read".into());
    }
    let text = |name| entry.get(name).and_then(Value::as_str);
    let kind = format!("a key of type {}", text("kty").unwrap_or("unknown"));
    let accepted =
        |alg: &str| ALGORITHMS.iter().any(|accepted| serde_json::to_value(accepted).is_ok_and(|name| name == alg));
    if let Some(alg) = text("alg").filter(|alg| !accepted(alg)) {
        return Err(format!("{kind} with `alg` {alg}, which we do not accept"));
    }
    let key: CoreJsonWebKey =
        serde_json::from_value(entry.clone()).map_err(|_| format!("{kind} that is malformed or of another kind"))?;
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return Err(format!("{kind} that is not for signatures (`use`)"));
    }
    let verifies = |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"));
    if entry.get("key_ops").is_some_and(|operations| !verifies(operations)) {
        return Err(format!("{kind} that is not for verifying (`key_ops`)"));
    }
    let mut fitting = ALGORITHMS.iter().filter(|algorithm| jwt::fits(&key, algorithm)).peekable();
    if fitting.peek().is_none() {
        return Err(format!("{kind}, which no algorithm that we accept uses"));
    }
    if *key.key_type() == CoreJsonWebKeyType::RSA {
        let bits = modulus_bits(text("n")).ok_or_else(|| format!("{kind} without `n` in base64url"))?;
        if bits < limits::RSA_BITS {
            return Err(format!("{kind} with {bits} bits, at least {} are needed", limits::RSA_BITS));
        }
    }
    // Nothing verifies with this signature; what counts is whether the key is the reason.
    let works =
        |algorithm| !matches!(key.verify_signature(algorithm, b"", &[0; 64]), Err(InvalidKey(_) | UnsupportedAlg(_)));
    if !fitting.any(works) {
        return Err(format!("{kind} whose numbers or curve cannot be used"));
    }
    Ok(key)
}

/// The length of an RSA modulus, without zeros in front (RFC 7518 6.3.1.1).
fn modulus_bits(n: Option<&str>) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(n?).ok()?;
    let zeros: usize = bytes.iter().take_while(|byte| **byte == 0).count();
    let first = bytes.get(zeros).map_or(0, |first| first.leading_zeros() as usize);
    Some((bytes.len() - zeros) * 8 - first)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::{URL_SAFE_NO_PAD, modulus_bits, read};
    use serde_json::json;

    #[test]
    fn the_length_of_a_modulus_is_that_of_its_number() {
        let bits = |bytes: &[u8]| modulus_bits(Some(&URL_SAFE_NO_PAD.encode(bytes)));
        let with = |zeros: usize, first: u8| [vec![0; zeros], vec![first], vec![0xff; 255]].concat();
        assert_eq!(bits(&with(0, 0x80)), Some(2_048));
        assert_eq!(bits(&with(0, 0x7f)), Some(2_047));
        assert_eq!(bits(&with(0, 0x01)), Some(2_041));
        assert_eq!(bits(&with(3, 0x80)), Some(2_048), "zeros in front are no part of it");
        assert_eq!((bits(&[0, 0]), bits(&[])), (Some(0), Some(0)));
        assert_eq!((modulus_bits(None), modulus_bits(Some("a+b"))), (None, None));
    }

    #[test]
    fn a_set_needs_one_usable_key() {
        let good =
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1"});
        let set = |keys: serde_json::Value| read(json!({"keys": keys}).as_object().unwrap());
        assert!(set(json!([good])).is_ok());
        // JW-01: what is not understood does not spoil the rest.
        let odd = json!([5, null, {"kty": "FOO"}, {"kty": "AKP", "alg": "ML-DSA-44"}, {"kty": "EC", "crv": "secp256k1", "kid": 7}, good]);
        assert_eq!(set(odd).unwrap().keys().len(), 1);
        let rsa = |bytes: usize| URL_SAFE_NO_PAD.encode([&[0x80], vec![1; bytes - 1].as_slice()].concat());
        let for_encryption = json!({"kty": "RSA", "use": "enc", "n": rsa(256), "e": "AQAB"});
        for (useless, why) in [
            (json!([]), "the set is empty"),
            (json!([5, null]), "no key can be used: one that cannot be read"),
            (json!([{"kty": "oct", "k": "AAAA"}]), "a key of type oct, which no algorithm that we accept uses"),
            (json!([for_encryption]), "a key of type RSA that is not for signatures (`use`)"),
            (json!([{"kty": "RSA", "key_ops": ["sign"], "n": rsa(256), "e": "AQAB"}]), "not for verifying (`key_ops`)"),
            (json!([{"kty": "RSA", "alg": "RSA-OAEP", "n": rsa(256), "e": "AQAB"}]), "with `alg` RSA-OAEP"),
            (
                json!([{"kty": "RSA", "n": rsa(128), "e": "AQAB"}]),
                "a key of type RSA with 1024 bits, at least 2048 are needed",
            ),
            (json!([{"kty": "RSA", "n": rsa(255), "e": "AQAB"}]), "with 2040 bits, at least 2048"),
            (json!([{"kty": "RSA", "e": "AQAB"}]), "without `n` in base64url"),
            (json!([{"kty": "RSA", "n": format!("{}==", rsa(256)), "e": "AQAB"}]), "without `n` in base64url"),
            (json!([{"kty": "RSA", "n": rsa(256)}]), "whose numbers or curve cannot be used"),
            (json!([{"kty": "RSA", "n": rsa(1024), "e": "AQAB"}]), "whose numbers or curve cannot be used"),
            (json!([{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}]), "whose numbers or curve cannot be used"),
            (json!([{"kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ"}]), "whose numbers or curve cannot be used"),
            (json!([{"kty": "OKP", "crv": "X25519", "x": "AQ"}]), "whose numbers or curve cannot be used"),
        ] {
            let fault = set(useless.clone()).expect_err(&useless.to_string()).to_string();
            assert!(fault.contains(why), "{useless}: {fault}");
        }
        assert!(set(json!([{"kty": "RSA", "n": rsa(256), "e": "AQAB"}])).is_ok());
        assert_eq!(set(json!([null, good, good])).unwrap().keys().len(), 1, "one that is listed twice is one");
        assert!(set(json!({})).is_err());
        assert!(read(&serde_json::Map::new()).is_err());
    }
}
