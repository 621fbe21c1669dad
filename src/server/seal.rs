//! Keys and sealed envelopes: what leaves the server and must come back unread and unaltered.
//!
//! XChaCha20-Poly1305 under a key per purpose, derived by HKDF-SHA-256 from the operator's secret. The first secret
//! seals; all of them open, so that a key can be appended, rolled out and then promoted without losing a sign-in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use hkdf::Hkdf;
use secrecy::ExposeSecret as _;
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;

use super::{
    clock::System,
    settings::{PublicUrl, SecretKey},
};

/// What an envelope is for; one never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The `state` parameter.
    State,
    /// The flow cookie with the browser key.
    Flow,
    /// An authorization response on its way from one of our URLs to the next.
    Answer,
    /// What delivery needs, inside an attempt's record.
    Delivery,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Flow => "flow",
            Self::Answer => "answer",
            Self::Delivery => "delivery",
        }
    }
}

/// Something derived from a secret rather than stored.
#[derive(Clone, Copy, Debug)]
pub enum Derived {
    /// The PKCE code verifier (RFC 7636 4.1).
    Verifier,
    /// The nonce (OpenID Connect Core 3.1.2.1).
    Nonce,
    /// The id of the session an attempt delivers.
    SessionId,
}

impl Derived {
    const fn label(self) -> &'static str {
        match self {
            Self::Verifier => "pkce verifier",
            Self::Nonce => "nonce",
            Self::SessionId => "session id",
        }
    }
}

/// Format of an envelope; anything else does not open.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// The operator's secrets, ready for use.
pub struct Keyring {
    keys: Vec<Hkdf<Sha256>>,
    public_url: String,
}

/// Which of the secrets an envelope was sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIndex(usize);

/// An opened envelope.
#[derive(Debug)]
pub struct Opened<T> {
    /// What was inside.
    pub value: T,
    /// The key that had sealed it.
    pub key: KeyIndex,
}

impl Keyring {
    /// From at least one secret (`settings` sees to it). Envelopes are bound to the public URL.
    #[must_use]
    pub fn new(secrets: &[SecretKey], public_url: &PublicUrl) -> Self {
        let keys = secrets.iter().map(|secret| Hkdf::new(Some(b"vestibule"), secret.expose_secret())).collect();
        Self { keys, public_url: public_url.origin().to_owned() }
    }

    /// The key that seals today.
    #[must_use]
    pub const fn current(&self) -> KeyIndex {
        KeyIndex(0)
    }

    /// Seals `value` as URL-safe text. `context` binds it further; it must be given again to open.
    #[must_use]
    pub fn seal<T: Serialize>(&self, purpose: Purpose, context: &[u8], value: &T, system: &System) -> String {
        URL_SAFE_NO_PAD.encode(self.seal_bytes(purpose, context, value, system))
    }

    /// Opens what [`seal`](Self::seal) made. `None` for anything else, whatever the reason.
    #[must_use]
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, context: &[u8], sealed: &str) -> Option<Opened<T>> {
        self.open_bytes(purpose, context, &URL_SAFE_NO_PAD.decode(sealed).ok()?)
    }

    /// [`seal`](Self::seal), as bytes.
    #[must_use]
    pub fn seal_bytes<T: Serialize>(&self, purpose: Purpose, context: &[u8], value: &T, system: &System) -> Vec<u8> {
        // Serializing our own plain structs into memory and sealing a few hundred bytes cannot fail; were it to, the
        // empty envelope that results would simply not open.
        let Ok(plain) = postcard::to_allocvec(value) else { return Vec::new() };
        let Some(cipher) = self.cipher(purpose, self.current()) else { return Vec::new() };
        let nonce = system.bytes::<NONCE>();
        let aad = self.associated_data(purpose, context);
        let Ok(secret) = cipher.encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &aad }) else {
            return Vec::new();
        };
        let mut sealed = Vec::with_capacity(1 + NONCE + secret.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&secret);
        sealed
    }

    /// [`open`](Self::open), from bytes.
    #[must_use]
    pub fn open_bytes<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        context: &[u8],
        sealed: &[u8],
    ) -> Option<Opened<T>> {
        let (version, rest) = sealed.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (nonce, secret) = rest.split_first_chunk::<NONCE>()?;
        let aad = self.associated_data(purpose, context);
        (0..self.keys.len()).map(KeyIndex).find_map(|key| {
            let payload = Payload { msg: secret, aad: &aad };
            let plain = self.cipher(purpose, key)?.decrypt(&XNonce::from(*nonce), payload).ok()?;
            Some(Opened { value: postcard::from_bytes(&plain).ok()?, key })
        })
    }

    /// 32 bytes that only `key` and `parts` together give.
    #[must_use]
    pub fn derive(&self, key: KeyIndex, what: Derived, parts: [&[u8]; 2]) -> [u8; 32] {
        let mut derived = [0; 32];
        if let Some(key) = self.keys.get(key.0) {
            let [first, second] = parts;
            // Lengths keep the parts apart; 32 bytes are within what HKDF can give, so expanding cannot fail.
            let _ = key.expand_multi_info(
                &[b"derive ", what.label().as_bytes(), &[0], &length(first), first, &length(second), second],
                &mut derived,
            );
        }
        derived
    }

    fn cipher(&self, purpose: Purpose, key: KeyIndex) -> Option<XChaCha20Poly1305> {
        let mut bytes = [0; 32];
        self.keys.get(key.0)?.expand_multi_info(&[b"seal ", purpose.label().as_bytes()], &mut bytes).ok()?;
        Some(XChaCha20Poly1305::new(&bytes.into()))
    }

    fn associated_data(&self, purpose: Purpose, context: &[u8]) -> Vec<u8> {
        [&[VERSION], purpose.label().as_bytes(), &[0], self.public_url.as_bytes(), &[0], context].concat()
    }
}

