//! The exchange: claim, code for tokens, tokens for a person, the person for an account. It runs in a task of its own
//! under a total deadline; requests only wait for it, so that a browser, proxy or tab that goes away loses nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::Instrument as _;

use super::{authorization_response::Answer, browser_cookie::BrowserKey, flow::SignIn, state::Received};
use crate::server::{
    accounts::{self, Admitted},
    attempt::{LEASE, Verdict},
    client_address::ClientAddress,
    ids::{AttemptId, CodeHash, OwnerToken, ProviderId, UserId},
    problem::Problem,
    provider::{Held, Pass, Provider, ProviderFault, Redemption, VerifiedClaims},
    seal::Purpose,
    store::{Attempt, Claimed, NewClaim, StoreError},
    trace::Trace,
};

/// The lease of a running attempt is renewed this often ([`LEASE`] is three times as long).
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Exchanges that run or wait for their turn, of everybody: each may hold a code of some kilobytes for the deadline.
const MOST_WAITING: usize = 4_096;
/// The same, at one provider: one that does not answer must not take the places of the others.
const MOST_WAITING_AT_A_PROVIDER: usize = 1_024;
/// The same, of one visitor. Many people may share an address.
const MOST_WAITING_OF_A_VISITOR: usize = 512;
/// An exchange that could not be claimed is remembered this long, a little over the longest pause between questions.
const LINGER: Duration = Duration::from_secs(4);
/// A code lives about a minute; what cannot be sent by then need not be waited for.
const CODE_LIFE: Duration = Duration::from_secs(55);
/// Pauses between tries of a store that does not answer.
const STORE_PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1)];

/// How far an exchange has come.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    /// Waiting for its turn or for the store: the code has not been sent and the claim is not known to stand.
    Unclaimed,
    /// Ours, and under way.
    Claimed,
    /// Over.
    Over(Over),
}

/// How an exchange ended.
#[derive(Clone, Debug)]
pub(super) enum Over {
    /// The person is verified and has an account.
    Verified(UserId),
    /// It failed, and the store knows.
    Failed(Problem, Option<OffsetDateTime>),
    /// It was not even claimed; nothing is consumed, and the same answer may be tried again, from then on.
    NotClaimed(Problem, Option<OffsetDateTime>),
    /// It had been claimed before.
    Before(Box<Attempt>),
}

/// The exchanges of this process.
pub(super) struct Exchanges {
    running: Mutex<HashMap<AttemptId, Running>>,
    caps: HashMap<ProviderId, Arc<Semaphore>>,
}

/// An exchange to wait for.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) code: CodeHash,
    provider: ProviderId,
    visitor: ClientAddress,
    pub(super) progress: watch::Receiver<Progress>,
}

/// What an exchange needs to know.
pub(super) struct Job {
    pub(super) received: Received,
    pub(super) provider: Arc<Provider>,
    pub(super) browser_key: BrowserKey,
    pub(super) answer: Answer,
    /// When the answer first came: a code lives from then at the latest.
    pub(super) came: OffsetDateTime,
    pub(super) visitor: ClientAddress,
}

/// Leave to claim an attempt, for as long as it is held.
struct Leave {
    _turn: Turn,
    pass: Option<Pass>,
}

/// A place among the exchanges of the visitor and of the provider.
struct Turn {
    _visitors: Option<OwnedSemaphorePermit>,
    _providers: Option<OwnedSemaphorePermit>,
}

impl Exchanges {
    pub(super) fn new(caps: HashMap<ProviderId, Arc<Semaphore>>) -> Self {
        Self { running: Mutex::default(), caps }
    }

