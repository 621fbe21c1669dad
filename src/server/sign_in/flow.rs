//! The flow with everything it needs, and what goes into and comes out of each of its steps.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{authorize, browser_cookie::Browser, exchange::Exchanges, return_to::ReturnTo, visitor::Failures};
use crate::server::{
    client_address::ClientAddress,
    clock::System,
    ids::Reference,
    problem::Problem,
    provider::Providers,
    seal::Keyring,
    session::{SessionId, Sessions},
    settings::{PublicUrl, SignInRules, UserRules},
    store::Store,
};

/// Automatic restarts of one attempt: each tab of a browser that began without a cookie may need one, and one more for
/// each time that cookies and answers cross. Two redirects each; a browser follows 20.
pub(super) const MOST_RESTARTS: u8 = 6;
/// How much longer each restart waits than the one before, for keys that are still on their way to settle.
pub(super) const RESTART_PAUSE: Duration = Duration::from_millis(250);

/// The sign-in flow with everything it needs.
pub struct SignIn {
    pub(super) public_url: PublicUrl,
    pub(super) rules: SignInRules,
    pub(super) users: UserRules,
    pub(super) keys: Keyring,
    pub(super) providers: Arc<Providers>,
    pub(super) store: Arc<dyn Store>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) failures: Failures,
    pub(super) exchanges: Exchanges,
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
    pub visitor: ClientAddress,
    /// When its request arrived; the patience counts from here.
    pub arrived: Instant,
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
    Restart(authorize::Started),
    /// Not yet.
    Pending {
        /// The callback's query that asks again; no code stands in it.
        query: String,
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

/// A sign-in that did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: Problem,
    /// Finds it in the log and, if it was claimed, in the store.
    pub reference: Reference,
    /// The callback's query that explains the same again; `None` where there is no state of ours to go by.
    pub query: Option<String>,
    /// Path of a new start at the same provider, for the same page.
    pub begin_again: Option<String>,
    /// Seconds until a new try makes sense.
    pub retry_in: Option<u32>,
}

impl SignIn {
    /// Ready to sign people in.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            public_url: parts.public_url,
            rules: parts.rules,
            users: parts.users,
            keys: parts.keys,
            providers: parts.providers,
            store: parts.store,
            sessions: parts.sessions,
            failures: Failures::new(),
            exchanges: Exchanges::default(),
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
    pub fn signed_out_browser(&self) -> Browser {
        Browser::signed_out(&self.system)
    }

    /// A page to return to, judged.
    #[must_use]
    pub fn return_to(&self, asked: Option<&str>) -> ReturnTo {
        ReturnTo::judge(asked, &self.public_url)
    }
}
