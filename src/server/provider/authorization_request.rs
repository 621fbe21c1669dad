//! The authentication request (OpenID Connect Core 3.1.2.1): all of its parameters, in one place.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::url::Url;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{client_registration::ClientRegistration, parameter::Parameter};
use crate::server::settings::ResponseMode;

/// What an authentication request needs beyond the provider's settings.
pub struct AuthorizationRequest {
    /// The sealed state.
    pub state: String,
    /// Fresh for this attempt.
    pub nonce: String,
    /// The PKCE verifier; its S256 challenge is sent (RFC 7636).
    pub verifier: SecretString,
    /// What the person, or the page they are on, wants of the provider's own pages.
    pub prompt: Prompt,
    /// Who is expected to sign in.
    pub login_hint: Option<String>,
}

/// What a start wants of the provider's own pages (`prompt`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// What the operator has set.
    #[default]
    Usual,
    /// `login` with it: the person wants another account.
    AnotherAccount,
    /// `none` alone: nobody is asked anything.
    Silent,
}

/// Parameters that we send, or that would change the meaning of what we send: an authorization endpoint that has one of
/// them already would make the request ambiguous.
pub(super) const RESERVED: [&str; 18] = [
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
    "max_age",
    "acr_values",
    "ui_locales",
    "claims",
    "login_hint",
    "id_token_hint",
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
        let asked = &registration.request;
        let mut add = |name, value: String| {
            if !value.is_empty() {
                parameters.push((name, value));
            }
        };
        // `query` is what the code flow has anyway.
        if asked.response_mode == ResponseMode::FormPost {
            add("response_mode", "form_post".to_owned());
        }
        add("prompt", prompt(self.prompt, &asked.prompt));
        add("max_age", asked.max_age.map(|age| age.as_secs().to_string()).unwrap_or_default());
        add("acr_values", asked.acr_values.join(" "));
        add("ui_locales", asked.ui_locales.join(" "));
        add("claims", asked.claims.clone().unwrap_or_default());
        add("login_hint", self.login_hint.unwrap_or_default());
        parameters
    }
}

/// What the person wants and what the operator has set, together; `none` stands alone (Core 3.1.2.1).
fn prompt(wanted: Prompt, set: &[String]) -> String {
    let login = "login".to_owned();
    // Either makes the provider ask. Google knows no `login`.
    let asks = set.iter().any(|value| ["login", "select_account"].contains(&value.as_str()));
    match wanted {
        Prompt::Silent => "none".to_owned(),
        Prompt::AnotherAccount if !asks => [std::slice::from_ref(&login), set].concat().join(" "),
        Prompt::AnotherAccount | Prompt::Usual => set.join(" "),
    }
}

/// The authorization endpoint with `parameters`, behind those that it has of its own (RFC 6749 3.1).
pub(super) fn url(endpoint: &Url, parameters: &[Parameter]) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut().extend_pairs(parameters);
    url
}
