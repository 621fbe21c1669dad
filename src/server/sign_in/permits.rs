//! The permits that an exchange needs before a code is sent: those of the client's rate limit, of the provider's
//! capacity and of the circuit breaker. Nothing is stored and no code is used while it waits for them.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    exchanges::{Job, Reason},
    flow::SignIn,
    rate_limit::{self, Admission, RateLimit},
};
use crate::server::{
    problem::Problem,
    provider::{
        ExchangePermit, Provider, ProviderFault,
        circuit_breaker::{self, Open},
    },
};

/// All permits that are needed to send one code; dropping them gives them back.
pub(super) struct Permits {
    client: rate_limit::Permit,
    _place: ExchangePermit,
    circuit: circuit_breaker::Permit,
}

impl Permits {
    /// Reports how the redemption ended to the rate limit and the circuit breaker.
    pub(super) fn settle(self, provider: &Provider, fault: Option<&ProviderFault>, now: OffsetDateTime) {
        match fault {
            None => self.client.accepted(),
            Some(fault) if fault.is_about_the_code() => self.client.refused(now),
            // Every other failure is the operator's or the provider's, and not the client's.
            Some(_) => drop(self.client),
        }
        provider.report(self.circuit, fault);
    }
}

impl SignIn {
    /// The rate limit at `provider`.
    pub(super) fn rate_limit(&self, provider: &Provider) -> Arc<RateLimit> {
        let limit = self.rate_limits.get(provider.id()).cloned();
        limit.unwrap_or_else(|| Arc::new(RateLimit::new(provider.id().clone(), self.system.now())))
    }

    /// Waits for the permits of `job`, until `deadline` or until its code is too old to be sent.
    pub(super) async fn permits(&self, job: &Job, deadline: Instant, code_dies: Instant) -> Result<Permits, Reason> {
        let rate_limit = self.rate_limit(&job.provider);
        let queued = job.provider.join_queue().ok_or(Problem::Busy)?;
        // A code that is dead by now would only count against us, and against everybody who signs in through us.
        let until = deadline.min(code_dies);
        let too_late = || if Instant::now() >= code_dies { Problem::AttemptExpired } else { Problem::Busy };
        loop {
            if Instant::now() >= until {
                return Err(too_late().into());
            }
            let client = match rate_limit.admit(job.client, self.system.now()) {
                Admission::Admitted(permit) => permit,
                Admission::Wait(settled) => {
                    timeout_at(until, settled.wait()).await.map_err(|_| too_late())?;
                    continue;
                }
                Admission::SlowedUntil(until) => return Err(Reason::until(Problem::TooManyFailures, until)),
            };
            let place = timeout_at(until, queued.exchange_permit()).await.map_err(|_| too_late())?;
            if !client.stands(self.system.now()) {
                continue;
            }
            match job.provider.circuit_permit() {
                Ok(circuit) => return Ok(Permits { client, _place: place, circuit }),
                // The provider asked for a pause, and the code will still be valid after it.
                Err(Open { until: again, asked: true }) if again < until => {
                    drop((client, place));
                    sleep_until(again).await;
                }
                Err(Open { until: again, asked }) => {
                    let problem = if asked { Problem::ProviderBusy } else { Problem::ProviderDown };
                    let pause = again.saturating_duration_since(Instant::now());
                    return Err(Reason::until(problem, self.system.now() + pause));
                }
            }
        }
    }
}
