//! The checks of an ID token, in the order of OpenID Connect Core 3.1.3.7. What is checked here decides, and no mercy is
//! shown; every other claim is read in `claims`, and none of them keeps anyone out.

use std::time::Duration;

use openidconnect::{AccessToken, AccessTokenHash, AuthorizationCode, AuthorizationCodeHash, Nonce};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    jwt::{Expected, PLAIN, Rejection, SignedClaims, check, no_date, numeric_date, present},
    strict_json::Object,
};
use crate::server::{ids::Subject, limits, log_text::clip};

/// The attempt that an ID token must belong to.
pub(super) struct Attempt<'a> {
    /// The nonce that was sent.
    pub(super) nonce: &'a str,
    /// When the attempt began.
    pub(super) started: OffsetDateTime,
    /// What was sent for the ID token.
    pub(super) code: &'a SecretString,
    /// What came with the ID token.
    pub(super) access_token: &'a AccessToken,
}

/// An ID token that passed every check.
#[derive(Debug)]
pub(super) struct IdTokenClaims {
    pub(super) subject: Subject,
    /// Everything it says, for the claims that decide nothing here.
    pub(super) all: Object,
}

/// The claims that are checked. One that cannot be read is never taken for one that is not there.
const CHECKED: [&str; 10] = ["iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "azp", "at_hash", "c_hash"];

/// Checks an ID token. (1: encrypted ones are not accepted. 8: there is no key for HMAC, whatever the list of algorithms.)
pub(super) fn verify(token: &str, attempt: &Attempt<'_>, expected: &Expected<'_>) -> Result<IdTokenClaims, Rejection> {
    // 6 and 7: the signature, by the one key that fits, with an algorithm that the provider lists and we accept.
    let signed = expected.verify(token, &PLAIN)?;
    if let Some(name) = CHECKED.iter().find(|name| signed.claims.damaged.iter().any(|damaged| damaged == **name)) {
        return Err(Rejection::of(format!("`{name}` cannot be read")));
    }
    let subject = check_claims(&signed, attempt, expected).map_err(Rejection::Final)?;
    // 12: acr, where values were asked for, is one of them.
    check_acr(&signed.claims.members, &expected.registration.request.acr_values).map_err(Rejection::TooWeak)?;
    Ok(IdTokenClaims { subject, all: signed.claims })
}

fn check_claims(signed: &SignedClaims<'_>, attempt: &Attempt<'_>, expected: &Expected<'_>) -> Result<Subject, String> {
    let claims = &signed.claims.members;
    // 2, 3, 4 and 5: the provider and us.
    check_parties(claims, expected)?;
    // 9, and RFC 7519 4.1.5: exp is not over, nbf has come.
    required(claims, "exp")?;
    expected.check_times(claims)?;
    // 10: iat is in this attempt.
    let iat = numeric_date(required(claims, "iat")?).ok_or_else(|| no_date("iat"))?;
    check_iat(iat, attempt.started, expected.now)?;
    // 11: nonce is the one that was sent.
    let nonce = Nonce::new(text(claims, "nonce")?.to_owned());
    check(nonce == Nonce::new(attempt.nonce.to_owned()), "nonce is another")?;
    // 13: auth_time, where max_age was sent, is not longer ago.
    if let Some(max_age) = expected.registration.request.max_age {
        let auth_time = numeric_date(required(claims, "auth_time")?).ok_or_else(|| no_date("auth_time"))?;
        check_auth_time(auth_time, max_age, attempt.started, expected.now)?;
    }
    // 3.1.3.8: at_hash, where present, is the access token's.
    check_at_hash(signed, attempt.access_token)?;
    // 3.3.2.11: so is c_hash the code's, though this flow has no need of it.
    check_c_hash(signed, attempt.code)?;
    // 2 (ID Token): sub has 1 to 255 ASCII characters.
    Subject::new(text(claims, "sub")?).ok_or_else(|| "sub is not 1 to 255 printable ASCII characters".to_owned())
}

/// 2 to 5: iss is the provider; aud is us alone, or with others that the operator trusts; then azp is there. Where it is, it is
/// us.
pub(super) fn check_parties(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), String> {
    text(claims, "iss")?;
    expected.check_issuer(claims)?;
    let us = expected.registration.client_id.as_str();
    let alone = check_audience(required(claims, "aud")?, us, &expected.registration.trusted_audiences)?;
    if present(claims, "azp").is_some() || !alone {
        check(text(claims, "azp")? == us, "azp is another client")?;
    }
    Ok(())
}

pub(super) fn required<'m>(claims: &'m Map<String, Value>, name: &str) -> Result<&'m Value, String> {
    present(claims, name).ok_or_else(|| format!("`{name}` is missing"))
}

pub(super) fn text<'m>(claims: &'m Map<String, Value>, name: &str) -> Result<&'m str, String> {
    required(claims, name)?.as_str().ok_or_else(|| wrong_type(name))
}

pub(super) fn wrong_type(name: &str) -> String {
    format!("`{name}` is of the wrong type")
}

