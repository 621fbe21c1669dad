//! Collection `login_attempts`: `_id` is the attempt id.

use bson::{Binary, Bson, DateTime, Document, doc};
use mongodb::{Collection, Database, options::ReturnDocument};
use serde::Deserialize;

use super::{binary, date, is_duplicate, moment};
use crate::server::{
    attempt::{KEPT, LEASE, Phase, Transition, Verdict},
    ids::{AttemptId, BrowserHash, CodeHash, OwnerToken, ProviderId, Reference},
    store::{Attempt, Claimed, NewClaim, ROUNDS, Standing, StoreError, array},
    trace::Step,
};

pub(super) const COLLECTION: &str = "login_attempts";

/// Fields as stored, and two that the server computes by its own clock when asked.
#[derive(Deserialize)]
struct AttemptDocument {
    #[serde(rename = "_id")]
    id: Binary,
    provider: String,
    browser: Binary,
    code: Binary,
    started_at: DateTime,
    claimed_at: DateTime,
    state: String,
    #[serde(default)]
    steps: Vec<Step>,
    verified_at: Option<DateTime>,
    delivery: Option<Binary>,
    error: Option<String>,
    retry_at: Option<DateTime>,
    stale: bool,
    expired: bool,
}

impl TryFrom<AttemptDocument> for Attempt {
    type Error = StoreError;

    fn try_from(document: AttemptDocument) -> Result<Self, StoreError> {
        Ok(Self {
            id: AttemptId::new(array(&document.id.bytes)?),
            provider: ProviderId::new(document.provider),
            browser: BrowserHash::from_bytes(array(&document.browser.bytes)?),
            code: CodeHash::from_bytes(array(&document.code.bytes)?),
            started: moment(document.started_at)?,
            claimed: moment(document.claimed_at)?,
            state: Standing {
                state: document.state,
                stale: document.stale,
                verified_at: document.verified_at.map(moment).transpose()?,
                delivery: document.delivery.map(|sealed| sealed.bytes),
                error: document.error,
                retry_at: document.retry_at.map(moment).transpose()?,
            }
            .try_into()?,
            steps: document.steps,
        })
    }
}

fn attempts(database: &Database) -> Collection<Document> {
    database.collection(COLLECTION)
}

fn key(id: AttemptId) -> Binary {
    binary(id.as_bytes())
}

/// The attempt, as long as it is this owner's and in that phase.
fn owned(id: AttemptId, owner: OwnerToken, phase: Phase) -> Document {
    doc! { "_id": key(id), "owner": binary(owner.as_bytes()), "state": phase.as_str() }
}

/// An expression: whether the lease is over by the server's clock. In milliseconds, since `$subtract` of dates and
/// `$$NOW` is not the same everywhere.
fn stale() -> Bson {
    let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    doc! { "$gt": [{ "$subtract": [{ "$toLong": "$$NOW" }, { "$toLong": "$lease" }] }, lease] }.into()
}

