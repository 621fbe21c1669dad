//! Keys and sealed envelopes: what leaves the server and must come back unread and unaltered.
//!
//! XChaCha20-Poly1305 under a key per purpose, derived by HKDF-SHA-256 from the operator's secret. The first secret
//! encrypts, all of them decrypt, so that a key can be appended, rolled out and then promoted without losing a sign-in.
//!
//! An envelope is `format | nonce | ciphertext`, and what is inside begins with a version of its own (`Payload`), so
//! that processes of two releases can open each other's (docs/decisions/formats.md).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _},
};
use hkdf::Hkdf;
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
    /// The ID token that sign-out at the provider needs, inside a session's record.
    IdToken,
    /// The `state` of a sign-out at the provider.
    SignOut,
    /// An application's question for the person at its host.
    Handover,
    /// The answer to it.
    Ticket,
    /// The session cookie of an application's host.
    HostSession,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Flow => "flow",
            Self::Answer => "answer",
            Self::Delivery => "delivery",
            Self::IdToken => "id token",
            Self::SignOut => "sign-out",
            Self::Handover => "handover",
            Self::Ticket => "ticket",
            Self::HostSession => "host session",
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
    /// What a browser is called in which an account has signed in.
    Device,
    /// The private key that signs assertions.
    SigningKey,
}

impl Derived {
    const fn label(self) -> &'static str {
        match self {
            Self::Verifier => "pkce verifier",
            Self::Nonce => "nonce",
            Self::SessionId => "session id",
            Self::Device => "device",
            Self::SigningKey => "assertion signing key",
        }
    }
}

/// Bytes of the nonce.
const NONCE: usize = 24;

/// The first byte of an envelope, bound to the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// The payload has no version: all that releases before this one write and can open.
    Unmarked = 1,
    /// The payload begins with its version.
    Marked = 2,
}

impl Format {
    fn read(byte: u8) -> Option<Self> {
        [Self::Unmarked, Self::Marked].into_iter().find(|format| *format as u8 == byte)
    }
}

/// A value that travels sealed.
///
/// A later version only ever appends fields: an older release reads those it knows and ignores the rest, a newer one
/// uses defaults for those that are missing. So a rolling update loses nothing.
pub trait Sealed: Sized {
    /// What it is for.
    const PURPOSE: Purpose;

    /// As it is sealed.
    fn write(&self) -> Payload;

    /// Reads what a process of this, an older or a newer version has written. Version 0 is a payload without one.
    fn read(version: u8, payload: &[u8]) -> Option<Self>;
}

/// What is inside an envelope.
pub struct Payload {
    format: Format,
    bytes: Vec<u8>,
}

impl Payload {
    /// A payload that begins with `version` (from 1).
    #[must_use]
    pub fn marked(version: u8, fields: &impl Serialize) -> Self {
        let mut bytes = vec![version];
        bytes.extend(plain(fields));
        Self { format: Format::Marked, bytes }
    }

    /// A payload without a version, for what processes of the release before this one have to open as well.
    #[must_use]
    pub fn unmarked(fields: &impl Serialize) -> Self {
        Self { format: Format::Unmarked, bytes: plain(fields) }
    }
}

#[cfg(test)]
impl Payload {
    /// What is inside, if it has no version.
    pub(super) fn as_unmarked(&self) -> Option<&[u8]> {
        (self.format == Format::Unmarked).then_some(&self.bytes)
    }
}

#[expect(clippy::expect_used, reason = "plain structs of ours, written into memory")]
fn plain(fields: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(fields).expect("fields of a sealed value can be written")
}

/// The first fields of a payload, and what was appended to them.
#[must_use]
pub fn take<T: DeserializeOwned>(payload: &[u8]) -> Option<(T, &[u8])> {
    postcard::take_from_bytes(payload).ok()
}

/// The operator's secrets, ready for use.
pub struct Keyring {
    current: Hkdf<Sha256>,
    older: Vec<Hkdf<Sha256>>,
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
    /// `current` encrypts and decrypts, `older` ones only decrypt. Envelopes are bound to the public URL.
    #[must_use]
    pub fn new(current: &SecretKey, older: &[SecretKey], public_url: &PublicUrl) -> Self {
        let ready = |secret: &SecretKey| Hkdf::new(Some(b"vestibule"), secret.expose_secret());
        Self {
            current: ready(current),
            older: older.iter().map(ready).collect(),
            public_url: public_url.origin().to_owned(),
        }
    }

