//! The provider's signing keys (RFC 7517).

use std::sync::Arc;

use openidconnect::{
    JsonWebKey as _, JsonWebKeyUse,
    core::{CoreJsonWebKeySet, CoreJsonWebKeyType},
};
use serde_json::{Map, Value};

use super::{
    cache::Cache,
    discovery::Discovery,
    fault::ProviderFault,
    http::{Endpoint, Http},
    source::{Schedule, Source},
};
use crate::server::{clock::System, limits};

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
        read(self.http.document(Endpoint::Keys, &metadata.jwks_uri, self.system.now()).await?)
    }
}

/// Reads a key set. Entries that are not understood are skipped (RFC 7517 5).
///
/// # Errors
/// Where no key is left that could verify a signature: such a set never replaces a good one.
fn read(document: Map<String, Value>) -> Result<CoreJsonWebKeySet, ProviderFault> {
    let set: CoreJsonWebKeySet = serde_json::from_value(Value::Object(document))
        .map_err(|_| ProviderFault::Keys("`keys` is missing or not a list".into()))?;
    let usable = set.keys().iter().any(|key| {
        *key.key_type() != CoreJsonWebKeyType::Symmetric && key.key_use().is_none_or(JsonWebKeyUse::allows_signature)
    });
    if usable { Ok(set) } else { Err(ProviderFault::Keys("the set has no key that we could use".into())) }
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    #[test]
    fn a_set_needs_one_usable_key() {
        let good =
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1"});
        let set = |keys: serde_json::Value| read(json!({"keys": keys}).as_object().unwrap().clone());
        assert!(set(json!([good])).is_ok());
        // JW-01: what is not understood does not spoil the rest.
        let odd = json!([5, null, {"kty": "FOO"}, {"kty": "AKP", "alg": "ML-DSA-44"}, {"kty": "EC", "crv": "secp256k1", "kid": 7}, good]);
        assert_eq!(set(odd).unwrap().keys().len(), 1);
        for useless in [
            json!([]),
            json!([5]),
            json!([{"kty": "oct", "k": "AA"}]),
            json!([{"kty": "RSA", "use": "enc", "n": "AQ", "e": "AQAB"}]),
        ] {
            assert!(set(useless.clone()).is_err(), "{useless}");
        }
        assert!(set(json!({})).is_err());
        assert!(read(serde_json::Map::new()).is_err());
    }
}
