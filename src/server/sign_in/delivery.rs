//! What delivery needs, sealed inside the attempt's record until it is over.

use crate::server::{
    clock::System,
    ids::{AttemptId, UserId},
    seal::{Keyring, Payload, Purpose, Sealed, take},
};

/// Who is to be signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The account.
    pub(super) user: UserId,
}

impl Delivery {
    pub(super) fn seal(&self, attempt: AttemptId, keys: &Keyring, system: &System) -> Vec<u8> {
        keys.seal_bytes(attempt.as_bytes(), self, system)
    }

    pub(super) fn open(sealed: &[u8], attempt: AttemptId, keys: &Keyring) -> Option<Self> {
        Some(keys.open_bytes(attempt.as_bytes(), sealed)?.value)
    }
}

impl Sealed for Delivery {
    const PURPOSE: Purpose = Purpose::Delivery;

    fn write(&self) -> Payload {
        Payload::unmarked(&self.user)
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (user, _appended) = take(payload)?;
        Some(Self { user })
    }
}
