//! What sessions stand for.

use time::OffsetDateTime;

use crate::server::{
    email_address::EmailAddress,
    ids::{BrowserHash, Issuer, ProviderId, SessionHash},
    store::{SessionFacts, User},
};

/// What the cookie of a request stands for.
#[derive(Clone, Debug)]
pub enum Found {
    /// A person with an active account.
    SignedIn(Box<SignedIn>),
    /// A person whose account has been disabled; the session has ended.
    Disabled,
    /// No session: unknown, expired or signed out. The cookie can be removed.
    Ended,
    /// No session that can be used: no cookie, or a session that only a newer version can read, which will still need
    /// its cookie.
    Nobody,
}

/// A session that has just been signed out, for sign-out at the provider.
#[derive(Clone, Debug)]
pub struct EndedSession {
    /// Which it was.
    pub id: SessionHash,
    /// The provider that the person had come through.
    pub provider: ProviderId,
    /// Its issuer at that time.
    pub issuer: Issuer,
    /// Its ID token, sealed, where one was kept.
    pub id_token: Option<Vec<u8>>,
}

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Their account.
    pub user: User,
    /// The provider they came through.
    pub provider: ProviderId,
    /// Its issuer.
    pub issuer: Issuer,
    /// What it said at the sign-in.
    pub facts: SessionFacts,
    /// The browser that the session was given to.
    pub browser: Option<BrowserHash>,
    /// When they signed in.
    pub since: OffsetDateTime,
    /// When the provider last said that it is them.
    pub confirmed: OffsetDateTime,
    /// When the session ends unless it is used before.
    pub until: OffsetDateTime,
    /// From when on the provider is asked again, where the operator wants that (`session.recheck`).
    pub recheck_from: Option<OffsetDateTime>,
}

impl SignedIn {
    /// How much memory they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Self { user, provider, issuer, facts, .. } = self;
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let list = |texts: &[String]| texts.iter().map(|text| text.len() + size_of::<String>()).sum::<usize>();
        let texts = [user.id.as_str(), &user.username, provider.as_str(), issuer.as_str()].map(str::len);
        let texts = texts.iter().sum::<usize>() + optional(&user.email) + optional(&user.full_name);
        let facts = optional(&facts.sid) + optional(&facts.acr) + list(&facts.groups) + list(&facts.amr);
        size_of::<Self>() + texts + facts
    }

    /// Their address, if the provider has verified it.
    #[must_use]
    pub fn verified_email(&self) -> Option<EmailAddress> {
        self.user.email.as_deref().filter(|_| self.user.email_verified).and_then(EmailAddress::parse)
    }

    /// Whether the provider is to be asked again before they are shown another page.
    #[must_use]
    pub fn is_recheck_due(&self, now: OffsetDateTime) -> bool {
        self.recheck_from.is_some_and(|from| now >= from)
    }

    /// Whether nothing about the person is different, however long the session goes on.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let Self { user, provider, issuer, facts, browser, since, confirmed, until: _, recheck_from } = self;
        let same_person = *user == other.user && *facts == other.facts && *browser == other.browser;
        let same_times = *since == other.since && *confirmed == other.confirmed && *recheck_from == other.recheck_from;
        same_person && same_times && *provider == other.provider && *issuer == other.issuer
    }
}

impl Found {
    /// The person, if one is signed in.
    pub(super) fn person(self) -> Option<SignedIn> {
        match self {
            Self::SignedIn(person) => Some(*person),
            Self::Disabled | Self::Ended | Self::Nobody => None,
        }
    }
}
