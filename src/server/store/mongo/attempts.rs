//! Collection `login_attempts`: `_id` is the attempt id.

use async_trait::async_trait;
use bson::{Binary, Bson, DateTime, Document, doc};
use mongodb::{Collection, Database, options::ReturnDocument};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    collections::{ATTEMPTS, binary, date, moment},
    connection::is_duplicate,
    store::MongoStore,
};
use crate::server::{
    attempt::{Phase, Transition, Verdict},
    ids::{AttemptId, BrowserHash, CodeHash, OwnerToken, ProviderId, Reference, SessionHash},
    limits,
    store::{
        attempts::{Attempt, AttemptStore, Claimed, NewClaim, StoredState},
        encoding::array,
        error::StoreError,
    },
    trace::Step,
};

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
            state: StoredState {
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
    database.collection(ATTEMPTS)
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
    let lease = i64::try_from(limits::LEASE.as_millis()).unwrap_or(i64::MAX);
    doc! { "$gt": [{ "$subtract": [{ "$toLong": "$$NOW" }, { "$toLong": "$lease" }] }, lease] }.into()
}

/// The newest attempt that matches. (References are short: of two attempts that share one, the later is meant.)
async fn find(database: &Database, filter: Document) -> Result<Option<AttemptDocument>, StoreError> {
    let pipeline = [
        doc! { "$match": filter },
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
fn unexpired(found: Option<AttemptDocument>) -> Result<Option<Attempt>, StoreError> {
    found.filter(|document| !document.expired).map(Attempt::try_from).transpose()
}

/// What a claim writes where there is no such attempt yet.
fn inserted(claim: &NewClaim) -> Document {
    doc! {
        "$setOnInsert": {
            "reference": claim.id.reference().as_str(),
            "provider": claim.provider.as_str(),
            "browser": binary(claim.browser.as_bytes()),
            "code": binary(claim.code.as_bytes()),
            "session": binary(claim.session.as_bytes()),
            "started_at": date(claim.started),
            "claimed_at": date(claim.claimed),
            "steps": [],
            "expires_at": date(claim.claimed + limits::ATTEMPT_KEPT),
        },
        "$currentDate": { "lease": true },
    }
}

/// What a verdict writes.
fn settled(verdict: &Verdict, steps: &[Step]) -> Result<Document, StoreError> {
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
    Ok(doc! { "$set": set })
}

#[async_trait]
impl AttemptStore for MongoStore {
    /// An update with upsert because only an update can write the server's time; the second of two claims is refused by
    /// the unique `_id`.
    async fn claim(&self, claim: &NewClaim) -> Result<Claimed, StoreError> {
        self.health
            .bounded(async {
                let database = self.database().await?;
                for _ in 0..limits::RACE_ROUNDS {
                    let ours = owned(claim.id, claim.owner, Phase::CLAIMED);
                    match attempts(database).update_one(ours, inserted(claim)).upsert(true).await {
                        Ok(_) => return Ok(Claimed::Ours),
                        Err(error) if is_duplicate(&error) => {}
                        Err(error) => return Err(error.into()),
                    }
                    if let Some(before) = find(database, doc! { "_id": key(claim.id) }).await? {
                        return Ok(Claimed::Before(Box::new(before.try_into()?)));
                    }
                    // It expired between the two: the claim is free again.
                }
                Err(StoreError::contended())
            })
            .await
    }

    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
        self.health.bounded(async { unexpired(find(self.database().await?, doc! { "_id": key(id) }).await?) }).await
    }

    async fn attempt_by_reference(&self, reference: &Reference) -> Result<Option<Attempt>, StoreError> {
        let named = doc! { "reference": reference.as_str() };
        self.health.bounded(async { unexpired(find(self.database().await?, named).await?) }).await
    }

    async fn renew(&self, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let running = owned(id, owner, Transition::Renew.from());
                let lease = doc! { "$currentDate": { "lease": true } };
                Ok(attempts(self.database().await?).update_one(running, lease).await?.matched_count == 1)
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
                let attempts = attempts(self.database().await?);
                let transition = verdict.transition();
                let running = owned(id, owner, transition.from());
                if attempts.update_one(running, settled(verdict, steps)?).await?.matched_count == 1 {
                    return Ok(true);
                }
                let ours = owned(id, owner, transition.to());
                Ok(attempts.find_one(ours).projection(doc! { "_id": 1 }).await?.is_some())
            })
            .await
    }

    async fn interrupt(&self, id: AttemptId) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let interrupted = Transition::Interrupt.to().as_str();
                let update = vec![doc! { "$set": { "state": { "$cond": [stale(), interrupted, "$state"] } } }];
                let running = doc! { "_id": key(id), "state": Transition::Interrupt.from().as_str() };
                let after = attempts(self.database().await?)
                    .find_one_and_update(running, update)
                    .return_document(ReturnDocument::After)
                    .projection(doc! { "state": 1 })
                    .await?;
                Ok(after.is_some_and(|attempt| matches!(attempt.get_str("state"), Ok(state) if state == interrupted)))
            })
            .await
    }

    async fn close_delivery(&self, id: AttemptId) -> Result<(), StoreError> {
        self.health.bounded(async { close_deliveries(self.database().await?, doc! { "_id": key(id) }).await }).await
    }
}

/// Interrupts every running attempt that matches.
pub(super) async fn withdraw(database: &Database, mut filter: Document) -> Result<(), StoreError> {
    filter.insert("state", Transition::Withdraw.from().as_str());
    let interrupted = doc! { "$set": { "state": Transition::Withdraw.to().as_str() } };
    attempts(database).update_many(filter, interrupted).await?;
    Ok(())
}

/// Closes the delivery of every verified attempt that matches.
pub(super) async fn close_deliveries(database: &Database, mut filter: Document) -> Result<(), StoreError> {
    filter.insert("state", Transition::Close.from().as_str());
    attempts(database).update_many(filter, doc! { "$unset": { "delivery": "" } }).await?;
    Ok(())
}

/// The sessions that matching attempts verified since then may be delivering at this moment.
pub(super) async fn sessions_delivered(
    database: &Database,
    mut filter: Document,
    since: OffsetDateTime,
) -> Result<Vec<(SessionHash, ProviderId)>, StoreError> {
    #[derive(Deserialize)]
    struct Delivered {
        session: Binary,
        provider: String,
    }
    filter.extend(doc! { "verified_at": { "$gte": date(since) }, "session": { "$exists": true } });
    let delivered = attempts(database).clone_with_type::<Delivered>();
    let mut cursor = delivered.find(filter).projection(doc! { "session": 1, "provider": 1 }).await?;
    let mut sessions = Vec::new();
    while cursor.advance().await? {
        let Delivered { session, provider } = cursor.deserialize_current()?;
        sessions.push((SessionHash::from_bytes(array(&session.bytes)?), ProviderId::new(provider)));
    }
    Ok(sessions)
}
