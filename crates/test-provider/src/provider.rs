//! What all requests share.

use std::{net::IpAddr, sync::Mutex};

use axum::response::Response;
use http::{StatusCode, header};
use time::OffsetDateTime;

use crate::{
    clients::Client,
    config::ProviderConfig,
    error::ProviderError,
    issuer::Issuer,
    keys::{KeyName, Keys, encode},
    lock::lock,
    log::RequestLog,
    people::DemoPerson,
    profile::Profile,
    reply::json_text,
    rules::Rules,
    vault::Vault,
};

/// A provider's settings and everything that it remembers.
pub(crate) struct Provider {
    pub(crate) config: ProviderConfig,
    pub(crate) issuer: Issuer,
    pub(crate) keys: Keys,
    pub(crate) rules: Rules,
    pub(crate) log: RequestLog,
    pub(crate) vault: Mutex<Vault>,
    /// Who is signed in at every browser, whatever its cookie says and without a form.
    pub(crate) everybody_is: Mutex<Option<String>>,
}

impl Provider {
    pub(crate) fn new(config: ProviderConfig, issuer: String) -> Result<Self, ProviderError> {
        Ok(Self {
            issuer: Issuer::new(issuer, config.profile)?,
            keys: Keys::load()?,
            rules: Rules::new(),
            log: RequestLog::default(),
            vault: Mutex::default(),
            everybody_is: Mutex::default(),
            config,
        })
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.config.system.now()
    }

    /// 32 unpredictable bytes as text: 43 characters.
    pub(crate) fn random_text(&self) -> String {
        let mut bytes = [0; 32];
        self.config.system.fill(&mut bytes);
        encode(&bytes)
    }

    /// An opaque token: at Authelia 99 bytes, named by its prefix.
    pub(crate) fn opaque(&self, prefix: &str) -> String {
        match self.config.profile {
            Profile::Standard => self.random_text(),
            Profile::Authelia => format!("{prefix}{}.{}", self.random_text(), self.random_text()),
        }
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.config.clients.iter().find(|client| client.id == id)
    }

    pub(crate) fn person(&self, username: &str) -> Option<&DemoPerson> {
        self.config.people.iter().find(|person| person.username == username)
    }

    /// The 4096-bit key only where it is used: a second RSA key makes tokens without `kid` ambiguous.
    pub(crate) fn published_keys(&self) -> impl Iterator<Item = KeyName> {
        let heavy = self.config.people.iter().any(DemoPerson::is_incident);
        [Some(KeyName::Rsa2048), Some(KeyName::P256), heavy.then_some(KeyName::Rsa4096)].into_iter().flatten()
    }

    /// 429 if the address failed too often; then good requests are refused too.
    pub(crate) fn refuse_by_rate(&self, address: IpAddr) -> Option<Response> {
        let limit = self.config.rate_limit.as_ref()?;
        lock(&self.vault).is_refused(address, limit).then(|| {
            let body = r#"{"error":"temporarily_unavailable","error_description":"Too many requests failed."}"#;
            let mut response = json_text(StatusCode::TOO_MANY_REQUESTS, body.to_owned());
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
            response
        })
    }

    pub(crate) fn failed(&self, address: IpAddr) {
        if self.config.rate_limit.is_some() {
            lock(&self.vault).failed(address);
        }
    }
}
