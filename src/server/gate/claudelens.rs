//! ClaudeLens's own token: what its `AuthService` takes, and nothing more (with an `aud` it would refuse it).

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sha2::Sha256;
use time::OffsetDateTime;

use super::facts::Facts;
use crate::server::{jwt::Unsigned, limits, store::Role};

/// A ClaudeLens's `SECRET_KEY`.
pub(super) struct Key(Hmac<Sha256>);

#[derive(Serialize)]
struct Header {
    typ: &'static str,
    alg: &'static str,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    user_id: &'a str,
    role: Role,
    exp: i64,
}

impl Key {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub(super) fn new(secret: &SecretString) -> Self {
        Self(Hmac::new_from_slice(secret.expose_secret().as_bytes()).expect("any key"))
    }

    /// A token for the person, unless they have no username that is theirs alone.
    pub(super) fn token(&self, facts: &Facts<'_>, now: OffsetDateTime) -> Option<String> {
        let claims = Claims {
            sub: facts.username?,
            user_id: facts.user_id,
            role: facts.role,
            exp: (now + limits::ASSERTION_LIFE).unix_timestamp(),
        };
        let token = Unsigned::new(&Header { typ: "JWT", alg: "HS256" }, &claims);
        let signature = self.0.clone().chain_update(token.as_bytes()).finalize().into_bytes();
        Some(token.signed(&signature))
    }
}
