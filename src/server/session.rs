//! Typed sessions: who is signed in with this browser. `tower-sessions` holds the mechanics (the 22-character id, the
//! record, its expiry); string keys and records stay in here.

use std::{fmt, str::FromStr as _, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::timeout;
use tower_sessions::{Session, session::Id};

use self::records::{Facts, Records};
use super::{
    clock::System,
    ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, UserId},
    settings::SessionRules,
    store::{SessionRecord, Store, StoreError, User},
};

mod records;

/// How long a browser's former session goes on after the same person has signed in anew, so that tabs in flight do
/// not look signed out.
const FORMER_SESSION: Duration = Duration::from_secs(60);
/// The last-seen time is written at most this often.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// Nobody waits longer than this for it to be written: who asks has a patience of a little more than a second.
const NOTED_WITHIN: Duration = Duration::from_millis(500);

/// The id in the session cookie: 128 bits, 22 characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId(Id);

impl SessionId {
    /// From the 16 bytes an attempt derives.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(Id(i128::from_le_bytes(bytes)))
    }

    /// Reads a cookie's value. `None` unless it is the one spelling of an id.
    #[must_use]
    pub fn parse(cookie: &str) -> Option<Self> {
        Id::from_str(cookie).ok().map(Self).filter(|id| id.expose() == cookie)
    }

    /// For the cookie, and nothing else.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.to_string()
    }

    fn hash(self) -> SessionHash {
        hash_of(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

fn hash_of(id: &Id) -> SessionHash {
    SessionHash::of(&id.0.to_le_bytes())
}

/// Who a session cookie stands for.
#[derive(Clone, Debug)]
pub enum Found {
    /// A person with an active account.
    SignedIn(Box<SignedIn>),
    /// A person whose account was switched off since; the session is gone.
    Disabled,
    /// Nobody: no such session, or expired.
    Nobody,
}

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Their account.
    pub user: User,
    /// The provider they came through.
    pub provider: ProviderId,
    /// When they signed in.
    pub since: OffsetDateTime,
}

/// What a new session is made of.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Derived from the attempt, so that delivering it again is the same session.
    pub id: SessionId,
    /// The browser it is given to.
    pub browser: BrowserHash,
    /// Whose.
    pub user: UserId,
    /// Who vouches for them.
    pub issuer: Issuer,
    /// Through which provider.
    pub provider: ProviderId,
    /// The attempt that delivers it.
    pub attempt: AttemptId,
}

/// All sessions.
pub struct Sessions {
    records: Arc<Records>,
    store: Arc<dyn Store>,
    rules: SessionRules,
    system: System,
}