fn length(part: &[u8]) -> [u8; 8] {
    (part.len() as u64).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(seeds: &[u8]) -> Keyring {
        let secrets: Vec<SecretKey> = seeds.iter().map(|seed| SecretKey::new(Box::new(vec![*seed; 32]))).collect();
        Keyring::new(&secrets, &PublicUrl::parse("https://rp.test").unwrap())
    }

    fn sealed(keys: &Keyring) -> String {
        keys.seal(Purpose::State, b"context", &"value", &System::real())
    }

    #[test]
    fn opens_what_it_sealed_and_tells_the_key() {
        let old = keyring(&[1]);
        let text = sealed(&old);
        let rotated = keyring(&[2, 1]);
        let opened = rotated.open::<String>(Purpose::State, b"context", &text).unwrap();
        assert_eq!(opened.value, "value");
        assert_eq!(opened.key, KeyIndex(1));
        assert_ne!(
            rotated.derive(opened.key, Derived::Nonce, [b"a", b"b"]),
            rotated.derive(rotated.current(), Derived::Nonce, [b"a", b"b"])
        );
        assert_eq!(
            rotated.derive(opened.key, Derived::Nonce, [b"a", b"b"]),
            old.derive(old.current(), Derived::Nonce, [b"a", b"b"])
        );
    }

    #[test]
    fn opens_nothing_else() {
        let keys = keyring(&[1]);
        let text = sealed(&keys);
        assert!(keys.open::<String>(Purpose::Flow, b"context", &text).is_none(), "another purpose");
        assert!(keys.open::<String>(Purpose::State, b"other", &text).is_none(), "another context");
        assert!(keyring(&[9]).open::<String>(Purpose::State, b"context", &text).is_none(), "another key");
        let secrets = [SecretKey::new(Box::new(vec![1; 32]))];
        let elsewhere = Keyring::new(&secrets, &PublicUrl::parse("https://other.test").unwrap());
        assert!(elsewhere.open::<String>(Purpose::State, b"context", &text).is_none(), "another public URL");
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert!(keys.open::<String>(Purpose::State, b"context", &altered).is_none(), "altered at {position}");
            assert!(keys.open::<String>(Purpose::State, b"context", &text[..position]).is_none(), "cut at {position}");
        }
        for junk in ["", "=", "AQ", "💥", "AAAA"] {
            assert!(keys.open::<String>(Purpose::State, b"context", junk).is_none());
        }
    }

    #[test]
    fn derivation_keeps_its_parts_apart() {
        let keys = keyring(&[1]);
        let derive = |what, parts| keys.derive(keys.current(), what, parts);
        assert_ne!(derive(Derived::Nonce, [b"ab", b"c"]), derive(Derived::Nonce, [b"a", b"bc"]));
        assert_ne!(derive(Derived::Nonce, [b"a", b"b"]), derive(Derived::Verifier, [b"a", b"b"]));
    }
}
