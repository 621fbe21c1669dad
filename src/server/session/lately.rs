//! Sessions that the store has confirmed lately, within this process.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
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

/// A session of a signed-in person, to be asked about again and again without looking for it.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Which.
    pub id: SessionHash,
    /// Whose.
    pub person: Arc<SignedIn>,
    /// What is known of it, until that is forgotten. Nobody keeps it alive while they wait for something: what has ended would
    /// go on for as long.
    pub(super) seen: Weak<Seen>,
}

impl LiveSession {
    /// Whether nothing has changed between these two answers.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.seen.ptr_eq(&other.seen)
    }
}

/// A session that the store has confirmed: the same as long as nothing about the person changes.
#[derive(Debug)]
pub(super) struct Seen {
    person: Arc<SignedIn>,
    id: SessionHash,
    browser: Option<BrowserHash>,
    /// The age at which it is asked for again, ahead of time.
    due_at: Duration,
    confirmed: Mutex<Confirmed>,
    /// It is being asked for again.
    asked_again: AtomicBool,
    /// Somebody has waited for the answer in vain.
    late: AtomicBool,
}

/// What the store has said last.
#[derive(Clone, Copy, Debug)]
struct Confirmed {
    /// When it was asked.
    asked: Instant,
    /// When the session ends unless it is used.
    until: OffsetDateTime,
}

impl Seen {
    fn new(id: SessionHash, browser: Option<BrowserHash>, person: SignedIn, asked: Instant) -> Self {
        Self {
            id,
            browser,
            due_at: due_at(id),
            confirmed: Mutex::new(Confirmed { asked, until: person.until }),
            asked_again: AtomicBool::new(false),
            late: AtomicBool::new(false),
            person: Arc::new(person),
        }
    }

    pub(super) fn live(self: &Arc<Self>) -> LiveSession {
        LiveSession { id: self.id, person: Arc::clone(&self.person), seen: Arc::downgrade(self) }
    }

    pub(super) const fn browser(&self) -> Option<BrowserHash> {
        self.browser
    }

    /// How old what is known of it is; `None` if it has ended by now.
    pub(super) fn age(&self, now: OffsetDateTime) -> Option<Duration> {
        let Confirmed { asked, until } = *self.confirmed();
        (now < until).then(|| asked.elapsed())
    }

    /// Whether it is to be asked for again, so that nobody has to wait for it.
    pub(super) fn is_due(&self, age: Duration) -> bool {
        age >= self.due_at
    }

    /// The store says the same again.
    fn confirm(&self, asked: Instant, until: OffsetDateTime) {
        *self.confirmed() = Confirmed { asked, until };
        self.asked_again.store(false, Ordering::Relaxed);
        self.late.store(false, Ordering::Relaxed);
    }

    fn confirmed(&self) -> MutexGuard<'_, Confirmed> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Remembers what the store said, unless the session was forgotten since it was asked.
    pub(super) fn confirm(
        &self,
        generation: Generation,
        id: SessionHash,
        browser: Option<BrowserHash>,
        person: SignedIn,
    ) -> LiveSession {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if forgotten.concerns(generation, id, browser, &person) {
            return Arc::new(Seen::new(id, browser, person, generation.asked)).live();
        }
        if let Some(seen) = self.seen.get(&id).filter(|seen| seen.browser == browser && seen.person.is_same(&person)) {
            seen.confirm(generation.asked, person.until);
            return seen.live();
        }
        let seen = Arc::new(Seen::new(id, browser, person, generation.asked));
        let live = seen.live();
        self.seen.insert(id, seen);
        live
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

    fn confirm(lately: &Lately, generation: Generation, number: u8) -> LiveSession {
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
    fn a_session_is_the_same_until_something_about_the_person_changes() {
        let lately = Lately::new();
        let first = confirm(&lately, lately.generation(), 1);
        let confirm = |person| lately.confirm(lately.generation(), hash(1), Some(browser(1)), person);
        assert!(first.is_same(&confirm(person(1))));
        let mut longer = person(1);
        longer.until += Duration::from_secs(60);
        assert!(first.is_same(&confirm(longer)), "however long it goes on");
        assert!(first.seen.upgrade().unwrap().age(person(1).until).is_some(), "and so long it goes on");
        let mut other = person(1);
        other.facts.groups.push("admins".to_owned());
        let other = confirm(other);
        assert!(!first.is_same(&other) && first.seen.upgrade().is_none());
        assert_eq!(other.person.facts.groups.last().unwrap(), "admins");
    }

    /// Whoever holds it need not look for it to know.
    #[test]
    fn what_is_forgotten_is_gone_for_all_who_hold_it() {
        let lately = Lately::new();
        let [before, one] = [lately.generation(), lately.generation()].map(|asked| confirm(&lately, asked, 1));
        let two = confirm(&lately, lately.generation(), 2);
        lately.forget(hash(1));
        assert!(before.seen.upgrade().is_none() && one.seen.upgrade().is_none() && two.seen.upgrade().is_some());
        lately.forget_user(&two.person.user.id);
        assert!(two.seen.upgrade().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_as_old_as_its_question() {
        let lately = Lately::new();
        for _ in 0..2 {
            let asked = lately.generation();
            tokio::time::advance(Duration::from_secs(2)).await;
            confirm(&lately, asked, 1);
            let seen = lately.get(hash(1)).unwrap();
            assert_eq!(seen.age(OffsetDateTime::UNIX_EPOCH), Some(Duration::from_secs(2)));
            assert_eq!(seen.age(person(1).until), None);
        }
    }
}
