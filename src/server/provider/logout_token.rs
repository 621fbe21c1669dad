//! Logout tokens (OpenID Connect Back-Channel Logout 1.0): by them a provider says that it has ended a session, in a request
//! of its own that anybody else can make as well. So the signature is all that counts, and everything that is checked
//! here decides.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use super::{
    cache::Asker,
    fault::ProviderFault,
    id_token::{check_parties, required, text, wrong_type},
    jwt::{self, Expected, Rejection, check, no_date, numeric_date},
    openid_provider::Provider,
    set::Providers,
};
use crate::server::{
    ids::{Issuer, ProviderId, Subject},
    limits,
    log_text::clip,
};

/// A logout token that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// Whose it is.
    pub provider: ProviderId,
    /// Its issuer.
    pub issuer: Issuer,
    /// `sid`: the provider's session that has ended. This or `subject` is there.
    pub sid: Option<String>,
    /// `sub`: the person whose session, or whose sessions, have ended.
    pub subject: Option<Subject>,
    /// `iat`: when.
    pub issued: OffsetDateTime,
    /// `jti`: no other token of this issuer for this client has the same.
    pub id: String,
}

/// Why a logout token is not accepted.
#[derive(Debug)]
pub struct Refused {
    /// The provider that it claims to be from, if that is one of ours.
    pub provider: Option<ProviderId>,
    /// What is in the way.
    pub because: Because,
}

/// What is in the way of a logout token.
#[derive(Debug)]
pub enum Because {
    /// It would not be accepted the next time either.
    Token(String),
    /// The provider's keys are not to be had now.
    Keys(ProviderFault),
}

/// The kinds of a token (`typ`) that may be a logout token. The specification recommends its own, and older providers name
/// none (BC-17).
const TYPES: [&str; 2] = ["jwt", "logout+jwt"];
/// The member of `events` that makes it one.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The claims that are checked. One that cannot be read is never taken for one that is not there.
const CHECKED: [&str; 11] = ["iss", "aud", "azp", "exp", "nbf", "iat", "jti", "sid", "sub", "events", "nonce"];

impl Providers {
    /// Checks a logout token. Until the signature is verified, `iss` and `aud` are believed only so far as to choose whose keys
    /// are to verify it.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn check_logout_token(&self, token: &str) -> Result<LogoutToken, Refused> {
        let nobodys = |what: String| Refused { provider: None, because: Because::Token(what) };
        let claims = jwt::unverified(token).map_err(nobodys)?;
        let is_from = |provider: &&std::sync::Arc<Provider>| {
            let claimed = claims.get("iss").and_then(Value::as_str);
            claimed == Some(provider.issuer().as_str()) && provider.is_audience(&claims)
        };
        let provider = self.iter().find(is_from);
        let provider = provider.ok_or_else(|| nobodys("no provider has its iss and a client in its aud".into()))?;
        let checked = provider.check_logout_token(token).await;
        checked.map_err(|because| Refused { provider: Some(provider.id().clone()), because })
    }
}

impl Provider {
    fn is_audience(&self, claims: &Map<String, Value>) -> bool {
        let us = self.registration.client_id.as_str();
        match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(|one| one == us),
            aud => aud.is_some_and(|aud| aud == us),
        }
    }

    /// With the keys at hand; where none fits, once more with the latest ones (BC-25, BC-26).
    async fn check_logout_token(&self, token: &str) -> Result<LogoutToken, Because> {
        let deadline = Instant::now() + limits::LOGOUT_TOKEN_WAIT;
        let metadata = fetched("discovery", deadline, self.metadata.get()).await?;
        let known = fetched("keys endpoint", deadline, self.keys.get()).await?;
        let mut checked = self.logout_token(token, &self.expected(&metadata, &known));
        if matches!(checked, Err(Rejection::UnknownKey(_)))
            && let Some(newer) =
                fetched("keys endpoint", deadline, self.keys.newer_than(&known, Asker::Anybody)).await?
        {
            checked = self.logout_token(token, &self.expected(&metadata, &newer));
        }
        checked.map_err(|rejection| Because::Token(clip(&rejection.into_words())))
    }

    /// In the order of Back-Channel Logout 2.6. (1: encrypted ones are not accepted. 9 and 10: what sessions there are is not
    /// asked, since there need be none.)
    pub(super) fn logout_token(&self, token: &str, expected: &Expected<'_>) -> Result<LogoutToken, Rejection> {
        // 2 and 3: the signature, as that of an ID token.
        let signed = expected.verify(token, &TYPES)?;
        if let Some(name) = CHECKED.iter().find(|name| signed.claims.damaged.iter().any(|damaged| damaged == **name)) {
            return Err(Rejection::of(format!("`{name}` cannot be read")));
        }
        self.logout_claims(&signed.claims.members, expected).map_err(Rejection::Final)
    }

    fn logout_claims(&self, claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<LogoutToken, String> {
        // 4: iss, aud, exp and iat, as those of an ID token, which need not belong to a sign-in.
        check_parties(claims, expected)?;
        required(claims, "exp")?;
        expected.check_times(claims)?;
        let issued = numeric_date(required(claims, "iat")?).ok_or_else(|| no_date("iat"))?;
        let oldest = expected.now - limits::LOGOUT_TOKEN_AGE - limits::CLOCK_LEEWAY;
        check(issued >= oldest, "iat is too long ago; is a clock wrong?")?;
        check(issued <= expected.now + limits::CLOCK_LEEWAY, "iat is in the future; is a clock wrong?")?;
        // 5: a sub, a sid, or both.
        let subject = optional(claims, "sub")?.map(|sub| Subject::new(sub).ok_or_else(|| wrong_type("sub")));
        let subject = subject.transpose()?;
        let sid = optional(claims, "sid")?.map(str::to_owned);
        check(subject.is_some() || sid.is_some(), "it has neither sub nor sid")?;
        let is_kept = |sid: &String| sid.len() <= limits::SESSION_CLAIM_BYTES;
        check(
            subject.is_some() || sid.as_ref().is_some_and(is_kept),
            "no session is known by so long a sid, and it has no sub",
        )?;
        // 6: the event.
        let event = required(claims, "events")?.get(EVENT);
        check(event.is_some_and(Value::is_object), "events has no back-channel logout, or one that is no object")?;
        // 7: an ID token has a nonce, so that neither is taken for the other.
        check(!claims.contains_key("nonce"), "it has a nonce")?;
        // 8: whether it was received before, the store knows.
        let id = text(claims, "jti")?;
        check(!id.is_empty() && id.len() <= limits::LOGOUT_TOKEN_ID_BYTES, "jti is empty or too long")?;
        Ok(LogoutToken {
            provider: self.id().clone(),
            issuer: self.issuer().clone(),
            sid,
            subject,
            issued,
            id: id.to_owned(),
        })
    }
}

async fn fetched<T>(
    what: &str,
    deadline: Instant,
    fetch: impl Future<Output = Result<T, ProviderFault>>,
) -> Result<T, Because> {
    let fetched = timeout_at(deadline, fetch).await.unwrap_or_else(|_| Err(ProviderFault::Slow(what.to_owned())));
    fetched.map_err(Because::Keys)
}

/// A text, if the claim is there at all. What would end more sessions if it were taken for missing is refused.
fn optional<'m>(claims: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, String> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    value.as_str().filter(|text| !text.is_empty()).map(Some).ok_or_else(|| wrong_type(name))
}
