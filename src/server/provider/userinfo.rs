//! Userinfo (OpenID Connect Core 5.3): what else is said about the person of the ID token.

use http::StatusCode;
use openidconnect::{AccessToken, url::Url};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    client_auth::redact,
    fault::ProviderFault,
    http::{CallError, Http, ProviderResponse},
    jwt::{Expected, PLAIN, Rejection},
    strict_json::Object,
};
use crate::server::{ids::Subject, log_text::clip};

/// Asks for the claims about `subject`. Tries a second time if the first brought no usable response, since the request
/// is idempotent; without one the ID token's claims are not taken for the whole (UI-04).
pub(super) async fn request(
    http: &Http,
    url: &Url,
    access_token: &AccessToken,
    subject: &Subject,
    expected: &Expected<'_>,
    deadline: Instant,
) -> Result<Object, ProviderFault> {
    let mut response = fetch(http, url, access_token, deadline, expected).await;
    if matches!(response, Err(Failure::Transient(_))) && Instant::now() < deadline {
        response = fetch(http, url, access_token, deadline, expected).await;
    }
    let response = response.map_err(|failure| match failure {
        Failure::Transient(fault) | Failure::Permanent(fault) => fault,
    })?;

    let invalid = |what: &str| ProviderFault::UserinfoInvalid(clip(what));
    let claims = if response.media_type.as_deref() == Some("application/jwt") {
        signed(&response.body, expected).map_err(|what| invalid(&what))?
    } else if expected.registration.userinfo_algorithms.is_empty() {
        response.object()?
    } else {
        // UI-11
        return Err(invalid("it is not signed, though userinfo_signed_response_alg is set"));
    };
    // 5.3.2: byte for byte the subject of the ID token, or none of it may be used.
    if claims.members.get("sub").and_then(Value::as_str) != Some(subject.as_str()) {
        return Err(invalid("sub is missing or not the ID token's"));
    }
    Ok(claims)
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
        Ok(response) => {
            // Before it is clipped, which could leave half of a token.
            let said = response.words().map(|words| redact(words, access_token.secret()));
            let fault = unavailable(&response.refusal(said, expected.now));
            let passes = response.status.is_server_error();
            Err(if passes { Failure::Transient(fault) } else { Failure::Permanent(fault) })
        }
        // It was too large, and would be too large again.
        Err(CallError::Sent(fault @ ProviderFault::BadAnswer { .. })) => Err(Failure::Permanent(fault)),
        Err(error) => Err(Failure::Transient(unavailable(&error.into_fault()))),
    }
}

/// Checks a signed response (5.3.2, 5.3.4). `iss`, `aud` and the times count where they are present, since Authelia sends
/// none of them.
fn signed(token: &[u8], expected: &Expected<'_>) -> Result<Object, String> {
    let token = std::str::from_utf8(token).map_err(|_| "not UTF-8")?;
    let claims = expected.verify(token.trim_ascii(), &PLAIN).map_err(Rejection::into_words)?.claims;
    if let Some(name) = claims.damaged.iter().find(|name| ["iss", "aud", "exp", "nbf"].contains(&name.as_str())) {
        return Err(format!("`{name}` cannot be read"));
    }
    expected.check_issuer(&claims.members)?;
    expected.check_audience(&claims.members)?;
    expected.check_times(&claims.members)?;
    Ok(claims)
}
