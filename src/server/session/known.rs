//! Who is signed in, at the cost of a look into memory: what the store has confirmed holds for as long as it is known that
//! nothing has changed there, or for a few seconds; then it is asked for again ahead of time, many sessions at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use time::OffsetDateTime;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};

use super::{
    following,
    found::SignedIn,
    lately::What,
    live::{LiveSession, Standing},
    sessions::Sessions,
    visits::Visits,
};
use crate::server::{ids::SessionHash, limits, store::StoreError};

/// What is known about a session.
#[derive(Clone, Debug)]
pub enum Known {
    /// A person with an active account.
    SignedIn(LiveSession),
    /// There is no such session, or none that signs anybody in.
    Nobody,
    /// The store cannot tell, which is never treated as "nobody".
    Unknown(StoreError),
}

/// Those who wait for what the store says about each session, in the order in which they came; nobody, where it is asked for
/// ahead of time.
type Waiting = IndexMap<SessionHash, Vec<oneshot::Sender<Known>>>;

/// The sessions that are in use.
pub struct KnownSessions {
    sessions: Arc<Sessions>,
    waiting: Mutex<Waiting>,
    /// Something is to be asked.
    wake: Notify,
    /// At once.
    urgent: Notify,
    /// When the store was asked last, if it could not tell.
    unanswered: Mutex<Option<Instant>>,
    /// When something was last answered that it had not confirmed in time.
    from_memory: Mutex<Option<Instant>>,
    visits: Arc<Visits>,
}

impl KnownSessions {
    /// The sessions of `sessions`. [`run`](Self::run) has to run meanwhile.
    #[must_use]
    pub fn new(sessions: Arc<Sessions>) -> Self {
        Self {
            sessions,
            waiting: Mutex::default(),
            wake: Notify::new(),
            urgent: Notify::new(),
            unanswered: Mutex::default(),
            from_memory: Mutex::default(),
            visits: Arc::default(),
        }
    }

    /// Who is signed in by that session: at most [`limits::SESSION_KNOWN_FRESH`] old, or, while the store cannot tell,
    /// what was last known, for [`limits::SESSION_KNOWN_UNANSWERED`] more.
    pub async fn find(&self, id: SessionHash) -> Known {
        let now = self.sessions.now();
        let seen = self.sessions.lately.get(id);
        let Some(session) = seen.filter(|session| self.may_be_believed(session, now)) else {
            if let Err(error) = self.claim_turn() {
                return Known::Unknown(error);
            }
            if self.is_crowded() {
                return Known::Unknown(StoreError::late());
            }
            let answer = timeout(limits::SESSION_ASK_WAIT, self.ask(id)).await;
            return answer.unwrap_or_else(|_| Known::Unknown(StoreError::late()));
        };
        if self.is_fresh(&session, now) {
            return Known::SignedIn(session);
        }
        match self.ask_again(&session).await {
            Known::Unknown(error) if self.may_be_believed(&session, self.sessions.now()) => {
                self.note_memory(&error);
                Known::SignedIn(session)
            }
            known => known,
        }
    }

    /// Whether providers are asked again about people at all (`session.recheck`).
    #[must_use]
    pub fn rechecks(&self) -> bool {
        self.sessions.rules.recheck.is_some()
    }

    /// Whether what is known of a session holds without waiting: what nearly every request asks.
    #[must_use]
    pub fn is_fresh(&self, session: &LiveSession, now: OffsetDateTime) -> bool {
        let Some(standing) = self.standing(session, now) else { return false };
        if standing.age >= limits::SESSION_KNOWN_FRESH {
            return false;
        }
        if standing.is_due && session.confirmed.claim_question() {
            self.enqueue(session.id, None);
            self.wake.notify_one();
        }
        true
    }

    fn standing(&self, session: &LiveSession, now: OffsetDateTime) -> Option<Standing> {
        session.confirmed.standing(now, self.sessions.lately.followed())
    }

    fn may_be_believed(&self, session: &LiveSession, now: OffsetDateTime) -> bool {
        let standing = self.standing(session, now);
        standing.is_some_and(|standing| standing.age < limits::SESSION_KNOWN_AT_MOST)
    }

    /// What the store says of that session at this moment, for the rare question whose answer must not be a few seconds old.
    ///
    /// # Errors
    /// The store cannot tell.
    pub async fn find_now(&self, id: SessionHash) -> Result<Option<Arc<SignedIn>>, StoreError> {
        if self.is_away() {
            return Err(StoreError::late());
        }
        let found = timeout(limits::SESSION_ASK_WAIT, self.sessions.find_by_writing(id)).await;
        Ok(found.unwrap_or_else(|_| Err(StoreError::late()))?.map(|session| session.person))
    }

    /// What was known is too old: the store is asked, and waited for. Where it could not tell the last time, one waits for all.
    async fn ask_again(&self, session: &LiveSession) -> Known {
        let is_first = session.confirmed.claim_question();
        if !is_first && (lock(&self.unanswered).is_some() || session.confirmed.is_late()) {
            return Known::Unknown(StoreError::late());
        }
        if let Err(error) = self.claim_turn() {
            session.confirmed.unanswered();
            return Known::Unknown(error);
        }
        let answer = timeout(limits::SESSION_ASK_AGAIN_WAIT, self.ask(session.id)).await;
        answer.unwrap_or_else(|_| {
            session.confirmed.comes_late();
            Known::Unknown(StoreError::late())
        })
    }

