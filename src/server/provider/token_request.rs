//! The token request and its response (RFC 6749 4.1.3, 5; OpenID Connect Core 3.1.3).

use std::pin::Pin;

use http::StatusCode;
use openidconnect::{
    AccessToken, AsyncHttpClient, AuthorizationCode, HttpRequest, HttpResponse, OAuth2TokenResponse as _,
    PkceCodeVerifier, RequestTokenError, StandardErrorResponse, TokenResponse as _,
    core::{CoreErrorResponseType, CoreIdToken, CoreTokenResponse},
};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{
    client_auth::redact,
    client_registration::ClientRegistration,
    discovery::Metadata,
    fault::ProviderFault,
    http::{CallError, Http, ProviderResponse},
    id_token,
    requests::Redemption,
};
use crate::server::{clock::System, limits, log_text::clip};

/// What a code was exchanged for. A refresh token that nobody asked for is dropped unread.
pub(super) struct Tokens {
    pub(super) access_token: AccessToken,
    pub(super) id_token: CoreIdToken,
}

/// A token request: as `openidconnect` sees it, an HTTP client that returns checked tokens or an error.
pub(super) struct TokenRequest<'r> {
    pub(super) http: &'r Http,
    pub(super) metadata: &'r Metadata,
    pub(super) registration: &'r ClientRegistration,
    pub(super) redemption: &'r Redemption,
    pub(super) system: &'r System,
}

type RequestError = RequestTokenError<CallError, StandardErrorResponse<CoreErrorResponseType>>;

impl TokenRequest<'_> {
    /// Sends the code. Once, since a code that comes twice is taken for stolen (RFC 6749
    /// 4.1.2), and Authelia then revokes the tokens of the first request. In two cases it is certain enough that it may
    /// be sent again: there was no connection, or the answer was 429, which comes before the code is looked at.
    pub(super) async fn send(&self) -> Result<Tokens, ProviderFault> {
        let until = self.redemption.deadline.min(self.redemption.send_until);
        let mut pauses = limits::TOKEN_CONNECT_PAUSES.into_iter();
        let mut waited = false;
        loop {
            let error = match self.send_once().await {
                Ok(response) => return tokens(&response),
                Err(RequestTokenError::Request(error)) => error,
                Err(error) => return Err(unreadable(error)),
            };
            let pause = match &error {
                // A retry does not help against a bad certificate.
                CallError::NotSent(ProviderFault::Tls(_)) => None,
                CallError::NotSent(_) => pauses.next().filter(|pause| Instant::now() + *pause < until),
                CallError::Sent(ProviderFault::Busy { retry_after: Some(wait) }) if !waited => {
                    waited = true;
                    Some(*wait).filter(|wait| Instant::now() + *wait < until)
                }
                CallError::Sent(_) => None,
            };
            match pause {
                Some(pause) => sleep(pause).await,
                None => return Err(error.into_fault()),
            }
        }
    }

    async fn send_once(&self) -> Result<CoreTokenResponse, RequestError> {
        let Redemption { code, verifier, .. } = self.redemption;
        self.metadata
            .client
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()))
            .request_async(self)
            .await
    }

    fn check(&self, response: &ProviderResponse) -> Result<Value, ProviderFault> {
        let fault = || response.refusal(self.system.now());
        match response.status {
            StatusCode::OK => {
                let members = response.object()?;
                // TK-16: an error is one with any status.
                if members.contains_key("access_token") {
                    usable(&members)
                } else {
                    Err(self.refused(response, &members))
                }
            }
            StatusCode::TOO_MANY_REQUESTS => Err(fault()),
            status if status.is_client_error() => match response.object() {
                Ok(members) if members.contains_key("error") => Err(self.refused(response, &members)),
                // RFC 6749 5.2: 401 is about the client, whatever the body.
                _ if status == StatusCode::UNAUTHORIZED => Err(self.client_refused("status 401".into())),
                Ok(_) => Err(ProviderFault::Refused { detail: fault().detail() }),
                Err(unreadable) => Err(ProviderFault::Refused { detail: unreadable.detail() }),
            },
            _ => Err(match fault() {
                ProviderFault::ServerError { endpoint, status, .. } => {
                    let said = response.object().ok().and_then(|members| self.said(&members));
                    ProviderFault::ServerError { endpoint, status, said: said.map(|said| clip(&said)) }
                }
                other => other,
            }),
        }
    }

    /// An error response (RFC 6749 5.2).
    fn refused(&self, response: &ProviderResponse, members: &Map<String, Value>) -> ProviderFault {
        let Some(said) = self.said(members) else {
            return ProviderFault::TokenResponse("neither access_token nor error".into());
        };
        let detail = clip(&format!("status {}, {said}", response.status.as_u16()));
        match members.get("error").and_then(Value::as_str) {
            Some("invalid_grant") => ProviderFault::CodeRefused(detail),
            Some("invalid_client") => self.client_refused(detail),
            _ => ProviderFault::TokenRefused(detail),
        }
    }

    fn client_refused(&self, detail: String) -> ProviderFault {
        ProviderFault::ClientRefused { method: self.registration.authentication.method, detail }
    }

    /// `error` and `error_description`, without the secrets that were sent to the provider.
    fn said(&self, members: &Map<String, Value>) -> Option<String> {
        let text = |name| members.get(name).and_then(Value::as_str);
        let error = text("error")?;
        let words = text("error_description").map_or_else(|| error.to_owned(), |words| format!("{error}: {words}"));
        let words = redact(words, self.redemption.code.expose_secret());
        let words = redact(words, self.redemption.verifier.expose_secret());
        Some(self.registration.authentication.redact(words))
    }
}

