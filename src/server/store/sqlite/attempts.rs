//! Table `login_attempts`.

use sqlx::{FromRow, Sqlite, Transaction};

use super::Files;
use crate::server::{
    attempt::{KEPT, LEASE, Phase, Transition, Verdict},
    ids::{AttemptId, BrowserHash, CodeHash, OwnerToken, ProviderId, Reference},
    store::{Attempt, Claimed, NewClaim, ROUNDS, Standing, StoreError, array, from_millis, to_millis},
    trace::Step,
};

pub(super) const PURGE: &str = concat!("DELETE FROM login_attempts WHERE expires_at <= ", now!());

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
            state: Standing {
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
    i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)
}

fn key(id: AttemptId) -> Vec<u8> {
    id.as_bytes().to_vec()
}

fn token(owner: OwnerToken) -> Vec<u8> {
    owner.as_bytes().to_vec()
}

/// Inserts, or finds the same owner's running claim.
pub(super) async fn claim(files: &Files, claim: &NewClaim) -> Result<Claimed, StoreError> {
    for _ in 0..ROUNDS {
        let claimed = sqlx::query(concat!(
            "INSERT INTO login_attempts ",
            "(id, reference, owner, provider, browser, code, started_at, claimed_at, expires_at, state, lease) ",
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ",
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
        .bind(to_millis(claim.started))
        .bind(to_millis(claim.claimed))
        .bind(to_millis(claim.claimed + KEPT))
        .bind(Phase::CLAIMED.as_str())
        .execute(&files.writer)
        .await?;
        if claimed.rows_affected() == 1 {
            return Ok(Claimed::Ours);
        }
        if let Some(before) = find_by_id(files, claim.id).await? {
            return Ok(Claimed::Before(Box::new(before.try_into()?)));
        }
        // It expired between the two: the claim is free again.
    }
    Err(StoreError::contended())
}

async fn find_by_id(files: &Files, id: AttemptId) -> Result<Option<AttemptRow>, StoreError> {
    Ok(sqlx::query_as(select!("id = ?2")).bind(lease()).bind(key(id)).fetch_optional(&files.readers).await?)
}

pub(super) async fn by_id(files: &Files, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
    kept(find_by_id(files, id).await?)
}

pub(super) async fn by_reference(files: &Files, reference: &Reference) -> Result<Option<Attempt>, StoreError> {
    // References are short: of two attempts that share one, the later is meant.
    let found = sqlx::query_as(select!("reference = ?2 ORDER BY claimed_at DESC LIMIT 1"))
        .bind(lease())
        .bind(reference.as_str())
        .fetch_optional(&files.readers)
        .await?;
    kept(found)
}

/// What has expired is removed about once a minute; until then we do not see it.
fn kept(found: Option<AttemptRow>) -> Result<Option<Attempt>, StoreError> {
    found.filter(|row| !row.expired).map(Attempt::try_from).transpose()
}

pub(super) async fn renew(files: &Files, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError> {
    let renewed =
        sqlx::query(concat!("UPDATE login_attempts SET lease = ", now!(), " WHERE id = ? AND owner = ? AND state = ?"))
            .bind(key(id))
            .bind(token(owner))
            .bind(Transition::Renew.from().as_str())
            .execute(&files.writer)
            .await?;
    Ok(renewed.rows_affected() == 1)
}

pub(super) async fn settle(
    files: &Files,
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
    .execute(&files.writer)
    .await?;
    if settled.rows_affected() == 1 {
        return Ok(true);
    }
    let ours = sqlx::query("SELECT 1 FROM login_attempts WHERE id = ? AND owner = ? AND state = ?")
        .bind(key(id))
        .bind(token(owner))
        .bind(verdict.transition().to().as_str())
        .fetch_optional(&files.readers)
        .await?;
    Ok(ours.is_some())
}

pub(super) async fn interrupt(files: &Files, id: AttemptId) -> Result<bool, StoreError> {
    let interrupted = sqlx::query(concat!(
        "UPDATE login_attempts SET state = ?4 WHERE id = ?2 AND state = ?3 AND lease < ",
        now!(),
        " - ?1"
    ))
    .bind(lease())
    .bind(key(id))
    .bind(Transition::Interrupt.from().as_str())
    .bind(Transition::Interrupt.to().as_str())
    .execute(&files.writer)
    .await?;
    Ok(interrupted.rows_affected() == 1)
}

pub(super) async fn close_delivery(files: &Files, id: AttemptId) -> Result<(), StoreError> {
    sqlx::query("UPDATE login_attempts SET delivery = NULL WHERE id = ? AND state = ?")
        .bind(key(id))
        .bind(Transition::Close.from().as_str())
        .execute(&files.writer)
        .await?;
    Ok(())
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
