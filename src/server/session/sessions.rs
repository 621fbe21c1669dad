//! Sessions: found and begun.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::timeout;

use super::{
    found::{Found, SignedIn},
    id::SessionId,
    lately::{Lately, What},
    live::{FoundAll, LiveSession},
    unnoted::Unnoted,
};
use crate::server::{
    clock::{System, later},
    ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, UserId},
    limits,
    provider::RawIdToken,
    settings::SessionRules,
    store::{SessionFacts, SessionRecord, Store, StoreError, User},
};

/// What a verified attempt delivers: an account, and what its session is to remember.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whose session it is.
    pub user: UserId,
    /// What the provider said.
    pub facts: SessionFacts,
    /// The ID token, where sign-out at the provider will need it.
    pub id_token: Option<RawIdToken>,
}

/// What a new session is made of.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Derived from the attempt, so that delivering it again is the same session.
    pub id: SessionId,
    /// The browser it is given to.
    pub browser: BrowserHash,
    /// Whose it is, and what it remembers.
    pub delivery: Delivery,
    /// The issuer.
    pub issuer: Issuer,
    /// The provider.
    pub provider: ProviderId,
    /// The attempt that delivers it.
    pub attempt: AttemptId,
    /// When that began.
    pub begun: OffsetDateTime,
    /// The ID token, sealed for this session, where sign-out needs it.
    pub id_token: Option<Vec<u8>>,
}

/// All sessions.
pub struct Sessions {
    pub(super) store: Arc<dyn Store>,
    pub(super) rules: SessionRules,
    pub(super) system: System,
    /// Those that the store has confirmed lately.
    pub(super) lately: Lately,
    pub(super) unnoted_recheck: Unnoted,
    /// The last visit could not be noted, and that was logged.
    unnoted: AtomicBool,
}

