//! The problem page, which explains every failure.

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::Response,
};

use super::render::Renderer;
use crate::{
    paths,
    server::{
        failure_log::Said,
        limits,
        problem::{Problem, WayOn},
        sign_in::Failure,
        store::StoreError,
    },
    view,
};

impl Renderer {
    /// The page for a problem that has no attempt: only the log has its reference.
    pub(crate) fn problem(&self, error: Problem) -> Response {
        self.failure(&self.without_attempt(error, &Said::default()), None)
    }

    /// The same, with more detail for the log.
    pub(crate) fn problem_with_detail(&self, error: Problem, detail: &str) -> Response {
        self.failure(&self.without_attempt(error, &Said::by(Some(detail.to_owned()))), None)
    }

    /// The store cannot tell who is signed in, which is never treated as "not signed in". `same` is the path to try
    /// again.
    pub(crate) fn store_unavailable(&self, error: &StoreError, same: &str) -> Response {
        let failure = self.without_attempt(Problem::StoreUnavailable, &Said::from(error));
        self.failure(&failure, Some(same.to_owned()))
    }

    /// Logs the problem under its reference.
    pub(in crate::server) fn without_attempt(&self, error: Problem, said: &Said) -> Failure {
        let of = said.detail.as_deref().filter(|_| error.is_met_by_every_request());
        let reference = self.reference(error, of);
        error.log(&reference, said);
        Failure::new(error, reference)
    }

    /// The explained page. `same` is the path that repeats the request, if that may help.
    pub(crate) fn failure(&self, failure: &Failure, same: Option<String>) -> Response {
        self.failure_of(failure, same, None)
    }

    /// The same for a person who is signed in, by whose name they see who that is.
    pub(crate) fn failure_of(&self, failure: &Failure, same: Option<String>, person: Option<String>) -> Response {
        let problem = failure.problem;
        let way_on = problem.way_on();
        let page = view::ProblemPage {
            code: problem.code(),
            reference: failure.reference.to_string(),
            kind: problem.kind(),
            who: problem.who(),
            action: view::Action { way_on, href: self.href(failure, same.clone()) },
            person,
            second: second_action(failure),
            retry_in: failure.retry_in,
            // It resolves itself: the page retries automatically until it has.
            refresh: same.filter(|_| problem.passes()),
            script: matches!(way_on, WayOn::StartAgain | WayOn::UseAnotherAccount) && failure.query.is_some(),
        };
        let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.page(status, |shell| view::problem(shell, &page));
        if let Some(seconds) = retry_after(failure) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Where the button leads.
    fn href(&self, failure: &Failure, same: Option<String>) -> String {
        let begin_again = failure.begin_again.clone();
        let path = match failure.problem.way_on() {
            // What does not pass by itself is the same at the same address.
            WayOn::TryAgain if failure.problem.passes() => same.or(begin_again),
            WayOn::TryAgain => begin_again.or(same),
            WayOn::StartAgain | WayOn::UseAnotherAccount | WayOn::SignInBeside => begin_again,
            WayOn::Login | WayOn::OtherProvider => failure.others.clone(),
            WayOn::Home => Some("/".to_owned()),
        };
        path.unwrap_or_else(|| self.own(paths::LOGIN))
    }
}

/// Where the provider cannot be used, another one may do; a person who was refused may have another account there.
fn second_action(failure: &Failure) -> Option<view::Action> {
    if let Some(others) = &failure.others {
        return Some(view::Action { way_on: WayOn::OtherProvider, href: others.clone() });
    }
    let again = failure.begin_again.as_ref().filter(|_| failure.problem == Problem::AccessDenied)?;
    Some(view::Action { way_on: WayOn::UseAnotherAccount, href: format!("{again}&prompt=login") })
}

/// Only where waiting helps: the time is known, or the problem resolves itself.
fn retry_after(failure: &Failure) -> Option<u32> {
    failure.retry_in.or_else(|| failure.problem.passes().then_some(limits::TRY_AGAIN_IN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ids::Reference;

    fn failure(error: Problem, retry_in: Option<u32>) -> Failure {
        Failure { retry_in, ..Failure::new(error, Reference::of(&[0; 16])) }
    }

    #[test]
    fn retry_after_is_sent_only_if_waiting_helps() {
        for error in Problem::ALL {
            let seconds = retry_after(&failure(*error, None));
            assert_eq!(seconds.is_some(), error.passes(), "{error:?}");
        }
        assert_eq!(retry_after(&failure(Problem::ProviderBusy, Some(120))), Some(120));
        assert_eq!(retry_after(&failure(Problem::ClientRefused, None)), None);
        assert_eq!(retry_after(&failure(Problem::IdTokenInvalid, None)), None);
    }
}
