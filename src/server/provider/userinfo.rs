//! Userinfo (OpenID Connect Core 5.3): what else is said about the person of the ID token.

use http::StatusCode;
use openidconnect::{AccessToken, url::Url};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    ProviderFault,
    client::{Answer, CallError, Http},
    fault::clip,
    verify::{self, Expected},
};
use crate::server::ids::Subject;

/// Asks for the claims about `subject`. A second time where the first brought no usable answer, since asking does no
/// harm; the ID token's claims are never taken instead (UI-04).
pub(super) async fn ask(
    http: &Http,
    url: &Url,
    access_token: &AccessToken,
    subject: &Subject,
    expected: &Expected<'_>,
    deadline: Instant,
) -> Result<Map<String, Value>, ProviderFault> {
    let mut asked = fetch(http, url, access_token, deadline, expected).await;
    if matches!(asked, Err(Trouble::Passing(_))) && Instant::now() < deadline {
        asked = fetch(http, url, access_token, deadline, expected).await;
    }
    let answer = asked.map_err(|trouble| match trouble {
        Trouble::Passing(fault) | Trouble::Lasting(fault) => fault,
    })?;

    let invalid = |what: &str| ProviderFault::UserinfoInvalid(clip(what));
    if answer.media_type.as_deref() == Some("application/jwt") {
        return verify::signed_userinfo(&answer.body, subject, expected).map_err(|what| invalid(&what));
    }
    let members = answer.object()?;
    // 5.3.2: byte for byte the subject of the ID token, or none of it may be used.
    if members.get("sub").and_then(Value::as_str) != Some(subject.as_str()) {
        return Err(invalid("sub is missing or not the ID token's"));
    }
    Ok(members)
}

enum Trouble {
    Passing(ProviderFault),
    Lasting(ProviderFault),
}

async fn fetch(
    http: &Http,
    url: &Url,
    access_token: &AccessToken,
    deadline: Instant,
    expected: &Expected<'_>,
) -> Result<Answer, Trouble> {
    let unavailable = |fault: &ProviderFault| ProviderFault::UserinfoUnavailable(clip(&fault.to_string()));
    match http.userinfo(url, access_token.secret(), deadline).await {
        Ok(answer) if answer.status == StatusCode::OK => Ok(answer),
        Ok(answer) => {
            let fault = unavailable(&answer.refusal(expected.now));
            Err(if answer.status.is_server_error() { Trouble::Passing(fault) } else { Trouble::Lasting(fault) })
        }
        // Too large; the same again would be, too.
        Err(CallError::Sent(fault @ ProviderFault::BadAnswer { .. })) => Err(Trouble::Lasting(fault)),
        Err(error) => Err(Trouble::Passing(unavailable(&error.into_fault()))),
    }
}