/// Whether we are the only audience.
fn check_audience(aud: &Value, us: &str, trusted: &[String]) -> Result<bool, String> {
    let audiences = match aud {
        Value::String(_) => std::slice::from_ref(aud),
        Value::Array(audiences) => audiences.as_slice(),
        _ => return Err(wrong_type("aud")),
    };
    check(audiences.iter().any(|one| one == us), "aud is another client")?;
    let stranger = audiences.iter().find(|one| *one != us && !trusted.iter().any(|trusted| *one == trusted.as_str()));
    match stranger.map(Value::as_str) {
        None => Ok(audiences.iter().all(|one| one == us)),
        Some(Some(name)) => Err(format!("aud names `{}` beside us, which trusted_audiences does not", clip(name))),
        Some(None) => Err(wrong_type("aud")),
    }
}

/// The token is issued after the sign-in began; an older one was issued for another sign-in (ID-43).
fn check_iat(issued: OffsetDateTime, started: OffsetDateTime, now: OffsetDateTime) -> Result<(), String> {
    let second = |moment: OffsetDateTime| moment.unix_timestamp();
    check(
        second(issued) >= second(started - limits::CLOCK_LEEWAY),
        "iat is before this sign-in began; is a clock wrong?",
    )?;
    check(second(issued) <= second(now + limits::CLOCK_LEEWAY), "iat is in the future; is a clock wrong?")
}

/// The person had signed in at the provider at most `max_age` before the sign-in began here: the provider has judged by the
/// moment at which it was asked, however long they then took over its pages.
fn check_auth_time(
    auth_time: OffsetDateTime,
    max_age: Duration,
    started: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), String> {
    let second = |moment: OffsetDateTime| moment.unix_timestamp();
    check(
        second(auth_time) >= second(started - limits::CLOCK_LEEWAY - max_age),
        "auth_time is longer ago than max_age; does the provider know that parameter?",
    )?;
    check(second(auth_time) <= second(now + limits::CLOCK_LEEWAY), "auth_time is in the future; is a clock wrong?")
}

fn check_acr(claims: &Map<String, Value>, wanted: &[String]) -> Result<(), String> {
    let acr = present(claims, "acr").and_then(Value::as_str);
    if wanted.is_empty() || acr.is_some_and(|acr| wanted.iter().any(|wanted| wanted == acr)) {
        return Ok(());
    }
    let acr = acr.map_or_else(|| "missing".to_owned(), |acr| format!("`{}`", clip(acr)));
    Err(format!("acr is {acr}, acr_values of the settings are {}", wanted.join(" ")))
}

fn check_at_hash(signed: &SignedClaims<'_>, access_token: &AccessToken) -> Result<(), String> {
    let Some(at_hash) = present(&signed.claims.members, "at_hash") else { return Ok(()) };
    let at_hash = at_hash.as_str().ok_or_else(|| wrong_type("at_hash"))?;
    let actual = AccessTokenHash::from_token(access_token, &signed.algorithm, signed.key)
        .map_err(|_| "at_hash of an unknown kind".to_owned())?;
    check(actual == AccessTokenHash::new(at_hash.to_owned()), "at_hash is not the access token's")
}

fn check_c_hash(signed: &SignedClaims<'_>, code: &SecretString) -> Result<(), String> {
    let Some(c_hash) = present(&signed.claims.members, "c_hash") else { return Ok(()) };
    let c_hash = c_hash.as_str().ok_or_else(|| wrong_type("c_hash"))?;
    let code = AuthorizationCode::new(code.expose_secret().to_owned());
    let actual = AuthorizationCodeHash::from_code(&code, &signed.algorithm, signed.key)
        .map_err(|_| "c_hash of an unknown kind".to_owned())?;
    check(actual == AuthorizationCodeHash::new(c_hash.to_owned()), "c_hash is not the code's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_time_counts_from_the_begin_of_the_attempt_give_or_take_the_leeway() {
        let started = OffsetDateTime::UNIX_EPOCH + time::Duration::hours(1);
        let now = started + time::Duration::minutes(9);
        let max_age = Duration::from_secs(600);
        let fits = |moment: OffsetDateTime| check_auth_time(moment, max_age, started, now).is_ok();
        let second = time::Duration::seconds(1);
        let oldest = started - max_age - limits::CLOCK_LEEWAY;
        assert!(fits(oldest) && fits(now + limits::CLOCK_LEEWAY));
        assert!(!fits(oldest - second) && !fits(now + limits::CLOCK_LEEWAY + second));
    }

    #[test]
    fn iat_lies_between_the_begin_of_the_attempt_and_now_give_or_take_the_leeway() {
        let started = OffsetDateTime::UNIX_EPOCH + time::Duration::hours(1);
        let now = started + time::Duration::minutes(5);
        let fits = |moment: OffsetDateTime| check_iat(moment, started, now).is_ok();
        let second = time::Duration::seconds(1);
        assert!(fits(started - limits::CLOCK_LEEWAY) && fits(now + limits::CLOCK_LEEWAY));
        assert!(!fits(started - limits::CLOCK_LEEWAY - second) && !fits(now + limits::CLOCK_LEEWAY + second));
    }
}
