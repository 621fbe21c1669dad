//! What may be said of a person, and how it is written into a header.

use std::borrow::Cow;

use percent_encoding::percent_encode_byte;

use crate::server::{application::Field, email_address::EmailAddress, limits, session::SignedIn, store::Role};

/// Who is told of.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    /// As they have signed in.
    pub signed_in: &'a SignedIn,
    /// Whether another active account has their username: then it is told nobody.
    pub username_is_shared: bool,
}

/// What may be said of a person to one application. A text that is here can stand in a header as it is.
pub(super) struct Facts<'a> {
    pub(super) user_id: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) email: Option<&'a str>,
    pub(super) email_verified: bool,
    /// None is empty.
    pub(super) groups: Vec<&'a str>,
    /// Some of the groups found no room.
    pub(super) groups_truncated: bool,
    pub(super) role: Role,
    pub(super) issuer: Option<&'a str>,
    /// At that issuer.
    pub(super) subject: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// `sends`: whether the application is told of a group. `unverified_email`: whether it is told an address that the provider
    /// has not verified.
    pub(super) fn of(person: &Person<'a>, sends: impl Fn(&str) -> bool, unverified_email: bool) -> Self {
        let Person { signed_in, username_is_shared } = *person;
        let user = &signed_in.user;
        let groups = signed_in.facts.groups.iter().map(String::as_str);
        // Of what only looks like an address, applications read different ones: `a@evil.example,b@example.com`.
        let is_told = |email: &str| (user.email_verified || unverified_email) && EmailAddress::parse(email).is_some();
        Self {
            user_id: user.id.as_str(),
            username: usable(&user.username).filter(|_| !username_is_shared),
            name: user.full_name.as_deref().and_then(usable),
            email: user.email.as_deref().filter(|email| is_told(email)).and_then(usable),
            email_verified: user.email_verified,
            groups: groups.filter(|group| !group.is_empty() && sends(group)).collect(),
            groups_truncated: false,
            role: user.role,
            issuer: usable(signed_in.issuer.as_str()),
            subject: signed_in.facts.subject.as_ref().and_then(|subject| usable(subject.as_str())),
        }
    }

    /// As in a header: empty where there is nothing to say.
    pub(super) fn text(&self, field: Field) -> Cow<'a, str> {
        let text = match field {
            Field::Username => self.username,
            Field::Name => self.name,
            Field::Email => self.email,
            Field::Groups => return list(&self.groups).into(),
            Field::Role => Some(self.role.as_str()),
            Field::Subject => self.subject,
            Field::Issuer => self.issuer,
        };
        text.unwrap_or_default().into()
    }
}

/// What a header can carry as it is, and of a sensible length: half a name would be another's.
fn usable(text: &str) -> Option<&str> {
    let fits = !text.is_empty() && text.len() <= limits::IDENTITY_VALUE_BYTES;
    (fits && text.trim() == text && !text.contains(char::is_control)).then_some(text)
}

/// Entries by comma. What could make one look like two, or like another, is percent-encoded: a comma, `%`, control
/// characters, and white space at either end, which applications trim.
fn list(entries: &[&str]) -> String {
    let mut list = String::new();
    for (number, entry) in entries.iter().enumerate() {
        if number > 0 {
            list.push(',');
        }
        let inner = entry.len() - entry.trim_start().len()..entry.trim_end().len();
        for (at, c) in entry.char_indices() {
            if matches!(c, ',' | '%') || c.is_control() || !inner.contains(&at) {
                list.extend(c.encode_utf8(&mut [0; 4]).bytes().map(percent_encode_byte));
            } else {
                list.push(c);
            }
        }
    }
    list
}
