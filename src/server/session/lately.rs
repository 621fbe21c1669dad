//! Sessions that the store has confirmed lately, within this process.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::found::SignedIn;
use crate::server::{
    ids::{BrowserHash, SessionHash, UserId},
    limits,
    store::Logout,
};

/// A session that the store has confirmed.
pub(super) struct Seen {
    /// Whose it is. The same allocation as long as nothing about the person changes.
    pub(super) person: Arc<SignedIn>,
    /// When it ends unless it is used.
    pub(super) until: OffsetDateTime,
    browser: Option<BrowserHash>,
    /// When the store was asked that has confirmed it.
    asked: Instant,
    /// The age at which it is asked for again, ahead of time.
    due_at: Duration,
    /// It is being asked for again.
    asked_again: AtomicBool,
    /// Somebody has waited for the answer in vain.
    late: AtomicBool,
}

impl Seen {
    pub(super) const fn browser(&self) -> Option<BrowserHash> {
        self.browser
    }

    pub(super) fn age(&self) -> Duration {
        self.asked.elapsed()
    }

    /// Whether it is to be asked for again, so that nobody has to wait for it.
    pub(super) fn is_due(&self, age: Duration) -> bool {
        age >= self.due_at
    }

    /// Whether the caller is the one to ask for it again.
    pub(super) fn is_mine_to_ask(&self) -> bool {
        !self.asked_again.swap(true, Ordering::Relaxed)
    }