    pub(super) fn find(&self, attempt: AttemptId) -> Option<Running> {
        self.lock().get(&attempt).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AttemptId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an exchange off the list when its task ends, however it ends.
struct Listed {
    sign_in: Arc<SignIn>,
    attempt: AttemptId,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sign_in.exchanges.lock().remove(&self.attempt);
    }
}

impl SignIn {
    /// Begins the exchange, unless this process has it under way; then that one is joined.
    pub(super) fn exchange(self: &Arc<Self>, job: Job) -> Running {
        let attempt = job.received.envelope.attempt;
        let mut running = self.exchanges.lock();
        if let Some(running) = running.get(&attempt) {
            return running.clone();
        }
        let code = job.answer.code_hash();
        let (sender, progress) = watch::channel(Progress::Unclaimed);
        let entry = Running { code, provider: job.provider.id().clone(), visitor: job.visitor, progress };
        // Those that only linger keep nobody out.
        let waiting = || running.values().filter(|other| !matches!(*other.progress.borrow(), Progress::Over(_)));
        if waiting().count() >= MOST_WAITING
            || waiting().filter(|other| other.provider == entry.provider).count() >= MOST_WAITING_AT_A_PROVIDER
            || waiting().filter(|other| other.visitor == entry.visitor).count() >= MOST_WAITING_OF_A_VISITOR
        {
            drop(running);
            Problem::Busy.log_with(&attempt.reference());
            sender.send_replace(Progress::Over(Over::NotClaimed(Problem::Busy, None)));
            return entry;
        }
        running.insert(attempt, entry.clone());
        drop(running);
        let listed = Listed { sign_in: self.clone(), attempt };
        let span = tracing::info_span!(
            "sign_in", reference = %attempt.reference(), provider = %job.provider.id(), visitor = %job.visitor
        );
        let work = async move {
            let over = listed.sign_in.run(&job, &sender).await;
            match &over {
                Over::Failed(error, _) | Over::NotClaimed(error, _) => error.log("sign-in failed"),
                Over::Verified(_) => tracing::info!(code = "signed_in", "sign-in verified"),
                Over::Before(_) => {}
            }
            metrics::counter!("vestibule_sign_ins_total", "outcome" => over.label()).increment(1);
            let not_claimed = matches!(over, Over::NotClaimed(..));
            sender.send_replace(Progress::Over(over));
            drop(job);
            if not_claimed && listed.sign_in.exchanges.lock().len() < MOST_WAITING {
                // The store knows nothing of it, so whoever asks next has to find it here; then it may be tried again.
                // Where too many linger already, it may be at once.
                sleep(LINGER).await;
            }
        };
        self.tasks.spawn(work.instrument(span));
        entry
    }

    async fn run(&self, job: &Job, progress: &watch::Sender<Progress>) -> Over {
        let mut trace = Trace::begin();
        let deadline = trace.began() + self.rules.deadline;
        let leave = match self.leave(job, deadline).await {
            Ok(leave) => leave,
            Err((error, retry_at)) => return Over::NotClaimed(error, retry_at),
        };

        let envelope = &job.received.envelope;
        let owner = OwnerToken::new(self.system.bytes());
        let claim = NewClaim {
            id: envelope.attempt,
            owner,
            provider: envelope.provider.clone(),
            browser: envelope.browser,
            code: job.answer.code_hash(),
            started: envelope.started,
            claimed: self.system.now(),
        };
        let since = Instant::now();
        match patiently(deadline, || self.store.claim(&claim)).await {
            Ok(Claimed::Ours) => trace.record("claim", since, "ok"),
            Ok(Claimed::Before(attempt)) => return Over::Before(attempt),
            Err(error) => {
                tracing::error!(code = "store_unavailable", detail = %error, "the attempt could not be recorded");
                return Over::NotClaimed(Problem::StoreUnavailable, None);
            }
        }
        progress.send_replace(Progress::Claimed);

        tokio::select! {
            over = self.work_and_settle(job, leave, owner, deadline, &mut trace) => over,
            never = self.keep_lease(envelope.attempt, owner) => match never {},
        }
    }

