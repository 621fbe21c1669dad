//! How many refused codes a client may cause at one provider. A provider that limits failed token requests by address
//! sees all of ours under one address (Authelia: 30 a minute, then it refuses everyone), so no client may cause more
//! than a few. A client with refused codes is slowed down, never locked out, and delays nobody else
//! (docs/decisions/rate-limit.md).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moka::{policy::EvictionPolicy, sync::Cache};
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{browser_cookie::Device, token_bucket::TokenBucket};
use crate::server::{client_address::ClientAddress, ids::ProviderId, limits};

/// Whom a code is counted for: the account that has signed in with this browser before, otherwise the client address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// All browsers of an account: others behind the same address do not slow them down.
    Device(Device),
    /// All others from one address.
    Address(ClientAddress),
}

/// The failures at one provider, in memory bounded by [`limits::CLIENTS`].
pub(super) struct RateLimit {
    provider: ProviderId,
    clients: Cache<Client, Arc<Account>>,
    /// Refusals that all clients may still cause together; only those that have used up their own are held to it.
    refusals: Mutex<TokenBucket>,
}

/// What is counted for one client.
struct Account {
    /// Of its pushed requests.
    places: Arc<Semaphore>,
    balance: Mutex<Balance>,
    /// Changes when one of its codes is no longer in flight.
    settled: watch::Sender<()>,
}

struct Balance {
    refusals: TokenBucket,
    /// When it last had no refusal left, or caused another one since.
    exhausted: Option<OffsetDateTime>,
    records: TokenBucket,
    in_flight: u32,
    /// Codes that may be in flight as long as none was refused: one more for each that is accepted.
    window: u32,
}

/// Whether a code may be sent.
pub(super) enum Admission {
    /// It may be sent.
    Admitted(Permit),
    /// Other codes of this client are in flight: try again once one of them is settled.
    Wait(Settled),
    /// It may not be sent before then.
    SlowedUntil(OffsetDateTime),
}

/// Permission to send one code. Dropping it unused counts as neither accepted nor refused.
pub(super) struct Permit {
    limit: Arc<RateLimit>,
    client: Client,
    account: Arc<Account>,
}

/// Ends when one of a client's codes is no longer in flight.
pub(super) struct Settled(watch::Receiver<()>);

impl Settled {
    pub(super) async fn wait(mut self) {
        // An error means that the account has been dropped, so there is nothing left to wait for.
        let _ = self.0.changed().await;
    }
}

impl RateLimit {
    pub(super) fn new(provider: ProviderId, now: OffsetDateTime) -> Self {
        // The least recently seen is forgotten first: by the default, the least often seen, a new one would be.
        let clients = Cache::builder()
            .max_capacity(limits::CLIENTS)
            .time_to_idle(limits::CLIENT_FORGOTTEN)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let refusals = TokenBucket::new(limits::PROVIDER_REFUSALS, limits::PROVIDER_REFUSAL_EVERY, now);
        Self { provider, clients, refusals: Mutex::new(refusals) }
    }

    /// Requests a permit to send a code of `client`.
    pub(super) fn admit(self: &Arc<Self>, client: Client, now: OffsetDateTime) -> Admission {
        let account = self.account(client, now);
        {
            let mut balance = account.balance();
            balance.refusals.refill(now);
            if let Some(until) = self.slowed_until(&balance, now) {
                return Admission::SlowedUntil(until);
            }
            if balance.in_flight >= balance.may_be_in_flight() {
                // Subscribe before the lock is released, so that no settled code is missed.
                return Admission::Wait(Settled(account.settled.subscribe()));
            }
            balance.in_flight += 1;
        }
        Admission::Admitted(Permit { limit: Arc::clone(self), client, account })
    }

