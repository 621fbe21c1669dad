//! Following the store: what changes there, in whatever process, is forgotten here, and all else that is known remains true
//! without being asked for again.

use std::convert::Infallible;

use metrics::Gauge;
use tokio::time::{Instant, sleep};

use super::{followed::Followed, sessions::Sessions};
use crate::server::{
    limits,
    store::{Changes, StoreError},
};

/// That the store does not say what changes.
#[derive(Default)]
struct Trouble {
    /// How often in a row, while it worked otherwise.
    failures: u32,
    is_said: bool,
}

/// For ever. While the store cannot be followed, what is known of each session is as old as the question about it.
pub(super) async fn keep_following(sessions: &Sessions) {
    let followed = metrics::gauge!("vestibule_store_followed");
    let mut trouble = Trouble::default();
    loop {
        followed.set(0.0);
        match sessions.store.follow().await {
            Ok(Some(changes)) => {
                let Err(error) = follow(sessions, changes, &followed, &mut trouble).await;
                trouble.met(sessions, &error).await;
            }
            // A server by itself may be made a replica set.
            Ok(None) => trouble = Trouble::default(),
            Err(error) => trouble.met(sessions, &error).await,
        }
        sleep(limits::CHANGES_FOLLOWED_AGAIN).await;
    }
}

impl Trouble {
    /// A refusal, which somebody has to mend, is said, and what fails again and again.
    async fn met(&mut self, sessions: &Sessions, error: &StoreError) {
        // A store that fails in everything is reported by its own checks.
        self.failures = if sessions.store.ready().await.is_ok() { self.failures + 1 } else { 0 };
        let least = if matches!(error, StoreError::Refused { .. }) { 1 } else { limits::CHANGES_NOT_FOLLOWED_SAID };
        if self.failures < least || self.is_said {
            tracing::debug!(code = "store_not_followed", detail = %error, "the store is asked instead of followed");
            return;
        }
        self.is_said = true;
        tracing::warn!(
            code = "store_not_followed",
            detail = %error,
            to_do = error.mend(),
            "the store does not say what changes, and is asked every few seconds instead"
        );
    }
}

async fn follow(
    sessions: &Sessions,
    mut changes: Box<dyn Changes>,
    followed: &Gauge,
    trouble: &mut Trouble,
) -> Result<Infallible, StoreError> {
    let since = Instant::now();
    loop {
        let until = Instant::now();
        let mut changed = Vec::new();
        let told = changes.next(&mut changed).await;
        // What has changed is forgotten also where something else may be missing.
        sessions.lately.changed(changed, told.is_ok().then_some(Followed { since, until }));
        told?;
        followed.set(1.0);
        *trouble = Trouble::default();
    }
}
