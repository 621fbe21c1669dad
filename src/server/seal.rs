//! Keys and sealed envelopes: what leaves the server and must come back unread and unaltered.
//!
//! XChaCha20-Poly1305 under a key per purpose, derived by HKDF-SHA-256 from the operator's secret. The first secret
//! seals; all of them open, so that a key can be appended, rolled out and then promoted without losing a sign-in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit, Payload},
};
use hkdf::{
    Hkdf,
    hmac::{Hmac, Mac as _},
};
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;

use super::{clock::System, public_url::PublicUrl};

/// 32 bytes or more.
pub type SecretKey = SecretBox<Vec<u8>>;

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
    current: Root,
    older: Vec<Root>,
    public_url: String,
}

/// Which of the secrets an envelope was sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIndex(usize);

/// One of the operator's secrets, from which every key is derived.
struct Root(Hmac<Sha256>);

impl Root {
    /// HKDF-Extract (RFC 5869 2.2).
    fn extract(secret: &SecretKey) -> Self {
        let (extracted, _) = Hkdf::<Sha256>::extract(Some(b"vestibule"), secret.expose_secret());
        // HMAC fills a key that is shorter than its block with zeros (RFC 2104 2).
        let mut block = [0; 64];
        block.iter_mut().zip(extracted).for_each(|(to, from)| *to = from);
        Self(<Hmac<Sha256> as KeyInit>::new(&block.into()))
    }

    /// HKDF-Expand (RFC 5869 2.3) of one block: 32 bytes. That is all we need, and unlike the general form it cannot
    /// fail, so no caller has to think of a key that could not be derived.
    fn expand(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut block = self.0.clone();
        info.iter().for_each(|part| block.update(part));
        block.update(&[1]);
        block.finalize().into_bytes().into()
    }

    fn cipher(&self, purpose: Purpose) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.expand(&[b"seal ", purpose.label().as_bytes()]).into())
    }
}

/// An opened envelope.
#[derive(Debug)]
pub struct Opened<T> {
    /// What was inside.
    pub value: T,
    /// The key that had sealed it.
    pub key: KeyIndex,
}

impl Keyring {
    /// `current` seals, and it and the `older` ones open. Envelopes are bound to the public URL.
    #[must_use]
    pub fn new(current: &SecretKey, older: &[SecretKey], public_url: &PublicUrl) -> Self {
        Self {
            current: Root::extract(current),
            older: older.iter().map(Root::extract).collect(),
            public_url: public_url.origin().to_owned(),
        }
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
        // Our own plain structs can be serialized, and encryption fails from 256 GB on. Were it to happen all the same,
        // the log says so, and the empty envelope opens nowhere.
        let sealed = postcard::to_allocvec(value)
            .map_err(|error| error.to_string())
            .and_then(|plain| self.encrypt(purpose, context, &plain, system).map_err(|error| error.to_string()));
        sealed.unwrap_or_else(|detail| {
            tracing::error!(code = "internal", detail, purpose = purpose.label(), "cannot seal");
            Vec::new()
        })
    }

    fn encrypt(
        &self,
        purpose: Purpose,
        context: &[u8],
        plain: &[u8],
        system: &System,
    ) -> Result<Vec<u8>, chacha20poly1305::Error> {
        let nonce = system.bytes::<NONCE>();
        let aad = self.associated_data(purpose, context);
        let payload = Payload { msg: plain, aad: &aad };
        let secret = self.current.cipher(purpose).encrypt(XNonce::from_slice(&nonce), payload)?;
        let mut sealed = Vec::with_capacity(1 + NONCE + secret.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&secret);
        Ok(sealed)
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
        let (nonce, secret) = rest.split_at_checked(NONCE)?;
        let aad = self.associated_data(purpose, context);
        self.roots().enumerate().find_map(|(index, root)| {
            let payload = Payload { msg: secret, aad: &aad };
            let plain = root.cipher(purpose).decrypt(XNonce::from_slice(nonce), payload).ok()?;
            Some(Opened { value: postcard::from_bytes(&plain).ok()?, key: KeyIndex(index) })
        })
    }

    /// 32 bytes that only `key` and `parts` together give.
    #[must_use]
    pub fn derive(&self, key: KeyIndex, what: Derived, parts: [&[u8]; 2]) -> [u8; 32] {
        // A keyring gives out the indices that it takes; another's would only derive what fits nothing.
        let root = self.roots().nth(key.0).unwrap_or(&self.current);
        let [first, second] = parts;
        // Lengths keep the parts apart.
        let label = what.label().as_bytes();
        root.expand(&[b"derive ", label, &[0], &length(first), first, &length(second), second])
    }

    fn roots(&self) -> impl Iterator<Item = &Root> {
        std::iter::once(&self.current).chain(&self.older)
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
        let (current, older) = secrets.split_first().unwrap();
        Keyring::new(current, older, &PublicUrl::parse("https://rp.test").unwrap())
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
        let secret = SecretKey::new(Box::new(vec![1; 32]));
        let elsewhere = Keyring::new(&secret, &[], &PublicUrl::parse("https://other.test").unwrap());
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

    /// What was sealed or derived before must stay what it is: states and cookies outlive an update.
    #[test]
    fn one_block_of_hkdf_is_hkdf() {
        let secret = SecretKey::new(Box::new((0..80).collect()));
        let (root, hkdf) = (Root::extract(&secret), Hkdf::<Sha256>::new(Some(b"vestibule"), secret.expose_secret()));
        for info in [&[][..], &[b"derive ".as_slice(), b"nonce"], &[&[7; 200]]] {
            let mut expected = [0; 32];
            hkdf.expand_multi_info(info, &mut expected).unwrap();
            assert_eq!(root.expand(info), expected);
        }
    }

    #[test]
    fn no_key_derives_a_secret_that_another_derives() {
        let keys = keyring(&[1, 2]);
        let secrets = [KeyIndex(0), KeyIndex(1)].map(|key| keys.derive(key, Derived::SessionId, [b"a", b"b"]));
        assert_ne!(secrets[0], secrets[1]);
        assert!(!secrets.contains(&[0; 32]));
        // An index that this keyring has not given out: of a secret, still.
        assert_ne!(keys.derive(KeyIndex(7), Derived::SessionId, [b"a", b"b"]), [0; 32]);
    }

    #[test]
    fn what_cannot_be_sealed_opens_nowhere() {
        struct Unknown;
        impl Serialize for Unknown {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("never"))
            }
        }
        let keys = keyring(&[1]);
        let sealed = keys.seal_bytes(Purpose::Delivery, &[], &Unknown, &System::real());
        assert!(keys.open_bytes::<()>(Purpose::Delivery, &[], &sealed).is_none());
    }
}
