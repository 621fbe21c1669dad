//! The token request and what may come back (RFC 6749 4.1.3, 5; OpenID Connect Core 3.1.3).

use std::{pin::Pin, time::Duration};

use http::StatusCode;
use openidconnect::{
    AccessToken, AsyncHttpClient, AuthorizationCode, HttpRequest, HttpResponse, OAuth2TokenResponse as _,
    PkceCodeVerifier, RequestTokenError, TokenResponse as _, core::CoreIdToken,
};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{
    ProviderFault, Redemption,
    client::{Answer, CallError, Http},
    fault::clip,
    metadata::Metadata,
    registration::Registration,
    verify,
};
use crate::server::clock::System;

/// Pauses between attempts to connect. Together they bridge a restart of a proxy, not an outage.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1500)];
/// A code lives about a minute (Authelia: exactly).
const CODE_LIFE: Duration = Duration::from_secs(60);
/// Access tokens are opaque to us, but they travel in a header (TK-12).
const ACCESS_TOKEN: usize = 128 * 1024;
/// ID tokens are read whole, twice (ID-62).
const ID_TOKEN: usize = 256 * 1024;

/// What a code was good for. A refresh token that nobody asked for is dropped unread.
pub(super) struct Tokens {
    pub(super) access_token: AccessToken,
    pub(super) id_token: CoreIdToken,
}

/// Sends the code. Once, since a code seen twice is taken for stolen (RFC 6749 4.1.2) and Authelia then revokes the
/// first answer's tokens. Two cases are certain enough to send it again: there was no connection, or the answer was
/// 429, which comes before the code is looked at.
pub(super) async fn redeem(
    http: &Http,
    metadata: &Metadata,
    ours: &Registration,
    redemption: &Redemption,
    began: Instant,
    system: &System,
) -> Result<Tokens, ProviderFault> {
    let call = TokenCall { http, ours, redemption, system };
    let last_wait = redemption.deadline.min(began + CODE_LIFE);
    let mut pauses = PAUSES.into_iter();
    let mut waited = false;
    loop {
        let request = metadata
            .client
            .exchange_code(AuthorizationCode::new(redemption.code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(redemption.verifier.expose_secret().to_owned()));
        let error = match request.request_async(&call).await {
            Ok(response) => {
                let id_token = response
                    .id_token()
                    .cloned()
                    .ok_or_else(|| ProviderFault::TokenResponse("id_token is missing".into()))?;
                return Ok(Tokens { access_token: response.access_token().clone(), id_token });
            }
            Err(RequestTokenError::Request(error)) => error,
            // `TokenCall` lets nothing pass but three strings, so it is the ID token that does not parse. The parser's own
            // words may quote it.
            Err(RequestTokenError::Parse(_, body)) => {
                let id_token = serde_json::from_slice::<Value>(&body)
                    .ok()
                    .and_then(|body| body.get("id_token")?.as_str().map(verify::unreadable));
                return Err(ProviderFault::IdToken(id_token.unwrap_or_default()));
            }
            Err(RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_)) => {
                return Err(ProviderFault::TokenResponse("the answer cannot be read".into()));
            }
        };
        let pause = match &error {
            // A certificate does not mend itself.
            CallError::NotSent(ProviderFault::Tls(_)) => None,
            CallError::NotSent(_) => pauses.next().filter(|pause| Instant::now() + *pause < redemption.deadline),
            CallError::Sent(ProviderFault::Busy { retry_after: Some(wait) }) if !waited => {
                waited = true;
                Some(*wait).filter(|wait| Instant::now() + *wait < last_wait)
            }
            CallError::Sent(_) => None,
        };
        match pause {
            Some(pause) => sleep(pause).await,
            None => return Err(error.into_fault()),
        }
    }
}

/// The token endpoint as `openidconnect` sees it: it answers with checked tokens or not at all.
struct TokenCall<'r> {
    http: &'r Http,
    ours: &'r Registration,
    redemption: &'r Redemption,
    system: &'r System,
}

