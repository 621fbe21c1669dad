//! `X-Vestibule-Assertion`: who the person is, signed, for applications that verify it.

use serde::Serialize;
use time::OffsetDateTime;

use super::{facts::Facts, signing_keys::SigningKeys};
use crate::server::{jwt::Unsigned, limits, store::Role};

/// What is not known is left out.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [&'a str],
    /// Some of the groups found no room.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    groups_truncated: bool,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    idp: Option<IdentityProvider<'a>>,
}

/// Who the person is at the provider they came through.
#[derive(Serialize)]
struct IdentityProvider<'a> {
    issuer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

/// An assertion of `issuer` for the application at `audience`, to be signed.
pub(super) fn unsigned(
    keys: &SigningKeys,
    issuer: &str,
    audience: &str,
    facts: &Facts<'_>,
    now: OffsetDateTime,
) -> Unsigned {
    let claims = Claims {
        iss: issuer,
        aud: audience,
        sub: facts.user_id,
        iat: now.unix_timestamp(),
        exp: (now + limits::ASSERTION_LIFE).unix_timestamp(),
        name: facts.name,
        preferred_username: facts.username,
        email: facts.email,
        email_verified: facts.email.map(|_| facts.email_verified),
        groups: &facts.groups,
        groups_truncated: facts.groups_truncated,
        role: facts.role,
        idp: facts.issuer.map(|issuer| IdentityProvider { issuer, subject: facts.subject }),
    };
    Unsigned::new(keys.header(), &claims)
}
