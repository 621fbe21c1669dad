//! The exchange: claim, code for tokens, tokens for a person, the person for an account. It runs in a task of its own
//! under a total deadline; requests only wait for it, so that a browser, proxy or tab that goes away loses nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::Instrument as _;

use super::{
    SignIn,
    answer::{Answer, redeemable},
    browser::BrowserKey,
    envelope::Received,
    error::SignInError,
    exposed,
};
use crate::server::{
    accounts::{self, Admitted},
    http::client::Visitor,
    ids::{AttemptId, CodeHash, OwnerToken, ProviderId, UserId},
    provider::{Provider, ProviderFault, Redemption, VerifiedClaims},
    seal::Purpose,
    store::{Attempt, Claimed, NewClaim, StoreError, Verdict},
    trace::Trace,
};

/// The lease of a running attempt is renewed this often ([`crate::server::store::LEASE`] is three times as long).
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Exchanges that run or wait for their turn, of everybody: each may hold a code of some kilobytes for the deadline.
const MOST_WAITING: usize = 4_096;
/// The same, of one visitor. Many people may share an address.
const MOST_WAITING_OF_A_VISITOR: usize = 512;
/// An exchange that could not be claimed is remembered this long, a little over the longest pause between questions.
const LINGER: Duration = Duration::from_secs(4);
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
    Failed(SignInError, Option<OffsetDateTime>),
    /// It could not even be claimed; nothing is consumed and the same answer may be tried again.
    NotClaimed(SignInError),
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
    visitor: Visitor,
    pub(super) progress: watch::Receiver<Progress>,
}

