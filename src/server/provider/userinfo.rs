//! Userinfo (OpenID Connect Core 5.3): what else is said about the person of the ID token.

use http::{StatusCode, header};
use openidconnect::{
    AccessToken, EmptyAdditionalClaims, SubjectIdentifier, UserInfoJsonWebToken, UserInfoVerifier,
    core::{CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm},
    url::Url,
};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    client_auth::redact,
    fault::ProviderFault,
    http::{CallError, Http, ProviderResponse},
    jwt::{self, Expected},
};
use crate::server::{ids::Subject, log_text::clip};

type Jwt = UserInfoJsonWebToken<
    EmptyAdditionalClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// Asks for the claims about `subject`. Tries a second time if the first brought no usable response, since the request
/// is idempotent; the ID token's claims are never used instead (UI-04).
pub(super) async fn request(
    http: &Http,
    url: &Url,
    access_token: &AccessToken,
    subject: &Subject,
    expected: &Expected<'_>,
    deadline: Instant,
) -> Result<Map<String, Value>, ProviderFault> {
    let mut response = fetch(http, url, access_token, deadline, expected).await;
    if matches!(response, Err(Failure::Transient(_))) && Instant::now() < deadline {
        response = fetch(http, url, access_token, deadline, expected).await;
    }
    let response = response.map_err(|failure| match failure {
        Failure::Transient(fault) | Failure::Permanent(fault) => fault,
    })?;

    let invalid = |what: &str| ProviderFault::UserinfoInvalid(clip(what));
    if response.media_type.as_deref() == Some("application/jwt") {
        return signed(&response.body, subject, expected).map_err(|what| invalid(&what));
    }
    let members = response.object()?;
    // 5.3.2: byte for byte the subject of the ID token, or none of it may be used.
    if members.get("sub").and_then(Value::as_str) != Some(subject.as_str()) {
        return Err(invalid("sub is missing or not the ID token's"));
    }
    Ok(members)
}

/// Why there is no response to use.
enum Failure {
    /// The next request may bring one.
    Transient(ProviderFault),
    /// It would bring the same.
    Permanent(ProviderFault),
}

async fn fetch(
    http: &Http,
    url: &Url,
    access_token: &AccessToken,
    deadline: Instant,
    expected: &Expected<'_>,
) -> Result<ProviderResponse, Failure> {
    let unavailable = |fault: &ProviderFault| ProviderFault::UserinfoUnavailable(fault.detail());
    match http.userinfo(url, access_token.secret(), deadline).await {
        Ok(response) if response.status == StatusCode::OK => Ok(response),
        Ok(response) if response.status.is_server_error() => {
            Err(Failure::Transient(unavailable(&response.refusal(expected.now))))
        }
        Ok(response) => {
            let fault = match challenge(&response, access_token) {
                Some(challenge) => response.bad(&challenge),
                None => response.refusal(expected.now),
            };
            Err(Failure::Permanent(unavailable(&fault)))
        }
        // It was too large, and would be too large again.
        Err(CallError::Sent(fault @ ProviderFault::BadAnswer { .. })) => Err(Failure::Permanent(fault)),
        Err(error) => Err(Failure::Transient(unavailable(&error.into_fault()))),
    }
}

/// Where a refusal says its `error` and `error_description` (RFC 6750 3).
fn challenge(response: &ProviderResponse, access_token: &AccessToken) -> Option<String> {
    let challenge = response.headers.get(header::WWW_AUTHENTICATE)?;
    let challenge = String::from_utf8_lossy(challenge.as_bytes()).into_owned();
    Some(redact(challenge, access_token.secret()))
}

/// Checks a signed response (5.3.2, 5.3.4). `openidconnect` verifies signature (RS256 only) and subject; `iss` and
/// `aud` count where they are present, since Authelia sends neither.
fn signed(token: &[u8], subject: &Subject, expected: &Expected<'_>) -> Result<Map<String, Value>, String> {
    let text = std::str::from_utf8(token).map_err(|_| "not UTF-8")?;
    let members = jwt::members(text)?;
    let token: Jwt = serde_json::from_value(Value::String(text.to_owned()))
        .map_err(|_| "not a signed JWT with userinfo claims (a claim of the wrong type?)")?;
    let verifier = UserInfoVerifier::<_, CoreJsonWebKey>::new(
        expected.registration.client_id.clone(),
        expected.registration.issuer.clone(),
        expected.keys.clone(),
        Some(SubjectIdentifier::new(subject.as_str().to_owned())),
    )
    .require_issuer_match(false)
    .require_audience_match(false);
    token.claims(&verifier).map_err(|error| jwt::words(&error))?;

    expected.check_issuer(&members)?;
    expected.check_audience(&members)?;
    expected.check_times(&members)?;
    Ok(members)
}
