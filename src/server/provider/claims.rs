//! The claims that we read, from where they are found (OpenID Connect Core 5.1). Everything else is ignored, aggregated
//! and distributed claims included: their sources are never queried (Core 5.6.2, UI-17).

use std::collections::BTreeSet;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{end_session::RawIdToken, jwt::numeric_date, jwt::present, strict_json::Object};
use crate::{
    server::{
        email_address::EmailAddress,
        ids::{Issuer, Subject},
        limits,
    },
    visible::visible,
};

/// A person as the provider asserts them, after every check.
#[derive(Clone, Debug)]
pub struct VerifiedClaims {
    issuer: Issuer,
    subject: Subject,
    claims: Claims,
    authentication: Authentication,
    id_token: Option<RawIdToken>,
}

/// What is said about the person. Each is `None` when it is missing, or cannot be read: that costs the claim and nothing
/// else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `name`, or else `given_name` and `family_name`.
    pub name: Option<String>,
    /// `preferred_username`
    pub preferred_username: Option<String>,
    /// `username` (not standard, but seen)
    pub username: Option<String>,
    /// `nickname`
    pub nickname: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `email_verified` of that very address.
    pub email_verified: Option<bool>,
    /// `groups`; without it nobody is in any group.
    pub groups: Option<Vec<String>>,
    /// The names of those that were there and cannot be read.
    pub unreadable: BTreeSet<&'static str>,
}

/// How and when the person was authenticated, as the ID token says (Core 2; `sid`: Back-Channel Logout 2.1). Each is
/// `None` when it is missing or cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// `iat`: when the ID token was issued.
    pub issued: Option<OffsetDateTime>,
    /// `sid`: the person's session at the provider.
    pub sid: Option<String>,
    /// `auth_time`: when the person was last asked for credentials.
    pub auth_time: Option<OffsetDateTime>,
    /// `acr`: the level that the authentication met.
    pub acr: Option<String>,
    /// `amr`: the methods that were used.
    pub amr: Option<Vec<String>>,
}

impl VerifiedClaims {
    /// The ID token was valid for `subject`, and userinfo, where the provider has it, is about the same subject. Where
    /// both speak, userinfo wins; what it does not say is taken from the ID token.
    pub(super) fn new(issuer: Issuer, subject: Subject, id_token: &Object, userinfo: Option<&Object>) -> Self {
        let documents: Vec<_> = userinfo.into_iter().chain([id_token]).collect();
        let mut claims = Reader::of(&documents).claims();
        let id_token = [id_token];
        let mut of_the_token = Reader::of(&id_token);
        let authentication = of_the_token.authentication();
        claims.unreadable.append(&mut of_the_token.unreadable);
        Self { issuer, subject, claims, authentication, id_token: None }
    }

    /// With the ID token itself, where sign-out at the provider will need it.
    #[must_use]
    pub(super) fn with_id_token(self, id_token: Option<RawIdToken>) -> Self {
        Self { id_token, ..self }
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The subject at that issuer.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What is said about the person.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How and when the person was authenticated.
    #[must_use]
    pub const fn authentication(&self) -> &Authentication {
        &self.authentication
    }

    /// The ID token itself, where sign-out at the provider will need it.
    #[must_use]
    pub const fn id_token(&self) -> Option<&RawIdToken> {
        self.id_token.as_ref()
    }
}

type IsRight = fn(&Value) -> bool;

/// Standard claims that nobody here uses (Core 5.1), with what they should be. An application may ask for them one day,
/// and the operator reads here why it does not get them.
const UNUSED: [(&str, IsRight); 12] = [
    ("middle_name", Value::is_string),
    ("profile", Value::is_string),
    ("picture", Value::is_string),
    ("website", Value::is_string),
    ("gender", Value::is_string),
    ("birthdate", Value::is_string),
    ("zoneinfo", Value::is_string),
    ("locale", Value::is_string),
    ("phone_number", Value::is_string),
    ("phone_number_verified", |value| boolean(value).is_some()),
    ("address", Value::is_object),
    ("updated_at", |value| moment(value).is_some()),
];

/// Reads claims of several documents about one person, and notes those that cannot be read.
struct Reader<'d> {
    /// The one that wins comes first.
    documents: &'d [&'d Object],
    unreadable: BTreeSet<&'static str>,
}

