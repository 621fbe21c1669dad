//! The checks of an ID token, in the order of OpenID Connect Core 3.1.3.7.

use std::time::SystemTime;

use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, Nonce, SignatureVerificationError,
    core::{CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier},
};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    claims::{Authentication, Claims, VerifiedClaims},
    fault::ProviderFault,
    jwt::{self, Expected},
};
use crate::server::{
    ids::{Issuer, Subject},
    limits,
    log_text::clip,
};

/// The attempt that an ID token must belong to.
pub(super) struct Attempt<'a> {
    /// The nonce that was sent.
    pub(super) nonce: &'a str,
    /// When the attempt began.
    pub(super) started: OffsetDateTime,
    /// What came with the ID token.
    pub(super) access_token: &'a AccessToken,
}

/// Why an ID token is not accepted.
#[derive(Debug)]
pub(super) enum Rejection {
    /// None of the keys at hand verifies it: they may have been rotated.
    UnknownKey(ProviderFault),
    /// It is not accepted, whatever the keys.
    Final(ProviderFault),
}

impl Rejection {
    pub(super) fn into_fault(self) -> ProviderFault {
        match self {
            Self::UnknownKey(fault) | Self::Final(fault) => fault,
        }
    }

    fn of(what: &str) -> Self {
        Self::Final(ProviderFault::IdToken(clip(what)))
    }
}

/// An ID token that passed every check; what it says about the person counts only if there is no userinfo.
#[derive(Debug)]
pub(super) struct IdTokenClaims {
    pub(super) subject: Subject,
    pub(super) members: Map<String, Value>,
}

impl IdTokenClaims {
    /// The person, with `claims` about the same subject.
    pub(super) fn with(self, issuer: Issuer, claims: Claims) -> VerifiedClaims {
        VerifiedClaims::new(issuer, self.subject, claims, Authentication::read(&self.members))
    }
}

/// Checks an ID token. (1: encrypted ones are not accepted. 8: as a public client the verifier has no key for HMAC,
/// whatever the list of algorithms. 12 and 13: we ask for neither `acr` nor `auth_time`.)
pub(super) fn verify(
    token: &CoreIdToken,
    attempt: &Attempt<'_>,
    expected: &Expected<'_>,
) -> Result<IdTokenClaims, Rejection> {
    let Expected { registration, algorithms, keys, now } = *expected;
    let members = jwt::members(&token.to_string()).map_err(|what| Rejection::of(&what))?;

    // openidconnect checks typ, cty and crit of the header, and:
    let verifier = CoreIdTokenVerifier::new_public_client(
        registration.client_id.clone(), // 3: aud is us alone
        registration.issuer.clone(),    // 2: iss is the provider
        keys.clone(),                   // 6: the signature, by the one key that fits
    )
    .set_allowed_algs(algorithms.iter().cloned()) // 7: alg is one that the provider lists and we accept
    .set_time_fn(|| SystemTime::from(now - limits::CLOCK_LEEWAY).into()) // 9: exp is not over
    .set_issue_time_verifier_fn(|iat| check_iat(iat.timestamp(), attempt.started, now)); // 10: iat is in this attempt
    let nonce = Nonce::new(attempt.nonce.to_owned()); // 11: nonce is the one that was sent
    let claims = token.claims(&verifier, &nonce).map_err(|error| rejection(&error))?;

    // 4 and 5: azp, where present, is us.
    if claims.authorized_party().is_some_and(|azp| *azp != registration.client_id) {
        return Err(Rejection::of("azp is another client"));
    }
    // 3.1.3.8: at_hash, where present, is the access token's.
    check_at_hash(token, claims, &verifier, attempt.access_token)?;
    // 2 (ID Token): sub has 1 to 255 ASCII characters.
    let subject = Subject::new(claims.subject())
        .ok_or_else(|| Rejection::of("sub is not 1 to 255 printable ASCII characters"))?;
    Ok(IdTokenClaims { subject, members })
}

fn rejection(error: &ClaimsVerificationError) -> Rejection {
    let fault = ProviderFault::IdToken(clip(&jwt::words(error)));
    match error {
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
        ) => Rejection::UnknownKey(fault),
        _ => Rejection::Final(fault),
    }
}

/// The token is issued after the sign-in began; an older one was issued for another sign-in (ID-43). In seconds of Unix
/// time, since no token's year fits every date type.
fn check_iat(issued: i64, started: OffsetDateTime, now: OffsetDateTime) -> Result<(), String> {
    if issued < (started - limits::CLOCK_LEEWAY).unix_timestamp() {
        Err("iat is before this sign-in began; is a clock wrong?".into())
    } else if issued > (now + limits::CLOCK_LEEWAY).unix_timestamp() {
        Err("iat is in the future; is a clock wrong?".into())
    } else {
        Ok(())
    }
}

fn check_at_hash(
    token: &CoreIdToken,
    claims: &CoreIdTokenClaims,
    verifier: &CoreIdTokenVerifier<'_>,
    access_token: &AccessToken,
) -> Result<(), Rejection> {
    let Some(at_hash) = claims.access_token_hash() else { return Ok(()) };
    let key = token.signing_key(verifier).map_err(|error| Rejection::of(&error.to_string()))?;
    let algorithm = token.signing_alg().map_err(|error| Rejection::of(&error.to_string()))?;
    let actual = AccessTokenHash::from_token(access_token, algorithm, key)
        .map_err(|_| Rejection::of("at_hash of an unknown kind"))?;
    if actual == *at_hash { Ok(()) } else { Err(Rejection::of("at_hash is not the access token's")) }
}

/// Why `token` cannot be parsed as an ID token, without any value of it. `openidconnect` refuses the whole token where
/// one standard claim is of the wrong type; the operator then needs to know which (ID-60, docs/decisions/id-token.md).
pub(super) fn why_unreadable(token: &str) -> String {
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

    let members = match jwt::members(token) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn how_the_person_was_authenticated_comes_from_the_id_token_and_the_rest_from_the_given_claims() {
        let members = json!({"name": "From the ID token", "groups": ["id"], "sid": "s1", "acr": "phr", "amr": ["otp"]});
        let token = IdTokenClaims {
            subject: Subject::new("subject-1").unwrap(),
            members: members.as_object().unwrap().clone(),
        };
        let userinfo = Claims { name: Some("Alice".into()), groups: Some(vec!["a".into()]), ..Claims::default() };
        let person = token.with(Issuer::new("https://op.example.com"), userinfo.clone());
        assert_eq!(person.claims(), &userinfo);
        let Authentication { sid, auth_time, acr, amr } = person.authentication();
        assert_eq!((sid.as_deref(), acr.as_deref(), *auth_time), (Some("s1"), Some("phr"), None));
        assert_eq!(amr.as_deref(), Some(["otp".to_owned()].as_slice()));
    }

    #[test]
    fn iat_lies_between_the_begin_of_the_attempt_and_now_give_or_take_the_leeway() {
        let started = OffsetDateTime::UNIX_EPOCH + time::Duration::hours(1);
        let now = started + time::Duration::minutes(5);
        let fits = |moment: OffsetDateTime| check_iat(moment.unix_timestamp(), started, now).is_ok();
        let second = time::Duration::seconds(1);
        assert!(fits(started - limits::CLOCK_LEEWAY) && fits(now + limits::CLOCK_LEEWAY));
        assert!(!fits(started - limits::CLOCK_LEEWAY - second) && !fits(now + limits::CLOCK_LEEWAY + second));
    }
}
