//! A store that cannot note that a recheck begins.

use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

/// Since when it could not be noted that a recheck begins: until that can be tried again, nobody is asked for one.
#[derive(Default)]
pub(super) struct Unnoted(Mutex<Option<OffsetDateTime>>);

impl Unnoted {
    pub(super) fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    pub(super) fn get(&self) -> Option<OffsetDateTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
