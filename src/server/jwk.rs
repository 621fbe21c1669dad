//! Public keys as they are published (RFC 7517, RFC 8037), each named by its thumbprint.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A public key that verifies signatures of ours.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PublicKey {
    #[serde(flatten)]
    material: Material,
    pub(crate) kid: String,
    pub(crate) alg: &'static str,
    #[serde(rename = "use")]
    used_for: &'static str,
}

/// What RFC 7638 makes the thumbprint of, in its order.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Material {
    /// `EC`
    Curve { crv: &'static str, kty: &'static str, x: String, y: String },
    /// `OKP`
    Edwards { crv: &'static str, kty: &'static str, x: String },
    /// `RSA`
    Rsa { e: String, kty: &'static str, n: String },
}

impl Material {
    pub(crate) const fn curve(crv: &'static str, x: String, y: String) -> Self {
        Self::Curve { crv, kty: "EC", x, y }
    }

    pub(crate) const fn edwards(crv: &'static str, x: String) -> Self {
        Self::Edwards { crv, kty: "OKP", x }
    }

    pub(crate) const fn rsa(n: String, e: String) -> Self {
        Self::Rsa { e, kty: "RSA", n }
    }
}

impl PublicKey {
    pub(crate) fn new(material: Material, alg: &'static str) -> Self {
        let kid = number(&Sha256::digest(json(&material)));
        Self { material, kid, alg, used_for: "sig" }
    }
}

/// Bytes as a member of a key.
pub(crate) fn number(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A set of keys (RFC 7517 5).
pub(crate) fn set(keys: &[PublicKey]) -> String {
    #[derive(Serialize)]
    struct Set<'k> {
        keys: &'k [PublicKey],
    }
    json(&Set { keys })
}

#[expect(clippy::expect_used, reason = "plain structs of ours, written into memory")]
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a key can be written")
}
