//! The start: a sealed state, derived secrets, a redirect to the provider's authorization endpoint (OpenID Connect Core
//! 3.1.2.1, RFC 7636 4.3). Nothing is stored.

use std::time::Duration;

use tokio::time::timeout_at;
use url::Url;

use super::{
    browser_cookie::Browser,
    completion::{Failure, RequestContext, Waiter},
    exchanges::Reason,
    flow::SignIn,
    recheck::Due,
    redirect_loop::Onward,
    return_to::ReturnTo,
    start::{Prompt, Start, Started, login_page},
    state::State,
};
use crate::server::{
    ids::{AttemptId, ProviderId},
    limits,
    problem::Problem,
    provider::{AuthorizationRequest, Availability, Provider},
};

/// How a start ended.
#[derive(Debug)]
pub enum StartOutcome {
    /// The browser is sent to the provider.
    Started(Started),
    /// The person is already signed in.
    SignedIn {
        /// The page to redirect to.
        return_to: ReturnTo,
        /// For the flow cookie.
        browser: Browser,
        /// How the browser gets there.
        onward: Onward,
    },
    /// The sign-in cannot be started.
    Failed(Failure),
}

impl SignIn {
    /// Begins a sign-in.
    pub async fn start(&self, start: Start, request: RequestContext) -> StartOutcome {
        let client = request.address;
        match self.try_start(&start, request).await {
            Ok(outcome) => outcome,
            Err(Reason { problem, said, .. }) => {
                let reference = problem.reference(client, Some(start.provider.as_str()), || self.new_reference());
                problem.log(&reference, &said);
                let is_for_others = problem.is_for_the_operator_alone() && self.providers.iter().nth(1).is_some();
                let others = is_for_others.then(|| login_page(&start.return_to));
                let failure = Failure { others, ..Failure::new(problem, reference) };
                StartOutcome::Failed(failure.with_start(start).with_retry(None, self.system.now()))
            }
        }
    }

    async fn try_start(&self, start: &Start, request: RequestContext) -> Result<StartOutcome, Reason> {
        let now = self.system.now();
        let waiter = request.waiter(self.rules.patience);
        let known = request.browser.is_some();
        let mut browser = request.browser.unwrap_or_else(|| Browser::new(&self.system));
        if start.clicked {
            browser.clicked();
        }
        let changed = !known || start.clicked;
        if let Some(session) = request.session.filter(|_| start.prompt == Prompt::Usual) {
            match self.due(session, &start.return_to, &browser, waiter).await? {
                Due::SignIn => {}
                Due::Recheck(location) => {
                    return Ok(StartOutcome::Started(Started { location, browser: changed.then_some(browser) }));
                }
                Due::Nothing => {
                    let return_to = start.return_to.clone();
                    let onward = browser
                        .turns
                        .sent_on(&return_to, now)
                        .ok_or_else(|| loops(&start.provider, "one who is signed in was sent here again and again"))?;
                    return Ok(StartOutcome::SignedIn { return_to, browser, onward });
                }
            }
        }
        let provider = self.providers.get(&start.provider).ok_or(Problem::UnknownProvider)?;
        if browser.turns.is_loop(&start.return_to, now) {
            return Err(loops(&start.provider, "one who has just signed in was sent here to do it again"));
        }
        let state = self.new_state(provider, &start.return_to, &browser, start.prompt);
        let login_hint = start.login_hint.as_ref().map(|hint| hint.as_str().to_owned());
        let location = self.authorization_url(provider, &state, login_hint, &browser, waiter).await?;
        tracing::info!(code = "start", reference = %state.attempt.reference(), provider = %provider.id(), "sign-in started");
        Ok(StartOutcome::Started(Started { location, browser: changed.then_some(browser) }))
    }

    pub(super) fn new_state(
        &self,
        provider: &Provider,
        return_to: &ReturnTo,
        browser: &Browser,
        prompt: Prompt,
    ) -> State {
        State {
            attempt: AttemptId::new(self.system.bytes()),
            provider: provider.id().clone(),
            fingerprint: provider.fingerprint(),
            return_to: return_to.clone(),
            started: self.system.now(),
            browser: browser.key.hash(),
            prompt,
            login_page_expired: false,
            restarts: 0,
        }
    }

    /// Restarts automatically an attempt that this browser started with another key; the old attempt is not consumed.
    pub(super) async fn restart(
        &self,
        old: &State,
        provider: &Provider,
        browser: &Browser,
        waiter: Waiter,
    ) -> Result<Started, Reason> {
        let state = State {
            attempt: AttemptId::new(self.system.bytes()),
            started: self.system.now(),
            browser: browser.key.hash(),
            // A recheck has no page of the provider's; whoever begins anew may need one.
            prompt: if old.prompt == Prompt::Silent { Prompt::Usual } else { old.prompt },
            restarts: old.restarts + 1,
            ..old.clone()
        };
        let location = self.authorization_url(provider, &state, None, browser, waiter).await?;
        Ok(Started { location, browser: None })
    }

    pub(super) async fn authorization_url(
        &self,
        provider: &Provider,
        state: &State,
        login_hint: Option<String>,
        browser: &Browser,
        waiter: Waiter,
    ) -> Result<Url, Reason> {
        let secrets = state.secrets(&self.keys, &browser.key);
        let request = AuthorizationRequest {
            state: state.seal(&self.keys, &self.system),
            nonce: secrets.nonce(),
            verifier: secrets.verifier(),
            prompt: if browser.asks && state.prompt == Prompt::Usual { Prompt::AnotherAccount } else { state.prompt },
            login_hint,
        };
        let Waiter { client, until } = waiter;
        let limit = self.rate_limit(provider);
        // No push is begun that would hardly be answered in time: all places would go to those who have given up by then.
        let place = async |lasts: Duration| {
            let place = limit.place(client, self.system.now());
            timeout_at(until - lasts.mul_f64(limits::PUSH_MARGIN).min(self.rules.patience), place).await.ok().flatten()
        };
        let (code, detail) = match timeout_at(until, provider.authorization_url(request, place)).await {
            Ok(Ok(url)) => return Ok(url),
            Ok(Err(fault)) => (fault.code(), fault.to_string()),
            Err(_) => match provider.availability() {
                // What is known of it says more.
                Availability::Unavailable { code, detail, .. } => (code, detail),
                Availability::Available => (Problem::ProviderSlow.code(), "it did not answer in time".to_owned()),
            },
        };
        // Waiting for the provider does not help: the metadata are wrong, a pushed request is refused, it was not asked, or there
        // has never been a certificate that we believe.
        let is_final = |problem: &Problem| match problem {
            Problem::ProviderMetadata | Problem::ClientRefused | Problem::ProviderRefusedRequest | Problem::Busy => {
                true
            }
            Problem::ProviderTls => !provider.is_known(),
            _ => false,
        };
        let problem = Problem::from_code(code).filter(is_final).unwrap_or(Problem::SignInUnavailable);
        Err(Reason::with_detail(problem, Some(format!("{} ({code}): {detail}", provider.id()))))
    }
}

/// The page that was asked for is nobody's business.
fn loops(provider: &ProviderId, what: &str) -> Reason {
    Reason::with_detail(Problem::SignInLoop, Some(format!("{provider}: {what}")))
}