impl<'c> AsyncHttpClient<'c> for TokenCall<'_> {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.http.token(request, self.redemption.deadline).await?;
            let tokens = self.check(&answer).map_err(CallError::Sent)?;
            Ok(HttpResponse::new(tokens.to_string().into_bytes()))
        })
    }
}

impl TokenCall<'_> {
    fn check(&self, answer: &Answer) -> Result<Value, ProviderFault> {
        if answer.status == StatusCode::OK {
            let members = answer.object()?;
            // TK-16: an error is one with any status.
            return if members.contains_key("access_token") { tokens(&members) } else { Err(self.refused(&members)) };
        }
        let fault = answer.refusal(self.system.now());
        if !answer.status.is_client_error() || matches!(fault, ProviderFault::Busy { .. }) {
            return Err(fault);
        }
        match answer.object() {
            Ok(members) if members.contains_key("error") => Err(self.refused(&members)),
            // RFC 6749 5.2: 401 is about the client, whatever the body.
            _ if answer.status == StatusCode::UNAUTHORIZED => Err(self.client_refused(String::new())),
            Ok(_) => Err(fault),
            Err(unreadable) => Err(unreadable),
        }
    }

    /// An error response (RFC 6749 5.2).
    fn refused(&self, members: &Map<String, Value>) -> ProviderFault {
        let member = |name| members.get(name).and_then(Value::as_str);
        let Some(error) = member("error") else {
            return ProviderFault::TokenResponse("neither access_token nor error".into());
        };
        let detail = self
            .hush(&member("error_description").map_or_else(|| error.to_owned(), |words| format!("{error}: {words}")));
        match error {
            "invalid_grant" => ProviderFault::CodeRefused(detail),
            "invalid_client" => self.client_refused(detail),
            _ => ProviderFault::TokenRefused(detail),
        }
    }

    fn client_refused(&self, detail: String) -> ProviderFault {
        ProviderFault::ClientRefused { method: self.ours.method, detail }
    }

    /// The provider's words without what we told it in confidence.
    fn hush(&self, words: &str) -> String {
        let secret = self.ours.secret.as_ref().map(|secret| secret.secret().as_str());
        let confided =
            [Some(self.redemption.code.expose_secret()), Some(self.redemption.verifier.expose_secret()), secret];
        let hushed = confided
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .fold(words.to_owned(), |words, text| words.replace(text, "[hidden]"));
        clip(&hushed)
    }
}

/// The members we use, each checked; nothing else goes on. (`expires_in` and `scope` are not used, so that neither a
/// missing nor an ill-typed one matters; TK-14, TK-25.)
fn tokens(members: &Map<String, Value>) -> Result<Value, ProviderFault> {
    let spoilt = |what: &str| ProviderFault::TokenResponse(what.into());
    let text = |name: &str| members.get(name).and_then(Value::as_str);

    let token_type = text("token_type").ok_or_else(|| spoilt("token_type is missing"))?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(ProviderFault::TokenResponse(format!("token_type is `{}`, not Bearer", clip(token_type))));
    }
    let access_token = text("access_token").ok_or_else(|| spoilt("access_token is not a string"))?;
    if access_token.is_empty() || !access_token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(spoilt("access_token is empty or has characters that no token has (RFC 6749 A.12)"));
    }
    if access_token.len() > ACCESS_TOKEN {
        return Err(spoilt("access_token is longer than 128 kB"));
    }
    let id_token =
        text("id_token").ok_or_else(|| spoilt("id_token is missing; is `openid` among the scopes allowed to us?"))?;
    if id_token.len() > ID_TOKEN {
        return Err(ProviderFault::IdToken("longer than 256 kB".into()));
    }
    Ok(json!({ "access_token": access_token, "token_type": "bearer", "id_token": id_token }))
}
