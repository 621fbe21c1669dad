//! The recheck (`session.recheck`): somebody who is signed in goes through the provider once more, without a page of its own
//! (`prompt=none`, OpenID Connect Core 3.1.2.1). It ends in one of three ways: the session goes on with what the provider says
//! now; it has ended, since the provider no longer vouches for the person; or nobody could tell, and it goes on as it was.

use tokio::time::{Instant, timeout_at};

use super::{
    browser_cookie::Browser,
    exchanges::Reason,
    flow::SignIn,
    return_to::ReturnTo,
    start::{Prompt, Started},
    state::State,
    status::{Callback, Status},
};
use crate::server::{
    ids::AttemptId,
    problem::Problem,
    provider::Availability,
    session::{SessionId, SignedIn},
    store::StoreError,
};

/// What there is to do before somebody who is signed in is shown a page.
pub(super) enum Due {
    /// Nothing.
    GoOn,
    /// The browser is sent to the provider.
    Started(Started),
    /// Their provider is none of ours any more, so the session has ended.
    Ended,
}

impl SignIn {
    /// Begins the recheck of `session`, if one is due. Whoever cannot be sent to the provider now goes on: the next try is
    /// some minutes away.
    pub(super) async fn recheck(
        &self,
        session: SessionId,
        person: &SignedIn,
        return_to: &ReturnTo,
        browser: &Browser,
        until: Instant,
    ) -> Result<Due, Reason> {
        let now = self.system.now();
        if !person.is_recheck_due(now) {
            return Ok(Due::GoOn);
        }
        let late = |error: StoreError| Reason::of_store(&error, Problem::StoreUnavailable);
        let Some(provider) = self.providers.get(&person.provider) else {
            let ended = timeout_at(until, self.sessions.end(session)).await;
            ended.unwrap_or_else(|_| Err(StoreError::late())).map_err(late)?;
            return Ok(Due::Ended);
        };
        let begins = timeout_at(until, self.sessions.begin_recheck(session)).await;
        let begins = begins.unwrap_or_else(|_| Err(StoreError::late())).map_err(late)?;
        if !begins || provider.availability() != Availability::Available {
            return Ok(Due::GoOn);
        }
        let state = State {
            attempt: AttemptId::new(self.system.bytes()),
            provider: provider.id().clone(),
            fingerprint: provider.fingerprint(),
            return_to: return_to.clone(),
            started: now,
            browser: browser.key.hash(),
            prompt: Prompt::Silent,
            login_page_expired: false,
            restarts: 0,
        };
        let Ok(location) = self.authorization_url(provider, &state, None, browser, until).await else {
            return Ok(Due::GoOn);
        };
        tracing::info!(code = "recheck", reference = %state.attempt.reference(), provider = %provider.id(), "the provider is asked again");
        Ok(Due::Started(Started { location, browser: None }))
    }

    /// What the end of a recheck means for somebody who is signed in. Whatever says nothing about the person leaves the
    /// session as it is.
    pub(super) async fn rechecked(&self, callback: &Callback, status: Status) -> Status {
        let reason = match &status {
            Status::Failed(reason) | Status::Recorded(reason) | Status::NotClaimed(reason) => reason.clone(),
            _ => return status,
        };
        let Some(session) = callback.request.session else { return status };
        let signs_in_again = reason.problem == Problem::ProviderInteraction;
        if !signs_in_again && !is_about_the_person(reason.problem) {
            return Status::SignedIn;
        }
        match timeout_at(self.look_until(callback), self.sessions.end(session)).await {
            Ok(Ok(_)) if signs_in_again => Status::BeginAgain(reason),
            Ok(Ok(_)) => status,
            Ok(Err(error)) => Status::NotClaimed(Reason::of_store(&error, Problem::StoreUnavailable)),
            Err(_) => Status::NotClaimed(Reason::of_store(&StoreError::late(), Problem::StoreUnavailable)),
        }
    }
}

/// Whether the provider, or our own settings, will not have this person any more.
const fn is_about_the_person(problem: Problem) -> bool {
    matches!(problem, Problem::AccessDenied | Problem::NotAllowed | Problem::UserUnknown | Problem::UserDisabled)
}
