//! Sessions: who is signed in with which browser.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::StoreError;
use crate::server::ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, Subject, UserId};

/// What a store does for sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Inserts a session. `false`: one with that id exists already and is untouched.
    async fn create_session(&self, session: &SessionRecord) -> Result<bool, StoreError>;

    /// The session, expired or not: the caller compares the time.
    async fn session(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError>;

    /// Those of these sessions that exist and can be read, expired or not, in any order: one question for many, however
    /// many are in use.
    async fn sessions(&self, ids: &[SessionHash]) -> Result<Vec<SessionRecord>, StoreError>;

    /// Notes that these sessions were used at that time, unless they were later; as [`save_session`](Self::save_session), but
    /// nothing else changes.
    async fn touch_sessions(&self, ids: &[SessionHash], at: OffsetDateTime) -> Result<(), StoreError>;

    /// Saves a session that exists: its last-seen time, its first use, an earlier expiry, and that it is nobody's any more
    /// (then its ID token is wiped, too). Never inserts, so that a signed-out session cannot be revived, and never moves
    /// `expires` later. `false`: there is none.
    async fn save_session(&self, session: &SessionRecord) -> Result<bool, StoreError>;

    /// Notes that a recheck begins `now`, unless one has begun since `unless_since`. `false`: one has, or the session has
    /// ended.
    async fn begin_recheck(
        &self,
        id: SessionHash,
        now: OffsetDateTime,
        unless_since: OffsetDateTime,
    ) -> Result<bool, StoreError>;

    /// Notes what the provider said at a recheck: when, the facts and the ID token; nothing else of `session`. `false`: it
    /// has ended, or is somebody else's.
    async fn confirm_session(&self, session: &SessionRecord) -> Result<bool, StoreError>;

    /// Deletes a session. Idempotent.
    async fn delete_session(&self, id: SessionHash) -> Result<(), StoreError>;

    /// Ends, as of `now`, every session of a browser, those too that no cookie names any more; interrupts its attempts
    /// that run, and closes what its verified ones could still deliver. A delivery that has begun before and inserts
    /// its session afterwards finds the session's id taken. Idempotent. `false`: none had to be ended.
    async fn end_browser(&self, browser: BrowserHash, now: OffsetDateTime) -> Result<bool, StoreError>;
}

/// A signed-in session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the id in the cookie.
    pub id: SessionHash,
    /// The browser it was given to; `None` in records of an earlier version.
    pub browser: Option<BrowserHash>,
    /// The user.
    pub user: UserId,
    /// The issuer.
    pub issuer: Issuer,
    /// The provider.
    pub provider: ProviderId,
    /// When the person set out to sign in; in records of an earlier version, when they had signed in.
    pub begun: OffsetDateTime,
    /// When they signed in.
    pub created: OffsetDateTime,
    /// When the provider last said whose it is: at the sign-in, or at a later recheck.
    pub confirmed: OffsetDateTime,
    /// When the browser was last sent to the provider for a recheck that has not been confirmed.
    pub rechecked: Option<OffsetDateTime>,
    /// When the session was last used (written at most every [`limits::SESSION_TOUCH_EVERY`](crate::server::limits::SESSION_TOUCH_EVERY)).
    pub last_seen: OffsetDateTime,
    /// When it ends at the latest.
    pub expires: OffsetDateTime,
    /// The attempt that delivered it, until first used.
    pub delivered_by: Option<AttemptId>,
    /// What the provider said at the sign-in.
    pub facts: SessionFacts,
    /// The ID token, sealed, where the provider wants it back at sign-out. [`SessionStore::sessions`] leaves it out.
    pub id_token: Option<Vec<u8>>,
}

impl SessionRecord {
    /// Whose session is one that was ended: then it has ended for all processes, also for one whose clock is behind.
    #[must_use]
    pub fn nobody() -> UserId {
        UserId::new("")
    }

    /// A record that keeps a session from being created: it has ended, and occupies the id.
    pub(super) fn ended(id: SessionHash, browser: BrowserHash, provider: ProviderId, now: OffsetDateTime) -> Self {
        Self {
            id,
            browser: Some(browser),
            user: Self::nobody(),
            issuer: Issuer::new(""),
            provider,
            begun: now,
            created: now,
            confirmed: now,
            rechecked: None,
            last_seen: now,
            expires: now,
            delivered_by: None,
            facts: SessionFacts::default(),
            id_token: None,
        }
    }
}

/// What the provider said at the sign-in, for sign-out (`sid`, subject) and for rules about who may go where. Nothing
/// of it is in sessions of an earlier version.
///
/// The names are those of the claims, and how MongoDB stores the fields: rename none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionFacts {
    /// Who the person is at the issuer.
    pub subject: Option<Subject>,
    /// When the ID token was issued.
    #[serde(with = "time::serde::timestamp::option")]
    pub issued: Option<OffsetDateTime>,
    /// The provider's own session (OpenID Connect Back-Channel Logout 2.1).
    pub sid: Option<String>,
    /// The groups the person is in.
    pub groups: Vec<String>,
    /// When the person last proved to the provider who they are.
    #[serde(with = "time::serde::timestamp::option")]
    pub auth_time: Option<OffsetDateTime>,
    /// The level of that authentication (OpenID Connect Core 2).
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    pub amr: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_sealed_and_stored_and_come_back() {
        let facts = SessionFacts {
            subject: Subject::new("s-1"),
            issued: OffsetDateTime::from_unix_timestamp(1_795_428_060).ok(),
            sid: Some("their session".into()),
            groups: vec!["staff".into()],
            auth_time: OffsetDateTime::from_unix_timestamp(1_795_428_000).ok(),
            acr: None,
            amr: vec!["pwd".into()],
        };
        for facts in [facts, SessionFacts::default()] {
            let sealed = postcard::to_allocvec(&facts).unwrap();
            assert_eq!(postcard::from_bytes::<SessionFacts>(&sealed).unwrap(), facts);
            let stored = bson::serialize_to_document(&facts).unwrap();
            assert_eq!(bson::deserialize_from_document::<SessionFacts>(stored).unwrap(), facts);
        }
        let none = bson::deserialize_from_document::<SessionFacts>(bson::Document::new()).unwrap();
        assert_eq!(none, SessionFacts::default());
    }
}