impl<'d> Reader<'d> {
    const fn of(documents: &'d [&'d Object]) -> Self {
        Self { documents, unreadable: BTreeSet::new() }
    }

    fn claims(mut self) -> Claims {
        let parts = [self.get("given_name", text), self.get("family_name", text)];
        let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let email = self.get("email", text);
        Claims {
            name: self.get("name", text).or_else(|| Some(parts).filter(|name| !name.is_empty())),
            preferred_username: self.get("preferred_username", text),
            username: self.get("username", text),
            nickname: self.get("nickname", text),
            email_verified: email.as_deref().and_then(|email| self.email_verified(email)),
            email,
            groups: self.get("groups", texts),
            unreadable: {
                for (name, is_right) in UNUSED {
                    let _ = self.get(name, |value| is_right(value).then_some(()));
                }
                self.unreadable
            },
        }
    }

    /// Whether this very address is verified: what one document says of its address says nothing about another. (Authelia
    /// says it of people who have no address.)
    fn email_verified(&mut self, email: &str) -> Option<bool> {
        let this = EmailAddress::parse(email);
        let is_this = |its: &str| its == email || this.is_some() && EmailAddress::parse(its) == this;
        let of_this =
            |document: &&&Object| present(&document.members, "email").and_then(Value::as_str).is_some_and(is_this);
        let documents: Vec<_> = self.documents.iter().filter(of_this).copied().collect();
        let mut reader = Reader::of(&documents);
        let verified = reader.get("email_verified", boolean);
        self.unreadable.append(&mut reader.unreadable);
        verified
    }

    fn authentication(&mut self) -> Authentication {
        Authentication {
            issued: self.get("iat", numeric_date),
            sid: self.get("sid", |value| text(value).filter(|text| is_short(text))),
            auth_time: self.get("auth_time", moment),
            acr: self.get("acr", |value| text(value).filter(|text| is_short(text))),
            amr: self.get("amr", |value| texts(value).filter(|methods| methods.iter().all(|method| is_short(method)))),
        }
    }

    /// The claim in the first document that says anything of it: where userinfo speaks, the ID token is not asked, also if
    /// what userinfo says cannot be read. `null` and what shows nothing say nothing (Core 5.3.2).
    fn get<T>(&mut self, name: &'static str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let mut first = None;
        for document in self.documents {
            let said = present(&document.members, name).filter(|value| !is_blank(value));
            if said.is_none() && !document.damaged.iter().any(|damaged| damaged == name) {
                continue;
            }
            let value = said.and_then(&read);
            if value.is_none() {
                self.unreadable.insert(name);
            }
            first.get_or_insert(value);
        }
        first.flatten()
    }
}

fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| visible(text).is_empty())
}

/// Short enough to be kept with the session.
fn is_short(text: &str) -> bool {
    text.len() <= limits::SESSION_CLAIM_BYTES
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A list of texts, or one text for a list of one. An odd member of the list is left out, and the others count; where
/// all are odd, nothing can be read.
fn texts(value: &Value) -> Option<Vec<String>> {
    let members = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(members) => members.as_slice(),
        _ => return None,
    };
    let texts: Vec<_> = members.iter().filter(|member| !is_blank(member)).filter_map(text).collect();
    (members.is_empty() || !texts.is_empty()).then_some(texts)
}

/// Some providers write booleans as texts (Amazon Cognito does).
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

/// Seconds since 1970; some providers write RFC 3339 instead (Auth0 does).
fn moment(value: &Value) -> Option<OffsetDateTime> {
    match value {
        Value::String(text) => OffsetDateTime::parse(text, &Rfc3339).ok(),
        number => numeric_date(number),
    }
}

#[cfg(test)]
mod tests;
