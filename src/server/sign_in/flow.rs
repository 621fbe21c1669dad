//! The flow with everything it needs, and what goes into and comes out of its steps.

use std::{collections::HashMap, sync::Arc, time::Duration};

use moka::sync::Cache;
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    authorize::{Start, Started},
    browser_cookie::Browser,
    callback_query::CallbackQuery,
    exchanges::Exchanges,
    rate_limit::{Client, RateLimit},
    return_to::ReturnTo,
};
use crate::server::{
    client_address::ClientAddress,
    clock::System,
    ids::{AttemptId, ProviderId, Reference},
    limits,
    problem::Problem,
    provider::Providers,
    seal::Keyring,
    session::{SessionId, Sessions},
    settings::{PublicUrl, SignInRules, UserRules},
    store::Store,
};

/// The sign-in flow with everything it needs.
pub struct SignIn {
    pub(super) public_url: PublicUrl,
    pub(super) rules: SignInRules,
    pub(super) users: UserRules,
    pub(super) keys: Keyring,
    pub(super) providers: Arc<Providers>,
    pub(super) store: Arc<dyn Store>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) rate_limits: HashMap<ProviderId, Arc<RateLimit>>,
    pub(super) exchanges: Exchanges,
    /// When the response to an attempt first came, as long as its code may live.
    pub(super) arrivals: Cache<AttemptId, OffsetDateTime>,
    pub(super) tasks: TaskTracker,
    pub(super) system: System,
}

/// What a [`SignIn`] is made of.
pub struct Parts {
    /// The only source of absolute links.
    pub public_url: PublicUrl,
    /// How long sign-ins may take.
    pub rules: SignInRules,
    /// Who may sign in.
    pub users: UserRules,
    /// Keys to seal with.
    pub keys: Keyring,
    /// The providers.
    pub providers: Arc<Providers>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// Where exchanges run, so that shutdown can wait for them.
    pub tasks: TaskTracker,
    /// Time and randomness.
    pub system: System,
}

/// The browser that makes a request, as far as it has shown itself.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// From its flow cookie; `None` where it showed none of ours.
    pub browser: Option<Browser>,
    /// From its session cookie, unchecked.
    pub session: Option<SessionId>,
    /// Where it comes from.
    pub address: ClientAddress,
    /// When its request arrived; the patience counts from here.
    pub arrived: Instant,
}

impl RequestContext {
    /// Who answers for the codes that it brings.
    pub(super) fn client(&self) -> Client {
        let device = self.browser.as_ref().and_then(|browser| browser.device);
        device.map_or(Client::Address(self.address), Client::Device)
    }
}

/// What became of a sign-in, or of the question about it.
#[derive(Debug)]
pub enum Completion {
    /// Signed in: set both cookies and go.
    Done {
        /// Where to.
        return_to: ReturnTo,
        /// For the session cookie.
        session: SessionId,
        /// For the flow cookie.
        browser: Browser,
    },
    /// Signed in before: go.
    GoOn(ReturnTo),
    /// Begin anew by itself: go to the provider.
    Restart(Started),
    /// Not yet.
    Pending {
        /// The callback's query that asks again; no code stands in it.
        query: CallbackQuery,
        /// The attempt's reference.
        reference: Reference,
        /// The provider's name for people.
        provider: String,
        /// Milliseconds to wait before the next question.
        ask_again_in: u32,
    },
    /// It will not succeed.
    Failed(Failure),
}

/// A sign-in that did not succeed, or not yet.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub problem: Problem,
    /// Finds it in the log and, if it was claimed, in the store.
    pub reference: Reference,
    /// The callback's query that explains the same again; `None` where there is no state of ours to go by.
    pub query: Option<CallbackQuery>,
    /// Path of a new start at the same provider, for the same page.
    pub begin_again: Option<String>,
    /// Seconds until a new try makes sense.
    pub retry_in: Option<u32>,
}

impl Failure {
    /// For `problem`, to be looked up by `reference`.
    #[must_use]
    pub const fn new(problem: Problem, reference: Reference) -> Self {
        Self { problem, reference, query: None, begin_again: None, retry_in: None }
    }

    /// With a way to begin anew. Where the account is the problem, the provider asks who one is.
    #[must_use]
    pub fn with_start(self, start: Start) -> Self {
        let another = matches!(self.problem, Problem::UserDisabled | Problem::NotAllowed | Problem::UserUnknown);
        let start = Start { clicked: true, other_account: start.other_account || another, ..start };
        Self { begin_again: Some(start.path()), ..self }
    }

    /// Explained again by `query`.
    #[must_use]
    pub fn with_query(self, query: CallbackQuery) -> Self {
        Self { query: Some(query), ..self }
    }

    /// A new try makes sense at `retry_at`, or soon where the problem passes by itself.
    #[must_use]
    pub fn with_retry(self, retry_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        // Whole seconds, rounded up; none where that has passed.
        let left = retry_at.map(|at| (at - now).whole_seconds()).filter(|left| *left > 0);
        let seconds = left.and_then(|left| u32::try_from(left + 1).ok());
        let soon = self.problem.passes().then_some(limits::TRY_AGAIN_IN);
        Self { retry_in: seconds.or(soon), ..self }
    }
}

impl SignIn {
    /// Ready to sign people in.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let now = parts.system.now();
        let ids = parts.providers.iter().map(|provider| provider.id().clone());
        let rate_limits = ids.map(|id| (id.clone(), Arc::new(RateLimit::new(id, now)))).collect();
        Self {
            public_url: parts.public_url,
            rules: parts.rules,
            users: parts.users,
            keys: parts.keys,
            providers: parts.providers,
            store: parts.store,
            sessions: parts.sessions,
            rate_limits,
            exchanges: Exchanges::default(),
            arrivals: Cache::builder().max_capacity(limits::ARRIVALS).time_to_live(2 * limits::CODE_LIFE).build(),
            tasks: parts.tasks,
            system: parts.system,
        }
    }

    /// How long the first answer may wait for everything awaited.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.rules.patience
    }

    /// Reads a flow cookie.
    #[must_use]
    pub fn browser(&self, cookie: &str) -> Option<Browser> {
        Browser::open(cookie, &self.keys)
    }

    /// Writes a flow cookie.
    #[must_use]
    pub fn seal_browser(&self, browser: &Browser) -> String {
        browser.seal(&self.keys, &self.system)
    }

    /// The browser after sign-out.
    #[must_use]
    pub fn signed_out_browser(&self, before: Option<&Browser>) -> Browser {
        Browser::signed_out(before, &self.system)
    }

    /// A page to return to, judged.
    #[must_use]
    pub fn return_to(&self, asked: Option<&str>) -> ReturnTo {
        ReturnTo::judge(asked, &self.public_url)
    }

    /// A reference for what has no attempt: it is in the log alone.
    pub(super) fn new_reference(&self) -> Reference {
        Reference::of(&self.system.bytes::<16>())
    }
}
