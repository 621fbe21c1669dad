//! Sessions that the store has confirmed lately, within this process.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache};
use tokio::time::Instant;

use super::{
    followed::{Followed, Following},
    found::SignedIn,
    live::{LiveSession, Remembered},
};
use crate::server::{
    ids::{BrowserHash, SessionHash, UserId},
    limits,
    store::{Changed, Logout},
};

#[derive(Clone)]
struct Bytes;

impl Weighter<SessionHash, Arc<Remembered>> for Bytes {
    fn weight(&self, _: &SessionHash, seen: &Arc<Remembered>) -> u64 {
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
pub(super) enum What {
    Session(SessionHash),
    Browser(BrowserHash),
    User(UserId),
    LoggedOut(Logout),
}

impl What {
    fn concerns(&self, id: SessionHash, person: &SignedIn) -> bool {
        match self {
            Self::Session(session) => *session == id,
            Self::Browser(ended) => person.browser == Some(*ended),
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

    fn concerns(&self, asked: Generation, id: SessionHash, person: &SignedIn) -> bool {
        let since = self.last.iter().rev().take_while(|(number, ..)| *number > asked.forgotten);
        asked.asked.elapsed() >= limits::FORGOTTEN_KEPT || since.into_iter().any(|(.., what)| what.concerns(id, person))
    }
}

/// The sessions seen lately. Bounded by bytes; whatever ends or changes a session in this process removes it at once, and what
/// does it elsewhere as soon as the store says so.
pub(super) struct Lately {
    seen: Cache<SessionHash, Arc<Remembered>, Bytes>,
    forgotten: Mutex<Forgotten>,
    following: Following,
    /// How often the use of a session is noted.
    noted_every: Duration,
}

impl Lately {
    pub(super) fn new(noted_every: Duration) -> Self {
        let seen = Cache::with_weighter(limits::CACHED, limits::KNOWN_SESSIONS_BYTES, Bytes);
        Self { seen, forgotten: Mutex::default(), following: Following::default(), noted_every }
    }

    pub(super) fn get(&self, id: SessionHash) -> Option<LiveSession> {
        self.seen.get(&id).map(|seen| seen.live().clone())
    }

    /// To be taken before the store is asked.
    pub(super) fn generation(&self) -> Generation {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).count;
        Generation { asked: Instant::now(), forgotten }
    }

    /// Remembers what the store said, unless the session was forgotten since it was asked, or it has said something newer.
    pub(super) fn confirm(&self, generation: Generation, id: SessionHash, person: SignedIn) -> LiveSession {
        let Generation { asked, .. } = generation;
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if forgotten.concerns(generation, id, &person) {
            // It is not remembered, and says so.
            return Remembered::new(id, person, asked, self.noted_every).live().clone();
        }
        match self.seen.get(&id) {
            Some(seen) if seen.live().confirmed.asked() > asked => seen.live().clone(),
            Some(seen) if seen.live().person.is_same(&person) => {
                seen.live().confirmed.confirm(asked, person.until);
                seen.live().clone()
            }
            _ => {
                let seen = Arc::new(Remembered::new(id, person, asked, self.noted_every));
                let live = seen.live().clone();
                self.seen.insert(id, seen);
                live
            }
        }
    }

    /// Something has ended or changed.
    pub(super) fn forget(&self, what: What) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if let What::Session(id) = what {
            self.seen.remove(&id);
        } else {
            self.seen.retain(|id, seen| !what.concerns(*id, &seen.live().person));
        }
        forgotten.add(what);
    }

    /// This has changed elsewhere; and nothing else has, for as long as the store is `followed`.
    pub(super) fn changed(&self, changed: Vec<Changed>, followed: Option<Followed>) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let mut users = HashSet::new();
        for changed in changed {
            forgotten.add(match changed {
                Changed::Session(id) => {
                    self.seen.remove(&id);
                    What::Session(id)
                }
                Changed::User(user) => {
                    users.insert(user.clone());
                    What::User(user)
                }
            });
        }
        if !users.is_empty() {
            self.seen.retain(|_, seen| !users.contains(&seen.live().person.user.id));
        }
        if let Some(followed) = followed {
            self.following.set(followed);
        }
    }

    /// For how long the store has been followed, if it can be.
    pub(super) fn followed(&self) -> Option<Followed> {
        self.following.get()
    }

    /// Something is about to end or change: it is forgotten when this is dropped, whatever the store has said by then, and where
    /// nobody waits for its answer any more. It may have done it all the same.
    pub(super) const fn will_forget(&self, what: What) -> Forgetting<'_> {
        Forgetting { lately: self, what: Some(what) }
    }
}