    /// Leave to claim the attempt: a turn, and where a code is to be sent, the provider's pass and the visitor's credit.
    /// Nothing is consumed while it is waited for.
    async fn leave(&self, job: &Job, deadline: Instant) -> Result<Leave, Failed> {
        let by_then = deadline.min(Instant::now() + CODE_LIFE);
        loop {
            let Ok(turn) = timeout_at(deadline, self.turn(job)).await else { return Err((Problem::Busy, None)) };
            let now = self.system.now();
            if !self.failures.may_record(job.visitor, now) {
                // What fails without a code being sent is explained without a record.
                self.judge(job, deadline).await?;
            }
            if !matches!(job.answer, Answer::Code { .. }) {
                return Ok(Leave { _turn: turn, pass: None });
            }
            if let Some(until) = self.failures.wait_until(job.visitor, now) {
                return Err((Problem::TooManyFailures, Some(until)));
            }
            // A code that is dead by now would only count against us, and against everybody who signs in through us.
            if now > job.came + CODE_LIFE {
                return Err((Problem::AttemptExpired, None));
            }
            match job.provider.pass() {
                Ok(pass) => return Ok(Leave { _turn: turn, pass: Some(pass) }),
                // The provider has asked for a moment, and the code lives longer than that.
                Err(Held { until, asked: true }) if until < by_then => {
                    drop(turn);
                    tokio::time::sleep_until(until).await;
                }
                Err(Held { until, asked }) => {
                    let error = if asked { Problem::ProviderBusy } else { Problem::ProviderDown };
                    return Err((error, Some(now + until.saturating_duration_since(Instant::now()))));
                }
            }
        }
    }

    async fn turn(&self, job: &Job) -> Turn {
        let visitors = self.failures.place(job.visitor).await;
        let provider = self.exchanges.caps.get(job.provider.id()).cloned();
        let providers = if let Some(cap) = provider { cap.acquire_owned().await.ok() } else { None };
        Turn { _visitors: visitors, _providers: providers }
    }

    async fn work_and_settle(
        &self,
        job: &Job,
        leave: Leave,
        owner: OwnerToken,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Over {
        let envelope = &job.received.envelope;
        let (verdict, over) = match self.work(job, leave.pass, deadline, trace).await {
            Ok(user) => {
                let context = envelope.attempt;
                let delivery = self.keys.seal_bytes(Purpose::Delivery, context.as_bytes(), &user, &self.system);
                (Verdict::Verified { at: self.system.now(), delivery }, Over::Verified(user))
            }
            Err((error, retry_at)) => {
                (Verdict::Failed { code: error.code().to_owned(), retry_at }, Over::Failed(error, retry_at))
            }
        };
        // The verdict is worth some time more than the exchange had: what is lost here has to be begun anew.
        let until = deadline.max(Instant::now() + LEASE);
        match patiently(until, || self.store.settle(envelope.attempt, owner, &verdict, trace.steps())).await {
            Ok(true) => {
                if matches!(over, Over::Failed(..)) {
                    self.failures.recorded(job.visitor, self.system.now());
                }
                over
            }
            Ok(false) => Over::Failed(Problem::Interrupted, None),
            Err(error) => {
                tracing::error!(code = "store_unavailable", detail = %error, "the result could not be stored");
                Over::Failed(Problem::Interrupted, None)
            }
        }
    }

    async fn work(
        &self,
        job: &Job,
        pass: Option<Pass>,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<UserId, Failed> {
        let code = self.judge(job, deadline).await?;
        let claims = self.verified(job, code, pass, deadline, trace).await?;
        let since = Instant::now();
        let discovery_url = job.provider.discovery_url();
        let admit = || accounts::admit(&*self.store, &self.users, &claims, discovery_url, &self.system);
        let result = match patiently(deadline, admit).await {
            Ok(Admitted::User(user)) => Ok(user.id),
            Ok(Admitted::NotAllowed) => Err(Problem::NotAllowed),
            Ok(Admitted::Unknown) => Err(Problem::UserUnknown),
            Ok(Admitted::Disabled) => Err(Problem::UserDisabled),
            // The code is spent, so asking again would help nobody: the person begins anew.
            Err(error) => {
                tracing::error!(code = "store_unavailable", detail = %error, "the user could not be stored");
                Err(Problem::Interrupted)
            }
        };
        trace.record("user", since, result.as_ref().map_or_else(|error| error.code(), |_| "ok"));
        result.map_err(|error| (error, None))
    }

    /// The code that the answer brings, or what is wrong with the answer.
    async fn judge<'j>(&self, job: &'j Job, deadline: Instant) -> Result<&'j str, Failed> {
        let (Answer::Code { iss, .. } | Answer::Error { iss, .. }) = &job.answer else {
            return Err((Problem::AnswerMalformed, None));
        };
        match timeout_at(deadline, job.provider.check_answer_issuer(iss.as_deref())).await {
            Ok(checked) => checked.map_err(|fault| self.fault(job, &fault))?,
            Err(_) => return Err((Problem::ProviderSlow, None)),
        }
        match &job.answer {
            Answer::Code { code, .. } => Ok(code),
            Answer::Error { error, .. } => Err((refused(error), None)),
            Answer::Malformed => Err((Problem::AnswerMalformed, None)),
        }
    }

