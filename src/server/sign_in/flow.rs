//! The flow with everything it needs.

use std::{collections::HashMap, sync::Arc, time::Duration};

use moka::{policy::EvictionPolicy, sync::Cache};
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{browser_cookie::Browser, exchanges::Exchanges, rate_limit::RateLimit, return_to::ReturnTo};
use crate::server::{
    application::Applications,
    clock::System,
    failure_log::Said,
    ids::{AttemptId, ProviderId, Reference},
    limits,
    provider::Providers,
    seal::Keyring,
    session::Sessions,
    settings::{PublicUrl, SignInRules, UserRules},
    store::Store,
};

/// The sign-in flow with everything it needs.
pub struct SignIn {
    pub(super) public_url: PublicUrl,
    pub(super) applications: Arc<Applications>,
    pub(super) rules: SignInRules,
    pub(super) users: UserRules,
    pub(super) keys: Arc<Keyring>,
    pub(super) providers: Arc<Providers>,
    pub(super) store: Arc<dyn Store>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) rate_limits: HashMap<ProviderId, Arc<RateLimit>>,
    pub(super) exchanges: Exchanges,
    /// When the response to an attempt first arrived, for as long as its code may live.
    pub(super) arrivals: Cache<AttemptId, OffsetDateTime>,
    /// Why the store did not take the session of a verified attempt.
    pub(super) undelivered: Cache<AttemptId, Said>,
    pub(super) tasks: TaskTracker,
    pub(super) system: System,
}

/// What a [`SignIn`] is made of.
pub struct Parts {
    /// The only source of absolute links.
    pub public_url: PublicUrl,
    /// Where else people may land.
    pub applications: Arc<Applications>,
    /// How long sign-ins may take.
    pub rules: SignInRules,
    /// Who may sign in.
    pub users: UserRules,
    /// Keys to seal with.
    pub keys: Arc<Keyring>,
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

/// Something about each of the last attempts.
fn remembered<V: Clone + Send + Sync + 'static>(kept: Duration) -> Cache<AttemptId, V> {
    let size = Cache::builder().eviction_policy(EvictionPolicy::lru()).max_capacity(limits::ATTEMPTS_REMEMBERED);
    size.time_to_live(kept).build()
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
            applications: parts.applications,
            rules: parts.rules,
            users: parts.users,
            keys: parts.keys,
            providers: parts.providers,
            store: parts.store,
            sessions: parts.sessions,
            rate_limits,
            exchanges: Exchanges::default(),
            arrivals: remembered(limits::ARRIVAL_KEPT),
            undelivered: remembered(limits::UNDELIVERED_KEPT),
            tasks: parts.tasks,
            system: parts.system,
        }
    }

    /// How long a request waits before the waiting page is shown.
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

    /// The page to return to, from a parameter. Neither path nor query is logged: both may hold what is nobody's business.
    #[must_use]
    pub fn return_to(&self, asked: Option<&str>) -> ReturnTo {
        let (return_to, dropped) = ReturnTo::sanitize(asked, &self.public_url, &self.applications);
        if let Some(reason) = dropped {
            let bytes = asked.map_or(0, str::len);
            tracing::info!(code = "return_to_dropped", %reason, bytes, "return_to is not followed as it was asked for");
        }
        return_to
    }

    /// Runs `work` to its end, also where whoever waits for it goes away, or the program is asked to stop.
    pub fn to_the_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn(work)
    }

    /// A reference for a failure without an attempt: only the log has it.
    pub(super) fn new_reference(&self) -> Reference {
        Reference::of(&self.system.bytes::<16>())
    }
}
