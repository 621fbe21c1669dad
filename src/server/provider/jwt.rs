//! What every signed token of a provider must fulfil, whatever it is for: an ID token, a signed userinfo response
//! (RFC 7515, RFC 7519, RFC 8725). `openidconnect` does the cryptography. It is not asked to read the claims, since it
//! refuses a whole token for a claim of the wrong type that nobody uses (docs/decisions/id-token.md).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKey as _, JsonWebKeyAlgorithm, JsonWebKeyUse as _, JwsSigningAlgorithm as _, SignatureVerificationError,
    core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm},
};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    client_registration::ClientRegistration,
    strict_json::{self, Object},
};
use crate::server::{limits, log_text::clip};

/// `typ` of a token without a kind of its own. `JOSE` says no more than that it is a JWS (RFC 7515 4.1.9).
pub(super) const PLAIN: [&str; 2] = ["jwt", "jose"];

/// Who may have signed a token, for whom, and when.
#[derive(Clone, Copy)]
pub(super) struct Expected<'e> {
    pub(super) registration: &'e ClientRegistration,
    pub(super) algorithms: &'e [CoreJwsSigningAlgorithm],
    pub(super) keys: &'e CoreJsonWebKeySet,
    pub(super) now: OffsetDateTime,
}

/// Why a token is not accepted.
#[derive(Debug)]
pub(super) enum Rejection {
    /// None of the keys at hand verifies it: they may have been rotated.
    UnknownKey(String),
    /// It is not accepted, whatever the keys.
    Final(String),
    /// Nothing is wrong with it, but the person has signed in in a way that is not good enough.
    TooWeak(String),
}

impl Rejection {
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self::Final(what.into())
    }

    pub(super) fn into_words(self) -> String {
        match self {
            Self::UnknownKey(what) | Self::Final(what) | Self::TooWeak(what) => what,
        }
    }
}

/// A token that the provider has signed. Its claims are not checked yet.
pub(super) struct SignedClaims<'e> {
    pub(super) claims: Object,
    pub(super) algorithm: CoreJwsSigningAlgorithm,
    pub(super) key: &'e CoreJsonWebKey,
}

impl<'e> Expected<'e> {
    /// Verifies the signature (RFC 7515 5.2), by the one key that fits. The algorithm is one that the provider lists and
    /// we accept, which neither HMAC nor `none` is. `types`: what its `typ` may be, where it has one.
    pub(super) fn verify(&self, token: &str, types: &[&str]) -> Result<SignedClaims<'e>, Rejection> {
        let Parts { header, payload, signed, signature } = Parts::of(token).map_err(Rejection::Final)?;
        check_header(&header, types).map_err(Rejection::Final)?;
        let algorithm = self.algorithm(&header)?;
        let key = self.key(&header, &algorithm)?;
        key.verify_signature(&algorithm, signed.as_bytes(), &signature).map_err(|error| match error {
            SignatureVerificationError::CryptoError(_) => Rejection::UnknownKey(match header.get("kid") {
                Some(Value::String(kid)) => format!("the signature is not by the key of its `kid` ({})", clip(kid)),
                _ => "the signature is wrong".to_owned(),
            }),
            other => Rejection::of(format!("signature: {}", clip(&other.to_string()))),
        })?;
        Ok(SignedClaims { claims: payload, algorithm, key })
    }

    fn algorithm(&self, header: &Map<String, Value>) -> Result<CoreJwsSigningAlgorithm, Rejection> {
        let named = header.get("alg").ok_or_else(|| Rejection::of("header: `alg` is missing"))?;
        let algorithm = serde_json::from_value(named.clone()).ok();
        algorithm.filter(|algorithm| self.algorithms.contains(algorithm)).ok_or_else(|| {
            let named = clip(named.as_str().unwrap_or("of the wrong type"));
            Rejection::of(format!("signed with {named}, which is not among what the provider lists, we accept and the provider's …_signed_response_alg allows"))
        })
    }

    /// The one key that may have signed it (Core 10.1): by `kid` where the token names one.
    fn key(
        &self,
        header: &Map<String, Value>,
        algorithm: &CoreJwsSigningAlgorithm,
    ) -> Result<&'e CoreJsonWebKey, Rejection> {
        let kid = header.get("kid").and_then(Value::as_str);
        let may_have = |key: &&CoreJsonWebKey| {
            kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid)) && fits(key, algorithm)
        };
        let mut keys = self.keys.keys().iter().filter(may_have);
        match (keys.next(), keys.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => {
                let its =
                    kid.map_or_else(|| "; it has no `kid`".to_owned(), |kid| format!(" and its `kid` ({})", clip(kid)));
                Err(Rejection::UnknownKey(format!("no key of the provider fits its `alg`{its}")))
            }
            (Some(_), Some(_)) => {
                Err(Rejection::of("several keys of the provider fit, and its `kid` does not say which"))
            }
        }
    }

    /// `iss`, where present, is the provider.
    pub(super) fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), String> {
        let issuer = self.registration.issuer.as_str();
        check(present(claims, "iss").is_none_or(|iss| iss == issuer), "iss is another issuer")
    }

    /// `aud`, where present, names us.
    pub(super) fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), String> {
        let us = self.registration.client_id.as_str();
        let names_us =
            |aud: &Value| aud == us || aud.as_array().is_some_and(|audiences| audiences.iter().any(|one| one == us));
        check(present(claims, "aud").is_none_or(names_us), "aud is another client")
    }

    /// `exp` and `nbf`, where present, allow it now.
    pub(super) fn check_times(&self, claims: &Map<String, Value>) -> Result<(), String> {
        let time = |name: &str| match present(claims, name) {
            None => Ok(None),
            Some(value) => numeric_date(value).map(Some).ok_or_else(|| no_date(name)),
        };
        check(time("exp")?.is_none_or(|exp| self.now - limits::CLOCK_LEEWAY < exp), "expired; is a clock wrong?")?;
        check(time("nbf")?.is_none_or(|nbf| nbf <= self.now + limits::CLOCK_LEEWAY), "not valid yet; is a clock wrong?")
    }
}