    /// Whether the store's checks fail, and it could not tell when it was asked last.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.sessions.store_away().is_some() && lock(&self.unanswered).is_some()
    }

    /// Whether the caller may ask the store, and wait. While it is away one does so every so often, for all; the others are told why
    /// not. (Where it can be read and not written, its checks fail, but it tells who is signed in, and is asked by everybody.)
    fn claim_turn(&self) -> Result<(), StoreError> {
        let Some(error) = self.sessions.store_away() else { return Ok(()) };
        match &mut *lock(&self.unanswered) {
            Some(asked) if asked.elapsed() < limits::STORE_AWAY_ASKED_EVERY => return Err(error),
            Some(asked) => *asked = Instant::now(),
            None => {}
        }
        Ok(())
    }

    /// One request may be the first of thousands, and a store may fail and answer by turns: that is said once.
    fn note_memory(&self, error: &StoreError) {
        metrics::counter!("vestibule_gate_checks_from_memory_total").increment(1);
        let before = lock(&self.from_memory).replace(Instant::now());
        if before.is_none_or(|before| before.elapsed() >= limits::STORE_WORKS_AFTER) {
            let seconds = limits::SESSION_KNOWN_UNANSWERED.as_secs();
            tracing::warn!(
                code = "sessions_from_memory",
                detail = %error,
                "the store cannot tell who is signed in; the gate goes on with what it knows, for {seconds} s at most"
            );
        }
    }

    async fn ask(&self, id: SessionHash) -> Known {
        let (answer, answered) = oneshot::channel();
        self.enqueue(id, Some(answer));
        self.wake_at_once();
        answered.await.unwrap_or_else(|_| Known::Unknown(StoreError::late()))
    }

    fn enqueue(&self, id: SessionHash, answer: Option<oneshot::Sender<Known>>) {
        lock(&self.waiting).entry(id).or_default().extend(answer);
    }

    /// Whether more wait than a slow store can be asked for in time: then one more that is not known is not asked for.
    fn is_crowded(&self) -> bool {
        lock(&self.waiting).len() >= limits::SESSIONS_WAITING
    }

    fn wake_at_once(&self) {
        self.urgent.notify_one();
        self.wake.notify_one();
    }

    /// Asks and follows the store, for ever.
    pub async fn run(&self) {
        tokio::join!(self.keep_asking(), following::keep_following(&self.sessions));
    }

    /// Asks the store for all who wait, at most [`limits::SESSIONS_ASKED_AT_ONCE`] at a time. Nobody waits for what is asked
    /// ahead of time: that is gathered first, since many cost the store little more than one.
    async fn keep_asking(&self) {
        loop {
            self.wake.notified().await;
            let _ = timeout(limits::SESSIONS_GATHERED, self.urgent.notified()).await;
            let waiting = self.next();
            if !waiting.is_empty() {
                self.answer(waiting).await;
            }
        }
    }

    /// The next whom somebody waits for, or nobody does since they are asked for ahead of time.
    fn next(&self) -> Waiting {
        let mut waiting = lock(&self.waiting);
        let some = waiting.len().min(limits::SESSIONS_ASKED_AT_ONCE);
        let (mut next, gone): (Waiting, Waiting) =
            waiting.drain(..some).partition(|(_, answers)| answers.is_empty() || !answers.iter().all(is_closed));
        if !waiting.is_empty() {
            self.wake_at_once();
        }
        drop(waiting);
        // Whoever has gone needs no answer; but what is known is to be confirmed all the same.
        next.extend(gone.into_iter().filter(|(id, _)| self.sessions.lately.get(*id).is_some()));
        next
    }

    async fn answer(&self, mut waiting: Waiting) {
        let ids: Vec<_> = waiting.keys().copied().collect();
        let mut found = match self.sessions.find_all(&ids).await {
            Ok(found) => found,
            Err(error) => {
                *lock(&self.unanswered) = Some(Instant::now());
                let unknown = Known::Unknown(error);
                return waiting.into_iter().for_each(|(id, answers)| tell(&self.sessions, id, answers, &unknown));
            }
        };
        *lock(&self.unanswered) = None;
        self.visits.note(&self.sessions, found.due);
        // Nobody else waits for what is to be written.
        for id in found.to_write {
            let answers = waiting.swap_remove(&id).unwrap_or_default();
            let sessions = Arc::clone(&self.sessions);
            tokio::spawn(async move {
                let known = match sessions.find_by_writing(id).await {
                    Ok(session) => session.map_or(Known::Nobody, Known::SignedIn),
                    Err(error) => Known::Unknown(error),
                };
                tell(&sessions, id, answers, &known);
            });
        }
        for (id, answers) in waiting {
            let known = found.signed_in.remove(&id).map_or(Known::Nobody, Known::SignedIn);
            tell(&self.sessions, id, answers, &known);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_closed(answer: &oneshot::Sender<Known>) -> bool {
    answer.is_closed()
}

fn tell(sessions: &Sessions, id: SessionHash, answers: Vec<oneshot::Sender<Known>>, known: &Known) {
    match (known, sessions.lately.get(id)) {
        (Known::Nobody, Some(_)) => sessions.lately.forget(What::Session(id)),
        (Known::Unknown(_), Some(seen)) => seen.confirmed.unanswered(),
        (Known::SignedIn(_), _) | (_, None) => {}
    }
    // Whoever has gone needs no answer.
    answers.into_iter().for_each(|answer| drop(answer.send(known.clone())));
}

#[cfg(test)]
pub(super) mod tests;
