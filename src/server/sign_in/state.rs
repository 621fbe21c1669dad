//! The `state` parameter: a sealed envelope that carries the whole attempt, so that starting costs the server nothing.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{browser_cookie::BrowserKey, return_to::ReturnTo};
use crate::server::{
    clock::{System, from_millis, to_millis},
    ids::{AttemptId, BrowserHash, ProviderId},
    seal::{Derived, KeyIndex, Keyring, Purpose},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// How far another process's clock may be ahead of ours.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// What is remembered of an attempt between the start and the callback.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The attempt.
    pub attempt: AttemptId,
    /// The provider it began at.
    pub provider: ProviderId,
    /// The provider's settings at that time: (issuer, client_id, redirect_uri).
    pub fingerprint: [u8; 16],
    /// Where the person wanted to go.
    pub return_to: ReturnTo,
    /// When it began.
    pub started: OffsetDateTime,
    /// The browser it belongs to.
    pub browser: BrowserHash,
    /// Whether that browser showed no key of ours at the start: it may be one that keeps no cookies.
    pub first_contact: bool,
    /// Whether the person wanted another account (`prompt=login`).
    pub other_account: bool,
    /// How often it has been begun anew by itself.
    pub restarts: u8,
}

/// An envelope as it came back, with the key that had sealed it.
#[derive(Clone, Debug)]
pub struct Received {
    /// What was inside.
    pub envelope: Envelope,
    key: KeyIndex,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    attempt: [u8; 16],
    provider: String,
    fingerprint: [u8; 16],
    return_to: ReturnTo,
    started_ms: i64,
    browser: [u8; 32],
    first_contact: bool,
    other_account: bool,
    restarts: u8,
}

impl Envelope {
    /// The `state` to send.
    #[must_use]
    pub fn seal(&self, keys: &Keyring, system: &System) -> String {
        let wire = Wire {
            attempt: *self.attempt.as_bytes(),
            provider: self.provider.as_str().to_owned(),
            fingerprint: self.fingerprint,
            return_to: self.return_to.clone(),
            started_ms: to_millis(self.started),
            browser: *self.browser.as_bytes(),
            first_contact: self.first_contact,
            other_account: self.other_account,
            restarts: self.restarts,
        };
        keys.seal(Purpose::State, &[], &wire, system)
    }

    /// Whether a person may no longer come back with it. An envelope from the future is as little use as an old one.
    #[must_use]
    pub fn is_expired(&self, now: OffsetDateTime, ttl: Duration) -> bool {
        now > self.started + ttl || self.started > now + CLOCKS_APART
    }
}

impl Received {
    /// Opens a `state`. `None` unless it is one of ours, unaltered.
    #[must_use]
    pub fn open(state: &str, keys: &Keyring) -> Option<Self> {
        let opened = keys.open::<Wire>(Purpose::State, &[], state)?;
        let wire = opened.value;
        Some(Self {
            envelope: Envelope {
                attempt: AttemptId::new(wire.attempt),
                provider: ProviderId::new(wire.provider),
                fingerprint: wire.fingerprint,
                return_to: wire.return_to,
                started: from_millis(wire.started_ms)?,
                browser: BrowserHash::from_bytes(wire.browser),
                first_contact: wire.first_contact,
                other_account: wire.other_account,
                restarts: wire.restarts,
            },
            key: opened.key,
        })
    }

    /// The secrets of this attempt, for the browser that holds `browser_key`.
    #[must_use]
    pub const fn secrets<'a>(&self, keys: &'a Keyring, browser_key: &'a BrowserKey) -> Secrets<'a> {
        Secrets { keys, key: self.key, attempt: self.envelope.attempt, browser_key }
    }
}

/// What is derived for one attempt of one browser instead of being stored.
pub struct Secrets<'a> {
    keys: &'a Keyring,
    key: KeyIndex,
    attempt: AttemptId,
    browser_key: &'a BrowserKey,
}

impl<'a> Secrets<'a> {
    /// For an attempt that begins now.
    #[must_use]
    pub const fn new(keys: &'a Keyring, attempt: AttemptId, browser_key: &'a BrowserKey) -> Self {
        Self { keys, key: keys.current(), attempt, browser_key }
    }

    /// The PKCE code verifier: 43 characters (RFC 7636 4.1).
    #[must_use]
    pub fn verifier(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.derive(Derived::Verifier)).into()
    }

    /// The nonce: 43 characters.
    #[must_use]
    pub fn nonce(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.derive(Derived::Nonce))
    }

    /// The id of the session this attempt delivers, however often: 128 bits.
    #[must_use]
    pub fn session_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.iter_mut().zip(self.derive(Derived::SessionId)).for_each(|(to, from)| *to = from);
        id
    }

    fn derive(&self, what: Derived) -> [u8; 32] {
        self.keys.derive(self.key, what, [self.attempt.as_bytes(), self.browser_key.as_bytes()])
    }
}
