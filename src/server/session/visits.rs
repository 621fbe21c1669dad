//! Visits are noted beside the answers: nobody waits for it.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::sessions::Sessions;
use crate::server::{ids::SessionHash, limits};

/// Whose visits are to be noted. One task at a time does it, for all of them.
#[derive(Default)]
pub(super) struct Visits(Mutex<Due>);

#[derive(Default)]
struct Due {
    ids: HashSet<SessionHash>,
    is_being_noted: bool,
}

impl Visits {
    /// What comes while the store is slow is written with the next, and so is what it could not take.
    pub(super) fn note(self: &Arc<Self>, sessions: &Arc<Sessions>, ids: Vec<SessionHash>) {
        if ids.is_empty() {
            return;
        }
        let mut due = self.due();
        due.ids.extend(ids);
        if !mem::replace(&mut due.is_being_noted, true) {
            tokio::spawn(Arc::clone(self).note_all(Arc::clone(sessions)));
        }
    }

    /// Until all are noted, or the store takes none.
    async fn note_all(self: Arc<Self>, sessions: Arc<Sessions>) {
        while let Some(some) = self.next() {
            let is_noted = sessions.touch_all(&some).await;
            let mut due = self.due();
            if !is_noted {
                due.is_being_noted = false;
                return;
            }
            for id in &some {
                due.ids.remove(id);
            }
        }
    }

    fn next(&self) -> Option<Vec<SessionHash>> {
        let mut due = self.due();
        due.is_being_noted = !due.ids.is_empty();
        due.is_being_noted.then(|| due.ids.iter().copied().take(limits::SESSIONS_ASKED_AT_ONCE).collect())
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