/// The claims of a token that nobody has verified, for choosing who may do so.
pub(super) fn unverified(token: &str) -> Result<Map<String, Value>, String> {
    Parts::of(token).map(|parts| parts.payload.members)
}

pub(super) fn no_date(name: &str) -> String {
    format!("`{name}` is no date (seconds since 1970, until the year 9999)")
}

/// A member that is there; `null` is not (Core 5.3.2).
pub(super) fn present<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    members.get(name).filter(|value| !value.is_null())
}

/// NumericDate (RFC 7519 2), a fraction dropped; nothing that is outside what a date can hold.
pub(super) fn numeric_date(value: &Value) -> Option<OffsetDateTime> {
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// Whether `key` may verify signatures made with `algorithm` (RFC 7517 4.1, 4.2, 4.4).
pub(super) fn fits(key: &CoreJsonWebKey, algorithm: &CoreJwsSigningAlgorithm) -> bool {
    algorithm.key_type().as_ref() == Some(key.key_type())
        && key.key_use().is_none_or(|purpose| purpose.allows_signature())
        && match key.signing_alg() {
            JsonWebKeyAlgorithm::Unspecified => true,
            JsonWebKeyAlgorithm::Algorithm(its) => its == algorithm,
            JsonWebKeyAlgorithm::Unsupported => false,
        }
}

/// A JWS in compact form (RFC 7515 3.1), taken apart.
struct Parts<'t> {
    header: Map<String, Value>,
    payload: Object,
    /// Header and payload as they were signed.
    signed: &'t str,
    signature: Vec<u8>,
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Result<Self, String> {
        let parts: Vec<_> = token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err("not three parts of base64url".into());
        };
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "not base64url".to_owned());
        let object = |part| bytes(part).and_then(|bytes| strict_json::object(&bytes));
        let header = object(header).map_err(|what| format!("header: {what}"))?;
        if let Some(name) = header.damaged.first() {
            return Err(format!("header: `{}` cannot be read", clip(name)));
        }
        let (signed, _) = token.rsplit_once('.').unwrap_or_default();
        Ok(Self {
            header: header.members,
            payload: object(payload).map_err(|what| format!("payload: {what}"))?,
            signed,
            signature: bytes(signature).map_err(|what| format!("signature: {what}"))?,
        })
    }
}

/// A token of another kind is not taken for one of this kind (RFC 8725 3.11), nor one whose header demands what we do not
/// know (RFC 7515 4.1.11) or that holds another token (RFC 7519 5.2).
fn check_header(header: &Map<String, Value>, types: &[&str]) -> Result<(), String> {
    let is_of_the_kind = |typ: &Value| {
        let typ = typ.as_str().unwrap_or_default().to_ascii_lowercase();
        types.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
    };
    check(present(header, "typ").is_none_or(is_of_the_kind), "header: `typ` is not JWT")?;
    check(present(header, "cty").is_none(), "header: `cty` is there, so it holds something else")?;
    check(!header.contains_key("crit"), "header: `crit` demands what we do not know")?;
    check(header.get("kid").is_none_or(Value::is_string), "header: `kid` is of the wrong type")
}

pub(super) fn check(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

#[cfg(test)]
mod tests;