/// Inserts, or finds the same owner's running claim. An update with upsert because only an update can write the
/// server's time; whoever comes second is refused by the unique `_id`.
pub(super) async fn claim(database: Database, claim: &NewClaim) -> Result<Claimed, StoreError> {
    let insert = doc! {
        "$setOnInsert": {
            "reference": claim.id.reference().as_str(),
            "provider": claim.provider.as_str(),
            "browser": binary(claim.browser.as_bytes()),
            "code": binary(claim.code.as_bytes()),
            "started_at": date(claim.started),
            "claimed_at": date(claim.claimed),
            "steps": [],
            "expires_at": date(claim.claimed + KEPT),
        },
        "$currentDate": { "lease": true },
    };
    for _ in 0..ROUNDS {
        match attempts(&database)
            .update_one(owned(claim.id, claim.owner, Phase::CLAIMED), insert.clone())
            .upsert(true)
            .await
        {
            Ok(_) => return Ok(Claimed::Ours),
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(before) = find(&database, doc! { "_id": key(claim.id) }).await? {
            return Ok(Claimed::Before(Box::new(before.try_into()?)));
        }
        // It expired between the two: the claim is free again.
    }
    Err(StoreError::contended())
}

pub(super) async fn by_id(database: Database, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
    kept(find(&database, doc! { "_id": key(id) }).await?)
}

pub(super) async fn by_reference(database: Database, reference: &Reference) -> Result<Option<Attempt>, StoreError> {
    kept(find(&database, doc! { "reference": reference.as_str() }).await?)
}

async fn find(database: &Database, filter: Document) -> Result<Option<AttemptDocument>, StoreError> {
    let pipeline = [
        doc! { "$match": filter },
        // References are short: of two attempts that share one, the later is meant.
        doc! { "$sort": { "claimed_at": -1 } },
        doc! { "$limit": 1 },
        doc! { "$set": {
            "stale": stale(),
            "expired": { "$lte": [{ "$toLong": "$expires_at" }, { "$toLong": "$$NOW" }] },
        } },
    ];
    let mut cursor = attempts(database).aggregate(pipeline).with_type::<AttemptDocument>().await?;
    Ok(if cursor.advance().await? { Some(cursor.deserialize_current()?) } else { None })
}

/// The server removes what has expired about once a minute; until then we do not see it.
fn kept(found: Option<AttemptDocument>) -> Result<Option<Attempt>, StoreError> {
    found.filter(|document| !document.expired).map(Attempt::try_from).transpose()
}

pub(super) async fn renew(database: Database, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError> {
    let running = owned(id, owner, Transition::Renew.from());
    let renewed = attempts(&database).update_one(running, doc! { "$currentDate": { "lease": true } }).await?;
    Ok(renewed.matched_count == 1)
}

pub(super) async fn settle(
    database: Database,
    id: AttemptId,
    owner: OwnerToken,
    verdict: &Verdict,
    steps: &[Step],
) -> Result<bool, StoreError> {
    let steps = bson::serialize_to_bson(steps).map_err(StoreError::unreadable)?;
    let mut set = doc! { "state": verdict.transition().to().as_str(), "steps": steps };
    match verdict {
        Verdict::Verified { at, delivery } => {
            set.extend(doc! { "verified_at": date(*at), "delivery": binary(delivery) });
        }
        Verdict::Failed { code, retry_at } => {
            set.insert("error", code);
            set.extend(retry_at.map(|at| ("retry_at".to_owned(), date(at).into())));
        }
    }
    let transition = verdict.transition();
    let running = owned(id, owner, transition.from());
    if attempts(&database).update_one(running, doc! { "$set": set }).await?.matched_count == 1 {
        return Ok(true);
    }
    Ok(attempts(&database).find_one(owned(id, owner, transition.to())).projection(doc! { "_id": 1 }).await?.is_some())
}

pub(super) async fn interrupt(database: Database, id: AttemptId) -> Result<bool, StoreError> {
    let interrupted = Transition::Interrupt.to();
    let update = vec![doc! { "$set": { "state": { "$cond": [stale(), interrupted.as_str(), "$state"] } } }];
    let after = attempts(&database)
        .find_one_and_update(doc! { "_id": key(id), "state": Transition::Interrupt.from().as_str() }, update)
        .return_document(ReturnDocument::After)
        .projection(doc! { "state": 1 })
        .await?;
    Ok(after.is_some_and(|attempt| matches!(attempt.get_str("state"), Ok(state) if state == interrupted.as_str())))
}

pub(super) async fn close_delivery(database: Database, id: AttemptId) -> Result<(), StoreError> {
    close_deliveries(&database, doc! { "_id": key(id) }).await
}

/// Interrupts every running attempt that matches.
pub(super) async fn withdraw(database: &Database, mut filter: Document) -> Result<(), StoreError> {
    filter.insert("state", Transition::Withdraw.from().as_str());
    let interrupted = doc! { "$set": { "state": Transition::Withdraw.to().as_str() } };
    attempts(database).update_many(filter, interrupted).await?;
    Ok(())
}

/// Of every attempt that matches.
pub(super) async fn close_deliveries(database: &Database, mut filter: Document) -> Result<(), StoreError> {
    filter.insert("state", Transition::Close.from().as_str());
    attempts(database).update_many(filter, doc! { "$unset": { "delivery": "" } }).await?;
    Ok(())
}
