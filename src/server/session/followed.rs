//! How far what is known follows the store.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// For how long the store has been followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Followed {
    /// What it has said before may have changed since, unnoticed.
    pub(super) since: Instant,
    /// All that had changed by then has been forgotten.
    pub(super) until: Instant,
}

/// The same, as each check reads it: without a lock that all of them would have to take.
pub(super) struct Following {
    /// From here on the others count, in nanoseconds.
    began: Instant,
    /// [`Self::NEVER`] until the store is followed.
    since: AtomicU64,
    until: AtomicU64,
}

impl Following {
    const NEVER: u64 = u64::MAX;

    /// Who reads meanwhile never sees the new `until` with the old `since`: that would be true of more than was followed.
    pub(super) fn set(&self, followed: Followed) {
        let nanos =
            |moment: Instant| u64::try_from(moment.duration_since(self.began).as_nanos()).unwrap_or(Self::NEVER - 1);
        self.since.store(nanos(followed.since), Ordering::Release);
        self.until.store(nanos(followed.until), Ordering::Release);
    }

    pub(super) fn get(&self) -> Option<Followed> {
        let moment = |nanos| self.began + Duration::from_nanos(nanos);
        let until = self.until.load(Ordering::Acquire);
        let since = Some(self.since.load(Ordering::Acquire)).filter(|since| *since != Self::NEVER)?;
        Some(Followed { since: moment(since), until: moment(until) })
    }
}

impl Default for Following {
    fn default() -> Self {
        Self { began: Instant::now(), since: AtomicU64::new(Self::NEVER), until: AtomicU64::new(0) }
    }
}
