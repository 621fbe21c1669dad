//! What an application is told about a person: headers for the proxy to copy, and a token for its scripts.
//!
//! Every name of the application is in every answer, empty where there is nothing to say, so that a proxy that copies them
//! always overwrites what a client brings. The answer stays below `limits::IDENTITY_ANSWER_BYTES`, whatever the person.

/// Under which names.
mod names;

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use self::names::Content;
pub use self::names::Names;
pub use super::facts::Person;
use super::{
    assertion,
    facts::Facts,
    signing_keys::{self, SigningKeys},
};
use crate::server::{application::Site, jwt, limits, public_url::PublicUrl, seal::Keyring};

/// What an application is told about a person.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// For the answer.
    pub headers: HeaderMap,
    /// One after the other, in one piece of memory, of which the values of the headers are slices.
    pub text: Bytes,
    /// When to make it anew: at half the life of the token in it. `None`: there is none, and it holds as long as what is
    /// known of the person.
    pub renew_at: Option<OffsetDateTime>,
}

/// The answer to a script that asks for a token (RFC 6749 5.1).
#[derive(Debug, Serialize)]
pub struct Token {
    /// The token.
    pub access_token: String,
    /// How it is used.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
}

/// Makes what applications are told.
pub struct Identities {
    keys: SigningKeys,
    issuer: String,
    unverified_email: bool,
}

/// A header before it is signed.
enum Value<'a> {
    Text(Cow<'a, str>),
    Token(String),
    Assertion(jwt::Unsigned),
}

impl Value<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Token(token) => token.len(),
            Self::Assertion(assertion) => assertion.as_bytes().len() + signing_keys::SIGNATURE_CHARACTERS,
        }
    }
}

impl Identities {
    /// Assertions are of `public_url`, and signed with keys derived from the secrets. `unverified_email`: whether an address
    /// is told that the provider has not verified.
    #[must_use]
    pub fn new(keyring: &Keyring, public_url: &PublicUrl, unverified_email: bool) -> Self {
        Self { keys: SigningKeys::new(keyring), issuer: public_url.origin().to_owned(), unverified_email }
    }

    /// The public keys by which assertions are verified: a JWK set, in JSON.
    #[must_use]
    pub fn jwks(&self) -> &str {
        self.keys.jwks()
    }

    /// What is told where anyone gets in.
    #[must_use]
    pub fn of_anyone(&self, names: &Names) -> HeaderMap {
        names.iter().map(|name| (name.clone(), HeaderValue::from_static(""))).collect()
    }

    /// What the application at `site`, which has those `names`, is told about the person.
    #[must_use]
    pub fn of(&self, names: &Names, site: &Site, person: &Person<'_>, now: OffsetDateTime) -> Identity {
        let facts = self.that_fit(names, site, person, now);
        let mut renew_at = None;
        let (mut all, mut values) = (String::new(), Vec::with_capacity(names.contents().len()));
        for (name, value) in self.values(names, site, &facts, now) {
            let (text, is_token) = match value {
                Value::Text(text) => (text, false),
                Value::Token(token) => (token.into(), true),
                Value::Assertion(assertion) => (self.keys.sign(assertion).into(), true),
            };
            let begin = all.len();
            all.push_str(&text);
            values.push((name, begin..all.len(), is_token));
        }
        // In one piece of memory: they are sent together, and there may be many of them.
        let all = Bytes::from(all);
        let mut headers = HeaderMap::with_capacity(values.len());
        for (name, range, is_token) in values {
            // Facts are texts that a header can carry.
            let value = HeaderValue::from_maybe_shared(all.slice(range));
            let mut value = value.unwrap_or(HeaderValue::from_static(""));
            value.set_sensitive(is_token);
            if is_token {
                renew_at = Some(now + limits::ASSERTION_LIFE / 2);
            }
            headers.insert(name, value);
        }
        Identity { headers, text: all, renew_at }
    }

