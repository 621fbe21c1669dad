//! What is kept, and the one trait that both stores implement. The store knows no HTTP, no provider and no page;
//! rules about people stand in `accounts`, those about attempts in `attempt`.
//!
//! Every method is bounded in time by the implementation (a few seconds at most) and answers `StoreError` rather
//! than waiting for ever. "The store's clock" is the database server's (MongoDB) or the host's (SQLite): leases are
//! compared by it alone, so that processes with clocks apart agree.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::attempt::{AttemptState, Phase, Verdict};
use super::clock::to_millis;
use super::ids::{
    AttemptId, BrowserHash, CodeHash, Issuer, OwnerToken, ProviderId, Reference, SessionHash, Subject, UserId,
};
use super::settings::Database;
use super::trace::Step;

/// MongoDB: replica sets and sharding are how it grows past one machine.
pub mod mongo;
/// An embedded SQLite file: runs with nothing installed.
pub mod sqlite;

/// No method of a store takes longer than this.
const BOUND: Duration = Duration::from_secs(5);
/// Lost races with other processes are run again this often before the store is held to be unavailable.
const ROUNDS: usize = 4;

/// Opens the store that the operator chose. MongoDB is not waited for: its methods answer
/// [`StoreError::Unavailable`] until it is there. An SQLite file is opened, and made if it is missing.
///
/// # Errors
/// The SQLite file cannot be opened, or the MongoDB connection string cannot be read.
pub async fn open(database: &Database) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match database {
        Database::Sqlite { path } => Arc::new(sqlite::SqliteStore::open(path).await?),
        Database::Mongo { uri, name } => Arc::new(mongo::MongoStore::open(uri, name).await?),
    })
}

/// Why the store could not answer. Never means "not found".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is too slow, read-only, full, failing over, or damaged: it tells nothing about anybody.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// It has something that we cannot read, or can do nothing with.
    #[error("store holds something unreadable: {0}")]
    Unreadable(String),
}

impl StoreError {
    fn unreadable(what: impl fmt::Display) -> Self {
        Self::Unreadable(capped(what))
    }

    fn unavailable(what: impl fmt::Display) -> Self {
        Self::Unavailable(capped(what))
    }

    /// Other processes changed the same thing again and again.
    fn contended() -> Self {
        Self::Unavailable("lost every race for the same record".into())
    }
}

/// A line for the log, not a topology description.
fn capped(what: impl fmt::Display) -> String {
    let mut text = what.to_string();
    text.truncate(text.floor_char_boundary(300));
    text
}

/// Runs one method of a store, for [`BOUND`] at most.
async fn bounded<T>(method: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    tokio::time::timeout(BOUND, method)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {} s", BOUND.as_secs()))))
}

/// What both stores do.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// One round trip, and what an operator should know about the store although it works (for example: an index
    /// that could not be made because of duplicate documents, each in one plain sentence with the mend).
    async fn ready(&self) -> Result<Vec<String>, StoreError>;

    // --- attempts ---

    /// Claims an attempt by inserting its one document: atomic, hence single-use across processes. An insert whose
    /// answer was lost is recognised as ours by the owner token. The lease starts at the store's now.
    async fn claim(&self, claim: &NewClaim) -> Result<Claimed, StoreError>;

    /// The attempt, if it was claimed and is not older than [`KEPT`](super::attempt::KEPT).
    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError>;

    /// The attempt that a person's reference id names.
    async fn attempt_by_reference(&self, reference: &Reference) -> Result<Option<Attempt>, StoreError>;

    /// Renews the lease to the store's now. `false`: not ours, or no longer running.
    async fn renew(&self, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError>;

    /// Ends a running attempt, by compare-and-set on (running, owner). `false`: somebody else ended it.
    /// Idempotent: settling again with the same owner and the same kind of verdict answers `true`.
    async fn settle(
        &self,
        id: AttemptId,
        owner: OwnerToken,
        verdict: &Verdict,
        steps: &[Step],
    ) -> Result<bool, StoreError>;

    /// Marks a running attempt whose lease is older than [`LEASE`](super::attempt::LEASE), by the store's clock, as interrupted.
    /// `false`: it is not running, or its owner lives.
    async fn interrupt(&self, id: AttemptId) -> Result<bool, StoreError>;

    /// Closes delivery: wipes the sealed delivery of a verified attempt. Idempotent.
    async fn close_delivery(&self, id: AttemptId) -> Result<(), StoreError>;

    // --- users ---

    /// The user who is (issuer, subject), by our own fields; else the one an older ClaudeLens deployment knows by
    /// `oidc_sub` and `oidc_provider` in {discovery URL, issuer}, adopted in place (our two fields set on it).
    /// An active user's profile and last sign-in are refreshed in the same write; an inactive one is returned
    /// untouched. Fields we do not know are never dropped. One round trip for a known, active user.
    async fn sign_in_user(&self, person: &Person) -> Result<Option<User>, StoreError>;

    /// Creates the user unless (issuer, subject) or the username is taken. Where both are, the answer is
    /// [`Created::Exists`].
    async fn create_user(&self, user: &NewUser) -> Result<Created, StoreError>;

    /// The user with that id.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    // --- sessions ---

    /// Inserts a session. `false`: one with that id exists already and is untouched.
    async fn create_session(&self, session: &SessionRecord) -> Result<bool, StoreError>;

    /// The session, expired or not: the caller judges.
    async fn session(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError>;

    /// Saves a session that exists: its last-seen time, its first use, an earlier expiry. Never inserts, so that a
    /// signed-out session cannot be revived, and never moves `expires` later. `false`: there is none.
    async fn save_session(&self, session: &SessionRecord) -> Result<bool, StoreError>;

    /// Deletes a session. Idempotent.
    async fn delete_session(&self, id: SessionHash) -> Result<(), StoreError>;

    /// Ends, as of `now`, every session of a browser, those too that no cookie names any more; interrupts its attempts
    /// that run, and closes what its verified ones could still deliver. Idempotent.
    async fn end_browser(&self, browser: BrowserHash, now: OffsetDateTime) -> Result<(), StoreError>;
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
    /// The code it is claimed with (the hash of the empty string where the answer carried none).
    pub code: CodeHash,
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
    /// It was claimed before; this is how it stands.
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
    /// How it stands.
    pub state: AttemptState,
    /// What happened, in order (complete once settled).
    pub steps: Vec<Step>,
}

/// A verified person, as `accounts` maps the claims.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who said so.
    pub issuer: Issuer,
    /// Who it is there.
    pub subject: Subject,
    /// The provider's discovery URL: how ClaudeLens named the provider (`oidc_provider`).
    pub discovery_url: String,
    /// What is refreshed at each sign-in.
    pub profile: Profile,
    /// Role to store at this sign-in, where the operator's rules decide it by group; `None` leaves the stored one.
    pub role: Option<Role>,
    /// Now, by our clock.
    pub now: OffsetDateTime,
}