    /// The key that encrypts today.
    #[must_use]
    pub const fn current(&self) -> KeyIndex {
        KeyIndex(0)
    }

    /// All keys, the one that encrypts today first.
    pub fn all(&self) -> impl Iterator<Item = KeyIndex> {
        (0..=self.older.len()).map(KeyIndex)
    }

    /// Seals `value` as URL-safe text. `context` binds it further; it must be given again to open.
    #[must_use]
    pub fn seal<T: Sealed>(&self, context: &[u8], value: &T, system: &System) -> String {
        URL_SAFE_NO_PAD.encode(self.seal_bytes(context, value, system))
    }

    /// Opens what [`seal`](Self::seal) made. `None` for anything else, whatever the reason.
    #[must_use]
    pub fn open<T: Sealed>(&self, context: &[u8], sealed: &str) -> Option<Opened<T>> {
        self.open_bytes(context, &URL_SAFE_NO_PAD.decode(sealed).ok()?)
    }

    /// [`seal`](Self::seal), as bytes.
    #[must_use]
    #[expect(clippy::expect_used, reason = "some hundred bytes, where the cipher takes 256 GiB")]
    pub fn seal_bytes<T: Sealed>(&self, context: &[u8], value: &T, system: &System) -> Vec<u8> {
        let Payload { format, bytes } = value.write();
        let nonce = system.bytes::<NONCE>();
        let aad = self.associated_data(format, T::PURPOSE, context);
        let payload = chacha20poly1305::aead::Payload { msg: &bytes, aad: &aad };
        let cipher = cipher(&self.current, T::PURPOSE);
        let ciphertext = cipher.encrypt(&XNonce::from(nonce), payload).expect("a short payload can be encrypted");
        [&[format as u8], &nonce[..], &ciphertext].concat()
    }

    /// [`open`](Self::open), from bytes.
    #[must_use]
    pub fn open_bytes<T: Sealed>(&self, context: &[u8], sealed: &[u8]) -> Option<Opened<T>> {
        let (format, rest) = sealed.split_first()?;
        let format = Format::read(*format)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
        let aad = self.associated_data(format, T::PURPOSE, context);
        let (index, bytes) = self.keys().enumerate().find_map(|(index, key)| {
            let payload = chacha20poly1305::aead::Payload { msg: ciphertext, aad: &aad };
            let bytes = cipher(key, T::PURPOSE).decrypt(&XNonce::from(*nonce), payload).ok()?;
            Some((index, bytes))
        })?;
        let value = match format {
            Format::Unmarked => T::read(0, &bytes),
            Format::Marked => bytes.split_first().and_then(|(version, fields)| T::read(*version, fields)),
        };
        Some(Opened { value: value?, key: KeyIndex(index) })
    }

    /// 32 bytes that only `key` and `parts` together give.
    #[must_use]
    pub fn derive(&self, key: KeyIndex, what: Derived, parts: [&[u8]; 2]) -> [u8; 32] {
        let [first, second] = parts;
        // An index comes from `open` alone, so it is one of ours.
        let key = self.keys().nth(key.0).unwrap_or(&self.current);
        // Lengths keep the parts apart.
        let info: [&[u8]; 7] =
            [b"derive ", what.label().as_bytes(), &[0], &length(first), first, &length(second), second];
        expand(key, &info)
    }

    fn keys(&self) -> impl Iterator<Item = &Hkdf<Sha256>> {
        std::iter::once(&self.current).chain(&self.older)
    }

    fn associated_data(&self, format: Format, purpose: Purpose, context: &[u8]) -> Vec<u8> {
        [&[format as u8], purpose.label().as_bytes(), &[0], self.public_url.as_bytes(), &[0], context].concat()
    }
}

fn cipher(key: &Hkdf<Sha256>, purpose: Purpose) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&expand(key, &[b"seal ", purpose.label().as_bytes()]).into())
}

#[expect(clippy::expect_used, reason = "HKDF-SHA-256 gives up to 8,160 bytes")]
fn expand(key: &Hkdf<Sha256>, info: &[&[u8]]) -> [u8; 32] {
    let mut bytes = [0; 32];
    key.expand_multi_info(info, &mut bytes).expect("32 bytes can be derived");
    bytes
}

fn length(part: &[u8]) -> [u8; 8] {
    (part.len() as u64).to_be_bytes()
}

#[cfg(test)]
mod tests;
