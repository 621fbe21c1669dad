//! The provider's keys. They are published with the source, so they must never be trusted outside tests.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use p256::ecdsa::signature::Signer as _;
use rsa::{
    RsaPrivateKey,
    pkcs1v15::SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding},
    pss,
    rand_core::OsRng,
    signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _},
    traits::PublicKeyParts as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use crate::error::ProviderError;

/// One of the fixed keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyName {
    /// RSA with 2048 bits; the one that rotates.
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
    /// P-256.
    P256,
    /// RSA with 2048 bits, never published.
    Stranger,
}

/// The public half of the RSA key as bytes, which a careless verifier takes for an HMAC key.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicKeyForm {
    /// SubjectPublicKeyInfo, PEM.
    Pem,
    /// SubjectPublicKeyInfo, DER.
    Der,
    /// The modulus alone.
    Modulus,
    /// The modulus as the key set has it, in base64url.
    ModulusText,
}

struct RsaKey {
    private: RsaPrivateKey,
    signer: SigningKey<Sha256>,
}

impl RsaKey {
    fn read(pem: &str) -> Result<Self, ProviderError> {
        let private = RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| ProviderError::Key)?;
        Ok(Self { signer: SigningKey::new(private.clone()), private })
    }

    fn jwk(&self, kid: &str) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
            "n": encode(&self.private.n().to_bytes_be()), "e": encode(&self.private.e().to_bytes_be()),
        })
    }
}

pub(crate) struct Keys {
    pair: [RsaKey; 2],
    large: RsaKey,
    stranger: RsaKey,
    curve: p256::ecdsa::SigningKey,
    rotations: AtomicU32,
}

impl Keys {
    pub(crate) fn load() -> Result<Self, ProviderError> {
        Ok(Self {
            pair: [
                RsaKey::read(include_str!("../keys/rsa-2048.pem"))?,
                RsaKey::read(include_str!("../keys/rsa-2048-next.pem"))?,
            ],
            large: RsaKey::read(include_str!("../keys/rsa-4096.pem"))?,
            stranger: RsaKey::read(include_str!("../keys/rsa-2048-stranger.pem"))?,
            curve: p256::pkcs8::DecodePrivateKey::from_pkcs8_pem(include_str!("../keys/p256.pem"))
                .map_err(|_| ProviderError::Key)?,
            rotations: AtomicU32::new(0),
        })
    }

    /// The 2048-bit key changes, and its `kid` for good; the former is published no longer.
    pub(crate) fn rotate(&self) {
        self.rotations.fetch_add(1, Ordering::Relaxed);
    }

    fn current(&self) -> &RsaKey {
        let [even, odd] = &self.pair;
        if self.rotations.load(Ordering::Relaxed).is_multiple_of(2) { even } else { odd }
    }

    fn rsa(&self, key: KeyName) -> Option<&RsaKey> {
        match key {
            KeyName::Rsa2048 => Some(self.current()),
            KeyName::Rsa4096 => Some(&self.large),
            KeyName::Stranger => Some(&self.stranger),
            KeyName::P256 => None,
        }
    }

    pub(crate) fn kid(&self, key: KeyName) -> String {
        match key {
            KeyName::Rsa2048 => format!("demo-rsa-2048-{}", self.rotations.load(Ordering::Relaxed)),
            KeyName::Rsa4096 => "demo-rsa-4096".to_owned(),
            KeyName::P256 => "demo-p256".to_owned(),
            KeyName::Stranger => "demo-stranger".to_owned(),
        }
    }

    pub(crate) fn alg(key: KeyName) -> &'static str {
        if key == KeyName::P256 { "ES256" } else { "RS256" }
    }

    pub(crate) fn sign(&self, key: KeyName, input: &[u8]) -> Vec<u8> {
        match self.rsa(key) {
            Some(rsa) => rsa.signer.sign(input).to_vec(),
            None => {
                let signature: p256::ecdsa::Signature = self.curve.sign(input);
                signature.to_bytes().to_vec()
            }
        }
    }

    /// By the current RSA key, with SHA-512.
    pub(crate) fn sign_rs512(&self, input: &[u8]) -> Vec<u8> {
        SigningKey::<Sha512>::new(self.current().private.clone()).sign(input).to_vec()
    }

    /// By the current RSA key, with PSS. Its salt need not come from `System`: no test can know it anyway.
    pub(crate) fn sign_ps256(&self, input: &[u8]) -> Vec<u8> {
        pss::SigningKey::<Sha256>::new(self.current().private.clone()).sign_with_rng(&mut OsRng, input).to_vec()
    }

    /// The public key as JWKS shows it (RFC 7517).
    pub(crate) fn jwk(&self, key: KeyName) -> Value {
        self.jwk_as(key, &self.kid(key))
    }

    /// The public key under another name.
    pub(crate) fn jwk_as(&self, key: KeyName, kid: &str) -> Value {
        match self.rsa(key) {
            Some(rsa) => rsa.jwk(kid),
            None => {
                let point = self.curve.verifying_key().to_sec1_point(false);
                let (x, y) = (point.x().map(|x| encode(x)), point.y().map(|y| encode(y)));
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y })
            }
        }
    }

    /// The current RSA public key as bytes.
    pub(crate) fn public_bytes(&self, form: PublicKeyForm) -> Vec<u8> {
        let public = self.current().private.to_public_key();
        match form {
            PublicKeyForm::Pem => public.to_public_key_pem(LineEnding::LF).map(String::into_bytes).unwrap_or_default(),
            PublicKeyForm::Der => public.to_public_key_der().map(|der| der.as_bytes().to_vec()).unwrap_or_default(),
            PublicKeyForm::Modulus => public.n().to_bytes_be(),
            PublicKeyForm::ModulusText => encode(&public.n().to_bytes_be()).into_bytes(),
        }
    }
}

/// HMAC with SHA-256.
pub(crate) fn hs256(secret: &[u8], input: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    Hmac::<Sha256>::new_from_slice(secret)
        .map(|mac| mac.chain_update(input).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// Base64url without padding (RFC 7515 2).
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
