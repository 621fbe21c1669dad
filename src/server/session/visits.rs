//! Visits are noted beside the answers: nobody waits for it.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;

use super::sessions::Sessions;
use crate::server::{clock::later, ids::SessionHash, limits};

/// Whose visits are to be noted. One task at a time does it, for all of them.
#[derive(Default)]
pub(super) struct Visits(Mutex<Due>);

#[derive(Default)]
struct Due {
    /// When each was last there: what is written late must not bring back to life what has ended by then.
    seen: HashMap<SessionHash, OffsetDateTime>,
    is_being_noted: bool,
}

impl Visits {
    /// What comes while the store is slow is written with the next, and so is what it could not take.
    pub(super) fn note(self: &Arc<Self>, sessions: &Arc<Sessions>, ids: Vec<SessionHash>) {
        if ids.is_empty() {
            return;
        }
        let mut due = self.due();
        due.seen.extend(ids.into_iter().map(|id| (id, sessions.now())));
        if !mem::replace(&mut due.is_being_noted, true) {
            tokio::spawn(Arc::clone(self).note_all(Arc::clone(sessions)));
        }
    }

    /// Until all are noted, or the store takes none.
    async fn note_all(self: Arc<Self>, sessions: Arc<Sessions>) {
        while let Some((some, at)) = self.next(sessions.touch_every()) {
            let is_noted = sessions.touch_all(&some, at).await;
            let mut due = self.due();
            if !is_noted {
                due.is_being_noted = false;
                return;
            }
            for id in &some {
                due.seen.remove(id);
            }
        }
    }

    /// The first and those who came soon after it, for whom its time is exact enough, since visits are noted `every` so often.
    fn next(&self, every: Duration) -> Option<(Vec<SessionHash>, OffsetDateTime)> {
        let mut due = self.due();
        let first = due.seen.values().min().copied();
        due.is_being_noted = first.is_some();
        let soon = due.seen.iter().filter(|(_, at)| first.is_some_and(|first| **at <= later(first, every)));
        let ids = soon.map(|(id, _)| *id).take(limits::SESSIONS_ASKED_AT_ONCE).collect();
        first.map(|first| (ids, first))
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
