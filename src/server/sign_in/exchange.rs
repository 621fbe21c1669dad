//! The exchange: check the response, claim the attempt, redeem the code, verify the person, find or create the account.
//! It runs in a task of its own with a total deadline. Requests only wait for it, so nothing is lost when a tab,
//! browser or proxy goes away.

use std::{convert::Infallible, pin::pin, sync::Arc};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use secrecy::SecretString;
use tokio::{
    sync::watch,
    time::{Instant, interval_at, sleep, sleep_until, timeout, timeout_at},
};
use tracing::Instrument as _;

use super::{
    authorization_response::{AuthorizationResponse, problem_of},
    delivery,
    exchanges::{Entered, Exchange, Job, Outcome, Progress, Reason},
    flow::SignIn,
    permits::Permits,
};
use crate::server::{
    accounts::{self, Provisioned},
    attempt::Verdict,
    ids::{AttemptId, OwnerToken},
    limits,
    problem::Problem,
    provider::{ProviderFault, Redemption, VerifiedClaims},
    session::Delivery,
    settings::ResponseMode,
    store::{Claimed, NewClaim, StoreError},
    trace::Trace,
};

/// The result of checking an authorization response.
enum Checked<'j> {
    /// A code to redeem.
    Code(&'j str),
    /// Unusable: the attempt fails.
    Bad(Reason),
    /// Cannot be checked yet; nothing is consumed.
    NotYet(Reason),
}

/// Removes an exchange from the list when its task ends, even by a panic.
struct Listed {
    sign_in: Arc<SignIn>,
    attempt: AttemptId,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sign_in.exchanges.remove(self.attempt);
    }
}

impl SignIn {
    /// Begins the exchange, unless this process has it under way; then that one is joined. `None`: this client has too
    /// many under way.
    pub(super) fn exchange(self: &Arc<Self>, job: Job) -> Option<Exchange> {
        let attempt = job.attempt();
        let (exchange, progress) = match self.exchanges.enter(&job) {
            Entered::New(exchange, progress) => (exchange, progress),
            Entered::UnderWay(exchange) => return Some(exchange),
            Entered::TooMany => return None,
        };
        let listed = Listed { sign_in: Arc::clone(self), attempt };
        // Whatever is logged, and however little: a line has its reference.
        let span = tracing::error_span!("sign_in", reference = %attempt.reference(), provider = %job.provider.id());
        let work = async move {
            let sign_in = &listed.sign_in;
            let outcome = sign_in.run(&job, &progress).await;
            outcome.log(&attempt.reference());
            metrics::counter!("vestibule_sign_ins_total", "outcome" => outcome.label()).increment(1);
            let not_claimed = matches!(outcome, Outcome::NotClaimed(_));
            progress.send_replace(Progress::Over(outcome));
            drop(job);
            sign_in.exchanges.over(attempt);
            if not_claimed && sign_in.exchanges.len() < limits::UNCLAIMED_MOST {
                // The store has no record of it, so the next poll has to find the result here; then it may be tried
                // again. A program that ends does not wait for that.
                tokio::spawn(async move {
                    sleep(limits::UNCLAIMED_KEPT).await;
                    drop(listed);
                });
            }
        };
        self.tasks.spawn(work.instrument(span));
        Some(exchange)
    }

