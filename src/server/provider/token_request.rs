//! The token request and its response (RFC 6749 4.1.3, 5; OpenID Connect Core 3.1.3).

use http::StatusCode;
use openidconnect::AccessToken;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::{
    client_auth::redact,
    client_registration::ClientRegistration,
    discovery::Metadata,
    fault::ProviderFault,
    http::{CallError, Endpoint, Http, ProviderResponse},
    requests::Redemption,
};
use crate::server::{clock::System, limits, log_text::clip};

/// What a code was exchanged for. A refresh token that nobody asked for is dropped unread.
pub(super) struct Tokens {
    pub(super) access_token: AccessToken,
    /// As it came; nothing of it is read yet.
    pub(super) id_token: String,
}

/// A token request.
pub(super) struct TokenRequest<'r> {
    pub(super) http: &'r Http,
    pub(super) metadata: &'r Metadata,
    pub(super) registration: &'r ClientRegistration,
    pub(super) redemption: &'r Redemption,
    pub(super) system: &'r System,
}

impl TokenRequest<'_> {
    /// Sends the code. Once, since a code that comes twice is taken for stolen (RFC 6749
    /// 4.1.2), and Authelia then revokes the tokens of the first request. In two cases it is certain enough that it may
    /// be sent again: there was no connection, or the answer was 429, which comes before the code is looked at.
    pub(super) async fn send(&self) -> Result<Tokens, ProviderFault> {
        self.send_in_time().await.map_err(|fault| fault.hiding(|words| self.redact(words)))
    }

    async fn send_in_time(&self) -> Result<Tokens, ProviderFault> {
        let until = self.redemption.deadline.min(self.redemption.send_until);
        let mut pauses = limits::TOKEN_CONNECT_PAUSES.into_iter();
        let mut waited = false;
        loop {
            let error = match self.send_once().await {
                Ok(tokens) => return Ok(tokens),
                Err(error) => error,
            };
            let pause = match &error {
                // A retry does not help against a bad certificate.
                CallError::NotSent(ProviderFault::Tls(_) | ProviderFault::ClientRefused { .. }) => None,
                CallError::NotSent(_) => pauses.next().filter(|pause| Instant::now() + *pause < until),
                CallError::Sent(ProviderFault::Busy { retry_after: Some(wait), .. }) if !waited => {
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

    /// Each time with a proof of its own: an assertion is taken once.
    async fn send_once(&self) -> Result<Tokens, CallError> {
        let Redemption { code, verifier, deadline, .. } = self.redemption;
        let endpoint = &self.metadata.token_endpoint;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.expose_secret().to_owned()),
            ("redirect_uri", self.registration.redirect_uri.to_string()),
            ("code_verifier", verifier.expose_secret().to_owned()),
        ];
        let proof = self.registration.prove(endpoint, self.system, &mut form).map_err(CallError::NotSent)?;
        let response = self.http.post(Endpoint::Token, endpoint, &form, proof, *deadline).await?;
        self.check(&response).map_err(CallError::Sent)
    }

    fn check(&self, response: &ProviderResponse) -> Result<Tokens, ProviderFault> {
        // Before anything is clipped, which could leave half of a secret.
        let said = response.words().map(|words| self.redact(words));
        if response.status == StatusCode::OK {
            let members = response.object()?.members;
            // TK-16: an error is one with any status.
            if members.contains_key("access_token") {
                return usable(&members);
            }
            return Err(match said {
                Some(said) if members.contains_key("error") => self.refused(response, Some(&members), &said),
                _ => ProviderFault::TokenResponse("neither access_token nor error".into()),
            });
        }
        if !response.status.is_client_error() || response.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(response.refusal(said, self.system.now()));
        }
        let members = response.object().map(|object| object.members);
        Err(match (&members, said) {
            (Ok(members), Some(said)) if members.contains_key("error") => self.refused(response, Some(members), &said),
            // RFC 6749 5.2: 401 is about the client, whatever the body.
            (_, said) if response.status == StatusCode::UNAUTHORIZED => {
                self.refused(response, None, said.as_deref().unwrap_or("with nothing that explains it"))
            }
            (_, Some(said)) => ProviderFault::Refused { detail: response.bad(&said).detail() },
            (Ok(_), None) => ProviderFault::Refused { detail: response.refusal(None, self.system.now()).detail() },
            (Err(unreadable), None) => ProviderFault::Refused { detail: unreadable.detail() },
        })
    }

    /// An error response (RFC 6749 5.2). Status 401 is about the client, whatever the word: for a wrong secret Keycloak
    /// says `unauthorized_client`.
    fn refused(&self, response: &ProviderResponse, members: Option<&Map<String, Value>>, said: &str) -> ProviderFault {
        let detail = clip(&format!("status {}, {said}", response.status.as_u16()));
        match members.and_then(|members| members.get("error")?.as_str()) {
            _ if response.status == StatusCode::UNAUTHORIZED => client_refused(self.registration, &detail),
            Some("invalid_client") => client_refused(self.registration, &detail),
            Some("invalid_grant") => ProviderFault::CodeRefused(detail),
            _ => ProviderFault::TokenRefused(detail),
        }
    }

    /// `words` without the secrets that were sent to the provider.
    fn redact(&self, words: String) -> String {
        let words = redact(words, self.redemption.code.expose_secret());
        let words = redact(words, self.redemption.verifier.expose_secret());
        self.registration.redact(words)
    }
}

/// What we prove ourselves with is not what is registered.
pub(super) fn client_refused(us: &ClientRegistration, detail: &str) -> ProviderFault {
    ProviderFault::ClientRefused { method: us.authentication.method, detail: clip(detail) }
}

/// The members we use, each checked; nothing else goes on. (`expires_in` and `scope` are not used, so that neither a
/// missing nor an ill-typed one matters; TK-14, TK-25.)
fn usable(members: &Map<String, Value>) -> Result<Tokens, ProviderFault> {
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
    Ok(Tokens { access_token: AccessToken::new(access_token.to_owned()), id_token: id_token.to_owned() })
}
