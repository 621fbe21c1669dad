//! Sign-in attempts: one record each, which is at once the claim, the progress and the trace. The transitions are
//! defined in `attempt`.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::error::StoreError;
use crate::server::{
    attempt::{AttemptState, Phase, Verdict},
    ids::{AttemptId, BrowserHash, CodeHash, OwnerToken, ProviderId, Reference, SessionHash},
    trace::Step,
};

/// What a store does for attempts.
#[async_trait]
pub trait AttemptStore: Send + Sync {
    /// Claims an attempt by inserting its one record: atomic, hence single-use across processes. An insert whose
    /// response was lost is recognised as ours by the owner token. The lease starts at the store's now.
    async fn claim(&self, claim: &NewClaim) -> Result<Claimed, StoreError>;

    /// The attempt, if it was claimed and is not older than [`ATTEMPT_KEPT`](crate::server::limits::ATTEMPT_KEPT).
    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError>;

    /// The attempt that a person's reference id names.
    async fn attempt_by_reference(&self, reference: &Reference) -> Result<Option<Attempt>, StoreError>;

    /// Renews the lease to the store's now. `false`: not ours, or no longer running.
    async fn renew(&self, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError>;

    /// Ends a running attempt, by compare-and-set on (running, owner). `false`: another process ended it. Idempotent:
    /// settling again with the same owner and the same kind of verdict returns `true`.
    async fn settle(
        &self,
        id: AttemptId,
        owner: OwnerToken,
        verdict: &Verdict,
        steps: &[Step],
    ) -> Result<bool, StoreError>;

    /// Marks a running attempt whose lease is older than [`LEASE`](crate::server::limits::LEASE), by the store's
    /// clock, as interrupted. `false`: it is not running, or its owner lives.
    async fn interrupt(&self, id: AttemptId) -> Result<bool, StoreError>;

    /// Closes delivery: wipes the sealed delivery of a verified attempt. Idempotent.
    async fn close_delivery(&self, id: AttemptId) -> Result<(), StoreError>;
}

/// What a claim inserts.
#[derive(Clone, Debug)]
pub struct NewClaim {
    /// The attempt.
    pub id: AttemptId,
    /// Who makes the claim.
    pub owner: OwnerToken,
    /// The provider it began at.
    pub provider: ProviderId,
    /// The browser it belongs to.
    pub browser: BrowserHash,
    /// The code it is claimed with (the hash of the empty string if the response has none).
    pub code: CodeHash,
    /// The session that it will deliver if it succeeds; sign-out prevents this one from being created.
    pub session: SessionHash,
    /// When the person began, by our clock.
    pub started: OffsetDateTime,
    /// When the callback arrived, by our clock.
    pub claimed: OffsetDateTime,
}

/// How a claim ended.
#[derive(Debug)]
pub enum Claimed {
    /// The attempt is ours.
    Ours,
    /// It was claimed before; this is its state.
    Before(Box<Attempt>),
}

/// An attempt as the store knows it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The provider it began at.
    pub provider: ProviderId,
    /// The browser it belongs to.
    pub browser: BrowserHash,
    /// The code it was claimed with.
    pub code: CodeHash,
    /// When the person began.
    pub started: OffsetDateTime,
    /// When the callback arrived.
    pub claimed: OffsetDateTime,
    /// Its state.
    pub state: AttemptState,
    /// What happened, in order (complete once settled).
    pub steps: Vec<Step>,
}

/// The stored fields of an attempt's state: both stores name and read them alike.
pub(super) struct StoredState {
    pub(super) state: String,
    pub(super) stale: bool,
    pub(super) verified_at: Option<OffsetDateTime>,
    pub(super) delivery: Option<Vec<u8>>,
    pub(super) error: Option<String>,
    pub(super) retry_at: Option<OffsetDateTime>,
}

impl TryFrom<StoredState> for AttemptState {
    type Error = StoreError;

    fn try_from(stored: StoredState) -> Result<Self, StoreError> {
        match (Phase::parse(&stored.state), stored.verified_at, stored.error) {
            (Some(Phase::Running), ..) => Ok(Self::Running { stale: stored.stale }),
            (Some(Phase::Verified), Some(at), _) => Ok(Self::Verified { at, delivery: stored.delivery }),
            (Some(Phase::Failed), _, Some(code)) => Ok(Self::Failed { code, retry_at: stored.retry_at }),
            (Some(Phase::Interrupted), ..) => Ok(Self::Interrupted),
            _ => Err(StoreError::unreadable(format_args!("an attempt whose state is {:?}", stored.state))),
        }
    }
}
