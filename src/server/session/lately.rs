//! Sessions that the store has confirmed lately, within this process.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::found::SignedIn;
use crate::server::{
    clock::to_millis,
    ids::{BrowserHash, SessionHash, UserId},
    limits,
};

/// A session that the store has confirmed: the same one for as long as nothing about the person changes, so that whoever
/// keeps it need not look for it again while it [is current](super::KnownSessions::is_current).
#[derive(Debug)]
pub struct Seen {
    /// Whose it is.
    pub person: Arc<SignedIn>,
    browser: Option<BrowserHash>,
    first: Instant,
    /// When the store confirmed it last, in milliseconds after the first time.
    confirmed: AtomicU64,
    /// When it ends unless it is used, in milliseconds since 1970.
    until: AtomicI64,
    /// The state of knowledge when it was found last.
    found: AtomicU64,
    /// It is being asked for ahead of time.
    asked: AtomicBool,
    /// The store could not tell when it was asked last.
    unanswered: AtomicBool,
}

/// Belongs to no state of knowledge.
const NEVER: u64 = u64::MAX;

impl Seen {
    fn new(browser: Option<BrowserHash>, person: Arc<SignedIn>, until: OffsetDateTime) -> Arc<Self> {
        Arc::new(Self {
            person,
            browser,
            first: Instant::now(),
            confirmed: AtomicU64::new(0),
            until: AtomicI64::new(to_millis(until)),
            found: AtomicU64::new(NEVER),
            asked: AtomicBool::new(false),
            unanswered: AtomicBool::new(false),
        })
    }

    fn confirm(&self, until: OffsetDateTime) {
        let now = u64::try_from(self.first.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.confirmed.store(now, Ordering::Relaxed);
        self.until.store(to_millis(until), Ordering::Relaxed);
        self.unanswered.store(false, Ordering::Relaxed);
        self.asked.store(false, Ordering::Relaxed);
    }

    pub(super) fn age(&self) -> Duration {
        let confirmed = Duration::from_millis(self.confirmed.load(Ordering::Relaxed));
        self.first.elapsed().saturating_sub(confirmed)
    }

    /// Whether it lives longer than `now`.
    pub(super) fn lives(&self, now: OffsetDateTime) -> bool {
        to_millis(now) < self.until.load(Ordering::Relaxed)
    }

    /// Whether the caller is the one to ask for it ahead of time.
    pub(super) fn is_mine_to_ask(&self) -> bool {
        !self.asked.swap(true, Ordering::Relaxed)
    }

    /// Notes that the store could not tell.
    pub(super) fn unanswered(&self) {
        self.unanswered.store(true, Ordering::Relaxed);
        self.asked.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u32 {
        let SignedIn { user, provider, issuer, facts, .. } = &*self.person;
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let list = |texts: &[String]| texts.iter().map(|text| text.len() + size_of::<String>()).sum::<usize>();
        let texts = [user.id.as_str(), &user.username, provider.as_str(), issuer.as_str()].map(str::len);
        let texts = texts.iter().sum::<usize>() + optional(&user.email) + optional(&user.full_name);
        let facts = optional(&facts.sid) + optional(&facts.acr) + list(&facts.groups) + list(&facts.amr);
        let whole = size_of::<Self>() + size_of::<SignedIn>() + texts + facts + limits::CACHE_ENTRY_BYTES;
        u32::try_from(whole).unwrap_or(u32::MAX)
    }
}

/// Which state of knowledge an answer of the store belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// The sessions seen lately. Bounded by bytes; whatever ends or changes a session in this process removes it at once.
pub(super) struct Lately {
    seen: Cache<SessionHash, Arc<Seen>>,
    /// Counts what has been forgotten: an answer that the store gave before that must not be remembered after it.
    forgotten: AtomicU64,
    /// Whoever remembers or forgets.
    changing: Mutex<()>,
}

impl Lately {
    pub(super) fn new() -> Self {
        let seen = Cache::builder()
            .weigher(|_, seen: &Arc<Seen>| seen.bytes())
            .max_capacity(limits::KNOWN_SESSIONS_BYTES)
            .time_to_idle(limits::SESSION_KNOWN_AT_MOST)
            .support_invalidation_closures()
            .build();
        Self { seen, forgotten: AtomicU64::new(0), changing: Mutex::default() }
    }

    pub(super) fn get(&self, id: SessionHash) -> Option<Arc<Seen>> {
        // Before it is looked for: what is forgotten meanwhile is not current.
        let Generation(now) = self.generation();
        let seen = self.seen.get(&id)?;
        seen.found.store(now, Ordering::Relaxed);
        Some(seen)
    }

    /// Whether looking for it would find it: nothing at all has been forgotten since it was found.
    pub(super) fn has(&self, seen: &Seen) -> bool {
        Generation(seen.found.load(Ordering::Relaxed)) == self.generation()
    }

    /// To be taken before the store is asked.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.forgotten.load(Ordering::Acquire))
    }

    /// Remembers what the store said, unless something was forgotten since it was asked.
    pub(super) fn confirm(
        &self,
        asked: Generation,
        id: SessionHash,
        browser: Option<BrowserHash>,
        person: SignedIn,
    ) -> Arc<Seen> {
        let until = person.until;
        let _changing = self.changing();
        let is_current = self.generation() == asked;
        let same = match self.seen.get(&id) {
            Some(before) if before.person.is_same(&person) && is_current => {
                before.confirm(until);
                return before;
            }
            Some(before) if before.person.is_same(&person) => Some(Arc::clone(&before.person)),
            Some(before) => {
                before.found.store(NEVER, Ordering::Relaxed);
                None
            }
            None => None,
        };
        let seen = Seen::new(browser, same.unwrap_or_else(|| Arc::new(person)), until);
        if is_current {
            self.seen.insert(id, Arc::clone(&seen));
        }
        seen
    }

    /// The session has ended.
    pub(super) fn forget(&self, id: SessionHash) {
        let _changing = self.changing();
        self.seen.invalidate(&id);
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    /// All sessions of the browser have ended.
    pub(super) fn forget_browser(&self, browser: BrowserHash) {
        self.forget_where(move |seen| seen.browser == Some(browser));
    }

    /// Something about the user may have changed.
    pub(super) fn forget_user(&self, user: UserId) {
        self.forget_where(move |seen| seen.person.user.id == user);
    }

    fn forget_where(&self, is_meant: impl Fn(&Seen) -> bool + Send + Sync + 'static) {
        let _changing = self.changing();
        // The cache was built for it; if it were not, everything would be asked for again.
        if self.seen.invalidate_entries_if(move |_, seen| is_meant(seen)).is_err() {
            self.seen.invalidate_all();
        }
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
