//! The callback. The order of its checks is the point: the state opens, the browser key matches, the attempt is
//! claimed, and only then everything else; so a spoilt answer spends the owner's attempt and nobody else's. Any number
//! of calls for one attempt lead to one exchange and one result.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{
    authorization_response::{Answer, Callback, HOLD, NoState, SPENT, resealed},
    authorize::Start,
    browser_cookie::Browser,
    exchange::{Job, Over, Progress, Running},
    flow::{Completion, Failure, MOST_RESTARTS, RESTART_PAUSE, RequestContext, SignIn},
    state::Received,
};
use crate::server::{
    attempt::Next,
    ids::{CodeHash, Reference, UserId},
    problem::Problem,
    provider::Provider,
    seal::Purpose,
    store::{Attempt, StoreError},
};

/// Where another process works on an attempt, its state is looked up this often while a request is held.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How a request for completion wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A page: may be held for the patience, where it brings an answer or says that it can wait.
    Page,
    /// The panel's question: answered at once.
    Poll,
}

impl SignIn {
    /// Completes the sign-in that `raw` (the callback's query or form) belongs to, or says how it stands.
    pub async fn complete(self: &Arc<Self>, raw: &str, manner: Caller, asking: RequestContext) -> Completion {
        let callback = Callback::parse(raw);
        let state = match &callback.state {
            Ok(state) => state.clone(),
            Err(NoState::Missing) => return self.stateless(Problem::StateMissing),
            Err(NoState::Malformed) => return self.stateless(Problem::AnswerMalformed),
        };
        let Some(received) = Received::open(&state, &self.keys) else {
            return self.stateless(Problem::StateInvalid);
        };
        let envelope = &received.envelope;
        let Some(provider) = self.providers.get(&envelope.provider).cloned() else {
            return self.stateless(Problem::StateInvalid);
        };
        if provider.fingerprint() != envelope.fingerprint {
            return self.stateless(Problem::StateInvalid);
        }
        let expired = envelope.is_expired(self.system.now(), self.rules.attempt_ttl);
        let browser = match asking.browser.clone() {
            Some(browser) if browser.key.hash() == envelope.browser => browser,
            other => return self.another_browser(&received, &state, &provider, other, expired, &asking).await,
        };

        let now = self.system.now();
        let (answer, came) = callback.answer_for(&received, &self.keys, now).unzip();
        let patience = match manner {
            Caller::Page if answer.is_some() || callback.hold => asking.arrived + self.rules.patience,
            Caller::Page | Caller::Poll => Instant::now(),
        };
        let case = Case { received, state, provider, browser, asking, came: came.unwrap_or(now), patience };
        if callback.spent {
            return self.over(&case.received, &case.state, &case.asking, Problem::AlreadyUsed).await;
        }
        let code = answer.as_ref().map(Answer::code_hash);
        if let Some(running) = self.exchanges.find(case.received.envelope.attempt) {
            return self.wait_here(&case, running, answer.as_ref()).await;
        }
        match answer {
            _ if expired => self.wait_elsewhere(&case, code, Unclaimed::Expired).await,
            None => self.wait_elsewhere(&case, None, Unclaimed::NoAnswer).await,
            // Told without a task of its own, however many of these come.
            Some(answer @ Answer::Code { .. })
                if let Some(until) = self.failures.wait_until(case.asking.visitor, now) =>
            {
                self.wait_elsewhere(&case, code, Unclaimed::Held(answer, until)).await
            }
            Some(answer) => {
                // Brought back by a page of ours: another process may have claimed it meanwhile, and a question that
                // began an exchange here each time would never hear how that one ended.
                if (callback.answer.is_none() || manner == Caller::Poll)
                    && let Some(attempt) = self.claimed(&case).await
                {
                    return match self.standing(&case, code, attempt).await {
                        Some(completion) => completion,
                        None => self.wait_elsewhere(&case, code, Unclaimed::NoAnswer).await,
                    };
                }
                let running = self.exchange(Job {
                    received: case.received.clone(),
                    provider: case.provider.clone(),
                    browser_key: case.browser.key.clone(),
                    answer: answer.clone(),
                    came: case.came,
                    visitor: case.asking.visitor,
                });
                self.wait_here(&case, running, Some(&answer)).await
            }
        }
    }

