//! How we authenticate at the token endpoint, and where requests are pushed (RFC 6749 2.3, OpenID Connect Core 9).

use std::sync::atomic::{AtomicBool, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use openidconnect::url::Url;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use super::{client_assertion, listed::unlisted, parameter::Parameter};
use crate::server::{
    clock::System,
    ids::ProviderId,
    settings::{AssertionKey, ClientAuth},
};

/// The method that the operator registered, with what it needs.
pub(super) struct ClientAuthentication {
    /// The registered name.
    pub(super) method: &'static str,
    proof: ClientAuth,
    /// The log has it: the metadata are read again and again.
    warned: AtomicBool,
}

impl ClientAuthentication {
    pub(super) fn new(settings: ClientAuth) -> Self {
        let method = match settings {
            ClientAuth::Basic(_) => "client_secret_basic",
            ClientAuth::Post(_) => "client_secret_post",
            ClientAuth::Assertion(AssertionKey::Secret(_), _) => "client_secret_jwt",
            ClientAuth::Assertion(AssertionKey::Private(_), _) => "private_key_jwt",
            ClientAuth::None => "none",
        };
        Self { method, proof: settings, warned: AtomicBool::new(false) }
    }

    /// The secret that both sides know, if there is one.
    pub(super) fn secret(&self) -> Option<&str> {
        match &self.proof {
            ClientAuth::Basic(secret)
            | ClientAuth::Post(secret)
            | ClientAuth::Assertion(AssertionKey::Secret(secret), _) => Some(secret.expose_secret()),
            ClientAuth::Assertion(AssertionKey::Private(_), _) | ClientAuth::None => None,
        }
    }

    /// Puts into `form` who we are, and the proof of it, as far as it does not belong in the `Authorization` header,
    /// which is returned. `None` where the key fails.
    pub(super) fn prove(
        &self,
        (id, issuer): (&str, &str),
        endpoint: &Url,
        system: &System,
        form: &mut Vec<Parameter>,
    ) -> Option<Option<HeaderValue>> {
        if let ClientAuth::Basic(secret) = &self.proof {
            // A parameter that is in the form already, as in a pushed request, may stay.
            let credentials = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret.expose_secret())));
            let mut header = HeaderValue::from_str(&format!("Basic {credentials}")).ok()?;
            header.set_sensitive(true);
            return Some(Some(header));
        }
        if !form.iter().any(|(name, _)| *name == "client_id") {
            form.push(("client_id", id.to_owned()));
        }
        match &self.proof {
            ClientAuth::Post(secret) => form.push(("client_secret", secret.expose_secret().to_owned())),
            ClientAuth::Assertion(key, audience) => {
                let assertion = client_assertion::write(key, *audience, id, issuer, endpoint, system)?;
                form.push(("client_assertion_type", client_assertion::TYPE.to_owned()));
                form.push(("client_assertion", assertion));
            }
            ClientAuth::Basic(_) | ClientAuth::None => {}
        }
        Some(None)
    }

    /// Warns where the provider does not list the method, or what signs for it.
    pub(super) fn warn_if_not_listed(&self, metadata: &Map<String, Value>, provider: &ProviderId) {
        // Absent means client_secret_basic (Discovery 3), and any algorithm.
        let not_listed = |member: &str, ours: &'static str| Some((ours, unlisted(metadata, member, &[ours])?));
        let algorithm = match &self.proof {
            ClientAuth::Assertion(key, _) => Some(client_assertion::algorithm(key)),
            _ => None,
        };
        let found = not_listed("token_endpoint_auth_methods_supported", self.method)
            .or_else(|| not_listed("token_endpoint_auth_signing_alg_values_supported", algorithm?));
        if let Some((ours, listed)) = found
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                %provider, code = "client_auth_not_listed", method = ours, listed,
                "the provider does not list our authentication method; set client_auth of this provider to the registered one"
            );
        }
    }
}

/// As in a form (RFC 6749 2.3.1).
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// `words` without `secret`: a provider may repeat it in an error.
pub(super) fn redact(words: String, secret: &str) -> String {
    if secret.is_empty() { words } else { words.replace(secret, "[hidden]") }
}

/// `words` without any JWT, or what is left of one: an assertion of ours may come back in an error.
pub(super) fn redact_tokens(words: String) -> String {
    /// How the header of each begins, in base64url: with `{"`.
    const BEGINS: &str = "eyJ";
    if !words.contains(BEGINS) {
        return words;
    }
    let mut safe = String::with_capacity(words.len());
    let mut rest = words.as_str();
    while let Some(at) = rest.find(BEGINS) {
        let (before, token) = rest.split_at(at);
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let (token, after) = token.split_at(token.find(|c| !is_part(c)).unwrap_or(token.len()));
        safe.push_str(before);
        safe.push_str(if token.contains('.') { "[hidden]" } else { token });
        rest = after;
    }
    safe.push_str(rest);
    safe
}

#[cfg(test)]
mod tests {
    use super::redact_tokens;

    #[test]
    fn no_token_is_told() {
        for (words, told) in [
            ("", ""),
            ("no token", "no token"),
            ("assertion eyJ0.eyJp.c2ln is bad", "assertion [hidden] is bad"),
            ("\"eyJ0.eyJp\", 'eyJ1.eyJq.x-_'.", "\"[hidden]\", '[hidden]'."),
            ("eyJ0 alone", "eyJ0 alone"),
            ("cut eyJ0eXAi.eyJpc3M\u{2026}", "cut [hidden]\u{2026}"),
        ] {
            assert_eq!(redact_tokens(words.to_owned()), told);
        }
    }
}