    /// A place for a pushed request of `client`, kept until it is dropped: a slow provider, and somebody who begins sign-ins all
    /// the time, keep nobody else from it.
    pub(super) async fn place(&self, client: Client, now: OffsetDateTime) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.account(client, now).places).acquire_owned().await.ok()
    }

    /// Until when `client` may not send codes; `None`: it may request a permit.
    pub(super) fn slowed(&self, client: Client, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let account = self.clients.get(&client)?;
        let mut balance = account.balance();
        balance.refusals.refill(now);
        self.slowed_until(&balance, now)
    }

    /// A client that has not used up its refusals lately is never slowed down, whatever others do.
    fn slowed_until(&self, balance: &Balance, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if !balance.was_exhausted_lately(now) {
            return None;
        }
        let own = match balance.refusals.tokens {
            0 => Some(balance.refusals.next()),
            // The last token admits one code at a time: what becomes of that one is known in a moment.
            1 if balance.in_flight > 0 => Some(now + Duration::from_secs(limits::TRY_AGAIN_IN.into())),
            _ => None,
        };
        let mut together = lock(&self.refusals);
        together.refill(now);
        let all = (together.tokens == 0).then(|| together.next());
        own.max(all)
    }

    /// Whether a failed attempt of `client` that needed no code may be recorded.
    pub(super) fn may_record(&self, client: Client, now: OffsetDateTime) -> bool {
        let account = self.account(client, now);
        let mut balance = account.balance();
        balance.records.take(now)
    }

    fn account(&self, client: Client, now: OffsetDateTime) -> Arc<Account> {
        self.clients.get_with(client, || {
            Arc::new(Account {
                places: Arc::new(Semaphore::new(limits::PUSHES_PER_CLIENT)),
                balance: Mutex::new(Balance {
                    refusals: TokenBucket::new(limits::REFUSALS, limits::REFUSAL_EVERY, now),
                    exhausted: None,
                    records: TokenBucket::new(limits::RECORDS, limits::RECORD_EVERY, now),
                    in_flight: 0,
                    window: limits::REFUSALS,
                }),
                settled: watch::Sender::default(),
            })
        })
    }
}

impl Permit {
    /// Whether it still stands: not if others of this client were refused meanwhile, so many that this one would be
    /// too many.
    pub(super) fn stands(&self, now: OffsetDateTime) -> bool {
        let mut balance = self.account.balance();
        balance.refusals.refill(now);
        balance.refusals.is_full() || balance.in_flight <= balance.refusals.tokens
    }

    /// The provider has accepted the code: more of this client's may be in flight.
    pub(super) fn accepted(self) {
        let mut balance = self.account.balance();
        balance.window = (balance.window + 1).min(limits::IN_FLIGHT_MOST);
    }

    /// The provider has refused the code.
    pub(super) fn refused(self, now: OffsetDateTime) {
        let provider = &self.limit.provider;
        if lock(&self.limit.refusals).take_last(now) {
            tracing::warn!(
                code = "slowed_down", %provider,
                "the provider has refused many codes: all who have caused many of them are slowed down"
            );
        }
        let mut balance = self.account.balance();
        balance.window = limits::REFUSALS;
        let (exhausted, lately) = (balance.refusals.take_last(now), balance.was_exhausted_lately(now));
        if !exhausted && !lately {
            return;
        }
        balance.exhausted = Some(now);
        match self.client {
            // The log has it.
            _ if lately => {}
            Client::Address(address) => {
                tracing::warn!(
                    code = "slowed_down", %provider, %address,
                    "the provider has refused many codes from this address: its sign-ins are slowed down"
                );
            }
            Client::Device(_) => {
                tracing::warn!(
                    code = "slowed_down", %provider,
                    "the provider has refused many codes from the browsers of one person: their sign-ins are slowed down"
                );
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut balance = self.account.balance();
        balance.in_flight = balance.in_flight.saturating_sub(1);
        // Wakes all who wait; each requests a permit again.
        self.account.settled.send_replace(());
    }
}

impl Account {
    fn balance(&self) -> MutexGuard<'_, Balance> {
        lock(&self.balance)
    }
}

impl Balance {
    fn was_exhausted_lately(&self, now: OffsetDateTime) -> bool {
        self.exhausted.is_some_and(|exhausted| now < exhausted + limits::CLIENT_FORGOTTEN)
    }

    /// Each code in flight may be refused.
    const fn may_be_in_flight(&self) -> u32 {
        if self.refusals.is_full() { self.window } else { self.refusals.tokens }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