impl<'c> AsyncHttpClient<'c> for TokenRequest<'_> {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = self.http.token(request, self.redemption.deadline).await?;
            let members = self.check(&response).map_err(CallError::Sent)?;
            Ok(HttpResponse::new(members.to_string().into_bytes()))
        })
    }
}

/// The members we use, each checked; nothing else goes on. (`expires_in` and `scope` are not used, so that neither a
/// missing nor an ill-typed one matters; TK-14, TK-25.)
fn usable(members: &Map<String, Value>) -> Result<Value, ProviderFault> {
    let invalid = |what: &str| ProviderFault::TokenResponse(what.into());
    let text = |name: &str| members.get(name).and_then(Value::as_str);

    let token_type = text("token_type").ok_or_else(|| invalid("token_type is missing"))?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(ProviderFault::TokenResponse(format!("token_type is `{}`, not Bearer", clip(token_type))));
    }
    let access_token = text("access_token").ok_or_else(|| invalid("access_token is not a string"))?;
    if access_token.is_empty() || !access_token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(invalid("access_token is empty or has characters that no token has (RFC 6749 A.12)"));
    }
    if access_token.len() > limits::ACCESS_TOKEN_BYTES {
        return Err(invalid(&format!("access_token is longer than {} kB", limits::ACCESS_TOKEN_BYTES / 1024)));
    }
    let id_token =
        text("id_token").ok_or_else(|| invalid("id_token is missing; is `openid` among the scopes allowed to us?"))?;
    if id_token.len() > limits::ID_TOKEN_BYTES {
        return Err(ProviderFault::IdToken(format!("longer than {} kB", limits::ID_TOKEN_BYTES / 1024)));
    }
    Ok(json!({ "access_token": access_token, "token_type": "bearer", "id_token": id_token }))
}

fn tokens(response: &CoreTokenResponse) -> Result<Tokens, ProviderFault> {
    let id_token = response.id_token().ok_or_else(|| ProviderFault::TokenResponse("id_token is missing".into()))?;
    Ok(Tokens { access_token: response.access_token().clone(), id_token: id_token.clone() })
}

/// [`usable`] lets nothing pass but three strings, so it is the ID token that cannot be parsed. The parser's own words
/// may quote it.
fn unreadable(error: RequestError) -> ProviderFault {
    let RequestTokenError::Parse(_, body) = error else {
        return ProviderFault::TokenResponse("it cannot be read".into());
    };
    let why = serde_json::from_slice::<Value>(&body)
        .ok()
        .and_then(|body| body.get("id_token")?.as_str().map(id_token::why_unreadable));
    ProviderFault::IdToken(why.unwrap_or_default())
}
