//! Table `login_attempts`.

use async_trait::async_trait;
use sqlx::{FromRow, Sqlite, Transaction};
use time::OffsetDateTime;

use super::{clock::now, connection::Connections, store::SqliteStore};
use crate::server::{
    attempt::{Phase, Transition, Verdict},
    clock::to_millis,
    ids::{AttemptId, BrowserHash, CodeHash, OwnerToken, ProviderId, Reference, SessionHash},
    limits,
    store::{
        attempts::{Attempt, AttemptStore, Claimed, NewClaim, StoredState},
        encoding::{array, from_millis},
        error::StoreError,
    },
    trace::Step,
};

/// With `?1` the lease in milliseconds.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, provider, browser, code, started_at, claimed_at, state, steps, verified_at, delivery, error, ",
            "retry_at, lease < ",
            now!(),
            " - ?1 AS stale, expires_at <= ",
            now!(),
            " AS expired ",
            "FROM login_attempts WHERE ",
            $condition
        )
    };
}

#[derive(FromRow)]
struct AttemptRow {
    id: Vec<u8>,
    provider: String,
    browser: Vec<u8>,
    code: Vec<u8>,
    started_at: i64,
    claimed_at: i64,
    state: String,
    steps: String,
    verified_at: Option<i64>,
    delivery: Option<Vec<u8>>,
    error: Option<String>,
    retry_at: Option<i64>,
    stale: bool,
    expired: bool,
}

impl TryFrom<AttemptRow> for Attempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: AttemptId::new(array(&row.id)?),
            provider: ProviderId::new(row.provider),
            browser: BrowserHash::from_bytes(array(&row.browser)?),
            code: CodeHash::from_bytes(array(&row.code)?),
            started: from_millis(row.started_at)?,
            claimed: from_millis(row.claimed_at)?,
            state: StoredState {
                state: row.state,
                stale: row.stale,
                verified_at: row.verified_at.map(from_millis).transpose()?,
                delivery: row.delivery,
                error: row.error,
                retry_at: row.retry_at.map(from_millis).transpose()?,
            }
            .try_into()?,
            steps: serde_json::from_str(&row.steps).map_err(StoreError::unreadable)?,
        })
    }
}

fn lease() -> i64 {
    i64::try_from(limits::LEASE.as_millis()).unwrap_or(i64::MAX)
}

fn key(id: AttemptId) -> Vec<u8> {
    id.as_bytes().to_vec()
}

fn token(owner: OwnerToken) -> Vec<u8> {
    owner.as_bytes().to_vec()
}

async fn find(connections: &Connections, id: AttemptId) -> Result<Option<AttemptRow>, StoreError> {
    Ok(sqlx::query_as(select!("id = ?2")).bind(lease()).bind(key(id)).fetch_optional(&connections.readers).await?)
}

/// What has expired is removed about once a minute; until then we do not see it.
fn unexpired(found: Option<AttemptRow>) -> Result<Option<Attempt>, StoreError> {
    found.filter(|row| !row.expired).map(Attempt::try_from).transpose()
}