    /// An authentic state in a browser that does not hold its key. Nothing is consumed.
    async fn another_browser(
        &self,
        received: &Received,
        state: &str,
        provider: &Provider,
        browser: Option<Browser>,
        expired: bool,
        asking: &RequestContext,
    ) -> Completion {
        let envelope = &received.envelope;
        let error = match browser {
            _ if expired => Problem::AttemptExpired,
            Some(browser) if !browser.may_restart(envelope.started) => Problem::AlreadyUsed,
            // With a key of its own it is most likely one of many tabs begun before there was a cookie: begin anew
            // by itself, which gives nobody more power than a link to start.
            Some(browser) => {
                if let Some(completion) = self.by_session(received, state, asking).await {
                    return completion;
                }
                let until = asking.arrived + self.rules.patience;
                if envelope.restarts >= MOST_RESTARTS {
                    Problem::OtherBrowser
                } else {
                    // Other tabs may still be getting their keys: each time there is longer for the last to arrive.
                    let pause = RESTART_PAUSE * u32::from(envelope.restarts);
                    sleep_until((Instant::now() + pause).min(until)).await;
                    match self.restart(envelope, provider, &browser, until).await {
                        Some(started) => return Completion::Restart(started),
                        None => Problem::SignInUnavailable,
                    }
                }
            }
            None if envelope.first_contact => Problem::CookiesBlocked,
            None => Problem::OtherBrowser,
        };
        error.log_with(&envelope.attempt.reference());
        self.failed(received, state, error, None)
    }

    /// Waits for an exchange of this process.
    async fn wait_here(&self, case: &Case, mut running: Running, answer: Option<&Answer>) -> Completion {
        if answer.is_some_and(|answer| answer.code_hash() != running.code) {
            return case.spent(self);
        }
        let over = running.progress.wait_for(|progress| matches!(progress, Progress::Over(_)));
        let gone = matches!(timeout_at(case.patience, over).await, Ok(Err(_)));
        if gone {
            // The task ended without a word (a panic): whatever it wrote stands.
            return self.wait_elsewhere(case, answer.map(Answer::code_hash), Unclaimed::NoAnswer).await;
        }
        let progress = running.progress.borrow().clone();
        match progress {
            Progress::Over(Over::Verified(user)) => self.deliver_to(case, user).await,
            Progress::Over(Over::Failed(error, retry_at)) => self.failed_at(case, error, retry_at),
            Progress::Over(Over::NotClaimed(error, retry_at)) => self.unclaimed_failure(case, error, retry_at, answer),
            Progress::Over(Over::Before(attempt)) => {
                let code = answer.map(Answer::code_hash);
                match self.standing(case, code, *attempt).await {
                    Some(completion) => completion,
                    None => self.wait_elsewhere(case, code, Unclaimed::NoAnswer).await,
                }
            }
            Progress::Claimed => self.pending(&case.received, case.query()),
            Progress::Unclaimed => self.pending(&case.received, self.unclaimed_query(case, answer)),
        }
    }