    /// A fresh token for the scripts of the application at `site`: ClaudeLens's own where it has that preset, else an
    /// assertion. `None`: ClaudeLens knows people by their usernames, and the person has none of their own.
    #[must_use]
    pub fn token(&self, names: &Names, site: &Site, person: &Person<'_>, now: OffsetDateTime) -> Option<Token> {
        let access_token = if let Some(key) = names.claudelens() {
            key.token(&self.facts(names, person), now)?
        } else {
            let facts = self.that_fit(&names.of_an_assertion(), site, person, now);
            self.keys.sign(assertion::unsigned(&self.keys, &self.issuer, &site.origin, &facts, now))
        };
        Some(Token { access_token, token_type: "Bearer", expires_in: limits::ASSERTION_LIFE.as_secs() })
    }

    /// Who the person is, for the scripts of an application with those `names`.
    #[must_use]
    pub fn userinfo(&self, names: &Names, person: &Person<'_>) -> serde_json::Value {
        let facts = self.facts(names, person);
        json!({
            "sub": facts.user_id,
            "name": facts.name,
            "preferred_username": facts.username,
            "email": facts.email,
            "email_verified": facts.email.map(|_| facts.email_verified),
            "groups": facts.groups,
            "role": facts.role,
        })
    }

    fn facts<'a>(&self, names: &Names, person: &Person<'a>) -> Facts<'a> {
        Facts::of(person, |group| names.sends(group), self.unverified_email)
    }

    /// What can be said of the person within the limit: as many groups as there is room for, and if there is none at all,
    /// less and less of the rest.
    fn that_fit<'a>(&self, names: &Names, site: &Site, person: &Person<'a>, now: OffsetDateTime) -> Facts<'a> {
        const LESS: [fn(&mut Facts<'_>); 4] = [
            |facts| facts.name = None,
            |facts| facts.email = None,
            |facts| (facts.issuer, facts.subject) = (None, None),
            |facts| facts.username = None,
        ];
        let mut facts = self.facts(names, person);
        let fits = |facts: &Facts<'_>| {
            let bytes = |(name, value): (HeaderName, Value<'_>)| name.as_str().len() + ": \r\n".len() + value.bytes();
            let identity: usize = self.values(names, site, facts, now).map(bytes).sum();
            identity + limits::IDENTITY_OTHER_BYTES <= limits::IDENTITY_ANSWER_BYTES
        };
        if fits(&facts) {
            return facts;
        }
        let groups = std::mem::take(&mut facts.groups);
        facts.groups_truncated = !groups.is_empty();
        // Each group more takes more room: the most that fit are found by halves.
        let (mut some, mut too_many) = (0, groups.len());
        while too_many - some > 1 {
            let middle = usize::midpoint(some, too_many);
            facts.groups = groups.iter().copied().take(middle).collect();
            if fits(&facts) { some = middle } else { too_many = middle }
        }
        facts.groups = groups;
        facts.groups.truncate(some);
        for less in LESS {
            if fits(&facts) {
                break;
            }
            less(&mut facts);
        }
        facts
    }

    /// A value for each name.
    fn values<'v>(
        &'v self,
        names: &'v Names,
        site: &'v Site,
        facts: &'v Facts<'_>,
        now: OffsetDateTime,
    ) -> impl Iterator<Item = (HeaderName, Value<'v>)> {
        let value = move |content: &Content| match content {
            Content::Fact(field) => Value::Text(facts.text(*field)),
            Content::Truncated => Value::Text(if facts.groups_truncated { "groups" } else { "" }.into()),
            Content::ClaudeLens(key) => match key.token(facts, now) {
                Some(token) => Value::Token(format!("Bearer {token}")),
                None => Value::Text("".into()),
            },
            Content::Assertion => {
                Value::Assertion(assertion::unsigned(&self.keys, &self.issuer, &site.origin, facts, now))
            }
        };
        names.contents().iter().map(move |(name, content)| (name.clone(), value(content)))
    }
}

#[cfg(test)]
mod tests;
