//! A circuit breaker: a provider that has not answered several token requests in a row is left alone for a while, then
//! tried with one. Sign-ins that are held meanwhile keep their code, and nobody waits a whole deadline to hear what the
//! five before have found out.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{Availability, ProviderFault};
use crate::server::ids::ProviderId;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// The first pause; each failed trial doubles it.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest pause, unless the provider itself asks for a longer one …
const LONGEST: Duration = Duration::from_secs(30);
/// … which is believed up to here: somebody has to notice when it lets us in again sooner.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// While a trial is under way, others look again this soon.
const TRIAL: Duration = Duration::from_millis(500);
/// A trial that hangs is joined by another after this long: the provider may be back meanwhile.
const TRIAL_ALONE: Duration = Duration::from_secs(5);

/// The breaker of one provider.
pub(super) struct Breaker {
    provider: ProviderId,
    circuit: Mutex<Circuit>,
}

enum Circuit {
    Closed {
        failures: u32,
    },
    /// `trial`: when the one that was let through began.
    Open {
        since: OffsetDateTime,
        code: &'static str,
        until: Instant,
        pause: Duration,
        trial: Option<Instant>,
    },
}

/// Leave to send one token request. Given back unused, it says nothing about the provider.
pub struct Pass {
    breaker: Arc<Breaker>,
    /// When it began, where it is a trial.
    trial: Option<Instant>,
}

/// The circuit is open: nothing is sent before that moment.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// From when on it makes sense to ask again.
    pub until: Instant,
    /// Whether the provider itself has asked us to wait (429).
    pub asked: bool,
}

impl Breaker {
    pub(super) fn new(provider: ProviderId) -> Arc<Self> {
        Arc::new(Self { provider, circuit: Mutex::new(Circuit::Closed { failures: 0 }) })
    }

    /// Asks for leave to send.
    pub(super) fn pass(self: &Arc<Self>) -> Result<Pass, Held> {
        let now = Instant::now();
        let trial = match &mut *self.lock() {
            Circuit::Closed { .. } => None,
            Circuit::Open { code, until, trial, .. } => {
                let asked = *code == BUSY;
                if now < *until {
                    return Err(Held { until: *until, asked });
                }
                if trial.is_some_and(|began| now < began + TRIAL_ALONE) {
                    return Err(Held { until: now + TRIAL, asked });
                }
                *trial = Some(now);
                *trial
            }
        };
        Ok(Pass { breaker: Arc::clone(self), trial })
    }

    /// What the circuit says about the provider. Once its pause is over, nothing: the next sign-in will show.
    pub(super) fn availability(&self) -> Availability {
        match &*self.lock() {
            Circuit::Open { since, code, until, .. } if Instant::now() < *until => {
                Availability::Unavailable { since: *since, code }
            }
            Circuit::Open { .. } | Circuit::Closed { .. } => Availability::Available,
        }
    }

    fn succeeded(&self) {
        let before = std::mem::replace(&mut *self.lock(), Circuit::Closed { failures: 0 });
        if matches!(before, Circuit::Open { .. }) {
            tracing::info!(provider = %self.provider, code = "provider_recovered", "the provider answers token requests again");
        }
    }

