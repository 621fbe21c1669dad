//! Visits are noted beside the answers: nobody waits for it.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;

use super::sessions::Sessions;
use crate::server::{ids::SessionHash, limits};

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
        while let Some((some, at)) = self.next() {
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

    /// The next, and when the first of them was there: the others are noted again when they are asked for.
    fn next(&self) -> Option<(Vec<SessionHash>, OffsetDateTime)> {
        let mut due = self.due();
        let next = due.seen.iter().take(limits::SESSIONS_ASKED_AT_ONCE);
        let (ids, at): (Vec<_>, Vec<_>) = next.map(|(id, at)| (*id, *at)).unzip();
        let first = at.into_iter().min();
        due.is_being_noted = first.is_some();
        first.map(|first| (ids, first))
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
