//! Small types that carry meaning, so that a code cannot be handed over where a subject is meant.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// One sign-in attempt: 128 random bits, minted at the start, single-use by the store's claim.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId([u8; 16]);

impl AttemptId {
    /// From 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The short id a person can read out; it finds the attempt in log and store, and reveals nothing.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference::of(&self.0)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttemptId({})", self.reference())
    }
}

/// The reference id on every problem page, as `XXXX-XXXX` in Crockford's base 32 (no I, L, O, U).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// Derived from `seed` (an attempt id, or random bytes where there is no attempt).
    #[must_use]
    pub fn of(seed: &[u8]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let digest = Sha256::new().chain_update(b"vestibule reference").chain_update(seed).finalize();
        let mut text = String::with_capacity(9);
        for (position, byte) in digest.iter().take(8).enumerate() {
            if position == 4 {
                text.push('-');
            }
            text.push(char::from(ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0')));
        }
        Self(text)
    }

    /// Reads what a person typed: case and dash do not matter. `None` when it is no reference.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain: String = text.trim().chars().filter(|c| *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let (head, tail) = plain.split_at_checked(4)?;
        (plain.len() == 8 && plain.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| Self(format!("{head}-{tail}")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of something that must not be stored itself.
macro_rules! hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The hash of `secret`.
            #[must_use]
            pub fn of(secret: &[u8]) -> Self {
                Self(Sha256::digest(secret).into())
            }

            /// From stored bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// For storing.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:02x}{:02x}…)"), self.0[0], self.0[1])
            }
        }
    };
}

hash! {
    /// Which browser began an attempt: the hash of its browser key.
    BrowserHash
}
hash! {
    /// Which authorization code an attempt was claimed with.
    CodeHash
}
hash! {
    /// Which session: the hash of the id in the cookie.
    SessionHash
}
hash! {
    /// Which logout token: the hash of its issuer, provider and `jti`.
    LogoutHash
}

/// Text with a meaning of its own.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes `text` as it is; where it came from has validated it.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// A provider as the operator named it (`[[provider]] id`).
    ProviderId
}
text! {
    /// A provider's issuer identifier, compared byte for byte and never normalised (OpenID Connect Core 2).
    Issuer
}
text! {
    /// A user's id in the store: 24 hexadecimal digits, a MongoDB `ObjectId`.
    UserId
}

/// Who a person is at an issuer (OpenID Connect Core 2: 1 to 255 ASCII characters, never reassigned).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(String);

impl Subject {
    /// `None` unless 1 to 255 printable ASCII characters; never truncated, since that would merge accounts.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= 255 && text.bytes().all(|b| (0x20..=0x7e).contains(&b)))
            .then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Proof of having made a claim: random, stored with it, and asked for by every later write to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OwnerToken([u8; 16]);

impl OwnerToken {
    /// From 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// For storing.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for OwnerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerToken(…)")
    }
}