    /// From the code to a verified person. The claim stands, so whatever is wrong spends this attempt and no other.
    async fn verified(
        &self,
        job: &Job,
        code: &str,
        pass: Option<Pass>,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<VerifiedClaims, Failed> {
        let secrets = job.received.secrets(&self.keys, &job.browser_key);
        let redemption = Redemption {
            code: SecretString::from(code),
            verifier: secrets.verifier(),
            nonce: secrets.nonce(),
            started: job.received.envelope.started,
            deadline,
        };
        let redeemed = match timeout_at(deadline, job.provider.redeem(redemption, trace)).await {
            Ok(redeemed) => redeemed,
            Err(_) => Err(ProviderFault::Slow("the whole exchange".into())),
        };
        if let Some(pass) = pass {
            job.provider.settle(pass, redeemed.as_ref().err());
        }
        redeemed.map_err(|fault| self.fault(job, &fault))
    }

    fn fault(&self, job: &Job, fault: &ProviderFault) -> Failed {
        let now = self.system.now();
        // Every other refusal is the operator's fault and not the visitor's.
        if matches!(fault, ProviderFault::CodeRefused(_)) {
            self.failures.refused(job.visitor, now);
        }
        let error = Problem::from_code(fault.code()).unwrap_or(Problem::ProviderBadAnswer);
        tracing::warn!(code = error.code(), detail = %fault, "the sign-in failed at the provider");
        let retry_at = match fault {
            ProviderFault::Busy { retry_after } => Some(now + retry_after.unwrap_or(Duration::from_secs(60))),
            _ => None,
        };
        (error, retry_at)
    }

    async fn keep_lease(&self, attempt: AttemptId, owner: OwnerToken) -> std::convert::Infallible {
        loop {
            sleep(RENEW_EVERY).await;
            // A lease that cannot be renewed is no reason to give up: the verdict is compared and set.
            match timeout(RENEW_EVERY, self.store.renew(attempt, owner)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(code = "store_unavailable", detail = %error, "the claim could not be renewed")
                }
                Err(_) => tracing::warn!(
                    code = "store_unavailable",
                    detail = "no answer in time",
                    "the claim could not be renewed"
                ),
            }
        }
    }
}

/// Why, and from when it makes sense to begin again.
type Failed = (Problem, Option<OffsetDateTime>);

impl Over {
    const fn label(&self) -> &'static str {
        match self {
            Self::Verified(_) => "signed_in",
            Self::Failed(error, _) | Self::NotClaimed(error, _) => error.code(),
            Self::Before(_) => "repeated",
        }
    }
}

/// What an error in the authorization response means (OpenID Connect Core 3.1.2.6, RFC 6749 4.1.2.1).
fn refused(error: &str) -> Problem {
    match error {
        "access_denied" => Problem::AccessDenied,
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            Problem::ProviderInteraction
        }
        "server_error" | "temporarily_unavailable" => Problem::ProviderError,
        other => {
            tracing::error!(code = "provider_refused_request", error = %other.escape_debug(), "authorization response");
            Problem::ProviderRefusedRequest
        }
    }
}

/// Asks the store again while it is unavailable and there is time. Only for what may be asked twice.
async fn patiently<T, F>(deadline: Instant, mut ask: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pauses = STORE_PAUSES.into_iter().chain(std::iter::repeat(Duration::from_secs(1)));
    loop {
        match timeout_at(deadline, ask()).await {
            Ok(Err(StoreError::Unavailable(detail))) => {
                let pause = pauses.next().unwrap_or_default();
                if Instant::now() + pause >= deadline {
                    return Err(StoreError::Unavailable(detail));
                }
                sleep(pause).await;
            }
            Ok(answered) => return answered,
            Err(_) => return Err(StoreError::Unavailable("no answer in time".into())),
        }
    }
}
