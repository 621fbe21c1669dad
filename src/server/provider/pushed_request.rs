//! Pushed authorization requests (RFC 9126): the provider gets the parameters from us, the browser only a reference to them.

use http::StatusCode;
use openidconnect::url::Url;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    client_registration::ClientRegistration,
    fault::ProviderFault,
    http::{CallError, Endpoint, Http, ProviderResponse},
    parameter::Parameter,
    token_request,
};
use crate::server::{clock::System, limits, log_text::clip};

/// A push.
pub(super) struct PushedRequest<'r> {
    pub(super) http: &'r Http,
    pub(super) endpoint: &'r Url,
    pub(super) registration: &'r ClientRegistration,
    pub(super) parameters: &'r [Parameter],
    pub(super) system: &'r System,
}

impl PushedRequest<'_> {
    /// Pushes the parameters, and returns those that the browser takes to the provider in their place.
    ///
    /// Where there was no connection it is tried again. Whatever else fails may have been taken, and fails for the person
    /// as well, who can begin anew: a reference that is not used is forgotten by the provider.
    pub(super) async fn send(&self) -> Result<Vec<Parameter>, ProviderFault> {
        let until = Instant::now() + limits::PROVIDER_DOCUMENT_TIMEOUT;
        let mut pauses = limits::TOKEN_CONNECT_PAUSES.into_iter();
        loop {
            let fault = match self.send_once(until).await {
                Ok(reference) => {
                    return Ok(vec![
                        ("client_id", self.registration.client_id.to_string()),
                        ("request_uri", reference),
                    ]);
                }
                Err(CallError::NotSent(ProviderFault::Unreachable(detail))) => match pauses.next() {
                    Some(pause) => {
                        sleep(pause).await;
                        continue;
                    }
                    None => ProviderFault::Unreachable(detail),
                },
                Err(error) => error.into_fault(),
            };
            return Err(fault.hiding(|words| self.registration.redact(words)));
        }
    }

    async fn send_once(&self, until: Instant) -> Result<String, CallError> {
        let mut form = self.parameters.to_vec();
        let proof = self.registration.prove(self.endpoint, self.system, &mut form).map_err(CallError::NotSent)?;
        let response = self.http.post(Endpoint::Pushed, self.endpoint, &form, proof, until).await?;
        self.check(&response).map_err(CallError::Sent)
    }

    fn check(&self, response: &ProviderResponse) -> Result<String, ProviderFault> {
        // 201 is right (RFC 9126 2.2); some say 200.
        if matches!(response.status, StatusCode::CREATED | StatusCode::OK) {
            return reference(response);
        }
        let said = response.words().map(|words| self.registration.redact(words));
        if !response.status.is_client_error() || response.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(response.refusal(said, self.system.now()));
        }
        let error = response.object().ok().and_then(|object| Some(object.members.get("error")?.as_str()?.to_owned()));
        let detail = format!("status {}, {}", response.status.as_u16(), said.as_deref().unwrap_or("without a reason"));
        Err(match error.as_deref() {
            _ if response.status == StatusCode::UNAUTHORIZED => {
                token_request::client_refused(self.registration, &detail)
            }
            Some("invalid_client") => token_request::client_refused(self.registration, &detail),
            Some(_) => ProviderFault::RequestRefused(clip(&detail)),
            None => response.refusal(said, self.system.now()),
        })
    }
}

/// `request_uri`, which the browser takes along at once. It is never used a second time, so that of `expires_in` only
/// this counts: it is not over yet.
fn reference(response: &ProviderResponse) -> Result<String, ProviderFault> {
    let members = response.object()?.members;
    let reference = members.get("request_uri").and_then(Value::as_str).unwrap_or_default();
    if reference.is_empty() || !reference.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(response.bad("request_uri is missing, or no URI"));
    }
    if reference.len() > limits::REQUEST_URI_BYTES {
        return Err(response.bad(&format!("request_uri is longer than {} bytes", limits::REQUEST_URI_BYTES)));
    }
    if !members.get("expires_in").and_then(Value::as_f64).is_some_and(|seconds| seconds > 0.0) {
        return Err(response.bad("expires_in is missing, or over already"));
    }
    Ok(reference.to_owned())
}
