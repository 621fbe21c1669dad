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

/// For ever. While the store cannot be followed, what is known of each session is as old as the question about it.
pub(super) async fn keep_following(sessions: &Sessions) {
    let followed = metrics::gauge!("vestibule_store_followed");
    let mut failures = 0;
    let mut is_said = false;
    loop {
        followed.set(0.0);
        match sessions.store.follow().await {
            Ok(Some(changes)) => {
                failures = 0;
                is_said = false;
                let Err(error) = follow(sessions, changes, &followed).await;
                tracing::debug!(code = "store_not_followed", detail = %error, "the store is asked instead of followed");
            }
            // A server by itself may be made a replica set.
            Ok(None) => {}
            // A store that fails in everything is reported by its own checks.
            Err(error) if !is_said && is_lasting(&error, &mut failures) && sessions.store.ready().await.is_ok() => {
                is_said = true;
                tracing::warn!(
                    code = "store_not_followed",
                    detail = %error,
                    to_do = error.mend(),
                    "the store does not say what changes, and is asked every few seconds instead"
                );
            }
            Err(error) => {
                tracing::debug!(code = "store_not_followed", detail = %error, "the store is asked instead of followed");
            }
        }
        sleep(limits::CHANGES_FOLLOWED_AGAIN).await;
    }
}

/// A refusal, which somebody has to mend, or what fails again and again.
const fn is_lasting(error: &StoreError, failures: &mut u32) -> bool {
    *failures += 1;
    matches!(error, StoreError::Refused { .. }) || *failures >= limits::CHANGES_NOT_FOLLOWED_SAID
}

async fn follow(
    sessions: &Sessions,
    mut changes: Box<dyn Changes>,
    followed: &Gauge,
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
    }
}
