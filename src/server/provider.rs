//! The provider side: discovery and keys, the HTTP client, the code for tokens, the tokens for a verified person.
//! `openidconnect` stays in here; nothing here knows users, sessions or the store.

use std::{sync::Arc, time::Duration};

use openidconnect::url::Url;
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{ambient::Ambient, ids::{Issuer, ProviderId, Subject}, settings::{ProviderSettings, PublicUrl}, trace::Trace};

/// All configured providers.
pub struct Providers(Vec<Arc<Provider>>);

impl Providers {
    /// Prepares the providers; nothing is fetched yet.
    ///
    /// # Errors
    /// A sentence for the operator, naming the key and the mend (an unreadable `ca_file`, say).
    pub fn new(_settings: Vec<ProviderSettings>, _public_url: &PublicUrl, _ambient: &Ambient) -> Result<Self, String> {
        todo!()
    }

    /// The provider with that id.
    #[must_use]
    pub fn get(&self, id: &ProviderId) -> Option<&Arc<Provider>> {
        self.0.iter().find(|provider| provider.id() == id)
    }

    /// All of them, in the operator's order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.0.iter()
    }

    /// Fetches discovery and keys now and keeps them fresh until the future is dropped. Never fails: what cannot be
    /// had is tried again with backoff and jitter.
    pub async fn keep_fresh(&self) {
        todo!()
    }
}

/// One configured provider.
pub struct Provider {
    id: ProviderId,
}

/// Whether a sign-in could be begun now, as far as is known without asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Metadata is at hand and nothing speaks against it.
    Available,
    /// It does not answer, or answers wrongly, since then.
    Unavailable {
        /// Since when.
        since: OffsetDateTime,
        /// Stable code of the fault.
        code: &'static str,
    },
}

/// What an authentication request needs beyond the provider's own settings.
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

/// What redeeming a code needs.
pub struct Redemption {
    /// The authorization code.
    pub code: SecretString,
    /// The verifier whose challenge was sent.
    pub verifier: SecretString,
    /// The nonce that was sent.
    pub nonce: String,
    /// When the attempt began: no ID token may be older (less the leeway).
    pub started: OffsetDateTime,
    /// All of it must be over by then.
    pub deadline: Instant,
}

/// A person as the provider vouches for them, after every check. Only `provider::verify` makes one.
#[derive(Clone, Debug)]
pub struct VerifiedClaims {
    issuer: Issuer,
    subject: Subject,
    claims: Claims,
}

/// The claims we map; each is `None` when missing or of the wrong type. Userinfo, where the provider has it, else the
/// ID token (never a mixture of two subjects).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `name`
    pub name: Option<String>,
    /// `preferred_username`
    pub preferred_username: Option<String>,
    /// `username` (not standard, but seen)
    pub username: Option<String>,
    /// `nickname`
    pub nickname: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `email_verified`; `None` unless `email` is there.
    pub email_verified: Option<bool>,
    /// `groups`: `None` when missing or not a list of strings (then nobody is in any group).
    pub groups: Option<Vec<String>>,
}

impl VerifiedClaims {
    /// Who vouches.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }
    /// For whom.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }
    /// What else is said.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// What can go wrong at or with a provider. Details are for the log, escaped and capped; never for the page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderFault {
    /// No connection, or it broke before an answer.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// No complete answer in time.
    #[error("no complete answer in time: {0}")]
    Slow(String),
    /// 5xx.
    #[error("answered {status} at {endpoint}")]
    ServerError {
        /// `discovery`, `keys`, `token`, `userinfo`
        endpoint: &'static str,
        /// Its status.
        status: u16,
    },
    /// An answer that makes no sense: HTML, wrong content type, malformed or oversized body, unexpected status.
    #[error("unusable answer at {endpoint}: {detail}")]
    BadAnswer {
        /// `discovery`, `keys`, `token`, `userinfo`
        endpoint: &'static str,
        /// For the log.
        detail: String,
    },
    /// The discovery document is not acceptable (issuer differs, endpoint missing or not https, …).
    #[error("metadata: {0}")]
    Metadata(String),
    /// Its keys cannot be had or used.
    #[error("keys: {0}")]
    Keys(String),
    /// 429 that cannot be waited out.
    #[error("asks us to wait")]
    Busy {
        /// `Retry-After`, where it was sent and is sane (at most an hour).
        retry_after: Option<Duration>,
    },
    /// `invalid_grant`: the code is spent, too old, or not ours.
    #[error("refused the code: {0}")]
    CodeRefused(String),
    /// `invalid_client` or 401: our id, secret or method is wrong.
    #[error("refused the client ({method}): {detail}")]
    ClientRefused {
        /// The method used, by its registered name.
        method: &'static str,
        /// For the log.
        detail: String,
    },
    /// Another 4xx of the token endpoint.
    #[error("refused the token request: {0}")]
    TokenRefused(String),
    /// The token response lacks or spoils what it must have.
    #[error("token response: {0}")]
    TokenResponse(String),
    /// The ID token fails a check.
    #[error("ID token: {0}")]
    IdToken(String),
    /// Userinfo could not be had.
    #[error("userinfo unavailable: {0}")]
    UserinfoUnavailable(String),
    /// Userinfo fails a check (another subject, …).
    #[error("userinfo: {0}")]
    UserinfoInvalid(String),
    /// `iss` of the authorization response is not this issuer's, or is missing where it is promised (RFC 9207).
    #[error("authorization response from another issuer")]
    IssuerMismatch,
}

impl Provider {
    /// As the operator named it.
    #[must_use]
    pub const fn id(&self) -> &ProviderId {
        &self.id
    }

    /// As on its button.
    #[must_use]
    pub fn name(&self) -> &str {
        todo!()
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        todo!()
    }

    /// `<issuer>/.well-known/openid-configuration` (Discovery 4.1).
    #[must_use]
    pub fn discovery_url(&self) -> &str {
        todo!()
    }

    /// Hash of (issuer, client_id, redirect_uri): a state sealed for other settings does not open for these.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        todo!()
    }

    /// Whether a sign-in could be begun now, as far as is known without asking.
    #[must_use]
    pub fn availability(&self) -> Availability {
        todo!()
    }

    /// The URL to send the browser to. Waits for discovery if it is not there yet; the caller bounds the wait.
    ///
    /// # Errors
    /// Why discovery cannot be had.
    pub async fn authorization_url(&self, _request: AuthorizationRequest) -> Result<Url, ProviderFault> {
        todo!()
    }

    /// Checks `iss` of the authorization response (RFC 9207 2.4): equal, byte for byte, where present; present where
    /// the metadata promises it.
    ///
    /// # Errors
    /// [`ProviderFault::IssuerMismatch`], or why discovery cannot be had.
    pub async fn check_answer_issuer(&self, _iss: Option<&str>) -> Result<(), ProviderFault> {
        todo!()
    }

    /// Code for tokens, tokens for a verified person: token request, ID token checks, userinfo. Sends the code at most
    /// once, unless the request surely never left or was answered 429 with time left.
    ///
    /// # Errors
    /// See [`ProviderFault`].
    pub async fn redeem(&self, _redemption: Redemption, _trace: &mut Trace) -> Result<VerifiedClaims, ProviderFault> {
        todo!()
    }
}