    async fn run(&self, job: &Job, progress: &watch::Sender<Progress>) -> Outcome {
        let mut trace = Trace::begin();
        let deadline = trace.began() + self.rules.deadline;
        let code = match self.check_response(job, deadline).await {
            Checked::Code(code) => code,
            Checked::Bad(reason) => return self.refuse(job, reason, progress, trace).await,
            Checked::NotYet(reason) => return Outcome::NotClaimed(reason),
        };
        let code_dies = self.code_dies(job);
        let permits = match self.permits(job, deadline, code_dies).await {
            Ok(permits) => permits,
            Err(reason) => {
                // A code that is too old begins anew by itself, but not at a store that could not take the next one either.
                let away = self.store.away().filter(|_| reason.problem == Problem::AttemptExpired);
                let away = away.map(|error| Reason::of_store(&error, Problem::StoreUnavailable));
                return Outcome::NotClaimed(away.unwrap_or(reason));
            }
        };
        let since = Instant::now();
        let claim = self.new_claim(job);
        match self.with_retries(deadline.min(code_dies), progress, || self.store.claim(&claim)).await {
            Ok(Claimed::Ours) => trace.record("claim", since, "ok", None),
            Ok(Claimed::Before(attempt)) => return Outcome::ClaimedBefore(attempt),
            Err(error) => return Outcome::NotClaimed(Reason::of_store(&error, Problem::StoreUnavailable)),
        }
        progress.send_replace(Progress::Claimed);
        tokio::select! {
            outcome = async {
                let redeemed = self.redeem(job, (code, code_dies), permits, progress, &mut trace).await;
                self.settle(&claim, redeemed, deadline, progress, &trace).await
            } => outcome,
            never = self.keep_lease(&claim) => match never {},
        }
    }

