//! The private keys that we prove with who we are at a provider (`private_key_jwt`): read from a file, made, published.
//!
//! `ring` signs. It is in the program for TLS, and its RSA takes the same time whatever the key, which that of `rsa`, the
//! crate that verifies ID tokens, does not (RUSTSEC-2023-0071; docs/decisions/client-auth.md).

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING as ES256, ECDSA_P384_SHA384_FIXED_SIGNING as ES384, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};

use super::{
    jwk::{self, Material, PublicKey, number},
    limits,
};

/// The keys of one provider: the first signs, all are published, so that one can take the place of another without a
/// failed sign-in.
#[derive(Clone, Debug)]
pub struct ClientKeys {
    signing: Arc<ClientKey>,
    others: Vec<Arc<ClientKey>>,
}

impl ClientKeys {
    /// `None` without a key.
    #[must_use]
    pub fn new(keys: Vec<ClientKey>) -> Option<Self> {
        let mut keys = keys.into_iter().map(Arc::new);
        Some(Self { signing: keys.next()?, others: keys.collect() })
    }

    /// The key that signs.
    #[must_use]
    pub fn signing(&self) -> &Arc<ClientKey> {
        &self.signing
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &ClientKey> {
        std::iter::once(&*self.signing).chain(self.others.iter().map(|key| &**key))
    }
}

/// The public keys of `all` as one set (RFC 7517 5); a key that several providers know is in it once.
pub fn published<'k>(all: impl Iterator<Item = &'k ClientKeys>) -> String {
    let mut keys: Vec<PublicKey> = Vec::new();
    for key in all.flat_map(ClientKeys::all) {
        if !keys.iter().any(|known| known.kid == key.public.kid) {
            keys.push(key.public.clone());
        }
    }
    jwk::set(&keys)
}

/// A private key. It does not print itself.
pub struct ClientKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// What a new key signs with. (`ring` makes no RSA keys, and `openssl` is at hand wherever one is needed.)
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum NewKey {
    /// ECDSA on P-256, which every provider that takes keys knows.
    #[value(name = "ES256")]
    Es256,
    /// ECDSA on P-384.
    #[value(name = "ES384")]
    Es384,
    /// Ed25519.
    #[value(name = "EdDSA")]
    EdDsa,
}

impl ClientKey {
    /// Reads one key from a PEM file's text (PKCS#8, without a password).
    ///
    /// # Errors
    /// What is wrong with it and what to do about it, without anything of the key.
    pub fn read(pem: &str) -> Result<Self, (String, &'static str)> {
        const MAKE: &str = "make a key with `vestibule keys new FILE`";
        const CONVERT: &str = "convert it with `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW`";
        let one = pem.matches("-----BEGIN ").count();
        if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(("holds a key that needs a password".into(), CONVERT));
        }
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes());
        match der {
            Err(_) => Err(("holds no private key in PEM".into(), MAKE)),
            Ok(_) if one > 1 => {
                Err(("holds more than one key or certificate".into(), "give each key a file of its own"))
            }
            Ok(PrivateKeyDer::Pkcs8(der)) => Self::from_pkcs8(der.secret_pkcs8_der()).map_err(|what| (what, MAKE)),
            Ok(_) => Err(("holds a key in another form than PKCS#8 (BEGIN PRIVATE KEY)".into(), CONVERT)),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, String> {
        let random = SystemRandom::new();
        for (algorithm, alg, curve) in [(&ES256, "ES256", "P-256"), (&ES384, "ES384", "P-384")] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, &random) {
                let point = pair.public_key().as_ref();
                // 4, then both coordinates.
                let (x, y) = point.get(1..).map(|both| both.split_at(both.len() / 2)).unwrap_or_default();
                let material = Material::curve(curve, number(x), number(y));
                return Ok(Self { public: PublicKey::new(material, alg), pair: Pair::Ecdsa(pair) });
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let material = Material::edwards("Ed25519", number(pair.public_key().as_ref()));
            return Ok(Self { public: PublicKey::new(material, "EdDSA"), pair: Pair::Ed25519(pair) });
        }
        // It takes none with fewer bits than `limits::RSA_BITS`, nor with more than 4,096.
        match RsaKeyPair::from_pkcs8(der) {
            Ok(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                let material = Material::rsa(number(&n), number(&e));
                Ok(Self { public: PublicKey::new(material, "RS256"), pair: Pair::Rsa(pair) })
            }
            Err(_) => Err(format!(
                "holds a key that cannot be used: it must be on P-256, P-384 or Ed25519, or RSA with {} to 4096 bits",
                limits::RSA_BITS
            )),
        }
    }

    /// A new key, as the text of its file.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new_pem(kind: NewKey) -> Result<String, String> {
        let random = SystemRandom::new();
        let document = match kind {
            NewKey::Es256 => EcdsaKeyPair::generate_pkcs8(&ES256, &random),
            NewKey::Es384 => EcdsaKeyPair::generate_pkcs8(&ES384, &random),
            NewKey::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
        };
        let document = document.map_err(|_| "the operating system gives no randomness".to_owned())?;
        let text = STANDARD.encode(document.as_ref());
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// Its name, wherever it is published.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.public.kid
    }

    #[cfg(test)]
    pub(crate) const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// What it signs with, by its registered name.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        self.public.alg
    }

    /// Signs `message`.
    ///
    /// # Errors
    /// The key or the system's randomness fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientKey").field(&self.public.kid).finish()
    }
}

#[cfg(test)]
mod tests;
