//! The keys that sign assertions: one for each of `secret_keys`, derived from it, so that nothing is stored and all processes
//! have the same. The first signs; all are published, so that a secret can be appended, rolled out and then promoted
//! without an assertion that cannot be verified.

use p256::ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer as _};
use serde::Serialize;

use crate::server::{
    jwk::{self, Material, PublicKey},
    jwt::Unsigned,
    seal::{Derived, KeyIndex, Keyring},
};

/// Characters that a signature adds to a token: a dot, and 64 bytes in base64url.
pub(super) const SIGNATURE_CHARACTERS: usize = 1 + 86;

/// The keys that sign assertions.
pub(super) struct SigningKeys {
    current: SigningKey,
    header: Header,
    jwks: String,
}

/// The header of an assertion.
#[derive(Serialize)]
pub(super) struct Header {
    typ: &'static str,
    alg: &'static str,
    kid: String,
}

impl SigningKeys {
    pub(super) fn new(keyring: &Keyring) -> Self {
        let current = derived(keyring, keyring.current());
        let keys: Vec<_> = keyring.all().map(|index| public(derived(keyring, index).verifying_key())).collect();
        let header = Header { typ: "JWT", alg: "ES256", kid: public(current.verifying_key()).kid };
        Self { current, header, jwks: jwk::set(&keys) }
    }

    /// The public keys, as a set in JSON.
    pub(super) fn jwks(&self) -> &str {
        &self.jwks
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn sign(&self, token: Unsigned) -> String {
        let signature: Signature = self.current.sign(token.as_bytes());
        token.signed(&signature.to_bytes())
    }
}

#[expect(clippy::expect_used, reason = "a public key is not the point at infinity, which alone has no coordinates")]
fn public(key: &VerifyingKey) -> PublicKey {
    let point = key.to_sec1_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| jwk::number(bytes.expect("a coordinate"));
    PublicKey::new(Material::curve("P-256", coordinate(point.x()), coordinate(point.y())), "ES256")
}

#[expect(clippy::expect_used, reason = "one candidate in four thousand million is none, and there are 256")]
fn derived(keyring: &Keyring, index: KeyIndex) -> SigningKey {
    let candidates = (0..=u8::MAX).map(|round| keyring.derive(index, Derived::SigningKey, [&[round], b""]));
    first_valid(candidates).expect("a signing key can be derived")
}

/// A private key is a number from 1 up to the order of the curve.
fn first_valid(mut candidates: impl Iterator<Item = [u8; 32]>) -> Option<SigningKey> {
    candidates.find_map(|candidate| SigningKey::from_slice(&candidate).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::server::{public_url::PublicUrl, seal::SecretKey};

    fn keys(seeds: &[u8], public_url: &str) -> SigningKeys {
        let secrets: Vec<_> = seeds.iter().map(|seed| SecretKey::new(Box::new(vec![*seed; 32]))).collect();
        let public_url = PublicUrl::parse(public_url).unwrap();
        SigningKeys::new(&Keyring::new(&secrets[0], &secrets[1..], &public_url))
    }

    fn published(keys: &SigningKeys) -> Vec<Value> {
        let jwks: Value = serde_json::from_str(keys.jwks()).unwrap();
        jwks["keys"].as_array().unwrap().clone()
    }

    /// Calculated with Python's `cryptography`. Another derivation would make assertions invalid during a rolling update.
    #[test]
    fn a_secret_gives_the_same_key_for_ever() {
        let first = json!({
            "crv": "P-256", "kty": "EC", "alg": "ES256", "use": "sig",
            "x": "OfF_kiEKXgLF_M6El2auq81wg3RSRR0JGnCGZqdT_Pk",
            "y": "GUxKVBFfLsffSGpsYAme4ZGi-o64wFc8OuTeYUU05S8",
            "kid": "aCZ5dMUFsZurALSSeadffLgcYf594nfRqjJ3fsI2Wkw",
        });
        let second = json!({
            "crv": "P-256", "kty": "EC", "alg": "ES256", "use": "sig",
            "x": "JJmqPLzhpZFKEN4eaxMOeAzZOFwIE4JOAIRasyoIAr8",
            "y": "emt9Q7xdymnyh9tw9nTNTI2TznMUFZ56qd5igoZLkX0",
            "kid": "1tedOcTqiO6klA_dwrvrmcxv1dbZ4oZKaApt1lGAdE0",
        });
        assert_eq!(published(&keys(&[1, 2], "https://login.example.com")), [first.clone(), second.clone()]);
        let elsewhere = keys(&[2, 1], "https://other.example.com");
        assert_eq!(elsewhere.header().kid, second["kid"].as_str().unwrap());
        assert_eq!(published(&elsewhere), [second, first]);
    }

    #[test]
    fn what_is_no_private_key_is_passed_over() {
        let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
        let order: [u8; 32] = order.try_into().unwrap();
        let none = [[0; 32], order, [0xff; 32]];
        assert!(first_valid(none.into_iter()).is_none());
        let key = first_valid(none.into_iter().chain([[7; 32]])).unwrap();
        assert_eq!(key.to_bytes()[..], [7; 32]);
    }
}