/// The part of a user that the provider is asked for each time. `None` leaves what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// E-mail address, as claimed.
    pub email: Option<String>,
    /// Whether the provider has verified it; only meaningful with `email`.
    pub email_verified: Option<bool>,
    /// Name to show.
    pub full_name: Option<String>,
}

/// What an account may do in the application behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Administrator.
    Admin,
    /// Anyone else.
    User,
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Who it is.
    pub person: Person,
    /// The name proposed; unique without regard to case among all users.
    pub username: String,
    /// What they may do.
    pub role: Role,
}

/// How creating a user ended.
#[derive(Debug)]
pub enum Created {
    /// A new user.
    New(User),
    /// (issuer, subject) exists by now: sign in again.
    Exists,
    /// Another user has the username: propose another.
    UsernameTaken,
}

/// A user, as much of it as this program acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique name; empty where an older document has none.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Name to show.
    pub full_name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// `false`: refused at sign-in and at the next request (missing = true).
    pub active: bool,
}

/// A signed-in session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the id in the cookie.
    pub id: SessionHash,
    /// The browser it was given to; `None` in records of an earlier version.
    pub browser: Option<BrowserHash>,
    /// Whose.
    pub user: UserId,
    /// Who vouched for them.
    pub issuer: Issuer,
    /// Through which provider.
    pub provider: ProviderId,
    /// When they signed in.
    pub created: OffsetDateTime,
    /// When the session was last used (written at most once a minute).
    pub last_seen: OffsetDateTime,
    /// When it ends whatever happens.
    pub expires: OffsetDateTime,
    /// The attempt that delivered it, until first used.
    pub delivered_by: Option<AttemptId>,
}

// How both stores write it: one spelling, so that both read the same.

/// The stored fields that say how an attempt stands.
struct Standing {
    state: String,
    stale: bool,
    verified_at: Option<OffsetDateTime>,
    delivery: Option<Vec<u8>>,
    error: Option<String>,
    retry_at: Option<OffsetDateTime>,
}

impl TryFrom<Standing> for AttemptState {
    type Error = StoreError;

    fn try_from(stored: Standing) -> Result<Self, StoreError> {
        match (Phase::parse(&stored.state), stored.verified_at, stored.error) {
            (Some(Phase::Running), ..) => Ok(Self::Running { stale: stored.stale }),
            (Some(Phase::Verified), Some(at), _) => Ok(Self::Verified { at, delivery: stored.delivery }),
            (Some(Phase::Failed), _, Some(code)) => Ok(Self::Failed { code, retry_at: stored.retry_at }),
            (Some(Phase::Interrupted), ..) => Ok(Self::Interrupted),
            _ => Err(StoreError::unreadable(format_args!("an attempt whose state is {:?}", stored.state))),
        }
    }
}

impl Role {
    /// As stored.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }

    /// What is missing or unknown gives no power.
    fn of_stored(text: Option<&str>) -> Self {
        if text == Some(Self::Admin.as_str()) { Self::Admin } else { Self::User }
    }
}

/// Usernames that have the same key are the same name.
fn username_key(username: &str) -> String {
    username.to_lowercase()
}

fn from_millis(millis: i64) -> Result<OffsetDateTime, StoreError> {
    super::clock::from_millis(millis)
        .ok_or_else(|| StoreError::unreadable(format_args!("a time that is none: {millis} ms")))
}

/// A stored hash or id of a fixed length.
fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::unreadable(format_args!("{} bytes where {N} belong", bytes.len())))
}
