//! User accounts, in the form that ClaudeLens deployments share with us.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::StoreError;
use crate::server::{
    email_address,
    ids::{Issuer, Subject, UserId},
};

/// What a store does for users.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// The user who is (issuer, subject), by our own fields; else the one an older ClaudeLens deployment knows by
    /// `oidc_sub` and `oidc_provider` in {discovery URL, issuer}, adopted in place (our two fields set on it).
    /// An active user's profile and last sign-in are refreshed in the same write; an inactive one is returned
    /// untouched. Fields we do not know are never dropped. One round trip for a known, active user.
    async fn sign_in_user(&self, person: &Person) -> Result<Option<User>, StoreError>;

    /// Creates the user, under the first of the proposed usernames that is free, unless (issuer, subject) exists.
    async fn create_user(&self, user: &NewUser) -> Result<Created, StoreError>;

    /// The user with that id.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// Those of these users that exist, in any order.
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError>;

    /// Whether another active user has the same username, without regard to case. Documents that others wrote may: an
    /// application that knows people by their usernames would take one for the other.
    async fn username_is_shared(&self, user: &User) -> Result<bool, StoreError>;
}

/// A verified person, as `accounts` maps the claims.
#[derive(Clone, Debug)]
pub struct Person {
    /// The issuer.
    pub issuer: Issuer,
    /// The subject at that issuer.
    pub subject: Subject,
    /// The provider's discovery URL: how ClaudeLens named the provider (`oidc_provider`).
    pub discovery_url: String,
    /// What is refreshed at each sign-in.
    pub profile: Profile,
    /// Role to store at this sign-in, where the operator's rules decide it by group; `None` leaves the stored one.
    pub role: Option<Role>,
    /// Whether ClaudeLens has to be able to read the user's document: then what it cannot do without is written, where it
    /// is missing. On SQLite it means nothing, since ClaudeLens reads MongoDB alone.
    pub for_claudelens: bool,
    /// Now, by our clock.
    pub now: OffsetDateTime,
}

/// The part of a user that each sign-in refreshes. `None` leaves what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// E-mail address, as claimed.
    pub email: Option<String>,
    /// Whether the provider has verified it; only meaningful with `email`.
    pub email_verified: Option<bool>,
    /// Name to show.
    pub full_name: Option<String>,
}

/// What an account may do in the application behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Administrator.
    Admin,
    /// Anyone else.
    User,
}

impl Role {
    /// As stored, and as applications are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }

    /// A missing or unknown role gives no rights.
    pub(super) fn of_stored(text: Option<&str>) -> Self {
        if text == Some(Self::Admin.as_str()) { Self::Admin } else { Self::User }
    }
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Who it is.
    pub person: Person,
    /// The names proposed, the best first; a username is unique without regard to case among all users.
    pub usernames: Vec<String>,
    /// What they may do.
    pub role: Role,
}

/// How creating a user ended.
#[derive(Debug)]
pub enum Created {
    /// A new user.
    New(User),
    /// (issuer, subject) exists by now: sign in again.
    Exists,
    /// Other users have the usernames: propose others.
    UsernameTaken,
}

/// A user, as much of it as this program acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique name; empty where an older document has none.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether the provider has verified it; never without one.
    pub email_verified: bool,
    /// Name to show.
    pub full_name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// `false`: refused at sign-in and at the next request (missing = true).
    pub active: bool,
}

/// The address as stored, and whether the provider has verified it. One that only stands in for an address is none.
pub(super) fn known_email(stored: Option<String>, verified: bool) -> (Option<String>, bool) {
    let email = stored.filter(|email| !email_address::is_stand_in(email));
    let verified = verified && email.is_some();
    (email, verified)
}

/// Usernames that have the same key are the same name.
pub(super) fn username_key(username: &str) -> String {
    username.to_lowercase()
}
