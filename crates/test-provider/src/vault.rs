//! What the provider remembers: codes, access tokens, sessions, failures.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::config::RateLimit;

/// How long a code can be redeemed.
pub(crate) const CODE_LIFE: time::Duration = time::Duration::seconds(60);
/// How long an access token is valid.
pub(crate) const TOKEN_LIFE: time::Duration = time::Duration::hours(1);
/// How long a browser stays signed in at the provider.
const SESSION_LIFE: time::Duration = time::Duration::hours(8);

/// What a person allowed a client, by an authorization request.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The client.
    pub client_id: String,
    /// Where the code is sent; the token request has to name it again.
    pub redirect_uri: String,
    /// The person.
    pub username: String,
    /// The scopes, with spaces between them.
    pub scope: String,
    /// Repeated in the ID token.
    pub nonce: Option<String>,
    /// `code_challenge`, by the method S256.
    pub challenge: Option<String>,
    /// `auth_time` in the ID token.
    pub signed_in_at: OffsetDateTime,
}

/// One code's life.
pub(crate) enum Code {
    /// Can be redeemed until its 60 seconds are over.
    Fresh { grant: Grant, issued_at: OffsetDateTime },
    /// Was redeemed for this access token; coming again revokes it.
    Redeemed { access_token: Option<String>, issued_at: OffsetDateTime },
}

/// An access token's meaning.
#[derive(Clone)]
pub(crate) struct AccessToken {
    pub(crate) client_id: String,
    pub(crate) username: String,
    pub(crate) scope: String,
    pub(crate) issued_at: OffsetDateTime,
    pub(crate) heavy: bool,
}

/// Whose an ID token is.
#[derive(Clone)]
pub(crate) struct IssuedIdToken {
    pub(crate) client_id: String,
    pub(crate) username: String,
    pub(crate) issued_at: OffsetDateTime,
}

/// A browser signed in at the provider.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) username: String,
    pub(crate) signed_in_at: OffsetDateTime,
}

#[derive(Default)]
pub(crate) struct Vault {
    pub(crate) codes: HashMap<String, Code>,
    tokens: HashMap<String, AccessToken>,
    id_tokens: HashMap<String, IssuedIdToken>,
    pub(crate) sessions: HashMap<String, Session>,
    /// The `jti` of every assertion that was taken.
    pub(crate) assertions: HashSet<String>,
    /// Pushed requests, by the reference to them.
    pub(crate) pushed: HashMap<String, String>,
    failures: HashMap<IpAddr, VecDeque<Instant>>,
}

impl Vault {
    pub(crate) fn issue_code(&mut self, code: String, grant: Grant, now: OffsetDateTime) {
        // A used code is known for an hour, so that its replay is detected; then it is an unknown code.
        self.codes.retain(|_, code| {
            let (Code::Fresh { issued_at, .. } | Code::Redeemed { issued_at, .. }) = code;
            now - *issued_at < TOKEN_LIFE
        });
        self.codes.insert(code, Code::Fresh { grant, issued_at: now });
    }

    pub(crate) fn issue_token(&mut self, text: String, token: AccessToken) {
        let now = token.issued_at;
        self.tokens.retain(|_, token| now - token.issued_at < TOKEN_LIFE);
        self.tokens.insert(text, token);
    }

    pub(crate) fn token(&self, text: &str, now: OffsetDateTime) -> Option<&AccessToken> {
        self.tokens.get(text).filter(|token| now - token.issued_at < TOKEN_LIFE)
    }

    /// As long as a session may last, since a client may bring it back to sign out.
    pub(crate) fn issue_id_token(&mut self, text: String, token: IssuedIdToken) {
        let now = token.issued_at;
        self.id_tokens.retain(|_, token| now - token.issued_at < SESSION_LIFE);
        self.id_tokens.insert(text, token);
    }

    pub(crate) fn id_token(&self, text: &str) -> Option<&IssuedIdToken> {
        self.id_tokens.get(text)
    }

    pub(crate) fn revoke(&mut self, text: &str) {
        self.tokens.remove(text);
    }

    pub(crate) fn begin_session(&mut self, id: String, session: Session) {
        let now = session.signed_in_at;
        self.sessions.retain(|_, session| now - session.signed_in_at < SESSION_LIFE);
        self.sessions.insert(id, session);
    }

    pub(crate) fn session(&self, id: &str, now: OffsetDateTime) -> Option<&Session> {
        self.sessions.get(id).filter(|session| now - session.signed_in_at < SESSION_LIFE)
    }

    pub(crate) fn failed(&mut self, address: IpAddr) {
        self.failures.entry(address).or_default().push_back(Instant::now());
    }

    /// Whether `address` failed too often in any of the windows.
    pub(crate) fn is_refused(&mut self, address: IpAddr, limit: &RateLimit) -> bool {
        let Some(failures) = self.failures.get_mut(&address) else { return false };
        let longest = limit.0.iter().map(|(_, window)| *window).max().unwrap_or(Duration::ZERO);
        while failures.front().is_some_and(|at| at.elapsed() > longest) {
            failures.pop_front();
        }
        limit.0.iter().any(|(most, window)| failures.iter().filter(|at| at.elapsed() <= *window).count() >= *most)
    }
}
