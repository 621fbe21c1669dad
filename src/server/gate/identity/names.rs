//! The names of an application's identity headers, and what is in each.

use std::collections::HashSet;

use http::{HeaderName, header::AUTHORIZATION};

use crate::server::{
    application::{Field, IdentityRules, Preset},
    email_address::composed_key,
    gate::claudelens,
};

/// Belongs to every set: which kind of fact was cut.
pub(super) const TRUNCATED: HeaderName = HeaderName::from_static("x-vestibule-truncated");
pub(super) const ASSERTION: HeaderName = HeaderName::from_static("x-vestibule-assertion");

/// What an application is told, and under which names. Made once for each application.
pub struct Names {
    headers: Vec<(HeaderName, Content)>,
    /// How long these names are, a bit for each length: hardly any header of a request is as long as one of ours.
    lengths: u64,
    /// Only these groups are told, by their keys.
    groups_sent: Option<HashSet<String>>,
}

/// What is in a header.
pub(super) enum Content {
    Fact(Field),
    Assertion,
    ClaudeLens(claudelens::Key),
    Truncated,
}

impl Names {
    /// The names that an application has by its settings. Where two settings give one name something to say, the later
    /// holds: no answer names anything twice.
    #[must_use]
    pub fn new(rules: &IdentityRules) -> Self {
        let mut names = Self {
            headers: Vec::new(),
            lengths: 0,
            groups_sent: rules
                .groups_sent
                .as_ref()
                .map(|groups| groups.iter().map(|group| composed_key(group).into_owned()).collect()),
        };
        for preset in &rules.presets {
            names.add_preset(preset);
        }
        for (name, field) in &rules.headers {
            // Settings take nothing that is no name.
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                names.set(name, Content::Fact(*field));
            }
        }
        names.set(TRUNCATED, Content::Truncated);
        names
    }

    /// An assertion, and nothing else.
    pub(super) fn of_an_assertion(&self) -> Self {
        let lengths = length(ASSERTION.as_str());
        Self { headers: vec![(ASSERTION, Content::Assertion)], lengths, groups_sent: self.groups_sent.clone() }
    }

    /// Whether a client that brings `name` would have the application take it for ours. Applications and proxies read `-`
    /// and `_` as the same. `Authorization` is no forgery: clients have their own, and ours replaces it.
    #[must_use]
    pub fn is_forged(&self, name: &str) -> bool {
        if self.lengths & length(name) == 0 {
            return false;
        }
        let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        self.headers.iter().any(|(ours, _)| {
            let ours = ours.as_str().as_bytes();
            ours.len() == name.len()
                && ours.iter().zip(name.as_bytes()).all(|(one, other)| plain(*one) == plain(*other))
                && ours != AUTHORIZATION.as_str().as_bytes()
        })
    }

    /// All of them, in small letters: each is in every answer that lets a request pass.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name)
    }

    pub(super) fn contents(&self) -> &[(HeaderName, Content)] {
        &self.headers
    }

    pub(super) fn claudelens(&self) -> Option<&claudelens::Key> {
        self.headers.iter().find_map(|(_, content)| match content {
            Content::ClaudeLens(key) => Some(key),
            Content::Fact(_) | Content::Assertion | Content::Truncated => None,
        })
    }

    /// Whether the application is told of that group.
    pub(super) fn sends(&self, group: &str) -> bool {
        self.groups_sent.as_ref().is_none_or(|sent| sent.contains(&*composed_key(group)))
    }

    fn add_preset(&mut self, preset: &Preset) {
        let mut facts = |facts: [(&'static str, Field); 4]| {
            for (name, field) in facts {
                self.set(HeaderName::from_static(name), Content::Fact(field));
            }
        };
        match preset {
            Preset::Remote => facts([
                ("remote-user", Field::Username),
                ("remote-name", Field::Name),
                ("remote-email", Field::Email),
                ("remote-groups", Field::Groups),
            ]),
            Preset::XAuthRequest => facts([
                ("x-auth-request-user", Field::Subject),
                ("x-auth-request-preferred-username", Field::Username),
                ("x-auth-request-email", Field::Email),
                ("x-auth-request-groups", Field::Groups),
            ]),
            Preset::Assertion => self.set(ASSERTION, Content::Assertion),
            Preset::ClaudeLens(secret) => self.set(AUTHORIZATION, Content::ClaudeLens(claudelens::Key::new(secret))),
        }
    }

    fn set(&mut self, name: HeaderName, content: Content) {
        self.headers.retain(|(known, _)| *known != name);
        self.lengths |= length(name.as_str());
        self.headers.push((name, content));
    }
}

/// The bit of that length; one for all the longest.
fn length(name: &str) -> u64 {
    1 << name.len().min(63)
}
