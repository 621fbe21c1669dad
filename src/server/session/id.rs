//! The id in the session cookie.

use std::{fmt, str::FromStr as _};

use tower_sessions::session::Id;

use crate::server::ids::SessionHash;

/// The id in the session cookie: 128 bits, 22 characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId(Id);

impl SessionId {
    /// From the 16 bytes an attempt derives.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(Id(i128::from_le_bytes(bytes)))
    }

    /// Reads a cookie's value. `None` unless it is the one spelling of an id.
    #[must_use]
    pub fn parse(cookie: &str) -> Option<Self> {
        Id::from_str(cookie).ok().map(Self).filter(|id| id.expose() == cookie)
    }

    /// For the cookie, and nothing else.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.to_string()
    }

    /// For the store, which must not be able to sign anyone in.
    #[must_use]
    pub fn hash(&self) -> SessionHash {
        SessionHash::of(&self.0.0.to_le_bytes())
    }
}

impl From<Id> for SessionId {
    fn from(id: Id) -> Self {
        Self(id)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}