    /// Looks up how an attempt stands that this process does not work on.
    async fn wait_elsewhere(&self, case: &Case, code: Option<CodeHash>, unclaimed: Unclaimed) -> Completion {
        let patience_for_store = case.patience.max(case.asking.arrived + self.rules.patience);
        loop {
            match timeout_at(patience_for_store, self.store.attempt(case.received.envelope.attempt)).await {
                Ok(Ok(Some(attempt))) => {
                    if let Some(completion) = self.standing(case, code, attempt).await {
                        return completion;
                    }
                }
                Ok(Ok(None)) => return self.never_claimed(case, unclaimed).await,
                Ok(Err(StoreError::Unreadable(detail))) => {
                    tracing::error!(code = "store_unavailable", detail, "the attempt could not be read");
                    return case.failed(self, Problem::Interrupted);
                }
                // A page without script asks again at once, so it is held even where the answer is known.
                Ok(Err(error)) => {
                    tracing::warn!(code = "store_unavailable", detail = %error, "the attempt could not be read")
                }
                Err(_) => return self.still_looking(case, &unclaimed),
            }
            if Instant::now() + LOOK_EVERY >= case.patience {
                return self.still_looking(case, &unclaimed);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The store has not said how it stands; an answer that nobody has claimed may still be needed.
    fn still_looking(&self, case: &Case, unclaimed: &Unclaimed) -> Completion {
        let answer = if let Unclaimed::Held(answer, _) = unclaimed { Some(answer) } else { None };
        self.pending(&case.received, self.unclaimed_query(case, answer))
    }

    async fn never_claimed(&self, case: &Case, unclaimed: Unclaimed) -> Completion {
        match unclaimed {
            Unclaimed::NoAnswer => case.failed(self, Problem::AnswerMalformed),
            Unclaimed::Expired => self.over(&case.received, &case.state, &case.asking, Problem::AttemptExpired).await,
            Unclaimed::Held(answer, until) => {
                let error = Problem::TooManyFailures;
                error.log_with(&case.received.envelope.attempt.reference());
                self.unclaimed_failure(case, error, Some(until), Some(&answer))
            }
        }
    }

    /// The attempt, if the store knows of a claim within the patience.
    async fn claimed(&self, case: &Case) -> Option<Attempt> {
        match timeout_at(self.look_until(&case.asking), self.store.attempt(case.received.envelope.attempt)).await {
            Ok(Ok(attempt)) => attempt,
            // The exchange finds out, and explains.
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// How long one look into the store may take: until the patience is over, or a moment where it is already.
    pub(super) fn look_until(&self, asking: &RequestContext) -> Instant {
        (asking.arrived + self.rules.patience).max(Instant::now() + LOOK_EVERY)
    }

    /// What a claimed attempt means for this request; `None`: it is still under way elsewhere.
    async fn standing(&self, case: &Case, code: Option<CodeHash>, attempt: Attempt) -> Option<Completion> {
        if code.is_some_and(|code| code != attempt.code) {
            return Some(case.spent(self));
        }
        let until = self.look_until(&case.asking);
        Some(match attempt.state.next(self.system.now()) {
            Next::Wait => return None,
            Next::Interrupt => match timeout_at(until, self.store.interrupt(attempt.id)).await {
                Ok(Ok(true)) => {
                    Problem::Interrupted.log_with(&attempt.id.reference());
                    case.failed(self, Problem::Interrupted)
                }
                Ok(Ok(false)) => return None,
                // A store that can only be read: the owner is dead, and nobody can say so yet.
                Ok(Err(_)) | Err(_) => {
                    Problem::StoreUnavailable.log_with(&attempt.id.reference());
                    self.unclaimed_failure(case, Problem::StoreUnavailable, None, None)
                }
            },
            Next::ExplainInterrupted => case.failed(self, Problem::Interrupted),
            Next::Explain { code, retry_at } => {
                let error = Problem::from_code(code).unwrap_or(Problem::Interrupted);
                self.failed_at(case, error, retry_at)
            }
            Next::Deliver(delivery) => {
                let context = case.received.envelope.attempt;
                match self.keys.open_bytes::<UserId>(Purpose::Delivery, context.as_bytes(), delivery) {
                    Some(user) => self.deliver_to(case, user.value).await,
                    None => self.over(&case.received, &case.state, &case.asking, Problem::AlreadyUsed).await,
                }
            }
            next @ (Next::Close | Next::Over) => {
                // It is past its time whether or not that is written down.
                if next == Next::Close {
                    let _ = timeout_at(until, self.store.close_delivery(attempt.id)).await;
                }
                self.over(&case.received, &case.state, &case.asking, Problem::AlreadyUsed).await
            }
        })
    }

    async fn deliver_to(&self, case: &Case, user: UserId) -> Completion {
        loop {
            let (user, issuer) = (user.clone(), case.provider.issuer().clone());
            let delivered =
                self.deliver(&case.received, &case.state, case.browser.clone(), &case.asking, user, issuer).await;
            // A page without script asks again at once, so it is held while the session cannot be written.
            let pending = matches!(delivered, Completion::Pending { .. });
            if !pending || Instant::now() + LOOK_EVERY >= case.patience {
                return delivered;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn pending(&self, received: &Received, query: String) -> Completion {
        let envelope = &received.envelope;
        let waited = self.system.now() - envelope.started;
        let pace = match waited.whole_seconds() {
            ..=5 => 1000,
            6..=15 => 2000,
            _ => 3000,
        };
        let [jitter] = self.system.bytes::<1>();
        let provider = self.providers.get(&envelope.provider).map_or_else(String::new, |p| p.name().to_owned());
        Completion::Pending {
            query,
            reference: envelope.attempt.reference(),
            provider,
            ask_again_in: pace + u32::from(jitter),
        }
    }

    pub(super) fn failed(&self, received: &Received, state: &str, error: Problem, retry_in: Option<u32>) -> Completion {
        let envelope = &received.envelope;
        let again = Start {
            provider: envelope.provider.clone(),
            return_to: envelope.return_to.clone(),
            other_account: matches!(error, Problem::UserDisabled | Problem::NotAllowed | Problem::UserUnknown),
            clicked: true,
        };
        Completion::Failed(Failure {
            error,
            reference: envelope.attempt.reference(),
            query: Some(format!("state={state}")),
            begin_again: Some(again.path()),
            retry_in,
        })
    }

    fn failed_at(&self, case: &Case, error: Problem, retry_at: Option<OffsetDateTime>) -> Completion {
        self.failed(&case.received, &case.state, error, self.seconds_until(retry_at))
    }

    /// Whole seconds, rounded up; `None` where that has passed.
    fn seconds_until(&self, moment: Option<OffsetDateTime>) -> Option<u32> {
        let left = (moment? - self.system.now()).whole_seconds();
        u32::try_from(left + 1).ok().filter(|_| left > 0)
    }

    /// Nothing was consumed: the same answer can be tried again, by a query in which no code stands.
    fn unclaimed_failure(
        &self,
        case: &Case,
        error: Problem,
        retry_at: Option<OffsetDateTime>,
        answer: Option<&Answer>,
    ) -> Completion {
        let retry_in =
            if error.passes() { Some(self.seconds_until(retry_at).unwrap_or(2)) } else { self.seconds_until(retry_at) };
        let mut completion = self.failed(&case.received, &case.state, error, retry_in);
        if let Completion::Failed(failure) = &mut completion {
            failure.query = Some(self.unclaimed_query(case, answer));
        }
        completion
    }

    fn unclaimed_query(&self, case: &Case, answer: Option<&Answer>) -> String {
        answer.map_or_else(
            || case.query(),
            |answer| resealed(&case.state, (answer, case.came), &case.received, &self.keys, &self.system),
        )
    }

    /// A failure before there is any state of ours to go by: it lives in the log alone.
    fn stateless(&self, error: Problem) -> Completion {
        let reference = Reference::of(&self.system.bytes::<16>());
        error.log_with(&reference);
        Completion::Failed(Failure { error, reference, query: None, begin_again: None, retry_in: None })
    }

    /// The callback's query for a form post (`response_mode=form_post`): a cross-site POST carries no cookie of ours,
    /// so the answer is sealed and asked for again by a redirect, which does. `None`: no state of ours.
    #[must_use]
    pub fn requery(&self, form: &str) -> Option<(String, Reference, String)> {
        let callback = Callback::parse(form);
        let state = callback.state.as_deref().ok()?;
        let received = Received::open(state, &self.keys)?;
        let answer = callback.answer.as_ref()?;
        let query = resealed(state, (answer, self.system.now()), &received, &self.keys, &self.system);
        let envelope = &received.envelope;
        let provider = self.providers.get(&envelope.provider)?.name().to_owned();
        Some((query, envelope.attempt.reference(), provider))
    }
}

/// What to say of an attempt that nobody has claimed, and that this request does not claim either.
enum Unclaimed {
    /// The request brings no answer to claim it with.
    NoAnswer,
    /// It is too late for an answer.
    Expired,
    /// The visitor has to wait with this answer until then.
    Held(Answer, OffsetDateTime),
}

/// A request by the browser that owns the attempt.
struct Case {
    received: Received,
    state: String,
    provider: Arc<Provider>,
    browser: Browser,
    asking: RequestContext,
    /// When the answer first came.
    came: OffsetDateTime,
    /// Until then the request may be held.
    patience: Instant,
}

impl Case {
    fn query(&self) -> String {
        format!("state={}", self.state)
    }

    fn failed(&self, sign_in: &SignIn, error: Problem) -> Completion {
        sign_in.failed(&self.received, &self.state, error, None)
    }

    /// The answer is not the one that the attempt was claimed with.
    fn spent(&self, sign_in: &SignIn) -> Completion {
        let mut completion = self.failed(sign_in, Problem::AlreadyUsed);
        if let Completion::Failed(failure) = &mut completion {
            failure.query = Some(format!("{}&{SPENT}=1", self.query()));
        }
        completion
    }
}

/// The same question, held for the patience: what a page without script asks.
#[must_use]
pub fn held(query: &str) -> String {
    format!("{query}&{HOLD}=1")
}
