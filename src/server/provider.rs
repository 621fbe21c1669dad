//! The provider side: discovery and keys, the HTTP client, the code for tokens, the tokens for a verified person.
//! `openidconnect` stays in here; nothing here knows users, sessions or the store.
//!
//! A sign-in reads: `Provider::authorization_url`, then `Provider::check_answer_issuer`, then `Provider::redeem`,
//! which is token request -> ID token -> userinfo. What the crate leaves to its users is done in the files below.

/// Leaves a provider alone that does not answer.
mod breaker;
/// Which claims we take.
mod claims;
/// The HTTP client: bounded, and silent about us.
mod client;
/// Codes and words of faults.
mod fault;
/// Documents kept at hand.
mod kept;
/// The signing keys.
mod keys;
/// The discovery document and its checks.
mod metadata;
/// The token request.
mod redeem;
/// What the operator registered.
mod registration;
/// `Retry-After`.
mod retry_after;
/// JSON that says each thing once.
mod strict;
/// Userinfo.
mod userinfo;
/// The checks of signed tokens.
mod verify;

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use openidconnect::{
    AuthenticationFlow, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    core::{CoreAuthPrompt, CoreJsonWebKeySet, CoreResponseType},
    url::Url,
};
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

pub use self::breaker::{Held, Pass};
use self::{
    breaker::Breaker,
    client::{Endpoint, Http},
    kept::{Kept, Schedule},
    metadata::Metadata,
    redeem::Tokens,
    registration::Registration,
    verify::{Expected, IdTokenClaims, Refusal},
};
use super::{
    clock::System,
    ids::{Issuer, ProviderId, Subject},
    settings::{ProviderSettings, PublicUrl},
    trace::Trace,
};

/// A fetch of discovery or keys may take this long.
const FETCH: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Endpoints move seldom; while the provider is down, yesterday's are as good as any.
const METADATA: Schedule =
    Schedule { refresh: Duration::from_secs(45 * 60), max_age: HOUR, stale: Duration::from_secs(24 * 60 * 60) };
/// A key that was withdrawn is believed for an hour at most while the provider answers (JW-18), six while it does not.
const KEYS: Schedule =
    Schedule { refresh: Duration::from_secs(30 * 60), max_age: HOUR, stale: Duration::from_secs(6 * 60 * 60) };

/// All configured providers.
pub struct Providers(Vec<Arc<Provider>>);

impl Providers {
    /// Prepares the providers; nothing is fetched yet.
    ///
    /// # Errors
    /// A sentence for the operator, naming the key and the mend (an unreadable `ca_file`, say).
    pub fn new(settings: Vec<ProviderSettings>, public_url: &PublicUrl, system: &System) -> Result<Self, String> {
        settings
            .into_iter()
            .map(|settings| {
                let id = settings.id.clone();
                let provider =
                    Provider::new(settings, public_url, system).map_err(|fault| format!("provider `{id}`: {fault}"))?;
                Ok(Arc::new(provider))
            })
            .collect::<Result<_, _>>()
            .map(Self)
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
        join_all(self.iter().map(|provider| async {
            tokio::join!(provider.metadata.keep_fresh(), provider.keys.keep_fresh());
        }))
        .await;
    }
}

