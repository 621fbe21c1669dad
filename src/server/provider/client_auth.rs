//! How we authenticate at the token endpoint (OpenID Connect Core 9).

use std::sync::atomic::{AtomicBool, Ordering};

use openidconnect::{AuthType, ClientSecret};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use crate::server::{ids::ProviderId, log_text::clip, settings::ClientAuth};

/// The method that the operator registered, with what it needs.
pub(super) struct ClientAuthentication {
    /// The registered name.
    pub(super) method: &'static str,
    pub(super) auth_type: AuthType,
    pub(super) secret: Option<ClientSecret>,
    /// The log has it: the metadata are read again and again.
    warned: AtomicBool,
}

impl ClientAuthentication {
    pub(super) fn new(settings: &ClientAuth) -> Self {
        let (auth_type, method, secret) = match settings {
            ClientAuth::Basic(secret) => (AuthType::BasicAuth, "client_secret_basic", Some(secret)),
            ClientAuth::Post(secret) => (AuthType::RequestBody, "client_secret_post", Some(secret)),
            ClientAuth::None => (AuthType::RequestBody, "none", None),
        };
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        Self { method, auth_type, secret, warned: AtomicBool::new(false) }
    }

    /// Warns where the provider does not list the method. The metadata may be incomplete, since the client's own
    /// registration decides, so this is only a warning.
    pub(super) fn warn_if_not_listed(&self, metadata: &Map<String, Value>, provider: &ProviderId) {
        // Absent means client_secret_basic (Discovery 3).
        let Some(listed) = metadata.get("token_endpoint_auth_methods_supported").and_then(Value::as_array) else {
            return;
        };
        let missing = !listed.iter().any(|method| method == self.method);
        if missing && !self.warned.swap(true, Ordering::Relaxed) {
            let listed: Vec<_> = listed.iter().filter_map(Value::as_str).collect();
            tracing::warn!(
                %provider, code = "client_auth_not_listed", method = self.method, listed = clip(&listed.join(" ")),
                "the provider does not list our authentication method; set client_auth of this provider to the registered one"
            );
        }
    }
}

/// `words` without `secret`: a provider may repeat it in an error.
pub(super) fn redact(words: String, secret: &str) -> String {
    if secret.is_empty() { words } else { words.replace(secret, "[hidden]") }
}
