//! The checks of an ID token (OpenID Connect Core 3.1.3.7), and of a signed userinfo answer (5.3.2, 5.3.4).

use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, EmptyAdditionalClaims, Nonce, SignatureVerificationError,
    SubjectIdentifier, UserInfoJsonWebToken,
    core::{
        CoreGenderClaim, CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    },
};
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use super::{Claims, ProviderFault, VerifiedClaims, fault::clip, registration::Registration, strict};
use crate::server::ids::{Issuer, Subject};

/// How far our clock and the provider's may differ.
const LEEWAY: Duration = Duration::seconds(60);

/// What a signed answer must fit.
pub(super) struct Expected<'e> {
    pub(super) ours: &'e Registration,
    pub(super) algorithms: &'e [CoreJwsSigningAlgorithm],
    pub(super) keys: &'e CoreJsonWebKeySet,
    pub(super) nonce: &'e str,
    /// When the attempt began.
    pub(super) started: OffsetDateTime,
    pub(super) now: OffsetDateTime,
}

/// Why an ID token is not believed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// None of the keys at hand verifies it: they may have been rotated.
    Keys(ProviderFault),
    /// Whatever the keys.
    Final(ProviderFault),
}

impl Refusal {
    pub(super) fn into_fault(self) -> ProviderFault {
        match self {
            Self::Keys(fault) | Self::Final(fault) => fault,
        }
    }
}

/// A person whose ID token passed every check; what it says beyond the subject counts only if there is no userinfo.
#[derive(Debug)]
pub(super) struct IdTokenClaims {
    pub(super) subject: Subject,
    pub(super) members: Map<String, Value>,
}

impl IdTokenClaims {
    /// The person, with `claims` about the same subject.
    pub(super) fn with(self, issuer: Issuer, claims: Claims) -> VerifiedClaims {
        VerifiedClaims { issuer, subject: self.subject, claims }
    }
}

/// Checks an ID token in the order of Core 3.1.3.7. `openidconnect` does what is marked with its name.
pub(super) fn id_token(
    token: &CoreIdToken,
    access_token: &AccessToken,
    expected: &Expected<'_>,
) -> Result<IdTokenClaims, Refusal> {
    let refuse = |what: &str| Refusal::Final(ProviderFault::IdToken(clip(what)));
    // Header and payload say each thing once, or two readers could read two things (RFC 8725 2.4).
    let members = jwt_members(&token.to_string()).map_err(|what| refuse(&what))?;

    // openidconnect: typ, cty and crit; 2 iss; 3 aud, and no audience but us; 6 and 7 signature, with an algorithm of
    // the list and the one key that fits; 9 exp; 10 iat; 11 nonce. As a public client it has no key for HMAC, whatever
    // the list.
    let verifier =
        CoreIdTokenVerifier::new_public_client(ours_id(expected), expected.ours.issuer.clone(), expected.keys.clone())
            .set_allowed_algs(expected.algorithms.iter().cloned())
            .set_time_fn(|| SystemTime::from(expected.now - LEEWAY).into())
            .set_issue_time_verifier_fn(|issued| in_this_attempt(issued.timestamp(), expected));
    let claims = token.claims(&verifier, &Nonce::new(expected.nonce.to_owned())).map_err(|error| {
        let fault = ProviderFault::IdToken(clip(&words(&error)));
        match error {
            ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            ) => Refusal::Keys(fault),
            _ => Refusal::Final(fault),
        }
    })?;

    // 4 and 5: azp, where present, is us.
    if claims.authorized_party().is_some_and(|party| *party != expected.ours.client_id) {
        return Err(refuse("azp is another client"));
    }
    // 3.1.3.8: at_hash, where present, is the access token's.
    if let Some(hash) = claims.access_token_hash() {
        let key = token.signing_key(&verifier).map_err(|error| refuse(&error.to_string()))?;
        let algorithm = token.signing_alg().map_err(|error| refuse(&error.to_string()))?;
        let actual = AccessTokenHash::from_token(access_token, algorithm, key)
            .map_err(|_| refuse("at_hash of an unknown kind"))?;
        if actual != *hash {
            return Err(refuse("at_hash is not the access token's"));
        }
    }
    // 2: sub has 1 to 255 ASCII characters.
    let subject =
        Subject::new(claims.subject()).ok_or_else(|| refuse("sub is not 1 to 255 printable ASCII characters"))?;
    Ok(IdTokenClaims { subject, members })
}

