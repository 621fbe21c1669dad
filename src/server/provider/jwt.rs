//! What every signed token of a provider must fulfil, whatever it is for: an ID token, a signed userinfo response.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    ClaimsVerificationError,
    core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm},
};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{client_registration::ClientRegistration, strict_json};
use crate::server::limits;

/// Who may have signed a token, for whom, and when.
#[derive(Clone, Copy)]
pub(super) struct Expected<'e> {
    pub(super) registration: &'e ClientRegistration,
    pub(super) algorithms: &'e [CoreJwsSigningAlgorithm],
    pub(super) keys: &'e CoreJsonWebKeySet,
    pub(super) now: OffsetDateTime,
}

impl Expected<'_> {
    /// `iss`, where present, is the provider.
    pub(super) fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), String> {
        let issuer = self.registration.issuer.as_str();
        check(claims.get("iss").is_none_or(|iss| iss == issuer), "iss is another issuer")
    }

    /// `aud`, where present, names us.
    pub(super) fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), String> {
        let us = self.registration.client_id.as_str();
        let names_us =
            |aud: &Value| aud == us || aud.as_array().is_some_and(|audiences| audiences.iter().any(|one| one == us));
        check(claims.get("aud").is_none_or(names_us), "aud is another client")
    }

    /// `exp` and `nbf`, where present, allow it now.
    pub(super) fn check_times(&self, claims: &Map<String, Value>) -> Result<(), String> {
        let now = self.now.unix_timestamp() as f64;
        let leeway = limits::CLOCK_LEEWAY.as_seconds_f64();
        let fits = |name, fits: &dyn Fn(f64) -> bool| {
            claims.get(name).is_none_or(|time: &Value| time.as_f64().is_some_and(fits))
        };
        check(fits("exp", &|exp| now - leeway < exp), "expired")?;
        check(fits("nbf", &|nbf| now + leeway >= nbf), "not valid yet")
    }
}

/// The payload of a JWT whose header and payload are objects without duplicate members: with duplicates, two readers
/// could read two things (RFC 8725 2.4).
pub(super) fn members(token: &str) -> Result<Map<String, Value>, String> {
    let part = |part: Option<&str>| {
        let bytes = part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).ok_or("not base64url")?;
        strict_json::object(&bytes)
    };
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next(), parts.next(), parts.next());
    if signature.is_none() || parts.next().is_some() {
        return Err("not three parts of base64url".into());
    }
    part(header).map_err(|what| format!("header: {what}"))?;
    part(payload).map_err(|what| format!("payload: {what}"))
}

/// `error` with the cause that the crate leaves to `source`.
pub(super) fn words(error: &ClaimsVerificationError) -> String {
    match error {
        ClaimsVerificationError::SignatureVerification(cause) => format!("signature: {cause}"),
        ClaimsVerificationError::Expired(what) => what.clone(),
        // Neither nonce belongs in a log.
        ClaimsVerificationError::InvalidNonce(_) => "nonce is missing or another".into(),
        other => other.to_string(),
    }
}

fn check(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}