/// What an exchange needs to know.
pub(super) struct Job {
    pub(super) received: Received,
    pub(super) provider: Arc<Provider>,
    pub(super) browser_key: BrowserKey,
    pub(super) answer: Answer,
    pub(super) visitor: Visitor,
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
        let theirs = running.values().filter(|running| running.visitor == job.visitor).count();
        if running.len() >= MOST_WAITING || theirs >= MOST_WAITING_OF_A_VISITOR {
            SignInError::Busy.log_with(&attempt.reference());
            let (_, progress) = watch::channel(Progress::Over(Over::NotClaimed(SignInError::Busy)));
            return Running { code, visitor: job.visitor, progress };
        }
        let (sender, progress) = watch::channel(Progress::Unclaimed);
        let entry = Running { code, visitor: job.visitor, progress };
        running.insert(attempt, entry.clone());
        drop(running);
        let listed = Listed { sign_in: self.clone(), attempt };
        let span = tracing::info_span!(
            "sign_in", reference = %attempt.reference(), provider = %job.provider.id(), visitor = %job.visitor
        );
        let work = async move {
            let over = listed.sign_in.run(&job, &sender).await;
            match &over {
                Over::Failed(error, _) | Over::NotClaimed(error) => error.log("sign-in failed"),
                Over::Verified(_) => tracing::info!(code = "signed_in", "sign-in verified"),
                Over::Before(_) => {}
            }
            metrics::counter!("vestibule_sign_ins_total", "outcome" => over.label()).increment(1);
            let not_claimed = matches!(over, Over::NotClaimed(_));
            sender.send_replace(Progress::Over(over));
            if not_claimed {
                // The store knows nothing of it, so whoever asks next has to find it here; then it may be tried again.
                sleep(LINGER).await;
            }
        };
        self.tasks.spawn(work.instrument(span));
        entry
    }

    async fn run(&self, job: &Job, progress: &watch::Sender<Progress>) -> Over {
        let mut trace = Trace::begin();
        let deadline = trace.began() + self.rules.deadline;
        let places = async {
            let visitors = self.failures.place(job.visitor).await;
            let provider = self.exchanges.caps.get(job.provider.id()).cloned();
            let providers = if let Some(cap) = provider { cap.acquire_owned().await.ok() } else { None };
            (visitors, providers)
        };
        let Ok(_places) = timeout_at(deadline, places).await else { return Over::NotClaimed(SignInError::Busy) };

        let envelope = &job.received.envelope;
        let owner = OwnerToken::new(self.ambient.bytes());
        let claim = NewClaim {
            id: envelope.attempt,
            owner,
            provider: envelope.provider.clone(),
            browser: envelope.browser,
            code: job.answer.code_hash(),
            started: envelope.started,
            claimed: self.ambient.now(),
        };
        let since = Instant::now();
        match patiently(deadline, || self.store.claim(&claim)).await {
            Ok(Claimed::Ours) => trace.record("claim", since, "ok"),
            Ok(Claimed::Before(attempt)) => return Over::Before(attempt),
            Err(error) => {
                tracing::error!(code = "store_unavailable", detail = %error, "claim");
                return Over::NotClaimed(SignInError::StoreUnavailable);
            }
        }
        progress.send_replace(Progress::Claimed);

        tokio::select! {
            over = self.work_and_settle(job, owner, deadline, &mut trace) => over,
            never = self.keep_lease(envelope.attempt, owner) => match never {},
        }
    }

    async fn work_and_settle(&self, job: &Job, owner: OwnerToken, deadline: Instant, trace: &mut Trace) -> Over {
        let envelope = &job.received.envelope;
        let (verdict, over) = match self.work(job, deadline, trace).await {
            Ok(user) => {
                let context = envelope.attempt;
                let delivery = self.keys.seal_bytes(Purpose::Delivery, context.as_bytes(), &user, &self.ambient);
                (Verdict::Verified { at: self.ambient.now(), delivery }, Over::Verified(user))
            }
            Err((error, retry_at)) => {
                (Verdict::Failed { code: error.code().to_owned(), retry_at }, Over::Failed(error, retry_at))
            }
        };
        // The verdict is worth some time more than the exchange had: what is lost here has to be begun anew.
        let until = deadline.max(Instant::now() + crate::server::store::LEASE);
        match patiently(until, || self.store.settle(envelope.attempt, owner, &verdict, trace.steps())).await {
            Ok(true) => over,
            Ok(false) => Over::Failed(SignInError::Interrupted, None),
            Err(error) => {
                tracing::error!(code = "store_unavailable", detail = %error, "verdict");
                Over::Failed(SignInError::Interrupted, None)
            }
        }
    }

    async fn work(&self, job: &Job, deadline: Instant, trace: &mut Trace) -> Result<UserId, Failed> {
        let claims = self.verified(job, deadline, trace).await?;
        let since = Instant::now();
        let discovery_url = job.provider.discovery_url();
        let admit = || accounts::admit(&*self.store, &self.users, &claims, discovery_url, &self.ambient);
        let result = match patiently(deadline, admit).await {
            Ok(Admitted::User(user)) => Ok(user.id),
            Ok(Admitted::NotAllowed) => Err(SignInError::NotAllowed),
            Ok(Admitted::Unknown) => Err(SignInError::UserUnknown),
            Ok(Admitted::Disabled) => Err(SignInError::UserDisabled),
            // The code is spent, so asking again would help nobody: the person begins anew.
            Err(error) => {
                tracing::error!(code = "store_unavailable", detail = %error, "user");
                Err(SignInError::Interrupted)
            }
        };
        trace.record("user", since, result.as_ref().map_or_else(|error| error.code(), |_| "ok"));
        result.map_err(|error| (error, None))
    }

    /// From the answer to a verified person. The claim stands, so whatever is wrong spends this attempt and no other.
    async fn verified(&self, job: &Job, deadline: Instant, trace: &mut Trace) -> Result<VerifiedClaims, Failed> {
        let (Answer::Code { iss, .. } | Answer::Error { iss, .. }) = &job.answer else {
            return Err((SignInError::AnswerMalformed, None));
        };
        match timeout_at(deadline, job.provider.check_answer_issuer(iss.as_deref())).await {
            Ok(checked) => checked.map_err(|fault| self.fault(job, &fault))?,
            Err(_) => return Err((SignInError::ProviderSlow, None)),
        }
        let code = match &job.answer {
            Answer::Code { code, .. } => redeemable(code),
            Answer::Error { error, .. } => return Err((refused(error), None)),
            Answer::Malformed => return Err((SignInError::AnswerMalformed, None)),
        };
        debug_assert_eq!(CodeHash::of(exposed(&code).as_bytes()), job.answer.code_hash());
        let now = self.ambient.now();
        if let Some(until) = self.failures.wait_until(job.visitor, now) {
            return Err((SignInError::TooManyFailures, Some(until)));
        }
        let secrets = job.received.secrets(&self.keys, &job.browser_key);
        let redemption = Redemption {
            code,
            verifier: secrets.verifier(),
            nonce: secrets.nonce(),
            started: job.received.envelope.started,
            deadline,
        };
        match timeout_at(deadline, job.provider.redeem(redemption, trace)).await {
            Ok(Ok(claims)) => Ok(claims),
            Ok(Err(fault)) => Err(self.fault(job, &fault)),
            Err(_) => Err((SignInError::ProviderSlow, None)),
        }
    }

    fn fault(&self, job: &Job, fault: &ProviderFault) -> Failed {
        let now = self.ambient.now();
        // A refused client is the operator's fault and not the visitor's.
        if matches!(fault, ProviderFault::CodeRefused(_) | ProviderFault::TokenRefused(_)) {
            self.failures.count(job.visitor, now);
        }
        let error = SignInError::from_code(fault.code()).unwrap_or(SignInError::ProviderBadAnswer);
        tracing::warn!(code = error.code(), detail = %fault, "provider");
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
                Ok(Err(error)) => tracing::warn!(code = "store_unavailable", detail = %error, "lease"),
                Err(_) => tracing::warn!(code = "store_unavailable", detail = "no answer in time", "lease"),
            }
        }
    }
}

/// Why, and from when it makes sense to begin again.
type Failed = (SignInError, Option<OffsetDateTime>);

impl Over {
    const fn label(&self) -> &'static str {
        match self {
            Self::Verified(_) => "signed_in",
            Self::Failed(error, _) | Self::NotClaimed(error) => error.code(),
            Self::Before(_) => "repeated",
        }
    }
}

/// What an error in the authorization response means (OpenID Connect Core 3.1.2.6, RFC 6749 4.1.2.1).
fn refused(error: &str) -> SignInError {
    match error {
        "access_denied" => SignInError::AccessDenied,
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            SignInError::ProviderInteraction
        }
        "server_error" | "temporarily_unavailable" => SignInError::ProviderError,
        other => {
            tracing::error!(code = "provider_refused_request", error = %other.escape_debug(), "authorization response");
            SignInError::ProviderRefusedRequest
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
