//! Logouts: what a provider has ended at its own accord, by a logout token (OpenID Connect Back-Channel Logout 1.0).
//!
//! A logout and a session belong together where both are of one issuer, both name the provider's session (`sid`) or the
//! person (`sub`), and whatever both name is the same. A newer sign-in is spared: one whose ID token was issued after the
//! logout token, or that the person began after the token was received (docs/decisions/sign-out.md).

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{error::StoreError, sessions::SessionRecord};
use crate::server::ids::{BrowserHash, Issuer, LogoutHash, Subject};

/// What a store does for logouts.
#[async_trait]
pub trait LogoutStore: Send + Sync {
    /// Remembers the logout for [`limits::LOGOUT_REMEMBERED`](crate::server::limits::LOGOUT_REMEMBERED), and then ends
    /// the sessions that belong to it: they are nobody's from then on. In this order, so that a session that is inserted
    /// meanwhile is either ended here or found out by [`is_logged_out`](Self::is_logged_out).
    async fn log_out(&self, logout: &Logout) -> Result<LoggedOut, StoreError>;

    /// Remembers, as long as a logout, that a browser has signed out at that time. To be done before its sessions are ended:
    /// what is delivered to it meanwhile is either ended or found out by [`is_logged_out`](Self::is_logged_out).
    async fn remember_sign_out(&self, browser: BrowserHash, at: OffsetDateTime) -> Result<(), StoreError>;

    /// Whether a logout is remembered that belongs to this session, or its browser has signed out since the person set out. To
    /// be asked before a session is first used: its sign-in may have been under way at that time.
    async fn is_logged_out(&self, session: &SessionRecord) -> Result<bool, StoreError>;
}

/// What a provider asks to end: a session of its own, a person's sessions, or a person's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// Which logout token.
    pub id: LogoutHash,
    /// Whose sessions.
    pub issuer: Issuer,
    /// The provider's own session. Where neither this nor a subject is named, no session belongs to it.
    pub sid: Option<String>,
    /// The person.
    pub subject: Option<Subject>,
    /// When the provider said so, by its clock.
    pub issued: OffsetDateTime,
    /// When we were told, by ours.
    pub received: OffsetDateTime,
}

/// What has become of a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedOut {
    /// So many sessions have ended.
    Ended(u64),
    /// It was carried out before: somebody has sent the token a second time.
    Replayed,
}
