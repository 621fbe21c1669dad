//! One configured OpenID Provider: what is known about it, whether it can be used, and the authorization request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use openidconnect::url::Url;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    authorization_request::{self, AuthorizationRequest},
    availability::Availability,
    cache::Cache,
    capacity::{Capacity, QueueTicket},
    circuit_breaker::{CircuitBreaker, Open, Permit},
    client_registration::ClientRegistration,
    discovery::{Discovery, Warned},
    end_session::{EndSessionRequest, RawIdToken},
    fault::ProviderFault,
    http::Http,
    jwks::Jwks,
    outage::OutageLog,
    parameter::Parameter,
    pushed_request::PushedRequest,
};
use crate::server::{
    clock::System,
    ids::{Issuer, ProviderId},
    limits,
    settings::{ProviderSettings, PublicUrl, ResponseMode},
};

/// One configured provider.
pub struct Provider {
    id: ProviderId,
    name: String,
    pub(super) issuer: Issuer,
    discovery_url: Url,
    pub(super) registration: Arc<ClientRegistration>,
    pub(super) http: Arc<Http>,
    pub(super) metadata: Arc<Cache<Discovery>>,
    pub(super) keys: Arc<Cache<Jwks>>,
    circuit_breaker: Arc<CircuitBreaker>,
    capacity: Capacity,
    pushes: Semaphore,
    /// How long the last one took, or was waited for.
    last_push_ms: AtomicU64,
    pub(super) system: System,
}

