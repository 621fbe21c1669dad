//! Sessions that the store has confirmed lately, within this process.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::found::SignedIn;
use crate::server::{
    ids::{BrowserHash, SessionHash, UserId},
    limits,
};

/// A session that the store has confirmed.
pub(super) struct Seen {
    /// Whose it is. The same allocation as long as nothing about the person changes.
    pub(super) person: Arc<SignedIn>,
    /// When it ends unless it is used.
    pub(super) until: OffsetDateTime,
    browser: Option<BrowserHash>,
    confirmed: Instant,
    /// It is being asked for ahead of time.
    asked: AtomicBool,
    /// The store could not tell when it was asked last.
    unanswered: AtomicBool,
}

impl Seen {
    pub(super) fn age(&self) -> Duration {
        self.confirmed.elapsed()
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
    forgotten: Mutex<u64>,
}

impl Lately {
    pub(super) fn new() -> Self {
        let seen = Cache::builder()
            .weigher(|_, seen: &Arc<Seen>| seen.bytes())
            .max_capacity(limits::KNOWN_SESSIONS_BYTES)
            .time_to_idle(limits::SESSION_KNOWN_AT_MOST)
            .support_invalidation_closures()
            .build();
        Self { seen, forgotten: Mutex::new(0) }
    }

    pub(super) fn get(&self, id: SessionHash) -> Option<Arc<Seen>> {
        self.seen.get(&id)
    }

    /// To be taken before the store is asked.
    pub(super) fn generation(&self) -> Generation {
        Generation(*self.forgotten.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what the store said, unless something was forgotten since it was asked. Returns the person, in the
    /// same allocation as before if nothing about them has changed.
    pub(super) fn confirm(
        &self,
        asked: Generation,
        id: SessionHash,
        browser: Option<BrowserHash>,
        person: SignedIn,
    ) -> Arc<SignedIn> {
        let until = person.until;
        let before = self.seen.get(&id).map(|seen| Arc::clone(&seen.person));
        let person = before.filter(|before| before.is_same(&person)).unwrap_or_else(|| Arc::new(person));
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if *forgotten == asked.0 {
            let seen = Seen {
                person: Arc::clone(&person),
                until,
                browser,
                confirmed: Instant::now(),
                asked: AtomicBool::new(false),
                unanswered: AtomicBool::new(false),
            };
            self.seen.insert(id, Arc::new(seen));
        }
        person
    }

    /// The session has ended.
    pub(super) fn forget(&self, id: SessionHash) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        *forgotten += 1;
        self.seen.invalidate(&id);
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
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        *forgotten += 1;
        // The cache was built for it; if it were not, everything would be asked for again.
        if self.seen.invalidate_entries_if(move |_, seen| is_meant(seen)).is_err() {
            self.seen.invalidate_all();
        }
    }
}
