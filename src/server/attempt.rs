//! The attempt as a state machine: its phases, the transitions between them, and what each means for a request.
//!
//! ```text
//!            claim               verify
//! (nothing) ───────> running ─┬───────────> verified ───> (close) nothing left to deliver
//!                     │  ^ │  │   fail
//!               renew └──┘ │  └───────────> failed
//!                          │   interrupt, withdraw
//!                          └──────────────> interrupted
//! ```
//!
//! The stores carry out each transition in one atomic operation, from and to the phases that are defined here.
//! `tests/it/store/machine.rs` drives random interleavings of callbacks, polls, crashes, sign-outs and time over this module
//! and over both stores.

use time::OffsetDateTime;

use super::limits;

/// How far a claimed attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// An owner works on it, or died while doing so.
    Running,
    /// The person is verified and the user exists.
    Verified,
    /// It failed for good.
    Failed,
    /// Its owner died, or the browser signed out; the code may have been sent, so it is never sent again.
    Interrupted,
}

impl Phase {
    /// The phase after a claim. A claim inserts the record, so it can succeed only once.
    pub const CLAIMED: Self = Self::Running;

    const ALL: [Self; 4] = [Self::Running, Self::Verified, Self::Failed, Self::Interrupted];

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads what [`as_str`](Self::as_str) says.
    #[must_use]
    pub fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == stored)
    }
}

/// A change from one phase to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The owner renews its lease.
    Renew,
    /// The owner has verified the person.
    Verify,
    /// The owner has failed.
    Fail,
    /// The owner was found dead: its lease has expired.
    Interrupt,
    /// Delivery is closed: no session can be created any more.
    Close,
    /// The browser has signed out while it ran.
    Withdraw,
}

/// Who may make a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// The process that made the claim.
    Owner,
    /// Any process, once the lease has expired.
    AnybodyAfterLease,
    /// Any process.
    Anybody,
}

impl Transition {
    /// The phase it leads from. In any other it changes nothing.
    #[must_use]
    pub const fn from(self) -> Phase {
        match self {
            Self::Renew | Self::Verify | Self::Fail | Self::Interrupt | Self::Withdraw => Phase::Running,
            Self::Close => Phase::Verified,
        }
    }

    /// The phase it leads to.
    #[must_use]
    pub const fn to(self) -> Phase {
        match self {
            Self::Renew => Phase::Running,
            Self::Verify | Self::Close => Phase::Verified,
            Self::Fail => Phase::Failed,
            Self::Interrupt | Self::Withdraw => Phase::Interrupted,
        }
    }

    /// Who may make it.
    #[must_use]
    pub const fn may(self) -> May {
        match self {
            Self::Renew | Self::Verify | Self::Fail => May::Owner,
            Self::Interrupt => May::AnybodyAfterLease,
            Self::Close | Self::Withdraw => May::Anybody,
        }
    }
}

/// The state of a claimed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptState {
    /// An owner works on it.
    Running {
        /// Whether the lease is older than [`limits::LEASE`] by the store's clock.
        stale: bool,
    },
    /// The person is verified and the user exists.
    Verified {
        /// When, by our clock.
        at: OffsetDateTime,
        /// Sealed; `None` once delivery is closed.
        delivery: Option<Vec<u8>>,
    },
    /// It failed for good.
    Failed {
        /// The stable code (`docs/errors.md`).
        code: String,
        /// From when it makes sense to begin again, where the provider named a time.
        retry_at: Option<OffsetDateTime>,
    },
    /// Its owner died; the code may have been sent, so it is never sent again.
    Interrupted,
}

/// How a running attempt ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The person is verified and the user exists.
    Verified {
        /// When, by our clock.
        at: OffsetDateTime,
        /// What delivery needs, sealed by the flow; opaque to the store.
        delivery: Vec<u8>,
    },
    /// It failed for good.
    Failed {
        /// The stable code.
        code: String,
        /// From when it makes sense to begin again.
        retry_at: Option<OffsetDateTime>,
    },
}

impl Verdict {
    /// The transition that writes it down.
    #[must_use]
    pub const fn transition(&self) -> Transition {
        match self {
            Self::Verified { .. } => Transition::Verify,
            Self::Failed { .. } => Transition::Fail,
        }
    }
}

/// What a request does about a claimed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Its owner works on it: read it again later.
    Wait,
    /// Its owner is dead: mark it as interrupted, then read it again.
    Interrupt,
    /// Deliver this.
    Deliver(&'a [u8]),
    /// The delivery window has expired: close delivery, then treat it as used.
    Close,
    /// Delivery is closed: it is used.
    Over,
    /// Explain why it failed.
    Explain {
        /// The stable code.
        code: &'a str,
        /// From when it makes sense to begin again.
        retry_at: Option<OffsetDateTime>,
    },
    /// Explain that it was interrupted.
    ExplainInterrupted,
}

impl AttemptState {
    /// What a request does about it at `now`, by our clock.
    #[must_use]
    pub fn next(&self, now: OffsetDateTime) -> Next<'_> {
        match self {
            Self::Running { stale: false } => Next::Wait,
            Self::Running { stale: true } => Next::Interrupt,
            Self::Verified { delivery: None, .. } => Next::Over,
            Self::Verified { at, delivery: Some(delivery) } if now - limits::DELIVERABLE <= *at => {
                Next::Deliver(delivery)
            }
            Self::Verified { .. } => Next::Close,
            Self::Failed { code, retry_at } => Next::Explain { code, retry_at: *retry_at },
            Self::Interrupted => Next::ExplainInterrupted,
        }
    }
}
