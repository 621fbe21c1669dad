//! How many refused codes a client may cause at one provider. A provider that limits failed token requests by address
//! sees all of ours under one address (Authelia: 30 a minute, then it refuses everyone), so no client may cause more
//! than a few. A client with refused codes is slowed down, never locked out, and delays nobody else
//! (docs/decisions/rate-limit.md).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moka::{policy::EvictionPolicy, sync::Cache};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{browser_cookie::Device, token_bucket::TokenBucket};
use crate::server::{client_address::ClientAddress, ids::ProviderId, limits};

/// Whom a code is counted for: the browser if someone has signed in with it before, otherwise its client address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// A browser that has signed in here before: others behind the same address do not slow it down.
    Device(Device),
    /// All others from one address.
    Address(ClientAddress),
}

/// The failures at one provider, in memory bounded by [`limits::CLIENTS`].
pub(super) struct RateLimit {
    provider: ProviderId,
    clients: Cache<Client, Arc<Account>>,
    /// Refusals that all clients who have failed lately may still cause together.
    refusals: Mutex<TokenBucket>,
}

/// What is counted for one client.
struct Account {
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
            if let Some(until) = self.slowed_until(&mut balance, now) {
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

    /// Until when `client` may not send codes; `None`: it may request a permit.
    pub(super) fn slowed(&self, client: Client, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let account = self.clients.get(&client)?;
        let mut balance = account.balance();
        balance.refusals.refill(now);
        self.slowed_until(&mut balance, now)
    }

    /// A client that has not used up its refusals lately is never slowed down, whatever others do.
    fn slowed_until(&self, balance: &mut Balance, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if !balance.was_exhausted_lately(now) {
            return None;
        }
        // The last token admits one code at a time: others sent at the same time might be refused, too.
        let own = (balance.refusals.tokens == 0 || balance.refusals.tokens == 1 && balance.in_flight > 0)
            .then(|| balance.refusals.next());
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
        let exhausted = balance.refusals.take_last(now);
        if !exhausted && !balance.was_exhausted_lately(now) {
            return;
        }
        balance.exhausted = Some(now);
        match self.client {
            _ if !exhausted => {}
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
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

    fn limit() -> Arc<RateLimit> {
        Arc::new(RateLimit::new(ProviderId::new("p"), NOON))
    }

    fn address(last: u8) -> Client {
        Client::Address(ClientAddress::of(std::net::IpAddr::from([192, 0, 2, last])))
    }

    fn seconds(n: u32) -> std::time::Duration {
        std::time::Duration::from_secs(n.into())
    }

    fn permit(limit: &Arc<RateLimit>, client: Client, now: OffsetDateTime) -> Option<Permit> {
        match limit.admit(client, now) {
            Admission::Admitted(permit) => Some(permit),
            Admission::Wait(_) | Admission::SlowedUntil(_) => None,
        }
    }

    /// Codes refused of a client who sends whenever it may, for so many seconds.
    fn junk(limit: &Arc<RateLimit>, client: Client, from: OffsetDateTime, lasting: u32) -> u32 {
        let mut refused = 0;
        for second in 0..lasting {
            let now = from + seconds(second);
            while let Some(permit) = permit(limit, client, now) {
                permit.refused(now);
                refused += 1;
            }
        }
        refused
    }

    #[test]
    fn a_client_who_fails_is_slowed_down_to_one_try_every_few_seconds_and_others_are_not() {
        let limit = limit();
        for _ in 0..limits::REFUSALS {
            permit(&limit, address(1), NOON).unwrap().refused(NOON);
        }
        assert_eq!(limit.slowed(address(1), NOON), Some(NOON + limits::REFUSAL_EVERY));
        assert!(permit(&limit, address(1), NOON).is_none());
        assert!(permit(&limit, address(2), NOON).is_some());
        let later = NOON + limits::REFUSAL_EVERY;
        let one = permit(&limit, address(1), later).unwrap();
        assert!(permit(&limit, address(1), later).is_none(), "one at a time");
        one.refused(later);
        assert_eq!(limit.slowed(address(1), later), Some(later + limits::REFUSAL_EVERY));
        let much_later = later + limits::REFUSAL_EVERY * limits::REFUSALS;
        assert_eq!(limit.slowed(address(1), much_later), None);
    }

    #[test]
    fn a_browser_that_has_signed_in_before_is_counted_on_its_own() {
        let limit = limit();
        junk(&limit, address(1), NOON, 1);
        let device = Client::Device(postcard::from_bytes(&[7; 16]).unwrap());
        assert!(permit(&limit, device, NOON).is_some());
        junk(&limit, device, NOON, 1);
        assert!(limit.slowed(device, NOON).is_some());
    }

    /// A client that has had so many codes accepted that its window is as large as it gets.
    fn grown(limit: &Arc<RateLimit>, client: Client) -> Vec<Permit> {
        let most = usize::try_from(limits::IN_FLIGHT_MOST).unwrap();
        for _ in 0..most {
            permit(limit, client, NOON).unwrap().accepted();
        }
        let in_flight: Vec<_> = std::iter::from_fn(|| permit(limit, client, NOON)).collect();
        assert_eq!(in_flight.len(), most);
        in_flight
    }

    #[test]
    fn a_client_whose_codes_are_accepted_may_have_more_in_flight_until_one_is_refused() {
        let limit = limit();
        let first: Vec<_> = std::iter::from_fn(|| permit(&limit, address(1), NOON)).collect();
        assert_eq!(first.len(), limits::REFUSALS as usize);
        drop(first);
        let mut in_flight = grown(&limit, address(1));
        in_flight.pop().unwrap().refused(NOON);
        assert!(!in_flight[0].stands(NOON), "what was not sent yet waits");
        in_flight.clear();
        let after: Vec<_> = std::iter::from_fn(|| permit(&limit, address(1), NOON)).collect();
        assert_eq!(after.len(), limits::REFUSALS as usize - 1);
        assert!(after.iter().all(|permit| permit.stands(NOON)));
        assert_eq!(limit.slowed(address(1), NOON), None, "the others wait for these, and are not turned away");
    }

    #[test]
    fn not_even_a_client_who_was_good_so_far_makes_authelia_refuse_everybody_with_one_burst() {
        for (within, allowed) in [(60, 30), (2 * 60, 40), (10 * 60, 50), (60 * 60, 100)] {
            let limit = limit();
            let burst = grown(&limit, address(1));
            let mut refused = u32::try_from(burst.len()).unwrap();
            for permit in burst {
                permit.refused(NOON);
            }
            refused += junk(&limit, address(1), NOON, within);
            assert!(refused < allowed, "{refused} in {within} s");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_for_it() {
        let limit = limit();
        junk(&limit, address(1), NOON, 1);
        let earlier = NOON - time::Duration::HOUR;
        assert!(limit.slowed(address(1), earlier).unwrap() <= earlier + limits::REFUSAL_EVERY);
        assert_eq!(limit.slowed(address(1), earlier + limits::REFUSAL_EVERY), None);
    }

    #[test]
    fn a_code_that_was_neither_accepted_nor_refused_counts_for_nothing() {
        let limit = limit();
        for _ in 0..100 {
            drop(permit(&limit, address(1), NOON).unwrap());
        }
        assert_eq!(limit.slowed(address(1), NOON), None);
    }

    #[test]
    fn no_client_makes_authelia_refuse_everyone() {
        for (within, allowed) in [(60, 30), (2 * 60, 40), (10 * 60, 50), (60 * 60, 100)] {
            let refused = junk(&limit(), address(1), NOON, within);
            assert!(refused < allowed, "{refused} in {within} s");
        }
        // Nor two of them.
        let limit = limit();
        let refused: u32 = [1, 2].map(|last| junk(&limit, address(last), NOON, 120)).iter().sum();
        assert!(refused < 40, "{refused}");
    }

    #[test]
    fn clients_without_failures_are_not_slowed_down_by_those_with_failures() {
        let limit = limit();
        for last in 0..20 {
            junk(&limit, address(last), NOON, 1);
        }
        assert!(limit.slowed(address(1), NOON + seconds(30)).is_some(), "together they have caused too many");
        assert!(permit(&limit, address(99), NOON + seconds(30)).is_some());
    }

    #[test]
    fn failed_attempts_are_recorded_up_to_a_bound() {
        let limit = limit();
        let recorded = (0..200).filter(|_| limit.may_record(address(1), NOON)).count();
        assert_eq!(recorded, limits::RECORDS as usize);
        assert_eq!(limit.slowed(address(1), NOON), None, "which keeps nobody from signing in");
        assert!(limit.may_record(address(1), NOON + limits::RECORD_EVERY));
    }

    #[tokio::test]
    async fn a_waiting_client_is_woken_when_a_code_is_settled() {
        let limit = limit();
        let mut in_flight: Vec<_> = std::iter::from_fn(|| permit(&limit, address(1), NOON)).collect();
        let Admission::Wait(settled) = limit.admit(address(1), NOON) else { panic!("no place is free") };
        let waiting = settled.wait();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        in_flight.pop();
        waiting.await;
        assert!(permit(&limit, address(1), NOON).is_some());
    }
}