/// Inserts, or finds the same owner's running claim. `false`: it was claimed before.
async fn insert(connections: &Connections, claim: &NewClaim) -> Result<bool, StoreError> {
    let inserted = sqlx::query(concat!(
        "INSERT INTO login_attempts ",
        "(id, reference, owner, provider, browser, code, session, started_at, claimed_at, expires_at, state, lease) ",
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ",
        now!(),
        ") ",
        "ON CONFLICT (id) DO UPDATE SET lease = excluded.lease ",
        "WHERE owner = excluded.owner AND state = excluded.state",
    ))
    .bind(key(claim.id))
    .bind(claim.id.reference().as_str().to_owned())
    .bind(token(claim.owner))
    .bind(claim.provider.as_str())
    .bind(claim.browser.as_bytes().to_vec())
    .bind(claim.code.as_bytes().to_vec())
    .bind(claim.session.as_bytes().to_vec())
    .bind(to_millis(claim.started))
    .bind(to_millis(claim.claimed))
    .bind(to_millis(claim.claimed + limits::ATTEMPT_KEPT))
    .bind(Phase::CLAIMED.as_str())
    .execute(&connections.writer)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes the verdict down. `false`: it is not this owner's, or no longer running.
async fn write_verdict(
    connections: &Connections,
    id: AttemptId,
    owner: OwnerToken,
    verdict: &Verdict,
    steps: &[Step],
) -> Result<bool, StoreError> {
    let (verified_at, delivery, error, retry_at) = match verdict {
        Verdict::Verified { at, delivery } => (Some(*at), Some(delivery.clone()), None, None),
        Verdict::Failed { code, retry_at } => (None, None, Some(code.clone()), *retry_at),
    };
    let settled = sqlx::query(
        "UPDATE login_attempts SET state = ?, steps = ?, verified_at = ?, delivery = ?, error = ?, retry_at = ? \
         WHERE id = ? AND owner = ? AND state = ?",
    )
    .bind(verdict.transition().to().as_str())
    .bind(serde_json::to_string(steps).map_err(StoreError::unreadable)?)
    .bind(verified_at.map(to_millis))
    .bind(delivery)
    .bind(error)
    .bind(retry_at.map(to_millis))
    .bind(key(id))
    .bind(token(owner))
    .bind(verdict.transition().from().as_str())
    .execute(&connections.writer)
    .await?;
    Ok(settled.rows_affected() == 1)
}

#[async_trait]
impl AttemptStore for SqliteStore {
    async fn claim(&self, claim: &NewClaim) -> Result<Claimed, StoreError> {
        self.health
            .bounded(async {
                // Where a sign-in begins to write: it is not to end in a file that nobody finds again.
                self.place.check().await?;
                for _ in 0..limits::RACE_ROUNDS {
                    if insert(&self.connections, claim).await? {
                        return Ok(Claimed::Ours);
                    }
                    if let Some(before) = find(&self.connections, claim.id).await? {
                        return Ok(Claimed::Before(Box::new(before.try_into()?)));
                    }
                    // It expired between the two: the claim is free again.
                }
                Err(StoreError::contended())
            })
            .await
    }

    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
        self.health.bounded(async { unexpired(find(&self.connections, id).await?) }).await
    }

    async fn attempt_by_reference(&self, reference: &Reference) -> Result<Option<Attempt>, StoreError> {
        self.health
            .bounded(async {
                // References are short: of two attempts that share one, the later is meant.
                let found = sqlx::query_as(select!("reference = ?2 ORDER BY claimed_at DESC LIMIT 1"))
                    .bind(lease())
                    .bind(reference.as_str())
                    .fetch_optional(&self.connections.readers)
                    .await?;
                unexpired(found)
            })
            .await
    }

    async fn renew(&self, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError> {
        let renew = concat!("UPDATE login_attempts SET lease = ", now!(), " WHERE id = ? AND owner = ? AND state = ?");
        self.health
            .bounded(async {
                let renewed = sqlx::query(renew)
                    .bind(key(id))
                    .bind(token(owner))
                    .bind(Transition::Renew.from().as_str())
                    .execute(&self.connections.writer)
                    .await?;
                Ok(renewed.rows_affected() == 1)
            })
            .await
    }

    async fn settle(
        &self,
        id: AttemptId,
        owner: OwnerToken,
        verdict: &Verdict,
        steps: &[Step],
    ) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                if write_verdict(&self.connections, id, owner, verdict, steps).await? {
                    return Ok(true);
                }
                let ours = sqlx::query("SELECT 1 FROM login_attempts WHERE id = ? AND owner = ? AND state = ?")
                    .bind(key(id))
                    .bind(token(owner))
                    .bind(verdict.transition().to().as_str())
                    .fetch_optional(&self.connections.readers)
                    .await?;
                Ok(ours.is_some())
            })
            .await
    }

    async fn interrupt(&self, id: AttemptId) -> Result<bool, StoreError> {
        let interrupt =
            concat!("UPDATE login_attempts SET state = ?4 WHERE id = ?2 AND state = ?3 AND lease < ", now!(), " - ?1");
        self.health
            .bounded(async {
                let interrupted = sqlx::query(interrupt)
                    .bind(lease())
                    .bind(key(id))
                    .bind(Transition::Interrupt.from().as_str())
                    .bind(Transition::Interrupt.to().as_str())
                    .execute(&self.connections.writer)
                    .await?;
                Ok(interrupted.rows_affected() == 1)
            })
            .await
    }

    async fn close_delivery(&self, id: AttemptId) -> Result<(), StoreError> {
        self.health
            .bounded(async {
                sqlx::query("UPDATE login_attempts SET delivery = NULL WHERE id = ? AND state = ?")
                    .bind(key(id))
                    .bind(Transition::Close.from().as_str())
                    .execute(&self.connections.writer)
                    .await?;
                Ok(())
            })
            .await
    }
}

/// Interrupts what runs for a browser, and closes what is verified for it.
pub(super) async fn end_of_browser(
    transaction: &mut Transaction<'static, Sqlite>,
    browser: BrowserHash,
) -> Result<(), StoreError> {
    let browser = browser.as_bytes().to_vec();
    sqlx::query("UPDATE login_attempts SET state = ? WHERE browser = ? AND state = ?")
        .bind(Transition::Withdraw.to().as_str())
        .bind(&browser)
        .bind(Transition::Withdraw.from().as_str())
        .execute(&mut **transaction)
        .await?;
    sqlx::query("UPDATE login_attempts SET delivery = NULL WHERE browser = ? AND state = ?")
        .bind(&browser)
        .bind(Transition::Close.from().as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The sessions that the browser's attempts verified since then may be delivering at this moment.
pub(super) async fn sessions_delivered(
    transaction: &mut Transaction<'static, Sqlite>,
    browser: BrowserHash,
    since: OffsetDateTime,
) -> Result<Vec<(SessionHash, ProviderId)>, StoreError> {
    let delivered: Vec<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT session, provider FROM login_attempts WHERE browser = ? AND session IS NOT NULL AND verified_at >= ?",
    )
    .bind(browser.as_bytes().to_vec())
    .bind(to_millis(since))
    .fetch_all(&mut **transaction)
    .await?;
    let session =
        |(id, provider): (Vec<u8>, String)| Ok((SessionHash::from_bytes(array(&id)?), ProviderId::new(provider)));
    delivered.into_iter().map(session).collect()
}