    fn failed(&self, trial: bool, fault: &ProviderFault, at: OffsetDateTime) {
        let mut circuit = self.lock();
        let (since, pause) = match &mut *circuit {
            Circuit::Closed { failures } => {
                *failures = failures.saturating_add(1);
                if *failures < FAILURES {
                    return;
                }
                (at, PAUSE)
            }
            // One of those that were under way when it opened: known already.
            Circuit::Open { .. } if !trial => return,
            Circuit::Open { since, pause, .. } => (*since, pause.saturating_mul(2).min(LONGEST)),
        };
        let wait = match fault {
            ProviderFault::Busy { retry_after: Some(asked) } => (*asked).min(LONGEST_ASKED).max(pause),
            _ => pause,
        };
        *circuit = Circuit::Open { since, code: fault.code(), until: Instant::now() + wait, pause, trial: None };
        drop(circuit);
        tracing::warn!(
            provider = %self.provider, code = fault.code(), %fault,
            again_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "several token requests have failed in a row: no more are sent until the pause is over"
        );
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        // Nothing in here panics half way; a poisoned lock still holds a whole state.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code of a provider that asks us to wait.
const BUSY: &str = ProviderFault::Busy { retry_after: None }.code();

impl Pass {
    /// The provider has answered, whatever it said: it lives.
    pub(super) fn answered(mut self) {
        self.trial = None;
        self.breaker.succeeded();
    }

    /// It has not, or not as a provider would.
    pub(super) fn failed(mut self, fault: &ProviderFault, at: OffsetDateTime) {
        self.breaker.failed(self.trial.take().is_some(), fault, at);
    }
}

impl Drop for Pass {
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
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn down() -> ProviderFault {
        ProviderFault::Unreachable("down".into())
    }

    fn open() -> Arc<Breaker> {
        let breaker = Breaker::new(ProviderId::new("p"));
        for _ in 0..FAILURES {
            assert_eq!(breaker.availability(), Availability::Available);
            breaker.pass().ok().unwrap().failed(&down(), NOON);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn some_failures_in_a_row_open_it_and_one_success_forgets_them() {
        let breaker = Breaker::new(ProviderId::new("p"));
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.pass().ok().unwrap().failed(&down(), NOON);
            }
            breaker.pass().ok().unwrap().answered();
        }
        assert!(breaker.pass().is_ok());

        let breaker = open();
        assert!(breaker.pass().is_err());
        assert_eq!(breaker.availability(), Availability::Unavailable { since: NOON, code: "provider_unreachable" });
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_tries_and_the_others_wait_for_it() {
        let breaker = open();
        tokio::time::advance(PAUSE).await;
        assert_eq!(breaker.availability(), Availability::Available);
        let trial = breaker.pass().ok().unwrap();
        let held = breaker.pass().err().unwrap();
        assert_eq!((held.until, held.asked), (Instant::now() + TRIAL, false));
        trial.answered();
        assert!(breaker.pass().is_ok());
        assert!(breaker.pass().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_trial_doubles_the_pause_up_to_the_longest() {
        let breaker = open();
        let mut pause = PAUSE;
        for _ in 0..8 {
            let held = breaker.pass().err().unwrap();
            assert_eq!(held.until - Instant::now(), pause);
            tokio::time::advance(pause).await;
            breaker.pass().ok().unwrap().failed(&down(), NOON);
            pause = (pause * 2).min(LONGEST);
        }
        assert_eq!(pause, LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_given_up_lets_another_try() {
        let breaker = open();
        tokio::time::advance(PAUSE).await;
        drop(breaker.pass());
        assert!(breaker.pass().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn those_under_way_when_it_opens_neither_lengthen_the_pause_nor_end_a_trial() {
        let breaker = Breaker::new(ProviderId::new("p"));
        let mut under_way: Vec<_> = (0..20).map(|_| breaker.pass().ok().unwrap()).collect();
        for pass in under_way.drain(..15) {
            pass.failed(&down(), NOON);
        }
        assert_eq!(breaker.pass().err().unwrap().until, Instant::now() + PAUSE);
        tokio::time::advance(PAUSE).await;
        let trial = breaker.pass().ok().unwrap();
        drop(under_way.pop());
        assert!(breaker.pass().is_err(), "the trial is still under way");
        // One of the old ones comes through after all: it is back.
        under_way.pop().unwrap().answered();
        assert!(breaker.pass().is_ok());
        trial.failed(&down(), NOON);
        assert!(breaker.pass().is_ok(), "one failure of a closed circuit");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_it_opened_says_nothing_about_the_trial() {
        let breaker = Breaker::new(ProviderId::new("p"));
        let mut under_way: Vec<_> = (0..20).map(|_| breaker.pass().ok().unwrap()).collect();
        for pass in under_way.drain(..5) {
            pass.failed(&down(), NOON);
        }
        tokio::time::advance(PAUSE).await;
        let trial = breaker.pass().ok().unwrap();
        for pass in under_way {
            pass.failed(&down(), NOON);
        }
        assert_eq!(breaker.pass().err().unwrap().until, Instant::now() + TRIAL, "the trial is still under way");
        trial.failed(&down(), NOON);
        assert_eq!(breaker.pass().err().unwrap().until, Instant::now() + 2 * PAUSE, "doubled once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_hangs_is_joined_by_another_and_cannot_end_that_one() {
        let breaker = open();
        tokio::time::advance(PAUSE).await;
        let hanging = breaker.pass().ok().unwrap();
        tokio::time::advance(TRIAL_ALONE).await;
        let second = breaker.pass().ok().unwrap();
        drop(hanging);
        assert!(breaker.pass().is_err(), "the second is still under way");
        second.answered();
        assert!(breaker.pass().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_asks_for_time_is_given_it_up_to_a_minute() {
        for (asks, waits) in [(None, 2), (Some(45), 45), (Some(3600), 60)] {
            let breaker = Breaker::new(ProviderId::new("p"));
            let busy = ProviderFault::Busy { retry_after: asks.map(Duration::from_secs) };
            for _ in 0..FAILURES {
                breaker.pass().ok().unwrap().failed(&busy, NOON);
            }
            let held = breaker.pass().err().unwrap();
            assert_eq!((held.until, held.asked), (Instant::now() + Duration::from_secs(waits), true));
        }
    }
}
