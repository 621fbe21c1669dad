//! The authentication request (OpenID Connect Core 3.1.2.1): all of its parameters, in one place.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::url::Url;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{client_registration::ClientRegistration, http::Parameter};

/// What an authentication request needs beyond the provider's settings.
pub struct AuthorizationRequest {
    /// The sealed state.
    pub state: String,
    /// Fresh for this attempt.
    pub nonce: String,
    /// The PKCE verifier; its S256 challenge is sent (RFC 7636).
    pub verifier: SecretString,
    /// `prompt=login`: the person wants another account.
    pub prompt_login: bool,
}

/// Parameters that we send, or that would change the meaning of what we send: an authorization endpoint that has one of
/// them already would make the request ambiguous.
pub(super) const RESERVED: [&str; 12] = [
    "response_type",
    "client_id",
    "scope",
    "redirect_uri",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "response_mode",
    "request",
    "request_uri",
];

impl AuthorizationRequest {
    /// Its parameters, each once.
    pub(super) fn parameters(self, registration: &ClientRegistration) -> Vec<Parameter> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose_secret()));
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("client_id", registration.client_id.to_string()),
            ("redirect_uri", registration.redirect_uri.to_string()),
            ("scope", registration.scopes.join(" ")),
            ("state", self.state),
            ("nonce", self.nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        if self.prompt_login {
            parameters.push(("prompt", "login".to_owned()));
        }
        parameters
    }
}

/// The authorization endpoint with `parameters`, behind those that it has of its own (RFC 6749 3.1).
pub(super) fn url(endpoint: &Url, parameters: &[Parameter]) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut().extend_pairs(parameters);
    url
}