/// One configured provider.
pub struct Provider {
    id: ProviderId,
    name: String,
    issuer: Issuer,
    discovery_url: Url,
    registration: Arc<Registration>,
    http: Arc<Http>,
    metadata: Kept<Metadata>,
    keys: Kept<CoreJsonWebKeySet>,
    breaker: Arc<Breaker>,
    system: System,
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
    fn new(settings: ProviderSettings, public_url: &PublicUrl, system: &System) -> Result<Self, String> {
        let registration = Arc::new(Registration::new(&settings, public_url)?);
        let discovery_url = registration.discovery_url()?;
        let http = match &settings.ca_file {
            None => Http::new(registration.plain_http, None),
            Some(path) => {
                let named = |fault: String| {
                    format!("ca_file `{}`: {fault}; name a PEM file with the root certificate", path.display())
                };
                let pem = std::fs::read(path).map_err(|error| named(error.to_string()))?;
                Http::new(registration.plain_http, Some(&pem)).map_err(named)
            }
        };
        let http = Arc::new(http?);
        let metadata = Kept::new("discovery", settings.id.clone(), METADATA, system.clone(), {
            let (http, ours, url, id, system) = (
                Arc::clone(&http),
                Arc::clone(&registration),
                discovery_url.clone(),
                settings.id.clone(),
                system.clone(),
            );
            move || {
                let (http, ours, url, id, now) =
                    (Arc::clone(&http), Arc::clone(&ours), url.clone(), id.clone(), system.now());
                async move {
                    let document = http.document(Endpoint::Discovery, &url, Instant::now() + FETCH, now).await?;
                    let metadata = Metadata::check(&document, &ours)?;
                    metadata::warn_about_method(&document, &ours, &id);
                    Ok(metadata)
                }
                .boxed()
            }
        });
        let keys = Kept::new("keys", settings.id.clone(), KEYS, system.clone(), {
            let (http, metadata, system) = (Arc::clone(&http), metadata.clone(), system.clone());
            move || {
                let (http, metadata, now) = (Arc::clone(&http), metadata.clone(), system.now());
                async move {
                    let url = metadata.get().await?.jwks_uri.clone();
                    keys::read(http.document(Endpoint::Keys, &url, Instant::now() + FETCH, now).await?)
                }
                .boxed()
            }
        });
        Ok(Self {
            breaker: Breaker::new(settings.id.clone()),
            id: settings.id,
            name: settings.name,
            issuer: settings.issuer,
            discovery_url,
            registration,
            http,
            metadata,
            keys,
            system: system.clone(),
        })
    }

    /// As the operator named it.
    #[must_use]
    pub const fn id(&self) -> &ProviderId {
        &self.id
    }

    /// As on its button.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// `<issuer>/.well-known/openid-configuration` (Discovery 4.1).
    #[must_use]
    pub fn discovery_url(&self) -> &str {
        self.discovery_url.as_str()
    }