impl Sessions {
    /// Sessions in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, rules: SessionRules, system: System) -> Self {
        Self {
            store,
            lately: Lately::new(touch_every(&rules)),
            rules,
            system,
            unnoted_recheck: Unnoted::default(),
            unnoted: AtomicBool::new(false),
        }
    }

    /// How long the cookie may live.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.rules.absolute
    }

    /// Who is signed in with `id`. The first time that a session is found closes the delivery of its attempt: from
    /// then on the callback's URL signs nobody in.
    ///
    /// # Errors
    /// The store cannot tell, which never means "nobody".
    pub async fn find(&self, id: SessionId) -> Result<Found, StoreError> {
        self.find_by_hash(id.hash()).await
    }

    async fn find_by_hash(&self, id: SessionHash) -> Result<Found, StoreError> {
        let mut session = match self.open(id).await {
            Ok(Some(session)) => session,
            Ok(None) => return Ok(Found::Ended),
            Err(StoreError::Unreadable(detail)) => {
                log_unreadable(&detail);
                return Ok(Found::Nobody);
            }
            Err(error) => return Err(error),
        };
        let Some(user) = self.store.user(&session.user).await? else { return Ok(Found::Ended) };
        let first_use = session.delivered_by.take();
        if let Some(attempt) = first_use {
            self.store.close_delivery(attempt).await?;
            // The provider may have logged the person out while they were signing in, or they have signed out in another tab.
            if self.store.is_logged_out(&session).await? {
                self.expire_if_possible(session).await;
                return Ok(Found::Ended);
            }
        }
        if !user.active {
            self.expire_if_possible(session).await;
            return Ok(Found::Disabled);
        }
        let now = self.system.now();
        if first_use.is_some() || self.is_touch_due(&session, now) {
            session.last_seen = now;
            // A store that can only be read still tells who is signed in; that their visit cannot be noted is no reason
            // to turn them away.
            match timeout(limits::SESSION_TOUCH_WAIT, self.store.save_session(&session)).await {
                Ok(Ok(_)) => self.unnoted.store(false, Ordering::Relaxed),
                Ok(Err(error)) => self.log_unnoted(&error.to_string()),
                Err(_) => self.log_unnoted("no response in time"),
            }
        }
        Ok(Found::SignedIn(Box::new(self.signed_in(session, user))))
    }

    fn signed_in(&self, session: SessionRecord, user: User) -> SignedIn {
        let until = self.ends(&session);
        let recheck_from = self.recheck_from(&session);
        let SessionRecord { provider, issuer, facts, browser, created: since, confirmed, .. } = session;
        SignedIn { user, provider, issuer, facts, browser, since, confirmed, until, recheck_from }
    }

    fn is_touch_due(&self, session: &SessionRecord, now: OffsetDateTime) -> bool {
        now >= later(session.last_seen, self.touch_every())
    }

    /// Who is signed in by each of these sessions, at the cost of two questions to the store for all of them together.
    pub(super) async fn find_all(&self, ids: &[SessionHash]) -> Result<FoundAll, StoreError> {
        let asked = self.lately.generation();
        let mut records = self.store.sessions(ids).await?;
        let now = self.system.now();
        records.retain(|session| now < self.ends(session));
        let mut wanted: Vec<_> = records.iter().map(|session| session.user.clone()).collect();
        wanted.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        wanted.dedup();
        let users = if wanted.is_empty() { Vec::new() } else { self.store.users(&wanted).await? };
        let users: HashMap<_, _> = users.into_iter().map(|user| (user.id.as_str().to_owned(), user)).collect();
        let mut found = FoundAll::default();
        for session in records {
            let id = session.id;
            match users.get(session.user.as_str()).filter(|user| user.active) {
                Some(user) if session.delivered_by.is_none() => {
                    if self.is_touch_due(&session, now) {
                        found.due.push(id);
                    }
                    let person = self.signed_in(session, user.clone());
                    found.signed_in.insert(id, self.lately.confirm(asked, id, person));
                }
                // Its first use, or the end of a disabled account's session, is to be written.
                _ => found.to_write.push(id),
            }
        }
        Ok(found)
    }

    /// Who is signed in by a session of which something is to be written first, which may take long or fail.
    pub(super) async fn find_by_writing(&self, id: SessionHash) -> Result<Option<LiveSession>, StoreError> {
        let asked = self.lately.generation();
        let person = self.find_by_hash(id).await?.person();
        Ok(person.map(|person| self.lately.confirm(asked, id, person)))
    }

    /// How often the use of a session is noted.
    pub(super) fn touch_every(&self) -> Duration {
        touch_every(&self.rules)
    }

    /// Notes that all of these were used at that time. `false`: the store does not take it.
    pub(super) async fn touch_all(&self, ids: &[SessionHash], at: OffsetDateTime) -> bool {
        let touched = self.store.touch_sessions(ids, at).await;
        match &touched {
            Ok(()) => self.unnoted.store(false, Ordering::Relaxed),
            Err(error) => self.log_unnoted(&error.to_string()),
        }
        touched.is_ok()
    }

    /// Why the store is away, if it is known to be.
    pub(super) fn store_away(&self) -> Option<StoreError> {
        self.store.away()
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.system.now()
    }

    /// Something about the user may have changed: role, name, whether the account is active.
    pub fn user_changed(&self, user: &UserId) {
        self.lately.forget(What::User(user.clone()));
    }

    /// Begins the session that an attempt delivers; delivering it again changes nothing. The browser's former session,
    /// if it is another, ends: soon if it is the same person's with the same groups, at once otherwise.
    ///
    /// `false`: it was delivered before and has ended since, or the browser has signed out meanwhile; it does not begin.
    ///
    /// # Errors
    /// The store; then nothing was delivered and it can be tried again.
    pub async fn begin(&self, new: NewSession, former: Option<SessionId>) -> Result<bool, StoreError> {
        let former = former.filter(|former| *former != new.id);
        let now = self.system.now();
        let record = SessionRecord {
            id: new.id.hash(),
            browser: Some(new.browser),
            user: new.delivery.user,
            issuer: new.issuer,
            provider: new.provider,
            begun: new.begun,
            created: now,
            confirmed: now,
            rechecked: None,
            last_seen: now,
            expires: now + self.rules.absolute,
            delivered_by: Some(new.attempt),
            facts: new.delivery.facts,
            id_token: new.id_token,
        };
        if !self.store.create_session(&record).await? {
            // Delivered before: the same session, unless it has ended since.
            let existing = self.readable(new.id).await?;
            if existing.is_none_or(|existing| existing.user != record.user) {
                return Ok(false);
            }
        }
        // Last, so that whatever fails before leaves the person signed in as before.
        if let Some(former) = former {
            self.retire(former, &record).await?;
        }
        Ok(true)
    }

    /// Ends a session but leaves its record for the store to remove a minute later: a delivery under way at this moment
    /// finds the id taken, and cannot insert it again.
    pub(super) async fn expire(&self, mut session: SessionRecord) -> Result<(), StoreError> {
        let _forgetting = self.lately.will_forget(What::Session(session.id));
        session.expires = session.expires.min(self.system.now());
        session.delivered_by = None;
        session.user = SessionRecord::nobody();
        self.store.save_session(&session).await.map(drop)
    }

    /// A session that signs nobody in, whether the store can write that or not: each time that it is found it is none.
    async fn expire_if_possible(&self, session: SessionRecord) {
        // Before it is written, too: whoever waits no longer for that is not to go on with what was known.
        self.lately.forget(What::Session(session.id));
        let expired = timeout(limits::SESSION_TOUCH_WAIT, self.expire(session)).await;
        if let Err(error) = expired.unwrap_or_else(|_| Err(StoreError::late())) {
            tracing::debug!(code = "store_unavailable", detail = %error, "the end of a session could not be written");
        }
    }

    /// Whoever has other groups from now on has them on every host, whose cookies still name the former session.
    async fn retire(&self, former: SessionId, next: &SessionRecord) -> Result<(), StoreError> {
        let Some(mut session) = self.readable(former).await? else { return Ok(()) };
        // It remains unused: its first use has to be looked into, even in its last minute.
        if let Some(attempt) = session.delivered_by {
            self.store.close_delivery(attempt).await?;
        }
        let groups = |session: &SessionRecord| session.facts.groups.iter().cloned().collect::<BTreeSet<_>>();
        if session.user != next.user || groups(&session) != groups(next) {
            return self.expire(session).await;
        }
        session.expires = session.expires.min(self.system.now() + limits::SESSION_FORMER_LIFE);
        self.store.save_session(&session).await.map(drop)
    }

    /// A session that lives. One that cannot be read (a newer version wrote it) counts as none: the person signs in
    /// again instead of getting an error until they delete a cookie.
    pub(super) async fn readable(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        match self.open(id.hash()).await {
            Err(StoreError::Unreadable(detail)) => {
                log_unreadable(&detail);
                Ok(None)
            }
            other => other,
        }
    }

    /// A session that lives: expiry is checked here, since the store removes expired records later.
    pub(super) async fn open(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
        let session = self.store.session(id).await?;
        Ok(session.filter(|session| self.system.now() < self.ends(session)))
    }

    /// Every request of every session may come to this: it is said once, until one succeeds.
    fn log_unnoted(&self, detail: &str) {
        const WHAT: &str = "the last-seen time could not be written";
        if self.unnoted.swap(true, Ordering::Relaxed) {
            tracing::debug!(code = "store_unavailable", detail, "{WHAT}");
        } else {
            tracing::warn!(code = "store_unavailable", detail, "{WHAT}");
        }
    }

    fn ends(&self, session: &SessionRecord) -> OffsetDateTime {
        let ends = session.expires.min(later(session.last_seen, self.rules.idle));
        match session.delivered_by {
            Some(_) => ends.min(later(session.created, limits::SESSION_UNUSED_LIFE)),
            None => ends,
        }
    }
}

/// How often the use of a session is noted.
fn touch_every(rules: &SessionRules) -> Duration {
    limits::SESSION_TOUCH_EVERY.min(rules.idle / limits::SESSION_TOUCHES_WITHIN_IDLE)
}

fn log_unreadable(detail: &str) {
    tracing::error!(
        code = "session_unreadable",
        detail,
        "a session cannot be read: it is damaged, or a newer version wrote it"
    );
}