impl Sessions {
    /// Sessions in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, rules: SessionRules, system: System) -> Self {
        let records = Arc::new(Records::new(store.clone(), rules, system.clone()));
        Self { records, store, rules, system }
    }

    /// How long the cookie may live.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.rules.absolute
    }

    /// Who is signed in with `id`. The first time that a session is found closes the delivery of its attempt: from
    /// then on the callback's URL admits nobody.
    ///
    /// # Errors
    /// The store cannot tell, which never means "nobody".
    pub async fn find(&self, id: SessionId) -> Result<Found, StoreError> {
        let session = self.open(id);
        let Some(mut facts) = self.readable(&session).await? else { return Ok(Found::Nobody) };
        let Some(user) = self.store.user(&facts.user).await? else { return Ok(Found::Nobody) };
        let first_use = facts.delivered_by.take();
        if let Some(attempt) = first_use {
            self.store.close_delivery(attempt).await?;
        }
        if !user.active {
            self.bury(&session, facts).await?;
            return Ok(Found::Disabled);
        }
        let now = self.system.now();
        if first_use.is_some() || now >= facts.last_seen + TOUCH_EVERY.min(self.rules.idle / 10) {
            facts.last_seen = now;
            // Who is signed in is known; that it cannot be noted (a store that can only be read) is no reason to deny it.
            match timeout(NOTED_WITHIN, self.save(&session, &facts)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(code = "store_unavailable", detail = %error, "the last use of the session could not be stored")
                }
                Err(_) => tracing::warn!(
                    code = "store_unavailable",
                    detail = "no answer in time",
                    "the last use of the session could not be stored"
                ),
            }
        }
        Ok(Found::SignedIn(Box::new(SignedIn { user, provider: facts.provider, since: facts.created })))
    }

    /// Begins the session that an attempt delivers; delivering it again changes nothing. The browser's former session,
    /// if it is another, ends: soon if it is the same person's, at once otherwise.
    ///
    /// `false`: it was delivered before and has ended since; it does not begin again.
    ///
    /// # Errors
    /// The store; then nothing was delivered and it can be tried again.
    pub async fn admit(&self, admission: Admission, former: Option<SessionId>) -> Result<bool, StoreError> {
        let former = former.filter(|former| *former != admission.id);
        let now = self.system.now();
        let record = SessionRecord {
            id: admission.id.hash(),
            browser: Some(admission.browser),
            user: admission.user,
            issuer: admission.issuer,
            provider: admission.provider,
            created: now,
            last_seen: now,
            expires: now + self.rules.absolute,
            delivered_by: Some(admission.attempt),
        };
        if !self.store.create_session(&record).await? {
            // Delivered before: the same session, unless it has ended since.
            let standing = self.readable(&self.open(admission.id)).await?;
            if standing.is_none_or(|standing| standing.user != record.user) {
                return Ok(false);
            }
        }
        // Last, so that whatever fails before leaves the person signed in as before.
        if let Some(former) = former {
            self.retire(former, &record.user).await?;
        }
        Ok(true)
    }

    /// Signs out: the session is dead at once, and so is every other that this browser was given and its cookie no
    /// longer names (of callbacks in parallel, or the former one's last minute). What had delivered them delivers
    /// nothing any more, and what still runs for this browser is interrupted. Returns the provider the person had come
    /// through.
    ///
    /// # Errors
    /// The store; then the person is still signed in.
    pub async fn sign_out(
        &self,
        id: Option<SessionId>,
        browser: Option<BrowserHash>,
    ) -> Result<Option<ProviderId>, StoreError> {
        let provider = match id {
            Some(id) => self.end(id).await?,
            None => None,
        };
        if let Some(browser) = browser {
            self.store.end_browser(browser, self.system.now()).await?;
        }
        Ok(provider)
    }

    async fn end(&self, id: SessionId) -> Result<Option<ProviderId>, StoreError> {
        let session = self.open(id);
        let facts = match self.facts(&session).await {
            Ok(Some(facts)) => facts,
            // One that has ended stays as it is: its record keeps the id taken.
            Ok(None) => return Ok(None),
            // A newer version may be able to read it.
            Err(StoreError::Unreadable(_)) => {
                self.store.delete_session(id.hash()).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if let Some(attempt) = facts.delivered_by {
            self.store.close_delivery(attempt).await?;
        }
        let provider = facts.provider.clone();
        self.bury(&session, facts).await?;
        Ok(Some(provider))
    }

    /// Ends a session but leaves its record for the store to remove: a delivery under way at this moment finds the id
    /// taken, and cannot insert it anew.
    async fn bury(&self, session: &Session, mut facts: SessionRecord) -> Result<(), StoreError> {
        facts.expires = facts.expires.min(self.system.now());
        facts.delivered_by = None;
        self.save(session, &facts).await
    }

    async fn retire(&self, former: SessionId, next: &UserId) -> Result<(), StoreError> {
        let session = self.open(former);
        let Some(mut facts) = self.readable(&session).await? else { return Ok(()) };
        if let Some(attempt) = facts.delivered_by.take() {
            self.store.close_delivery(attempt).await?;
        }
        if facts.user == *next {
            facts.expires = facts.expires.min(self.system.now() + FORMER_SESSION);
            self.save(&session, &facts).await
        } else {
            self.bury(&session, facts).await
        }
    }

    /// The facts of a session that lives. One that cannot be read (a newer version wrote it) is nobody's: the person
    /// signs in again rather than being held up until they delete a cookie.
    async fn readable(&self, session: &Session) -> Result<Option<SessionRecord>, StoreError> {
        match self.facts(session).await {
            Err(StoreError::Unreadable(detail)) => {
                tracing::error!(code = "session_unreadable", detail, "the stored session could not be read");
                Ok(None)
            }
            other => other,
        }
    }

    fn open(&self, id: SessionId) -> Session {
        Session::new(Some(id.0), self.records.clone(), None)
    }

    async fn facts(&self, session: &Session) -> Result<Option<SessionRecord>, StoreError> {
        let Some(id) = session.id() else { return Ok(None) };
        let facts = session.get::<Facts>(records::FACTS).await.map_err(records::failure)?;
        Ok(facts.and_then(|facts| facts.record(hash_of(&id))))
    }

    async fn save(&self, session: &Session, record: &SessionRecord) -> Result<(), StoreError> {
        session.insert(records::FACTS, Facts::of(record)).await.map_err(records::failure)?;
        session.save().await.map_err(records::failure)
    }
}
