//! What is derived for one attempt of one browser instead of being stored: the PKCE verifier, the nonce, and the id of
//! the session that the attempt delivers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use super::browser_cookie::BrowserKey;
use crate::server::{
    ids::AttemptId,
    seal::{Derived, KeyIndex, Keyring},
    session::SessionId,
};

/// The secrets of one attempt: deriving them takes both the key that sealed its state and the browser's key.
pub struct Secrets<'a> {
    /// The operator's keys.
    pub keys: &'a Keyring,
    /// The one that sealed the state.
    pub key: KeyIndex,
    /// The attempt.
    pub attempt: AttemptId,
    /// The browser's.
    pub browser: &'a BrowserKey,
}

impl Secrets<'_> {
    /// The PKCE code verifier: 43 characters (RFC 7636 4.1).
    #[must_use]
    pub fn verifier(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.derive(Derived::Verifier)).into()
    }

    /// The nonce: 43 characters (OpenID Connect Core 3.1.2.1).
    #[must_use]
    pub fn nonce(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.derive(Derived::Nonce))
    }

    /// The id of the session that this attempt creates, the same each time: 128 bits.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        let mut id = [0; 16];
        id.iter_mut().zip(self.derive(Derived::SessionId)).for_each(|(to, from)| *to = from);
        SessionId::new(id)
    }

    fn derive(&self, what: Derived) -> [u8; 32] {
        self.keys.derive(self.key, what, [self.attempt.as_bytes(), self.browser.as_bytes()])
    }
}
