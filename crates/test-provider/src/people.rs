//! The demo people.

use serde_json::{Value, json};

use crate::rules::Members;

/// A person who can sign in at the demo provider.
#[derive(Clone, Debug)]
pub struct DemoPerson {
    /// What is typed into the login form, and `preferred_username`.
    pub username: String,
    /// The password, shown on the form in the demo.
    pub password: String,
    /// `sub`, the same for all clients.
    pub sub: String,
    /// `given_name`.
    pub given_name: String,
    /// `family_name`.
    pub family_name: String,
    /// `email`; some people have none.
    pub email: Option<String>,
    /// `groups`, given for the scope of that name.
    pub groups: Vec<String>,
    /// How much their tokens weigh.
    pub weight: Weight,
}

/// How much a person's tokens weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As the profile says.
    Ordinary,
    /// The incident: 64 kB of JWT access token, RS256 with 4096 bits, all claims in the ID token, a refresh token.
    Incident,
}

impl DemoPerson {
    /// Alice, with an e-mail address.
    #[must_use]
    pub fn alice() -> Self {
        Self {
            username: "alice".to_owned(),
            password: "alice-demo".to_owned(),
            sub: "a11ce000-0000-4000-8000-000000000001".to_owned(),
            given_name: "Alice".to_owned(),
            family_name: "Example".to_owned(),
            email: Some("alice@example.com".to_owned()),
            groups: vec!["staff".to_owned()],
            weight: Weight::Ordinary,
        }
    }

    /// Bob, who has no e-mail address.
    #[must_use]
    pub fn bob() -> Self {
        Self {
            username: "bob".to_owned(),
            password: "bob-demo".to_owned(),
            sub: "b0b00000-0000-4000-8000-000000000002".to_owned(),
            given_name: "Bob".to_owned(),
            family_name: "Example".to_owned(),
            email: None,
            groups: Vec::new(),
            weight: Weight::Ordinary,
        }
    }

    /// The person of the incident: 500 groups and the heaviest tokens there are.
    #[must_use]
    pub fn incident() -> Self {
        Self {
            username: "incident".to_owned(),
            password: "incident-demo".to_owned(),
            sub: "1dc1de00-0000-4000-8000-000000000003".to_owned(),
            given_name: "Inci".to_owned(),
            family_name: "Dent".to_owned(),
            email: Some("incident@example.com".to_owned()),
            groups: (0..500).map(|n| format!("department-{n:03}-members")).collect(),
            weight: Weight::Incident,
        }
    }

    /// Whether the tokens weigh as in the incident.
    #[must_use]
    pub fn is_incident(&self) -> bool {
        self.weight == Weight::Incident
    }

    /// The claims that `allowed` scopes open, `sub` not among them (Core 5.4).
    pub(crate) fn claims(&self, allowed: impl Fn(&str) -> bool) -> Members {
        let name = format!("{} {}", self.given_name, self.family_name);
        let mut claims: Vec<(&str, Value)> = Vec::new();
        if allowed("profile") {
            claims.extend([
                ("name", json!(name)),
                ("given_name", json!(self.given_name)),
                ("family_name", json!(self.family_name)),
                ("preferred_username", json!(self.username)),
                ("updated_at", json!(1_760_000_000)),
            ]);
        }
        if allowed("email") {
            claims.extend(self.email.as_ref().map(|email| ("email", json!(email))));
            // Said of people without an address as well, as Authelia does.
            claims.push(("email_verified", json!(true)));
        }
        if allowed("groups") {
            claims.push(("groups", json!(self.groups)));
        }
        claims.into_iter().map(|(claim, value)| (claim.to_owned(), value)).collect()
    }
}
