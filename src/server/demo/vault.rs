//! What the provider remembers: codes, access tokens, sessions, failures.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::config::RateLimit;

/// How long a code can be redeemed.
pub(super) const CODE_LIFE: time::Duration = time::Duration::seconds(60);
/// How long an access token is good.
pub(super) const TOKEN_LIFE: time::Duration = time::Duration::hours(1);
/// How long a browser stays signed in at the provider.
const SESSION_LIFE: time::Duration = time::Duration::hours(8);

/// What a person allowed a client.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) username: String,
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) signed_in_at: OffsetDateTime,
    pub(super) issued_at: OffsetDateTime,
}

/// One code's life.
pub(super) enum Code {
    /// Can be redeemed until its 60 seconds are over.
    Fresh(Grant),
    /// Was redeemed for this access token; coming again revokes it.
    Redeemed { access_token: Option<String>, issued_at: OffsetDateTime },
}

/// An access token's meaning.
#[derive(Clone)]
pub(super) struct AccessToken {
    pub(super) client_id: String,
    pub(super) username: String,
    pub(super) scope: String,
    pub(super) issued_at: OffsetDateTime,
    pub(super) heavy: bool,
}

/// A browser signed in at the provider.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) username: String,
    pub(super) signed_in_at: OffsetDateTime,
}

#[derive(Default)]
pub(super) struct Vault {
    pub(super) codes: HashMap<String, Code>,
    tokens: HashMap<String, AccessToken>,
    pub(super) sessions: HashMap<String, Session>,
    failures: HashMap<IpAddr, VecDeque<Instant>>,
}

impl Vault {
    pub(super) fn issue_code(&mut self, code: String, grant: Grant) {
        // A used code is known for an hour, so that its replay is seen; then it is as good as made up.
        let now = grant.issued_at;
        self.codes.retain(|_, code| {
            let (Code::Fresh(Grant { issued_at, .. }) | Code::Redeemed { issued_at, .. }) = code;
            now - *issued_at < TOKEN_LIFE
        });
        self.codes.insert(code, Code::Fresh(grant));
    }

    pub(super) fn issue_token(&mut self, text: String, token: AccessToken) {
        let now = token.issued_at;
        self.tokens.retain(|_, token| now - token.issued_at < TOKEN_LIFE);
        self.tokens.insert(text, token);
    }

    pub(super) fn token(&self, text: &str, now: OffsetDateTime) -> Option<&AccessToken> {
        self.tokens.get(text).filter(|token| now - token.issued_at < TOKEN_LIFE)
    }

    pub(super) fn revoke(&mut self, text: &str) {
        self.tokens.remove(text);
    }

    pub(super) fn begin_session(&mut self, id: String, session: Session) {
        let now = session.signed_in_at;
        self.sessions.retain(|_, session| now - session.signed_in_at < SESSION_LIFE);
        self.sessions.insert(id, session);
    }

    pub(super) fn session(&self, id: &str, now: OffsetDateTime) -> Option<&Session> {
        self.sessions.get(id).filter(|session| now - session.signed_in_at < SESSION_LIFE)
    }

    pub(super) fn failed(&mut self, address: IpAddr) {
        self.failures.entry(address).or_default().push_back(Instant::now());
    }

    /// Whether `address` failed too often in any of the windows.
    pub(super) fn is_refused(&mut self, address: IpAddr, limit: &RateLimit) -> bool {
        let Some(failures) = self.failures.get_mut(&address) else { return false };
        let longest = limit.0.iter().map(|(_, window)| *window).max().unwrap_or(Duration::ZERO);
        while failures.front().is_some_and(|at| at.elapsed() > longest) {
            failures.pop_front();
        }
        limit.0.iter().any(|(most, window)| failures.iter().filter(|at| at.elapsed() <= *window).count() >= *most)
    }
}
