//! Following the store: what changes there, in whatever process, is forgotten here, and all else that is known remains true
//! without being asked for again.

use metrics::Gauge;
use tokio::time::{Instant, sleep};

use super::{followed::Followed, sessions::Sessions};
use crate::server::{limits, store::StoreError};

/// For ever, if the store can be followed. Where it cannot, what is known of each session is as old as the question about it.
pub(super) async fn keep_following(sessions: &Sessions) {
    let followed = metrics::gauge!("vestibule_store_followed");
    followed.set(0.0);
    while let Err(error) = follow(sessions, &followed).await {
        followed.set(0.0);
        tracing::debug!(code = "store_unavailable", detail = %error, "the store cannot be followed, and is asked instead");
        sleep(limits::CHANGES_FOLLOWED_AGAIN).await;
    }
}

async fn follow(sessions: &Sessions, followed: &Gauge) -> Result<(), StoreError> {
    let Some(mut changes) = sessions.store.follow().await? else { return Ok(()) };
    let since = Instant::now();
    loop {
        let until = Instant::now();
        let changed = changes.next().await?;
        sessions.lately.changed(changed, Followed { since, until });
        followed.set(1.0);
    }
}
