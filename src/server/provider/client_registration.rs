//! What the operator registered at the provider, checked once.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use openidconnect::{ClientId, IssuerUrl, RedirectUrl, core::CoreJwsSigningAlgorithm, url::Url};
use sha2::{Digest as _, Sha256};

use super::{
    algorithms::named,
    client_auth::{ClientAuthentication, encoded, redact, redact_tokens},
    fault::ProviderFault,
    parameter::Parameter,
};
use crate::{
    paths,
    server::{
        clock::System,
        settings::{AuthenticationRequestSettings, ProviderSettings, PublicUrl, ResponseMode, is_loopback},
    },
};

/// Issuer, client and redirect URI: the three that make a registration, and what goes with them.
pub(super) struct ClientRegistration {
    pub(super) issuer: IssuerUrl,
    pub(super) client_id: ClientId,
    pub(super) authentication: ClientAuthentication,
    pub(super) redirect_uri: RedirectUrl,
    /// Where people come back to after sign-out at the provider, to be registered there.
    pub(super) post_logout_redirect_uri: String,
    /// Always with `openid`.
    pub(super) scopes: Vec<String>,
    /// Whether people are signed out there when they sign out here.
    pub(super) end_session: bool,
    /// Audiences that an ID token may name beside us.
    pub(super) trusted_audiences: Vec<String>,
    /// What is asked of each authentication request, and checked when its answer comes.
    pub(super) request: AuthenticationRequestSettings,
    /// Requests are pushed, though the metadata do not require it.
    pub(super) pushed_requests: bool,
    /// What ID tokens may be signed with; empty: what the provider lists.
    pub(super) id_token_algorithms: Vec<CoreJwsSigningAlgorithm>,
    /// What userinfo has to be signed with; empty: it need not be signed.
    pub(super) userinfo_algorithms: Vec<CoreJwsSigningAlgorithm>,
    /// The issuer is http on loopback, so its endpoints may be too: development.
    pub(super) plain_http: bool,
}

impl ClientRegistration {
    /// # Errors
    /// What is wrong with the settings, beginning with the key.
    pub(super) fn new(settings: &ProviderSettings, public_url: &PublicUrl) -> Result<Self, String> {
        let issuer = IssuerUrl::new(settings.issuer.as_str().to_owned())
            .map_err(|error| format!("issuer is not a URL ({error})"))?;
        let plain_http = issuer.url().scheme() == "http" && is_loopback(issuer.url());
        if issuer.url().scheme() != "https" && !plain_http {
            return Err("issuer must be https (http is for loopback development only)".into());
        }
        let redirect_uri = RedirectUrl::new(public_url.join(paths::OIDC_CALLBACK))
            .map_err(|error| format!("public_url does not make a redirect URI ({error})"))?;
        Ok(Self {
            issuer,
            client_id: ClientId::new(settings.client_id.clone()),
            authentication: ClientAuthentication::new(settings.client_auth.clone()),
            redirect_uri,
            post_logout_redirect_uri: public_url.join(paths::SIGNED_OUT),
            scopes: settings.scopes.clone(),
            end_session: settings.end_session,
            trusted_audiences: settings.trusted_audiences.clone(),
            request: settings.request.clone(),
            pushed_requests: settings.pushed_requests,
            id_token_algorithms: settings.id_token_algorithms.iter().filter_map(|name| named(name)).collect(),
            userinfo_algorithms: settings.userinfo_algorithms.iter().filter_map(|name| named(name)).collect(),
            plain_http,
        })
    }

    /// `<issuer>/.well-known/openid-configuration`; one terminating `/` of the issuer is dropped first (Discovery 4.1).
    pub(super) fn discovery_url(&self) -> Result<Url, String> {
        let issuer = self.issuer.as_str();
        let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
        Url::parse(&format!("{issuer}/.well-known/openid-configuration"))
            .map_err(|error| format!("issuer is not a URL ({error})"))
    }

    /// Puts who we are into the form of a request to `endpoint`; see [`ClientAuthentication::prove`].
    pub(super) fn prove(
        &self,
        endpoint: &Url,
        system: &System,
        form: &mut Vec<Parameter>,
    ) -> Result<Option<HeaderValue>, ProviderFault> {
        let us = (self.client_id.as_str(), self.issuer.as_str());
        self.authentication.prove(us, endpoint, system, form).ok_or_else(|| ProviderFault::ClientRefused {
            method: self.authentication.method,
            detail: "nothing was sent, since our own key does not sign".into(),
        })
    }

    /// `words` without our secret and our assertions, in any form in which it was sent or may come back: as it is, form-encoded,
    /// and in the header of RFC 7617.
    pub(super) fn redact(&self, words: String) -> String {
        let words = redact_tokens(words);
        let Some(secret) = self.authentication.secret() else { return words };
        let id = self.client_id.as_str();
        let form = encoded(secret);
        let basic = |id: &str, secret: &str| STANDARD.encode(format!("{id}:{secret}"));
        let forms = [
            basic(&encoded(id), &form),
            basic(id, secret),
            form.replace('+', "%20"),
            form.to_ascii_lowercase(),
            form,
            secret.to_owned(),
        ];
        forms.iter().fold(words, |words, form| redact(words, form))
    }

    /// Hash of (issuer, client_id, redirect_uri), and of what an attempt is checked against when it comes back, where that
    /// is set: an attempt is never judged by what it was not asked. Lengths keep neighbours apart.
    pub(super) fn fingerprint(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        [self.issuer.as_str(), self.client_id.as_str(), self.redirect_uri.as_str()].into_iter().for_each(&mut add);
        let AuthenticationRequestSettings { response_mode, max_age, acr_values, .. } = &self.request;
        if *response_mode == ResponseMode::FormPost {
            add("form_post");
        }
        if let Some(age) = max_age {
            add(&format!("max_age {}", age.as_secs()));
        }
        acr_values.iter().for_each(|value| add(&format!("acr {value}")));
        let mut fingerprint = [0; 16];
        for (byte, hashed) in fingerprint.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        fingerprint
    }
}
