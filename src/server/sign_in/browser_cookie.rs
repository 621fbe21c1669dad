//! The flow cookie: small, sealed and long-lived. It holds the browser key, which binds attempts to this browser, and
//! what is remembered from one sign-in to the next.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    redirect_loop::{self, Turns},
    return_to::ReturnTo,
};
use crate::server::{
    clock::{System, from_millis, to_millis},
    ids::{BrowserHash, UserId},
    seal::{Derived, Keyring, Payload, Purpose, Sealed, take},
};

/// 256 random bits that only one browser holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrowserKey([u8; 32]);

impl BrowserKey {
    /// Its hash, which may be stored.
    #[must_use]
    pub fn hash(&self) -> BrowserHash {
        BrowserHash::of(&self.0)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for BrowserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrowserKey(…)")
    }
}

/// Names a browser in which somebody has signed in (OWASP: device cookie), by the account: whoever wants a second one needs
/// a second account. It outlives sign-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Device([u8; 16]);

impl Device {
    /// Of a browser in which `user` signs in.
    #[must_use]
    pub fn of(user: &UserId, keys: &Keyring) -> Self {
        let derived = keys.derive(keys.current(), Derived::Device, [user.as_str().as_bytes(), &[]]);
        let mut device = [0; 16];
        device.iter_mut().zip(derived).for_each(|(to, from)| *to = from);
        Self(device)
    }
}

/// What the flow cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browser {
    /// Binds attempts to this browser. Not replaced as long as the browser presents a valid one, except at sign-out.
    pub key: BrowserKey,
    /// Set once someone has signed in here.
    pub device: Option<Device>,
    /// How often in a row it has been sent here without a click.
    pub turns: Turns,
    /// Someone has signed out here, and nobody in since: the next sign-in asks who it is, lest it be the one before, whom the
    /// provider may still know (`docs/decisions/sign-out.md`).
    pub asks: bool,
    /// When someone last signed out here: attempts started before that are not restarted automatically.
    signed_out: Option<OffsetDateTime>,
}

impl Browser {
    /// A browser that has not presented a valid key.
    #[must_use]
    pub fn new(system: &System) -> Self {
        Self { key: BrowserKey(system.bytes()), device: None, turns: Turns::default(), asks: false, signed_out: None }
    }

    /// `before` after a sign-out: with a new key, so that no attempt started before can be completed.
    #[must_use]
    pub fn signed_out(before: Option<&Self>, system: &System) -> Self {
        let device = before.and_then(|browser| browser.device);
        Self { signed_out: Some(system.now()), device, asks: true, ..Self::new(system) }
    }

    /// The same after a sign-out of which nobody knows how far it came.
    #[must_use]
    pub fn maybe_signed_out(before: Option<&Self>, system: &System) -> Self {
        Self { asks: true, ..before.cloned().unwrap_or_else(|| Self::new(system)) }
    }

    /// Whether an attempt that began at `started` may be restarted automatically: not if someone has signed out since,
    /// or Back would sign them in again while they still have a session at the provider.
    #[must_use]
    pub fn may_restart(&self, started: OffsetDateTime) -> bool {
        self.signed_out.is_none_or(|signed_out| started > signed_out)
    }

    /// A person clicked one of our buttons, so this is not a redirect loop.
    pub fn clicked(&mut self) {
        self.turns = Turns::default();
    }

    /// A sign-in that began at `started` has ended at `page`, as an account that makes this browser `device`.
    pub fn signed_in(&mut self, page: &ReturnTo, started: OffsetDateTime, device: Device, system: &System) {
        self.turns.signed_in(page, started, system.now());
        self.device = Some(device);
        self.asks = false;
    }

    /// Opens the cookie's value. `None` unless it is ours.
    #[must_use]
    pub fn open(cookie: &str, keys: &Keyring) -> Option<Self> {
        Some(keys.open(&[], cookie)?.value)
    }

    /// The cookie's value.
    #[must_use]
    pub fn seal(&self, keys: &Keyring, system: &System) -> String {
        keys.seal(&[], self, system)
    }
}

/// The sealed form. New fields are only ever appended to the payload, after these.
#[derive(Serialize, Deserialize)]
struct Wire {
    key: BrowserKey,
    signed_out: Option<i64>,
    turns: redirect_loop::Wire,
}

/// Versions: so far only unmarked, without and with `device` and `asks`, as long as a process of 0.1.0 (November 2026) may have to
/// read it.
impl Sealed for Browser {
    const PURPOSE: Purpose = Purpose::Flow;

    fn write(&self) -> Payload {
        let wire = Wire { key: self.key.clone(), signed_out: self.signed_out.map(to_millis), turns: self.turns.into() };
        Payload::unmarked(&(wire, self.device, self.asks))
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (wire, appended) = take::<Wire>(payload)?;
        let (device, appended) = take::<Option<Device>>(appended).unwrap_or_default();
        let (asks, _appended) = take::<bool>(appended).unwrap_or_default();
        Some(Self {
            key: wire.key,
            device,
            asks,
            turns: wire.turns.into(),
            signed_out: wire.signed_out.and_then(from_millis),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{
        application::Applications,
        settings::{PublicUrl, SecretKey},
    };

    fn keys() -> Keyring {
        let secret = SecretKey::new(Box::new(vec![1; 32]));
        Keyring::new(&secret, &[], &PublicUrl::parse("https://rp.test").unwrap())
    }

    fn page() -> ReturnTo {
        ReturnTo::sanitize(Some("/a"), &PublicUrl::parse("https://rp.test").unwrap(), &Applications::default()).0
    }

    #[test]
    fn survives_the_cookie_and_stays_small() {
        let (system, keys) = (System::real(), keys());
        let mut browser = Browser::signed_out(None, &system);
        browser.signed_in(&page(), system.now(), Device([7; 16]), &system);
        browser.asks = true;
        let cookie = browser.seal(&keys, &system);
        assert_eq!(Browser::open(&cookie, &keys), Some(browser));
        assert!(cookie.len() <= 180, "{}", cookie.len());
        assert_eq!(Browser::open("junk", &keys), None);
    }

    #[test]
    fn after_a_sign_out_the_next_sign_in_asks_and_the_one_after_it_does_not() {
        let (system, keys) = (System::real(), keys());
        assert!(!Browser::new(&system).asks);
        let mut browser = Browser::signed_out(None, &system);
        assert!(Browser::open(&browser.seal(&keys, &system), &keys).is_some_and(|browser| browser.asks));
        browser.signed_in(&page(), system.now(), Device([7; 16]), &system);
        assert!(!browser.asks);
    }

    #[test]
    fn a_device_is_named_by_the_account_and_outlives_sign_out() {
        let (system, keys) = (System::real(), keys());
        let [alice, bob] = ["alice", "bob"].map(|user| Device::of(&UserId::new(user), &keys));
        assert_eq!(alice, Device::of(&UserId::new("alice"), &keys));
        assert_ne!(alice, bob);
        let mut browser = Browser::new(&system);
        assert_eq!(browser.device, None);
        browser.signed_in(&page(), system.now(), bob, &system);
        browser.signed_in(&page(), system.now(), alice, &system);
        let device = Some(alice);
        let after = Browser::signed_out(Some(&browser), &system);
        assert_eq!((browser.device, after.device), (device, device));
        assert_ne!(browser.key, after.key);
        assert_eq!(Browser::signed_out(None, &system).device, None);
    }
}