    /// Whether the response comes from the expected issuer (RFC 9207 2.4), and what it contains.
    async fn check_response<'j>(&self, job: &'j Job, deadline: Instant) -> Checked<'j> {
        let problem = match &job.received.response {
            AuthorizationResponse::Malformed => return Checked::Bad(Problem::AnswerMalformed.into()),
            // Form Post Response Mode 2: a code that was to stay out of addresses is not taken from one, nor the reverse.
            AuthorizationResponse::Code { .. } if job.received.mode != job.provider.response_mode() => {
                let came = if job.received.mode == ResponseMode::FormPost { "in a form" } else { "in the query" };
                let detail = format!("{}: the code came {came}", job.provider.id());
                return Checked::Bad(Reason::with_detail(Problem::ResponseModeMismatch, Some(detail)));
            }
            AuthorizationResponse::Code { code, iss } => {
                let checked = timeout_at(deadline, job.provider.check_response_issuer(iss.as_deref())).await;
                return match checked {
                    Ok(Ok(())) => Checked::Code(code),
                    Ok(Err(fault @ ProviderFault::IssuerMismatch)) => Checked::Bad(self.reason(&fault)),
                    // Without the metadata it is not known whether `iss` is required.
                    Ok(Err(fault)) => Checked::NotYet(self.reason(&fault)),
                    Err(_) => Checked::NotYet(Problem::ProviderSlow.into()),
                };
            }
            // An error response does not wait for the provider's metadata.
            AuthorizationResponse::Error { error, iss, .. } => {
                let checked = job.provider.check_response_issuer(iss.as_deref()).now_or_never();
                if let Some(Err(fault @ ProviderFault::IssuerMismatch)) = checked {
                    return Checked::Bad(self.reason(&fault));
                }
                problem_of(error)
            }
        };
        Checked::Bad(Reason::with_detail(problem, job.received.response.words()))
    }

    /// Records the attempt of an unusable response as failed, up to the limit of recorded failures per client. The
    /// person gets the same explanation whether or not it is recorded.
    async fn refuse(&self, job: &Job, reason: Reason, progress: &watch::Sender<Progress>, mut trace: Trace) -> Outcome {
        if !self.rate_limit(&job.provider).may_record(job.client, self.system.now()) {
            return Outcome::NotClaimed(reason);
        }
        let claim = self.new_claim(job);
        match self.store.claim(&claim).await {
            Ok(Claimed::Ours) => {}
            Ok(Claimed::Before(attempt)) => return Outcome::ClaimedBefore(attempt),
            Err(error) => {
                tracing::debug!(code = "store_unavailable", detail = %error, "the failed sign-in could not be recorded");
                return Outcome::NotClaimed(reason);
            }
        }
        trace.record("authorization_response", trace.began(), reason.problem.code(), reason.said.detail.clone());
        let soon = Instant::now() + limits::LEASE;
        self.settle(&claim, Err(reason), soon, progress, &trace).await
    }

    fn new_claim(&self, job: &Job) -> NewClaim {
        let state = &job.state.state;
        NewClaim {
            id: state.attempt,
            owner: OwnerToken::new(self.system.bytes()),
            provider: state.provider.clone(),
            browser: state.browser,
            code: job.received.response.code_hash(),
            session: job.state.secrets(&self.keys, &job.browser_key).session_id().hash(),
            started: state.started,
            claimed: self.system.now(),
        }
    }

    /// From the code to an account. The attempt is claimed, so a failure ends this attempt and no other.
    async fn redeem(
        &self,
        job: &Job,
        (code, code_dies): (&str, Instant),
        permits: Permits,
        progress: &watch::Sender<Progress>,
        trace: &mut Trace,
    ) -> Result<Delivery, Reason> {
        let deadline = trace.began() + self.rules.deadline;
        let secrets = job.state.secrets(&self.keys, &job.browser_key);
        let redemption = Redemption {
            code: SecretString::from(code),
            verifier: secrets.verifier(),
            nonce: secrets.nonce(),
            started: job.state.state.started,
            send_until: code_dies,
            deadline,
        };
        let redeemed = match timeout_at(deadline, job.provider.redeem(redemption, trace)).await {
            Ok(redeemed) => redeemed,
            Err(_) => Err(ProviderFault::Slow("the whole exchange".into())),
        };
        permits.settle(&job.provider, redeemed.as_ref().err(), self.system.now());
        let claims = redeemed.map_err(|fault| self.reason(&fault))?;
        self.account(job, &claims, (deadline, progress), trace).await
    }

    async fn account(
        &self,
        job: &Job,
        claims: &VerifiedClaims,
        (deadline, progress): (Instant, &watch::Sender<Progress>),
        trace: &mut Trace,
    ) -> Result<Delivery, Reason> {
        let since = Instant::now();
        let discovery_url = job.provider.discovery_url();
        let provision = || accounts::provision(&*self.store, &self.users, claims, discovery_url, &self.system);
        let result: Result<_, Reason> = match self.with_retries(deadline, progress, provision).await {
            Ok(Provisioned::User(user)) => {
                // Its role, or its name, may be another from now on.
                self.sessions.user_changed(&user.id);
                let (facts, id_token) = (delivery::facts(claims), claims.id_token().cloned());
                Ok(Delivery { user: user.id, facts, id_token })
            }
            Ok(Provisioned::NotAllowed(why)) => Err(Reason::with_detail(Problem::NotAllowed, Some(why))),
            Ok(Provisioned::Unknown) => Err(Problem::UserUnknown.into()),
            Ok(Provisioned::Disabled) => Err(Problem::UserDisabled.into()),
            // The code has been used, so a retry cannot succeed: the person has to start again.
            Err(error) => Err(Reason::of_store(&error, Problem::Interrupted)),
        };
        let code = result.as_ref().map_or_else(|reason| reason.problem.code(), |_| "ok");
        let detail = result.as_ref().err().and_then(|reason| reason.said.detail.clone());
        trace.record("user", since, code, detail);
        result
    }

    /// Stores the verdict.
    async fn settle(
        &self,
        claim: &NewClaim,
        ended: Result<Delivery, Reason>,
        deadline: Instant,
        progress: &watch::Sender<Progress>,
        trace: &Trace,
    ) -> Outcome {
        let (verdict, outcome) = match ended {
            Ok(delivery) => {
                let sealed = self.keys.seal_bytes(claim.id.as_bytes(), &delivery, &self.system);
                (Verdict::Verified { at: self.system.now(), delivery: sealed }, Outcome::Verified(delivery))
            }
            Err(reason) => {
                let code = reason.problem.code().to_owned();
                (Verdict::Failed { code, retry_at: reason.retry_at }, Outcome::Failed(reason))
            }
        };
        // Take some time beyond the deadline: if the verdict is lost, the person has to start again.
        let until = deadline.max(Instant::now() + limits::LEASE);
        let store = || self.store.settle(claim.id, claim.owner, &verdict, trace.steps());
        match self.with_retries(until, progress, store).await {
            Ok(true) => outcome,
            Ok(false) => Outcome::Failed(Problem::Interrupted.into()),
            Err(error) => Outcome::Failed(Reason::of_store(&error, Problem::Interrupted)),
        }
    }

    /// Renews the lease at a steady pace. A renewal that takes long is neither cut off, which would cost the driver its
    /// connection, nor waited for: by then the lease would be over. Nor is one that fails a reason to give up, since
    /// the verdict is compared and set.
    async fn keep_lease(&self, claim: &NewClaim) -> Infallible {
        let mut due = interval_at(Instant::now() + limits::RENEW_LEASE, limits::RENEW_LEASE);
        let mut renewals = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = due.tick() => renewals.push(self.store.renew(claim.id, claim.owner)),
                // Every one, also those that went well: else the select would not look at the others until the next tick.
                Some(renewed) = renewals.next() => if let Err(error) = renewed {
                    tracing::debug!(code = "store_unavailable", detail = %error, "the lease of a sign-in was not renewed");
                },
            }
        }
    }

    /// Until when the code may be sent: it began to age when it first came, to whichever process.
    fn code_dies(&self, job: &Job) -> Instant {
        let age = self.system.now() - job.received.came;
        let left = limits::CODE_LIFE.saturating_sub(age.try_into().unwrap_or_default());
        Instant::now() + left
    }

    /// What a fault of the provider means for the sign-in.
    fn reason(&self, fault: &ProviderFault) -> Reason {
        let problem = Problem::from_code(fault.code()).unwrap_or(Problem::ProviderBadAnswer);
        let retry_at = match fault {
            ProviderFault::Busy { retry_after, .. } => {
                Some(self.system.now() + retry_after.unwrap_or(limits::RETRY_BUSY_AFTER))
            }
            _ => None,
        };
        Reason { retry_at, ..Reason::with_detail(problem, Some(fault.to_string())) }
    }

    /// Retries an operation of the store until `deadline` while the store is unavailable; where it is known to be away,
    /// those who wait are told, in `progress`. A refusal is believed when it is repeated: then nothing is claimed, or they
    /// are told, too. Only for idempotent operations.
    async fn with_retries<T, F>(
        &self,
        deadline: Instant,
        progress: &watch::Sender<Progress>,
        mut operation: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let [.., last] = limits::STORE_PAUSES;
        let mut pauses = limits::STORE_PAUSES.into_iter();
        let claimed = progress.borrow().is_claimed();
        let tell = |error: &StoreError| {
            let reason = Reason::of_store(error, Problem::StoreUnavailable);
            progress.send_replace(Progress::Held { claimed, reason });
        };
        let mut refused = false;
        loop {
            let mut tried = pin!(timeout_at(deadline, operation()));
            let answer = match self.store.away() {
                None => tried.await,
                // It may be back since it was last checked.
                Some(error) => match timeout(limits::STORE_SLOW, &mut tried).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        tell(&error);
                        tried.await
                    }
                },
            };
            let error = match answer {
                Ok(Err(error)) => error,
                Ok(result) => return result,
                Err(_) => return Err(StoreError::late()),
            };
            let told = match &error {
                StoreError::Unavailable(_) => self.store.away().is_some(),
                StoreError::Refused { .. } => std::mem::replace(&mut refused, true),
                StoreError::Unreadable(_) => return Err(error),
            };
            if told && matches!(error, StoreError::Refused { .. }) && !claimed {
                return Err(error);
            }
            if told {
                tell(&error);
            }
            let again = Instant::now() + pauses.next().unwrap_or(last);
            if again >= deadline {
                return Err(error);
            }
            sleep_until(again).await;
        }
    }
}
