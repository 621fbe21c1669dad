//! The assertion by which a client proves who it is (OpenID Connect Core 9, RFC 7523 2.2 and 3): a signed JWT that is good
//! for one request within a minute. Whom it is for: docs/decisions/client-auth.md.

use hmac::{Hmac, KeyInit as _, Mac as _};
use openidconnect::url::Url;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use sha2::Sha256;

use crate::server::{
    clock::System,
    jwt::Unsigned,
    limits,
    settings::{AssertionKey, Audience},
};

/// `client_assertion_type`
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

/// What signs, by its registered name.
pub(super) fn algorithm(key: &AssertionKey) -> &'static str {
    match key {
        AssertionKey::Secret(_) => "HS256",
        AssertionKey::Private(keys) => keys.signing().algorithm(),
    }
}

/// An assertion of its own for each request to `endpoint`: a provider takes none twice. `None` where the key fails.
pub(super) fn write(
    key: &AssertionKey,
    audience: Audience,
    client_id: &str,
    issuer: &str,
    endpoint: &Url,
    system: &System,
) -> Option<String> {
    let (typ, aud) = match audience {
        Audience::Issuer => ("client-authentication+jwt", issuer),
        Audience::Endpoint => ("JWT", endpoint.as_str()),
    };
    let kid = match key {
        AssertionKey::Secret(_) => None,
        AssertionKey::Private(keys) => Some(keys.signing().id()),
    };
    let header = Header { typ, alg: algorithm(key), kid };
    let iat = system.now().unix_timestamp();
    let exp = iat + limits::CLIENT_ASSERTION_LIFE.whole_seconds();
    let jti = hex::encode(system.bytes::<16>());
    let unsigned = Unsigned::new(&header, &Claims { iss: client_id, sub: client_id, aud, jti, iat, exp });
    let signature = match key {
        AssertionKey::Private(keys) => keys.signing().sign(unsigned.as_bytes()).ok()?,
        AssertionKey::Secret(secret) => {
            let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
            mac.chain_update(unsigned.as_bytes()).finalize().into_bytes().to_vec()
        }
    };
    Some(unsigned.signed(&signature))
}