/// Checks a signed userinfo answer. `openidconnect` verifies signature (RS256 only) and subject; `iss` and `aud`
/// count where they are present, since Authelia sends neither.
pub(super) fn signed_userinfo(
    token: &[u8],
    subject: &Subject,
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, String> {
    type Jwt = UserInfoJsonWebToken<
        EmptyAdditionalClaims,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >;

    let text = std::str::from_utf8(token).map_err(|_| "not UTF-8")?;
    let members = jwt_members(text)?;
    let jwt: Jwt = serde_json::from_value(Value::String(text.to_owned()))
        .map_err(|_| "not a signed JWT with userinfo claims (a claim of the wrong type?)")?;
    let verifier = openidconnect::UserInfoVerifier::<_, CoreJsonWebKey>::new(
        ours_id(expected),
        expected.ours.issuer.clone(),
        expected.keys.clone(),
        Some(SubjectIdentifier::new(subject.as_str().to_owned())),
    )
    .require_issuer_match(false)
    .require_audience_match(false);
    jwt.claims(&verifier).map_err(|error| words(&error))?;

    if members.get("iss").is_some_and(|issuer| issuer != expected.ours.issuer.as_str()) {
        return Err("iss is another issuer".into());
    }
    let us = expected.ours.client_id.as_str();
    let for_us =
        |audience: &Value| audience == us || audience.as_array().is_some_and(|all| all.iter().any(|one| one == us));
    if members.get("aud").is_some_and(|audience| !for_us(audience)) {
        return Err("aud is another client".into());
    }
    let now = expected.now.unix_timestamp() as f64;
    let leeway = LEEWAY.as_seconds_f64();
    if members.get("exp").is_some_and(|exp| exp.as_f64().is_none_or(|exp| now - leeway >= exp)) {
        return Err("expired".into());
    }
    if members.get("nbf").is_some_and(|nbf| nbf.as_f64().is_none_or(|nbf| now + leeway < nbf)) {
        return Err("not valid yet".into());
    }
    Ok(members)
}

/// Why `token` cannot be read as an ID token, without any value of it. `openidconnect` refuses the whole token where one
/// standard claim is of the wrong type; the operator then needs to know which (ID-60, docs/decisions/id-token.md).
pub(super) fn unreadable(token: &str) -> String {
    const REQUIRED: [&str; 5] = ["iss", "sub", "aud", "exp", "iat"];
    const NUMBERS: [&str; 3] = ["exp", "iat", "auth_time"];
    const TEXTS: [&str; 24] = [
        "iss",
        "sub",
        "nonce",
        "acr",
        "azp",
        "at_hash",
        "c_hash",
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "email",
        "gender",
        "birthday",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "jti",
    ];

    let members = match jwt_members(token) {
        Ok(members) => members,
        Err(what) => return clip(&what),
    };
    if let Some(name) = REQUIRED.into_iter().find(|name| !members.contains_key(*name)) {
        return format!("`{name}` is missing");
    }
    let is_not = |names: &'static [&'static str], fits: fn(&Value) -> bool| {
        names.iter().find(|name| members.get(**name).is_some_and(|value| !fits(value)))
    };
    match is_not(&NUMBERS, Value::is_number).or_else(|| is_not(&TEXTS, Value::is_string)) {
        Some(name) => format!("`{name}` is of the wrong type"),
        None => "its header or a claim cannot be understood".into(),
    }
}

/// A code is redeemed for a token made after we asked; one that is older was made for somebody else (ID-43).
/// In seconds of Unix time, since no token's year fits every date type.
fn in_this_attempt(issued: i64, expected: &Expected<'_>) -> Result<(), String> {
    if issued < (expected.started - LEEWAY).unix_timestamp() {
        Err("iat is before this sign-in began; is a clock wrong?".into())
    } else if issued > (expected.now + LEEWAY).unix_timestamp() {
        Err("iat is in the future; is a clock wrong?".into())
    } else {
        Ok(())
    }
}

fn ours_id(expected: &Expected<'_>) -> openidconnect::ClientId {
    expected.ours.client_id.clone()
}

/// The payload of a JWT whose header and payload are objects without duplicate members.
fn jwt_members(token: &str) -> Result<Map<String, Value>, String> {
    let part = |part: Option<&str>| {
        let bytes = part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).ok_or("not base64url")?;
        strict::object(&bytes)
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
fn words(error: &ClaimsVerificationError) -> String {
    match error {
        ClaimsVerificationError::SignatureVerification(cause) => format!("signature: {cause}"),
        ClaimsVerificationError::Expired(what) => what.clone(),
        // Both nonces are ours to keep.
        ClaimsVerificationError::InvalidNonce(_) => "nonce is missing or another".into(),
        other => other.to_string(),
    }
}
