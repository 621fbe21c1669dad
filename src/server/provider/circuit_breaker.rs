//! A circuit breaker: after several token requests in a row without a response, none is sent for a while, and then one
//! as a trial. Sign-ins that wait meanwhile keep their code, and nobody waits a whole deadline for a provider that is
//! known to be down.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    availability::Availability,
    fault::ProviderFault,
    outage::{OutageLog, TOKEN},
};
use crate::server::limits;

/// The circuit breaker of one provider.
pub(super) struct CircuitBreaker {
    outage: Arc<OutageLog>,
    circuit: Mutex<Circuit>,
}

enum Circuit {
    Closed {
        failures: u32,
    },
    /// `trial`: when the one request that was let through was sent.
    Open {
        since: OffsetDateTime,
        fault: ProviderFault,
        until: Instant,
        pause: Duration,
        trial: Option<Instant>,
    },
}

/// The right to send one token request. Dropped unused, it says nothing about the provider.
pub struct Permit {
    breaker: Arc<CircuitBreaker>,
    /// When it was given, where it is a trial.
    trial: Option<Instant>,
}

/// The circuit is open.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// When to request a permit again; nothing is sent before.
    pub until: Instant,
    /// Whether the provider itself has asked us to wait (429).
    pub asked: bool,
}

impl CircuitBreaker {
    pub(super) fn new(outage: Arc<OutageLog>) -> Arc<Self> {
        Arc::new(Self { outage, circuit: Mutex::new(Circuit::Closed { failures: 0 }) })
    }

    /// The right to send, if the circuit is closed or a trial is due.
    pub(super) fn permit(self: &Arc<Self>) -> Result<Permit, Open> {
        let now = Instant::now();
        let trial = match &mut *self.lock() {
            Circuit::Closed { .. } => None,
            Circuit::Open { fault, until, trial, .. } => {
                let asked = matches!(fault, ProviderFault::Busy { .. });
                if now < *until {
                    return Err(Open { until: *until, asked });
                }
                if trial.is_some_and(|began| now < began + limits::CIRCUIT_TRIAL_ALONE) {
                    return Err(Open { until: now + limits::CIRCUIT_TRIAL_POLL, asked });
                }
                *trial = Some(now);
                *trial
            }
        };
        Ok(Permit { breaker: Arc::clone(self), trial })
    }

    /// What the circuit knows about the provider's availability. Once the pause is over, no failure is known until the
    /// next sign-in.
    pub(super) fn availability(&self) -> Availability {
        match &*self.lock() {
            Circuit::Open { since, fault, until, .. } if Instant::now() < *until => {
                Availability::Unavailable { since: *since, code: fault.code(), detail: fault.detail() }
            }
            Circuit::Open { .. } | Circuit::Closed { .. } => Availability::Available,
        }
    }

    fn succeeded(&self) {
        let mut circuit = self.lock();
        let before = std::mem::replace(&mut *circuit, Circuit::Closed { failures: 0 });
        // While the lock is held: the log hears of failures and successes in the order in which they come.
        if matches!(before, Circuit::Open { .. }) {
            self.outage.works(TOKEN);
        }
    }

