//! The recheck (`session.recheck`): somebody who is signed in goes through the provider once more, without a page of its own
//! (`prompt=none`, OpenID Connect Core 3.1.2.1). It ends in one of three ways: the session goes on with what the provider says
//! now; it has ended, since the provider no longer vouches for the person; or nobody could tell, and it goes on as it was.

use tokio::time::timeout_at;
use url::Url;

use super::{
    browser_cookie::Browser,
    completion::Waiter,
    exchanges::Reason,
    flow::SignIn,
    return_to::ReturnTo,
    start::Prompt,
    status::{Callback, Status},
};
use crate::server::{
    problem::Problem,
    provider::Availability,
    session::{Found, SessionId, SignedIn},
    store::StoreError,
};

/// What there is to do before the page is shown that the browser of a session asks for.
pub(super) enum Due {
    /// Nothing: the person is signed in.
    Nothing,
    /// The browser is sent to the provider, and comes back at once.
    Recheck(Url),
    /// Nobody is signed in.
    SignIn,
}

impl SignIn {
    /// What is due in `session`.
    pub(super) async fn due(
        &self,
        session: SessionId,
        return_to: &ReturnTo,
        browser: &Browser,
        waiter: Waiter,
    ) -> Result<Due, Reason> {
        // Never treated as "not signed in": the person would be sent to the provider for nothing.
        let unknown = |error: StoreError| Reason::of_store(&error, Problem::StoreUnavailable);
        let found = timeout_at(waiter.until, self.sessions.find(session)).await;
        match found.unwrap_or_else(|_| Err(StoreError::late())).map_err(unknown)? {
            Found::SignedIn(person) if person.is_recheck_due(self.system.now()) => {
                self.recheck(session, &person, return_to, browser, waiter).await.map_err(unknown)
            }
            Found::SignedIn(_) => Ok(Due::Nothing),
            Found::Disabled => Err(Problem::UserDisabled.into()),
            Found::Nobody | Found::Ended => Ok(Due::SignIn),
        }
    }

    /// Begins the recheck. Whoever cannot be sent to the provider now goes on: the next try is some minutes away.
    async fn recheck(
        &self,
        session: SessionId,
        person: &SignedIn,
        return_to: &ReturnTo,
        browser: &Browser,
        waiter: Waiter,
    ) -> Result<Due, StoreError> {
        let Some(provider) = self.providers.get(&person.provider) else {
            self.sessions.end(session).await?;
            return Ok(Due::SignIn);
        };
        if !self.sessions.begin_recheck(session).await || provider.availability() != Availability::Available {
            return Ok(Due::Nothing);
        }
        let state = self.new_state(provider, return_to, browser, Prompt::Silent);
        let Ok(location) = self.authorization_url(provider, &state, None, browser, waiter).await else {
            return Ok(Due::Nothing);
        };
        let (reference, provider) = (state.attempt.reference(), provider.id());
        tracing::info!(code = "recheck", %reference, %provider, "the provider is asked again");
        Ok(Due::Recheck(location))
    }

    /// What the end of a recheck means for somebody who is signed in. Whatever says nothing about the person leaves the
    /// session as it is.
    pub(super) async fn rechecked(&self, callback: &Callback, status: Status) -> Status {
        let reason = match &status {
            Status::Failed(reason) | Status::Recorded(reason) | Status::NotClaimed(reason) => reason.clone(),
            _ => return status,
        };
        let Some(session) = callback.request.session else { return status };
        let until = self.look_until(callback);
        let ended = async {
            // A page that is shown again says nothing about a session that was begun, or confirmed, since.
            let is_newer = |person: &SignedIn| person.confirmed > callback.state.state.started;
            match self.sessions.find(session).await? {
                Found::SignedIn(person) if !is_newer(&person) => {}
                _ => return Ok(None),
            }
            let signs_in_again = signs_in_again(reason.problem);
            if !signs_in_again && !is_about_the_person(reason.problem) {
                return Ok(Some(Status::SignedIn));
            }
            self.sessions.end(session).await?;
            Ok(signs_in_again.then(|| Status::BeginAgain(reason)))
        };
        let unknown = |error: StoreError| Status::NotClaimed(Reason::of_store(&error, Problem::StoreUnavailable));
        let ended = timeout_at(until, ended).await.unwrap_or_else(|_| Err(StoreError::late()));
        ended.map_or_else(unknown, |ended| ended.unwrap_or(status))
    }
}

/// Whether the provider has to ask the person itself.
const fn signs_in_again(problem: Problem) -> bool {
    matches!(problem, Problem::ProviderInteraction | Problem::AuthenticationTooWeak)
}

/// Whether the provider, or our own settings, will not have this person any more.
const fn is_about_the_person(problem: Problem) -> bool {
    matches!(problem, Problem::AccessDenied | Problem::NotAllowed | Problem::UserUnknown | Problem::UserDisabled)
}