/// What is forgotten in the end.
#[must_use = "what is dropped at once is forgotten too early"]
pub(super) struct Forgetting<'l> {
    lately: &'l Lately,
    what: Option<What>,
}

impl Forgetting<'_> {
    /// Nothing has ended or changed.
    pub(super) fn not_needed(mut self) {
        self.what = None;
    }
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        if let Some(what) = self.what.take() {
            self.lately.forget(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::server::session::known::tests::store::{browser, hash, logout, person};

    fn confirm(lately: &Lately, generation: Generation, number: u8) -> LiveSession {
        lately.confirm(generation, hash(number), person(number))
    }

    fn is_known(lately: &Lately, number: u8) -> bool {
        lately.get(hash(number)).is_some()
    }

    #[test]
    fn an_answer_from_before_a_forget_is_not_remembered_after_it() {
        let forgets: [fn(&Lately); 4] = [
            |lately| lately.forget(What::Session(hash(1))),
            |lately| lately.forget(What::Browser(browser(1))),
            |lately| lately.forget(What::User(person(1).user.id)),
            |lately| drop(lately.will_forget(What::LoggedOut(logout(1)))),
        ];
        for forget in forgets {
            let lately = Lately::new(limits::SESSION_TOUCH_EVERY);
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
        let lately = Lately::new(limits::SESSION_TOUCH_EVERY);
        let first = confirm(&lately, lately.generation(), 1);
        let confirm = |person| lately.confirm(lately.generation(), hash(1), person);
        assert!(first.is_same(&confirm(person(1))));
        let mut longer = person(1);
        longer.until += Duration::from_secs(60);
        assert!(first.is_same(&confirm(longer)), "however long it goes on");
        assert!(first.confirmed.standing(person(1).until, None).is_some(), "and so long it goes on");
        let mut other = person(1);
        other.facts.groups.push("admins".to_owned());
        let other = confirm(other);
        assert!(!first.is_same(&other) && first.confirmed.is_forgotten());
        assert_eq!(other.person.facts.groups.last().unwrap(), "admins");
    }

    /// Whoever holds it need not look for it to know.
    #[test]
    fn what_is_forgotten_is_gone_for_all_who_hold_it() {
        let lately = Lately::new(limits::SESSION_TOUCH_EVERY);
        let [before, one] = [lately.generation(), lately.generation()].map(|asked| confirm(&lately, asked, 1));
        let two = confirm(&lately, lately.generation(), 2);
        lately.forget(What::Session(hash(1)));
        assert!(before.confirmed.is_forgotten() && one.confirmed.is_forgotten() && !two.confirmed.is_forgotten());
        lately.forget(What::User(two.person.user.id.clone()));
        assert!(two.confirmed.is_forgotten());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_as_old_as_its_question() {
        let lately = Lately::new(limits::SESSION_TOUCH_EVERY);
        for _ in 0..2 {
            let asked = lately.generation();
            tokio::time::advance(Duration::from_secs(2)).await;
            confirm(&lately, asked, 1);
            let seen = lately.get(hash(1)).unwrap();
            let age = |now| seen.confirmed.standing(now, None).map(|standing| standing.age);
            assert_eq!(age(OffsetDateTime::UNIX_EPOCH), Some(Duration::from_secs(2)));
            assert_eq!(age(person(1).until), None);
        }
    }

    /// Of two questions at once the slower one may be the older.
    #[tokio::test(start_paused = true)]
    async fn an_older_answer_says_nothing_against_a_newer_one() {
        let lately = Lately::new(limits::SESSION_TOUCH_EVERY);
        let before = lately.generation();
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut other = person(1);
        other.facts.groups.push("admins".to_owned());
        let newer = lately.confirm(lately.generation(), hash(1), other);
        let older = confirm(&lately, before, 1);
        assert!(older.is_same(&newer) && !newer.confirmed.is_forgotten());
    }
}