    fn failed(&self, trial: bool, fault: &ProviderFault, at: OffsetDateTime) {
        let mut circuit = self.lock();
        let (since, pause) = match &mut *circuit {
            Circuit::Closed { failures } => {
                *failures = failures.saturating_add(1);
                if *failures < limits::CIRCUIT_FAILURES {
                    return;
                }
                (at, limits::CIRCUIT_PAUSE)
            }
            // It was sent before the circuit opened, so it says nothing new.
            Circuit::Open { .. } if !trial => return,
            Circuit::Open { since, pause, .. } => (*since, pause.saturating_mul(2).min(limits::CIRCUIT_PAUSE_MAX)),
        };
        let wait = match fault {
            ProviderFault::Busy { retry_after: Some(asked), .. } => {
                (*asked).min(limits::CIRCUIT_RETRY_AFTER_MAX).max(pause)
            }
            _ => pause,
        };
        *circuit = Circuit::Open { since, fault: fault.clone(), until: Instant::now() + wait, pause, trial: None };
        self.outage.failed(TOKEN, fault, wait);
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        // Nothing panics while it holds the lock, so even a poisoned one holds a consistent state.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The provider has responded, even if with an error.
    pub(super) fn answered(mut self) {
        self.trial = None;
        self.breaker.succeeded();
    }

    /// It has not responded, or not as a provider does.
    pub(super) fn failed(mut self, fault: &ProviderFault, at: OffsetDateTime) {
        self.breaker.failed(self.trial.take().is_some(), fault, at);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.trial.is_some()
            && let Circuit::Open { trial, .. } = &mut *self.breaker.lock()
            && *trial == self.trial
        {
            *trial = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ids::ProviderId;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn down() -> ProviderFault {
        ProviderFault::Unreachable("down".into())
    }

    fn breaker() -> Arc<CircuitBreaker> {
        CircuitBreaker::new(OutageLog::new(ProviderId::new("p")))
    }

    fn opened() -> Arc<CircuitBreaker> {
        let breaker = breaker();
        for _ in 0..limits::CIRCUIT_FAILURES {
            assert_eq!(breaker.availability(), Availability::Available);
            breaker.permit().ok().unwrap().failed(&down(), NOON);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn some_failures_in_a_row_open_it_and_one_success_forgets_them() {
        let breaker = breaker();
        for _ in 0..3 {
            for _ in 1..limits::CIRCUIT_FAILURES {
                breaker.permit().ok().unwrap().failed(&down(), NOON);
            }
            breaker.permit().ok().unwrap().answered();
        }
        assert!(breaker.permit().is_ok());

        let breaker = opened();
        assert!(breaker.permit().is_err());
        let unavailable =
            Availability::Unavailable { since: NOON, code: "provider_unreachable", detail: down().detail() };
        assert_eq!(breaker.availability(), unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_tries_and_the_others_wait_for_it() {
        let breaker = opened();
        tokio::time::advance(limits::CIRCUIT_PAUSE).await;
        assert_eq!(breaker.availability(), Availability::Available);
        let trial = breaker.permit().ok().unwrap();
        let open = breaker.permit().err().unwrap();
        assert_eq!((open.until, open.asked), (Instant::now() + limits::CIRCUIT_TRIAL_POLL, false));
        trial.answered();
        assert!(breaker.permit().is_ok());
        assert!(breaker.permit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_trial_doubles_the_pause_up_to_the_longest() {
        let breaker = opened();
        let mut pause = limits::CIRCUIT_PAUSE;
        for _ in 0..8 {
            let open = breaker.permit().err().unwrap();
            assert_eq!(open.until - Instant::now(), pause);
            tokio::time::advance(pause).await;
            breaker.permit().ok().unwrap().failed(&down(), NOON);
            pause = (pause * 2).min(limits::CIRCUIT_PAUSE_MAX);
        }
        assert_eq!(pause, limits::CIRCUIT_PAUSE_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_given_up_lets_another_try() {
        let breaker = opened();
        tokio::time::advance(limits::CIRCUIT_PAUSE).await;
        drop(breaker.permit());
        assert!(breaker.permit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn those_under_way_when_it_opens_neither_lengthen_the_pause_nor_end_a_trial() {
        let breaker = breaker();
        let mut under_way: Vec<_> = (0..20).map(|_| breaker.permit().ok().unwrap()).collect();
        for permit in under_way.drain(..15) {
            permit.failed(&down(), NOON);
        }
        assert_eq!(breaker.permit().err().unwrap().until, Instant::now() + limits::CIRCUIT_PAUSE);
        tokio::time::advance(limits::CIRCUIT_PAUSE).await;
        let trial = breaker.permit().ok().unwrap();
        drop(under_way.pop());
        assert!(breaker.permit().is_err(), "the trial is still under way");
        // One of the earlier requests succeeds after all: the provider is back.
        under_way.pop().unwrap().answered();
        assert!(breaker.permit().is_ok());
        trial.failed(&down(), NOON);
        assert!(breaker.permit().is_ok(), "one failure of a closed circuit");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_it_opened_says_nothing_about_the_trial() {
        let breaker = breaker();
        let mut under_way: Vec<_> = (0..20).map(|_| breaker.permit().ok().unwrap()).collect();
        for permit in under_way.drain(..5) {
            permit.failed(&down(), NOON);
        }
        tokio::time::advance(limits::CIRCUIT_PAUSE).await;
        let trial = breaker.permit().ok().unwrap();
        for permit in under_way {
            permit.failed(&down(), NOON);
        }
        assert_eq!(
            breaker.permit().err().unwrap().until,
            Instant::now() + limits::CIRCUIT_TRIAL_POLL,
            "the trial is still under way"
        );
        trial.failed(&down(), NOON);
        assert_eq!(breaker.permit().err().unwrap().until, Instant::now() + 2 * limits::CIRCUIT_PAUSE, "doubled once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_hangs_is_joined_by_another_and_cannot_end_that_one() {
        let breaker = opened();
        tokio::time::advance(limits::CIRCUIT_PAUSE).await;
        let hanging = breaker.permit().ok().unwrap();
        tokio::time::advance(limits::CIRCUIT_TRIAL_ALONE).await;
        let second = breaker.permit().ok().unwrap();
        drop(hanging);
        assert!(breaker.permit().is_err(), "the second is still under way");
        second.answered();
        assert!(breaker.permit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_asks_for_time_is_given_it_up_to_a_minute() {
        for (asks, waits) in [(None, 2), (Some(45), 45), (Some(3600), 60)] {
            let breaker = breaker();
            let busy = ProviderFault::Busy { retry_after: asks.map(Duration::from_secs), said: None };
            for _ in 0..limits::CIRCUIT_FAILURES {
                breaker.permit().ok().unwrap().failed(&busy, NOON);
            }
            let open = breaker.permit().err().unwrap();
            assert_eq!((open.until, open.asked), (Instant::now() + Duration::from_secs(waits), true));
        }
    }
}
