//! How we authenticate at a provider, and what is needed for it (OpenID Connect Core 9).

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    reader::Reader,
    schema::{self, At, Index, Key},
    small_file::{self, read},
};
use crate::server::client_key::{ClientKey, ClientKeys};

/// How we authenticate at the endpoints that want it.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// `client_secret_basic`: id and secret form-encoded in the Authorization header.
    Basic(SecretString),
    /// `client_secret_post`: in the body.
    Post(SecretString),
    /// `client_secret_jwt` and `private_key_jwt`: an assertion, signed with this and meant for this audience (RFC 7523).
    Assertion(AssertionKey, Audience),
    /// `none`: a public client, PKCE alone.
    None,
}

/// What signs an assertion.
#[derive(Clone, Debug)]
pub enum AssertionKey {
    /// The client secret, by HMAC.
    Secret(SecretString),
    /// A private key.
    Private(ClientKeys),
}

/// Whom an assertion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The issuer alone.
    Issuer,
    /// The very endpoint that it is sent to.
    Endpoint,
}

/// HMAC with SHA-256 takes no shorter key (RFC 7518 3.2).
const HMAC_KEY_BYTES: usize = 32;

impl ClientAuth {
    /// The private keys, if it has some.
    #[must_use]
    pub const fn keys(&self) -> Option<&ClientKeys> {
        match self {
            Self::Assertion(AssertionKey::Private(keys), _) => Some(keys),
            _ => None,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, index: Index) -> Option<Self> {
        let at = |key: &'static Key| At { key, index };
        let before = reader.count();
        let method = reader.choice(at(&schema::PROVIDER_CLIENT_AUTH));
        if reader.count() > before {
            return None;
        }
        let method = method.unwrap_or_default();
        let audience = audience(reader, at(&schema::PROVIDER_ASSERTION_AUDIENCE), &method);
        let key_file = at(&schema::PROVIDER_PRIVATE_KEY_FILE);
        if method != "private_key_jwt" && reader.is_given(key_file) {
            let what = format!("is given, but client_auth = {method:?} uses none");
            reader.fault(&key_file, what, "remove it, or set client_auth = \"private_key_jwt\"");
            return None;
        }
        let secret = at(&schema::PROVIDER_CLIENT_SECRET);
        match &*method {
            "none" | "private_key_jwt" => {
                let is_too_many = reader.is_given(secret);
                if is_too_many {
                    let what = format!("is given, but client_auth = {method:?} sends none");
                    reader.fault(&secret, what, "remove one of the two");
                }
                let proof = match &*method {
                    "none" => Self::None,
                    _ => Self::Assertion(AssertionKey::Private(private_keys(reader, key_file)?), audience?),
                };
                (!is_too_many).then_some(proof)
            }
            _ => {
                if !reader.is_given(secret) {
                    let fix = "add client_secret or client_secret_file, or choose another client_auth: \"private_key_jwt\" for a key of \
                               ours, \"none\" for a public client, which proves nothing";
                    reader.fault(&secret, "is missing", fix);
                    return None;
                }
                let text = SecretString::from(reader.text(secret)?);
                match &*method {
                    "client_secret_post" => Some(Self::Post(text)),
                    "client_secret_jwt" => {
                        let bytes = text.expose_secret().len();
                        if bytes < HMAC_KEY_BYTES {
                            let what = format!("has {bytes} bytes, client_secret_jwt needs at least {HMAC_KEY_BYTES}");
                            reader.fault(
                                &secret,
                                what,
                                "let the provider make a longer one, or choose another client_auth",
                            );
                            return None;
                        }
                        Some(Self::Assertion(AssertionKey::Secret(text), audience?))
                    }
                    _ => Some(Self::Basic(text)),
                }
            }
        }
    }
}

fn audience(reader: &mut Reader<'_>, at: At, method: &str) -> Option<Audience> {
    if reader.is_given(at) && !method.ends_with("_jwt") {
        let what = format!("is given, but client_auth = {method:?} sends no assertion");
        reader.fault(&at, what, "remove it");
        return None;
    }
    Some(if reader.choice(at)? == "endpoint" { Audience::Endpoint } else { Audience::Issuer })
}

fn private_keys(reader: &mut Reader<'_>, at: At) -> Option<ClientKeys> {
    let before = reader.count();
    let mut keys: Vec<ClientKey> = Vec::new();
    for (place, path) in reader.list(at) {
        let path = Path::new(&path);
        let key = match read(path) {
            Ok(pem) => ClientKey::read(&pem).map_err(|(what, fix)| (format!("{path:?} {what}"), fix)),
            Err(what) => Err((what, "name a key file that this process can read; `vestibule keys new FILE` makes one")),
        };
        match key {
            Ok(key) if keys.iter().any(|other| other.id() == key.id()) => {
                reader.fault(&place, format!("{path:?} holds a key that is listed already"), "keep one of the two");
            }
            Ok(key) => {
                small_file::warn_if_readable_by_others(path);
                keys.push(key);
            }
            Err((what, fix)) => reader.fault(&place, what, fix),
        }
    }
    let found = ClientKeys::new(keys);
    if found.is_none() && reader.count() == before {
        reader.fault(&at, "is missing", "make a key with `vestibule keys new FILE`, and name the file");
    }
    found.filter(|_| reader.count() == before)
}