    /// Nobody else is to wait for the answer as long.
    pub(super) fn comes_late(&self) {
        self.late.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    /// The store could not tell: somebody else is to ask.
    pub(super) fn unanswered(&self) {
        self.asked_again.store(false, Ordering::Relaxed);
    }

    fn bytes(&self) -> usize {
        let SignedIn { user, provider, issuer, facts, .. } = &*self.person;
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let list = |texts: &[String]| texts.iter().map(|text| text.len() + size_of::<String>()).sum::<usize>();
        let texts = [user.id.as_str(), &user.username, provider.as_str(), issuer.as_str()].map(str::len);
        let texts = texts.iter().sum::<usize>() + optional(&user.email) + optional(&user.full_name);
        let facts = optional(&facts.sid) + optional(&facts.acr) + list(&facts.groups) + list(&facts.amr);
        size_of::<Self>() + size_of::<SignedIn>() + texts + facts + limits::CACHE_ENTRY_BYTES
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<SessionHash, Arc<Seen>> for Bytes {
    fn weight(&self, _: &SessionHash, seen: &Arc<Seen>) -> u64 {
        seen.bytes() as u64
    }
}

/// When the store is asked, by the clock and by what has been forgotten until then: its answer is as old as the question.
#[derive(Clone, Copy)]
pub(super) struct Generation {
    asked: Instant,
    forgotten: u64,
}

/// What has ended or changed.
enum What {
    Session(SessionHash),
    Browser(BrowserHash),
    User(UserId),
    LoggedOut(Logout),
}

impl What {
    fn concerns(&self, id: SessionHash, browser: Option<BrowserHash>, person: &SignedIn) -> bool {
        match self {
            Self::Session(session) => *session == id,
            Self::Browser(ended) => browser == Some(*ended),
            Self::User(user) => person.user.id == *user,
            // Whatever may belong to it: the store knows better.
            Self::LoggedOut(Logout { issuer, sid, subject, .. }) => {
                let SignedIn { facts, .. } = person;
                let named = (sid.is_some() && facts.sid == *sid) || (subject.is_some() && facts.subject == *subject);
                person.issuer == *issuer && named
            }
        }
    }
}

/// What has been forgotten lately, numbered: an answer that the store gave before must not be remembered after it. Older
/// than a question can be, nothing is needed any more.
#[derive(Default)]
struct Forgotten {
    count: u64,
    last: VecDeque<(u64, Instant, What)>,
}

impl Forgotten {
    fn add(&mut self, what: What) {
        let now = Instant::now();
        while self.last.front().is_some_and(|(_, at, _)| now >= *at + limits::FORGOTTEN_KEPT) {
            self.last.pop_front();
        }
        self.count += 1;
        self.last.push_back((self.count, now, what));
    }

    fn concerns(&self, asked: Generation, id: SessionHash, browser: Option<BrowserHash>, person: &SignedIn) -> bool {
        let since = self.last.iter().rev().take_while(|(number, ..)| *number > asked.forgotten);
        asked.asked.elapsed() >= limits::FORGOTTEN_KEPT
            || since.into_iter().any(|(.., what)| what.concerns(id, browser, person))
    }
}

/// At which age a session is asked for again: each at its own, by the hash that it has for a name.
fn due_at(id: SessionHash) -> Duration {
    let Range { start, end } = limits::SESSION_ASKED_AHEAD;
    let [place, ..] = *id.as_bytes();
    start + (end - start) * u32::from(place) / u32::from(u8::MAX)
}

/// The sessions seen lately. Bounded by bytes; whatever ends or changes a session in this process removes it at once.
pub(super) struct Lately {
    seen: Cache<SessionHash, Arc<Seen>, Bytes>,
    forgotten: Mutex<Forgotten>,
}

impl Lately {
    pub(super) fn new() -> Self {
        let seen = Cache::with_weighter(limits::CACHED, limits::KNOWN_SESSIONS_BYTES, Bytes);
        Self { seen, forgotten: Mutex::default() }
    }

    pub(super) fn get(&self, id: SessionHash) -> Option<Arc<Seen>> {
        self.seen.get(&id)
    }

    /// To be taken before the store is asked.
    pub(super) fn generation(&self) -> Generation {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).count;
        Generation { asked: Instant::now(), forgotten }
    }

    /// Remembers what the store said, unless the session was forgotten since it was asked. Returns the person, in the
    /// same allocation as before if nothing about them has changed.
    pub(super) fn confirm(
        &self,
        generation: Generation,
        id: SessionHash,
        browser: Option<BrowserHash>,
        person: SignedIn,
    ) -> Arc<SignedIn> {
        let until = person.until;
        let before = self.seen.get(&id).map(|seen| Arc::clone(&seen.person));
        let person = before.filter(|before| before.is_same(&person)).unwrap_or_else(|| Arc::new(person));
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if !forgotten.concerns(generation, id, browser, &person) {
            let seen = Seen {
                person: Arc::clone(&person),
                until,
                browser,
                asked: generation.asked,
                due_at: due_at(id),
                asked_again: AtomicBool::new(false),
                late: AtomicBool::new(false),
            };
            self.seen.insert(id, Arc::new(seen));
        }
        person
    }

    /// The session has ended.
    pub(super) fn forget(&self, id: SessionHash) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        forgotten.add(What::Session(id));
        self.seen.remove(&id);
    }

    /// All sessions of the browser have ended.
    pub(super) fn forget_browser(&self, browser: BrowserHash) {
        self.forget_where(What::Browser(browser));
    }

    /// Something about the user may have changed.
    pub(super) fn forget_user(&self, user: &UserId) {
        self.forget_where(What::User(user.clone()));
    }

    /// The provider has logged somebody out.
    pub(super) fn forget_logged_out(&self, logout: &Logout) {
        self.forget_where(What::LoggedOut(logout.clone()));
    }

    fn forget_where(&self, what: What) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        self.seen.retain(|id, seen| !what.concerns(*id, seen.browser, &seen.person));
        forgotten.add(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session::known::tests::store::{browser, hash, logout, person};

    fn confirm(lately: &Lately, generation: Generation, number: u8) -> Arc<SignedIn> {
        lately.confirm(generation, hash(number), Some(browser(number)), person(number))
    }

    fn is_known(lately: &Lately, number: u8) -> bool {
        lately.get(hash(number)).is_some()
    }

    #[test]
    fn an_answer_from_before_a_forget_is_not_remembered_after_it() {
        let forgets: [fn(&Lately); 4] = [
            |lately| lately.forget(hash(1)),
            |lately| lately.forget_browser(browser(1)),
            |lately| lately.forget_user(&person(1).user.id),
            |lately| lately.forget_logged_out(&logout(1)),
        ];
        for forget in forgets {
            let lately = Lately::new();
            let before = lately.generation();
            forget(&lately);
            confirm(&lately, before, 1);
            assert!(!is_known(&lately, 1));
            confirm(&lately, lately.generation(), 1);
            assert!(is_known(&lately, 1));
            confirm(&lately, lately.generation(), 2);
            forget(&lately);
            assert!(!is_known(&lately, 1) && is_known(&lately, 2), "it, and no other");
            // And what is confirmed from now on is remembered.
            confirm(&lately, lately.generation(), 1);
            assert!(is_known(&lately, 1));
        }
    }

    #[test]
    fn a_person_is_the_same_until_something_about_them_changes() {
        let lately = Lately::new();
        let first = confirm(&lately, lately.generation(), 1);
        let again = confirm(&lately, lately.generation(), 1);
        assert!(Arc::ptr_eq(&first, &again));
        let mut longer = person(1);
        longer.until += Duration::from_secs(60);
        let longer = lately.confirm(lately.generation(), hash(1), None, longer);
        assert!(Arc::ptr_eq(&first, &longer), "however long the session goes on");
        let mut other = person(1);
        other.facts.groups.push("admins".to_owned());
        let other = lately.confirm(lately.generation(), hash(1), None, other);
        assert!(!Arc::ptr_eq(&first, &other));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_as_old_as_its_question() {
        let lately = Lately::new();
        let asked = lately.generation();
        tokio::time::advance(Duration::from_secs(2)).await;
        confirm(&lately, asked, 1);
        assert_eq!(lately.get(hash(1)).unwrap().age(), Duration::from_secs(2));
    }
}