    /// Hash of (issuer, client_id, redirect_uri): a state sealed for other settings does not open for these.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        self.registration.fingerprint()
    }

    /// Whether a sign-in could be begun now, as far as is known without asking.
    #[must_use]
    pub fn availability(&self) -> Availability {
        [self.metadata.availability(), self.keys.availability(), self.breaker.availability()]
            .into_iter()
            .find(|availability| *availability != Availability::Available)
            .unwrap_or(Availability::Available)
    }

    /// Asks for leave to redeem a code.
    ///
    /// # Errors
    /// Several token requests in a row have failed: from when on it makes sense to ask again.
    pub fn pass(&self) -> Result<Pass, Held> {
        self.breaker.pass()
    }

    /// How a redemption has ended: [`Pass`] and the provider's [`availability`](Self::availability) learn from it.
    pub fn settle(&self, pass: Pass, fault: Option<&ProviderFault>) {
        match fault.filter(|fault| fault.is_trouble()) {
            None => pass.answered(),
            Some(fault) => {
                pass.failed(fault, self.system.now());
                self.metadata.doubt();
            }
        }
    }

    /// The URL to send the browser to. Waits for discovery if it is not there yet; the caller bounds the wait.
    ///
    /// # Errors
    /// Why discovery cannot be had.
    pub async fn authorization_url(&self, request: AuthorizationRequest) -> Result<Url, ProviderFault> {
        let metadata = self.metadata.get().await?;
        let AuthorizationRequest { state, nonce, verifier, prompt_login } = request;
        let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
        let mut url = metadata
            .client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(self.registration.scopes.iter().cloned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if prompt_login {
            url = url.add_prompt(CoreAuthPrompt::Login);
        }
        Ok(url.url().0)
    }

    /// Checks `iss` of the authorization response (RFC 9207 2.4): equal, byte for byte, where present; present where
    /// the metadata promises it.
    ///
    /// # Errors
    /// [`ProviderFault::IssuerMismatch`], or why discovery cannot be had.
    pub async fn check_answer_issuer(&self, iss: Option<&str>) -> Result<(), ProviderFault> {
        let fits = match iss {
            Some(iss) => iss == self.issuer.as_str(),
            None => !self.metadata.get().await?.promises_iss,
        };
        if fits { Ok(()) } else { Err(ProviderFault::IssuerMismatch) }
    }

    /// Code for tokens, tokens for a verified person: token request, ID token checks, userinfo. Sends the code at most
    /// once, unless the request surely never left or was answered 429 with time left.
    ///
    /// # Errors
    /// See [`ProviderFault`].
    pub async fn redeem(&self, redemption: Redemption, trace: &mut Trace) -> Result<VerifiedClaims, ProviderFault> {
        let deadline = redemption.deadline;
        let metadata = at_hand(&self.metadata, "discovery", deadline, trace).await?;
        // Before the code is spent: without keys it would be for nothing.
        let keys = at_hand(&self.keys, "keys", deadline, trace).await?;

        let since = Instant::now();
        let tokens =
            redeem::redeem(&self.http, &metadata, &self.registration, &redemption, trace.began(), &self.system).await;
        trace.record("token", since, result(&tokens));
        if let Err(ProviderFault::ClientRefused { method, detail }) = &tokens {
            tracing::error!(
                provider = %self.id, code = "client_refused", method, detail,
                "the provider refused the client: correct client_id or client_secret of this provider, or set its client_auth to the registered method"
            );
        }
        let tokens = tokens?;

        let (person, keys) = self.check_id_token(&tokens, &metadata, keys, &redemption, trace).await?;

        let Some(url) = &metadata.userinfo_endpoint else {
            let claims = Claims::take(&person.members);
            return Ok(person.with(self.issuer.clone(), claims));
        };
        let since = Instant::now();
        let expected = self.expected(&metadata, &keys, &redemption);
        let userinfo = userinfo::ask(&self.http, url, &tokens.access_token, &person.subject, &expected, deadline).await;
        trace.record("userinfo", since, result(&userinfo));
        let claims = Claims::take(&userinfo?);
        Ok(person.with(self.issuer.clone(), claims))
    }

    /// Checks the ID token; where no key fits, once more with the keys of now (Core 10.1.1).
    async fn check_id_token(
        &self,
        tokens: &Tokens,
        metadata: &Metadata,
        keys: Arc<CoreJsonWebKeySet>,
        redemption: &Redemption,
        trace: &mut Trace,
    ) -> Result<(IdTokenClaims, Arc<CoreJsonWebKeySet>), ProviderFault> {
        let since = Instant::now();
        let check = |keys: &CoreJsonWebKeySet| {
            verify::id_token(&tokens.id_token, &tokens.access_token, &self.expected(metadata, keys, redemption))
        };
        let mut keys = keys;
        let mut checked = check(&keys);
        if matches!(checked, Err(Refusal::Keys(_))) {
            let asked = Instant::now();
            let newer = timeout_at(redemption.deadline, self.keys.newer_than(&keys))
                .await
                .unwrap_or_else(|_| Err(slow("keys")));
            match newer {
                Ok(Some(newer)) => {
                    trace.record("keys", asked, "ok");
                    keys = newer;
                    checked = check(&keys);
                }
                // Asked a moment ago: the token's key is not the provider's.
                Ok(None) => {}
                Err(fault) => {
                    trace.record("keys", asked, fault.code());
                    return Err(fault);
                }
            }
        }
        let checked = checked.map_err(Refusal::into_fault);
        trace.record("id_token", since, result(&checked));
        Ok((checked?, keys))
    }

    fn expected<'e>(
        &'e self,
        metadata: &'e Metadata,
        keys: &'e CoreJsonWebKeySet,
        redemption: &'e Redemption,
    ) -> Expected<'e> {
        Expected {
            ours: &self.registration,
            algorithms: &metadata.algorithms,
            keys,
            nonce: &redemption.nonce,
            started: redemption.started,
            now: self.system.now(),
        }
    }
}

/// The document; waiting for it is a step of the attempt.
async fn at_hand<T: Send + Sync + 'static>(
    kept: &Kept<T>,
    step: &'static str,
    deadline: Instant,
    trace: &mut Trace,
) -> Result<Arc<T>, ProviderFault> {
    if let Some(document) = kept.ready() {
        return Ok(document);
    }
    let since = Instant::now();
    let document = timeout_at(deadline, kept.get()).await.unwrap_or_else(|_| Err(slow(step)));
    trace.record(step, since, result(&document));
    document
}

fn slow(what: &str) -> ProviderFault {
    ProviderFault::Slow(what.to_owned())
}

/// How a step ended, for the trace.
fn result<T>(outcome: &Result<T, ProviderFault>) -> &'static str {
    outcome.as_ref().map_or_else(ProviderFault::code, |_| "ok")
}
