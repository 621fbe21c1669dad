//! A session that the store has confirmed, and what is known of it since.

use std::{
    collections::HashMap,
    hint::black_box,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{followed::Followed, found::SignedIn};
use crate::server::{ids::SessionHash, limits};

/// What the store says of many sessions.
#[derive(Default)]
pub(super) struct FoundAll {
    /// Whoever is signed in.
    pub(super) signed_in: HashMap<SessionHash, LiveSession>,
    /// Whose visit is to be noted.
    pub(super) due: Vec<SessionHash>,
    /// Of which something is to be written before anybody can tell.
    pub(super) to_write: Vec<SessionHash>,
}

/// A session of a signed-in person, to be asked about again and again without looking for it.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Which.
    pub id: SessionHash,
    /// Whose.
    pub person: Arc<SignedIn>,
    /// How it stands.
    pub(super) confirmed: Arc<Confirmed>,
}

impl LiveSession {
    /// The use of a session is noted every so often: it is asked for soon after that.
    fn new(id: SessionHash, person: SignedIn, asked: Instant, noted_every: Duration) -> Self {
        let confirmed = Confirmed {
            due_at: spread(id, limits::SESSION_ASKED_AHEAD),
            noted_at: spread(id, noted_every * 7 / 6..noted_every * 4 / 3),
            last: Mutex::new(Last { asked, until: person.until }),
            forgotten: AtomicBool::new(false),
            asked_again: AtomicBool::new(false),
            late: AtomicBool::new(false),
        };
        Self { id, person: Arc::new(person), confirmed: Arc::new(confirmed) }
    }

    /// Reads some of what [`is_fresh`](super::KnownSessions::is_fresh) is about to read, so that the processor has it near.
    pub fn look(&self) {
        let Confirmed { due_at, noted_at, forgotten, .. } = &*self.confirmed;
        black_box((Arc::strong_count(&self.confirmed), *due_at, *noted_at, forgotten.load(Ordering::Relaxed)));
    }

    /// Whether nothing has changed between these two answers.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.confirmed, &other.confirmed)
    }
}

/// A session that is remembered: the same as long as nothing about the person changes. It stays in [`Lately`](super::lately::Lately):
/// what has ended would go on for as long as somebody else kept it.
#[derive(Debug)]
pub(super) struct Remembered(LiveSession);

impl Remembered {
    pub(super) fn new(id: SessionHash, person: SignedIn, asked: Instant, noted_every: Duration) -> Self {
        Self(LiveSession::new(id, person, asked, noted_every))
    }

    pub(super) const fn live(&self) -> &LiveSession {
        &self.0
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<Confirmed>() + self.0.person.bytes() + limits::CACHE_ENTRY_BYTES
    }
}

impl Drop for Remembered {
    /// It is gone for all who hold it.
    fn drop(&mut self) {
        self.0.confirmed.forgotten.store(true, Ordering::Release);
    }
}

/// What the store has said last of a session, for all who hold it.
#[derive(Debug)]
pub(super) struct Confirmed {
    last: Mutex<Last>,
    /// The age at which it is asked for again, ahead of time.
    due_at: Duration,
    /// The time after which it is asked for again even if nothing has changed.
    noted_at: Duration,
    /// It is not remembered any more: it has ended or changed, or there was no room.
    forgotten: AtomicBool,
    /// It is being asked for again.
    asked_again: AtomicBool,
    /// Somebody has waited for the answer in vain.
    late: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    /// When it was asked.
    asked: Instant,
    /// When the session ends unless it is used.
    until: OffsetDateTime,
}

/// How a session stands that has not ended.
pub(super) struct Standing {
    /// How old what is known of it is.
    pub(super) age: Duration,
    /// Whether it is to be asked for again, so that nobody has to wait for it, or so that its use is noted.
    pub(super) is_due: bool,
}

impl Confirmed {
    /// How it stands; `None` if it has ended by now, or is not remembered.
    pub(super) fn standing(&self, now: OffsetDateTime, followed: Option<Followed>) -> Option<Standing> {
        let Last { asked, until } = *self.last();
        if now >= until || self.is_forgotten() {
            return None;
        }
        let at = Instant::now();
        let asked_for = at.duration_since(asked);
        let covers = |it: &Followed| asked >= it.since && it.until.duration_since(asked) < limits::SESSION_FOLLOWED;
        let followed = followed.filter(covers);
        let age = followed.map_or(asked_for, |followed| asked_for.min(at.duration_since(followed.until)));
        Some(Standing { age, is_due: age >= self.due_at || asked_for >= self.noted_at })
    }

    /// The store says the same again.
    pub(super) fn confirm(&self, asked: Instant, until: OffsetDateTime) {
        *self.last() = Last { asked, until };
        self.asked_again.store(false, Ordering::Relaxed);
        self.late.store(false, Ordering::Relaxed);
    }

    /// When the store was asked that has confirmed it last.
    pub(super) fn asked(&self) -> Instant {
        self.last().asked
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Whether the caller is the one to ask for it again.
    pub(super) fn claim_question(&self) -> bool {
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
}

/// A time within `range` that is a session's own, by the hash that it has for a name: those that came together, after a restart,
/// are not to be asked for together for ever.
fn spread(id: SessionHash, range: Range<Duration>) -> Duration {
    let [place, ..] = *id.as_bytes();
    range.start + (range.end - range.start) * u32::from(place) / u32::from(u8::MAX)
}
