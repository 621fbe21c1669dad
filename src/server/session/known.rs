//! Who is signed in, at the cost of a look into memory: what the store has confirmed a moment ago holds for a few
//! seconds, is asked for again ahead of time, and the store is asked for many sessions at once.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use super::{lately::Seen, sessions::Sessions};
use crate::server::{ids::SessionHash, limits, store::StoreError};

/// What is known about a session.
#[derive(Clone, Debug)]
pub enum Known {
    /// A person with an active account.
    SignedIn(Arc<Seen>),
    /// There is no such session, or none that signs anybody in.
    Nobody,
    /// The store cannot tell, which is never treated as "nobody".
    Unknown(StoreError),
}

/// Those who wait for what the store says about each session; nobody, where it is asked for ahead of time.
type Waiting = HashMap<SessionHash, Vec<oneshot::Sender<Known>>>;

/// The sessions that are in use.
pub struct KnownSessions {
    sessions: Arc<Sessions>,
    waiting: Mutex<Waiting>,
    /// Somebody waits, or it is to be asked ahead of time.
    wake: Notify,
    /// Somebody waits.
    urgent: Notify,
    /// The store could not tell, and that was logged.
    from_memory: AtomicBool,
    /// A round of last visits is being written.
    touching: Arc<tokio::sync::Mutex<()>>,
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
            from_memory: AtomicBool::new(false),
            touching: Arc::default(),
        }
    }

    /// Who is signed in by that session: at most [`limits::SESSION_KNOWN_FRESH`] old, or, while the store cannot tell,
    /// what was last known, for [`limits::SESSION_KNOWN_UNANSWERED`] more.
    pub async fn find(&self, id: SessionHash) -> Known {
        let Some(seen) = self.sessions.lately.get(id) else {
            let asked = self.ask(id);
            let answer = timeout(limits::SESSION_ASK_WAIT, asked).await;
            return answer.unwrap_or_else(|_| Known::Unknown(StoreError::late()));
        };
        let age = seen.age();
        if age < limits::SESSION_KNOWN_FRESH {
            if age >= limits::SESSION_ASKED_AHEAD && seen.is_mine_to_ask() {
                self.enqueue(id, None);
            }
            return Known::SignedIn(seen);
        }
        self.find_again(id, seen).await
    }

    /// Whether [`find`](Self::find) would say the same, and would do nothing else: for the many requests in between.
    #[must_use]
    pub fn is_current(&self, seen: &Seen) -> bool {
        self.sessions.lately.has(seen) && seen.age() < limits::SESSION_ASKED_AHEAD
    }

    /// What was known is too old: the store is asked, and waited for unless it could not tell the last time.
    async fn find_again(&self, id: SessionHash, seen: Arc<Seen>) -> Known {
        let error = if seen.is_unanswered() {
            if seen.is_mine_to_ask() {
                self.enqueue(id, None);
            }
            self.sessions.store_away().unwrap_or_else(StoreError::late)
        } else {
            match timeout(limits::SESSION_ASK_AGAIN_WAIT, self.ask(id)).await {
                Ok(Known::Unknown(error)) => error,
                Ok(known) => return known,
                Err(_) => StoreError::late(),
            }
        };
        if seen.age() < limits::SESSION_KNOWN_AT_MOST && seen.lives(self.sessions.now()) {
            self.note_memory(&error);
            return Known::SignedIn(seen);
        }
        Known::Unknown(error)
    }

    /// One request may be the first of thousands: it is said once, until the store can tell again.
    fn note_memory(&self, error: &StoreError) {
        metrics::counter!("vestibule_gate_checks_from_memory_total").increment(1);
        if !self.from_memory.swap(true, Ordering::Relaxed) {
            let seconds = limits::SESSION_KNOWN_UNANSWERED.as_secs();
            tracing::warn!(
                code = "sessions_from_memory",
                detail = %error,
                "the store cannot tell who is signed in; the gate goes on with what it knows, for {seconds} s at most"
            );
        }
    }

    async fn ask(&self, id: SessionHash) -> Known {
        if let Some(error) = self.sessions.store_away() {
            return Known::Unknown(error);
        }
        let (answer, answered) = oneshot::channel();
        self.enqueue(id, Some(answer));
        self.urgent.notify_one();
        answered.await.unwrap_or_else(|_| Known::Unknown(StoreError::late()))
    }

    fn enqueue(&self, id: SessionHash, answer: Option<oneshot::Sender<Known>>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().extend(answer);
        self.wake.notify_one();
    }

    /// Asks the store for all who wait, at most [`limits::SESSIONS_ASKED_AT_ONCE`] at a time, for ever. Nobody waits for what
    /// is asked ahead of time: it is gathered first, since many cost the store little more than one.
    pub async fn run(&self) {
        loop {
            self.wake.notified().await;
            let _ = timeout(limits::SESSIONS_GATHERED, self.urgent.notified()).await;
            while let Some(waiting) = self.next() {
                self.answer(waiting).await;
            }
        }
    }

    fn next(&self) -> Option<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() <= limits::SESSIONS_ASKED_AT_ONCE {
            return Some(mem::take(&mut *waiting)).filter(|waiting| !waiting.is_empty());
        }
        let ids: Vec<_> = waiting.keys().take(limits::SESSIONS_ASKED_AT_ONCE).copied().collect();
        Some(ids.into_iter().filter_map(|id| waiting.remove_entry(&id)).collect())
    }

    async fn answer(&self, waiting: Waiting) {
        let ids: Vec<_> = waiting.keys().copied().collect();
        let mut answers = match self.sessions.find_all(&ids).await {
            Ok(found) => {
                self.from_memory.store(false, Ordering::Relaxed);
                self.touch(found.due);
                found.signed_in
            }
            Err(error) => {
                ids.iter().filter_map(|id| self.sessions.lately.get(*id)).for_each(|seen| seen.unanswered());
                for answer in waiting.into_values().flatten() {
                    let _ = answer.send(Known::Unknown(error.clone()));
                }
                return;
            }
        };
        for (id, answers_to) in waiting {
            let known = answers.remove(&id).map_or(Known::Nobody, Known::SignedIn);
            if matches!(known, Known::Nobody) {
                self.sessions.lately.forget(id);
            }
            // Whoever has gone needs no answer.
            answers_to.into_iter().for_each(|answer| drop(answer.send(known.clone())));
        }
    }

    /// Notes the visits, beside the answers: nobody waits for it, and where the store is slow a round is left out.
    fn touch(&self, due: Vec<SessionHash>) {
        let Ok(touching) = Arc::clone(&self.touching).try_lock_owned() else { return };
        if due.is_empty() {
            return;
        }
        let sessions = Arc::clone(&self.sessions);
        tokio::spawn(async move {
            sessions.touch_all(&due).await;
            drop(touching);
        });
    }
}