impl Provider {
    pub(super) fn new(settings: ProviderSettings, public_url: &PublicUrl, system: &System) -> Result<Self, String> {
        let registration = Arc::new(ClientRegistration::new(&settings, public_url)?);
        let discovery_url = registration.discovery_url()?;
        let http = Arc::new(http(&settings, &registration)?);
        let discovery = Discovery {
            http: Arc::clone(&http),
            url: discovery_url.clone(),
            registration: Arc::clone(&registration),
            provider: settings.id.clone(),
            system: system.clone(),
            warned: Warned::default(),
        };
        let outage = OutageLog::new(settings.id.clone());
        let metadata = Cache::new(discovery, Arc::clone(&outage), system.clone());
        let jwks = Jwks { http: Arc::clone(&http), metadata: Arc::clone(&metadata), system: system.clone() };
        let keys = Cache::new(jwks, Arc::clone(&outage), system.clone());
        Ok(Self {
            circuit_breaker: CircuitBreaker::new(outage),
            capacity: Capacity::new(limits::EXCHANGES_PER_PROVIDER, limits::EXCHANGE_QUEUE),
            pushes: Semaphore::new(limits::EXCHANGES_PER_PROVIDER),
            last_push_ms: AtomicU64::new(0),
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
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// `<issuer>/.well-known/openid-configuration` (Discovery 4.1).
    #[must_use]
    pub fn discovery_url(&self) -> &str {
        self.discovery_url.as_str()
    }

    /// Hash of the settings that an attempt depends on: a state sealed for others does not open for these.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        self.registration.fingerprint()
    }

    /// How its answers come back.
    #[must_use]
    pub fn response_mode(&self) -> ResponseMode {
        self.registration.request.response_mode
    }

    /// Fetches discovery and keys now and keeps them fresh until the future is dropped. Never fails: what cannot be
    /// fetched is tried again, with growing pauses.
    pub async fn keep_fresh(&self) {
        tokio::join!(self.metadata.keep_fresh(), self.keys.keep_fresh());
    }

    /// Whether a sign-in could begin now, as far as is known without a request.
    #[must_use]
    pub fn availability(&self) -> Availability {
        [self.metadata.availability(), self.keys.availability(), self.circuit_breaker.availability()]
            .into_iter()
            .find(|availability| *availability != Availability::Available)
            .unwrap_or(Availability::Available)
    }

    /// Whether its metadata have been good, and still can be used.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.metadata.latest().is_some()
    }

    /// A place in the queue for an exchange; `None` if the queue is full.
    #[must_use]
    pub fn join_queue(&self) -> Option<QueueTicket> {
        self.capacity.join_queue()
    }

    /// The right to redeem one code.
    ///
    /// # Errors
    /// Several token requests in a row have failed: when to try again.
    pub fn circuit_permit(&self) -> Result<Permit, Open> {
        self.circuit_breaker.permit()
    }

    /// Reports how a redemption ended to the circuit breaker, and so to [`availability`](Self::availability).
    pub fn report(&self, permit: Permit, fault: Option<&ProviderFault>) {
        match fault.filter(|fault| fault.is_outage()) {
            // It says nothing about the provider: something in front of it may have answered, or its endpoint has moved.
            None if matches!(fault, Some(ProviderFault::Refused { .. })) => {
                drop(permit);
                self.metadata.probe();
            }
            // Nor does what failed before anything was sent to it.
            None if matches!(fault, Some(ProviderFault::NoDescriptor(_))) => drop(permit),
            None => permit.answered(),
            Some(fault) => {
                permit.failed(fault, self.system.now());
                self.metadata.probe();
            }
        }
    }

    /// The URL to send the browser to. Waits for discovery if need be; the caller bounds the wait. Where the request has to be
    /// pushed, `place` is waited for first, and kept until it is: it is told how long the push is going to take.
    ///
    /// # Errors
    /// Why discovery or the push failed, or that there is no place for it.
    pub async fn authorization_url<P, F: Future<Output = Option<P>>>(
        &self,
        request: AuthorizationRequest,
        place: impl FnOnce(Duration) -> F,
    ) -> Result<Url, ProviderFault> {
        let metadata = self.metadata.get().await?;
        let mut parameters = request.parameters(&self.registration);
        if let Some(endpoint) = &metadata.pushed_endpoint {
            let _place = place(self.last_push()).await.ok_or(ProviderFault::NoPlace)?;
            parameters = self.push(endpoint, &parameters).await?;
        }
        Ok(authorization_request::url(&metadata.authorization_endpoint, &parameters))
    }

    /// The request that ends the person's session at the provider, as far as its metadata are known: nothing is fetched, and
    /// nothing is waited for. `None`: it does not offer that.
    ///
    /// `id_token` is the one of the very session that was signed out; `state` comes back with the person.
    #[must_use]
    pub fn end_session(&self, id_token: Option<&RawIdToken>, state: String) -> Option<EndSessionRequest> {
        self.metadata.latest()?.end_session.request(&self.registration, id_token, state)
    }

    fn last_push(&self) -> Duration {
        Duration::from_millis(self.last_push_ms.load(Ordering::Relaxed))
    }

    /// No more of them at once than codes: anybody can begin a sign-in.
    async fn push(&self, endpoint: &Url, parameters: &[Parameter]) -> Result<Vec<Parameter>, ProviderFault> {
        let _place = self.pushes.acquire().await;
        let Self { http, registration, system, .. } = self;
        let timed = Timed { ms: &self.last_push_ms, began: Instant::now() };
        let pushed = PushedRequest { http, endpoint, registration, parameters, system }.send().await;
        timed.ended();
        if pushed.as_ref().is_err_and(ProviderFault::is_outage) {
            self.metadata.probe();
        }
        pushed
    }

    /// Checks `iss` of the authorization response (RFC 9207 2.4): equal, byte for byte, where present; present where
    /// the metadata promises it.
    ///
    /// # Errors
    /// [`ProviderFault::IssuerMismatch`], or why discovery failed.
    pub async fn check_response_issuer(&self, iss: Option<&str>) -> Result<(), ProviderFault> {
        let fits = match iss {
            Some(iss) => iss == self.issuer.as_str(),
            None => !self.metadata.get().await?.promises_iss,
        };
        if fits { Ok(()) } else { Err(ProviderFault::IssuerMismatch) }
    }
}

fn http(settings: &ProviderSettings, registration: &ClientRegistration) -> Result<Http, String> {
    let Some(path) = &settings.ca_file else { return Http::new(registration.plain_http, None) };
    let named =
        |error: String| format!("ca_file `{}`: {error}; name a PEM file with the root certificate", path.display());
    let pem = std::fs::read(path).map_err(|error| named(error.to_string()))?;
    Http::new(registration.plain_http, Some(&pem)).map_err(named)
}

/// Notes how long something takes. What is cut short would have taken longer than that: it never shortens what is known.
struct Timed<'t> {
    ms: &'t AtomicU64,
    began: Instant,
}

impl Timed<'_> {
    fn ended(self) {
        self.ms.store(self.so_far(), Ordering::Relaxed);
    }

    fn so_far(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.ms.fetch_max(self.so_far(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_that_is_cut_short_is_not_taken_for_a_quick_one() {
        let ms = AtomicU64::new(3_000);
        let timed = || Timed { ms: &ms, began: Instant::now() };
        drop(timed());
        assert_eq!(ms.load(Ordering::Relaxed), 3_000);
        timed().ended();
        assert!(ms.load(Ordering::Relaxed) < 3_000);
    }
}
