//! The `state` parameter: a sealed value that carries the whole attempt, so that starting costs the server nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{browser_cookie::BrowserKey, pkce::Secrets, return_to::ReturnTo};
use crate::server::{
    clock::{System, from_millis, is_recent, to_millis},
    ids::{AttemptId, BrowserHash, ProviderId},
    provider::Prompt,
    seal::{KeyIndex, Keyring, Payload, Purpose, Sealed, take},
};

/// What is remembered of an attempt between the start and the callback.
#[derive(Clone, Debug)]
pub struct State {
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
    /// What is wanted of the provider's own pages.
    pub prompt: Prompt,
    /// Whether it began anew because the provider's own login page had been left open for too long.
    pub login_page_expired: bool,
    /// How often it has been restarted automatically.
    pub restarts: u8,
}

impl State {
    /// The `state` to send.
    #[must_use]
    pub fn seal(&self, keys: &Keyring, system: &System) -> String {
        keys.seal(&[], self, system)
    }

    /// Whether it is too old to be accepted. One from the future is not accepted either.
    #[must_use]
    pub fn is_expired(&self, now: OffsetDateTime, ttl: Duration) -> bool {
        !is_recent(self.started, now, ttl)
    }

    /// The secrets of an attempt that begins now, in the browser with that key.
    #[must_use]
    pub const fn secrets<'a>(&self, keys: &'a Keyring, browser: &'a BrowserKey) -> Secrets<'a> {
        Secrets { keys, key: keys.current(), attempt: self.attempt, browser }
    }
}

/// A state as it came back: what was inside, its text, and the key that had sealed it.
#[derive(Clone, Debug)]
pub struct OpenedState {
    /// What was inside.
    pub state: State,
    text: String,
    key: KeyIndex,
}

impl OpenedState {
    /// Opens a `state`. `None` unless it is one of ours, unaltered.
    #[must_use]
    pub fn open(text: &str, keys: &Keyring) -> Option<Self> {
        let opened = keys.open(&[], text)?;
        Some(Self { state: opened.value, text: text.to_owned(), key: opened.key })
    }

    /// As received.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The secrets of this attempt, for the browser with that key.
    #[must_use]
    pub const fn secrets<'a>(&self, keys: &'a Keyring, browser: &'a BrowserKey) -> Secrets<'a> {
        Secrets { keys, key: self.key, attempt: self.state.attempt, browser }
    }
}

/// The sealed form. New fields are only ever appended to the payload, after these.
#[derive(Serialize, Deserialize)]
struct Wire {
    attempt: [u8; 16],
    provider: String,
    fingerprint: [u8; 16],
    return_to: ReturnTo,
    started_ms: i64,
    browser: [u8; 32],
    /// Processes of 0.1.0 take it for another fact, by which they choose between two pages
    /// (docs/decisions/first-contact.md).
    login_page_expired: bool,
    other_account: bool,
    restarts: u8,
}

/// Versions: so far only unmarked, as long as a process of 0.1.0 (November 2026) may have to read it.
impl Sealed for State {
    const PURPOSE: Purpose = Purpose::State;

    fn write(&self) -> Payload {
        let silent = self.prompt == Prompt::Silent;
        let wire = Wire {
            attempt: *self.attempt.as_bytes(),
            provider: self.provider.as_str().to_owned(),
            fingerprint: self.fingerprint,
            return_to: self.return_to.clone(),
            started_ms: to_millis(self.started),
            browser: *self.browser.as_bytes(),
            login_page_expired: self.login_page_expired,
            other_account: self.prompt == Prompt::AnotherAccount,
            restarts: self.restarts,
        };
        Payload::unmarked(&(wire, silent))
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (wire, appended) = take::<Wire>(payload)?;
        let silent = take::<bool>(appended).is_some_and(|(silent, _)| silent);
        Some(Self {
            attempt: AttemptId::new(wire.attempt),
            provider: ProviderId::new(wire.provider),
            fingerprint: wire.fingerprint,
            return_to: wire.return_to,
            started: from_millis(wire.started_ms)?,
            browser: BrowserHash::from_bytes(wire.browser),
            prompt: match (wire.other_account, silent) {
                (true, _) => Prompt::AnotherAccount,
                (false, true) => Prompt::Silent,
                (false, false) => Prompt::Usual,
            },
            login_page_expired: wire.login_page_expired,
            restarts: wire.restarts,
        })
    }
}
