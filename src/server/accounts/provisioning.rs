//! A verified person's account, found or made.

use super::{allow_lists::is_allowed, roles::role_by_group, usernames};
use crate::server::{
    clock::System,
    limits,
    provider::VerifiedClaims,
    settings::UserRules,
    store::{Created, NewUser, Person, Profile, StoreError, User, UserStore},
};

/// The account of a verified person.
#[derive(Debug)]
pub enum Provisioned {
    /// Found or made.
    User(User),
    /// None of the operator's allow lists names the person.
    NotAllowed,
    /// The person is new, and new people are not taken.
    Unknown,
    /// The account is switched off.
    Disabled,
}

/// Finds or makes the account of a verified person. Running it again, at the same time or later, finds the same one.
///
/// # Errors
/// The store; nothing half done is left behind.
pub async fn provision(
    store: &dyn UserStore,
    rules: &UserRules,
    verified: &VerifiedClaims,
    discovery_url: &str,
    system: &System,
) -> Result<Provisioned, StoreError> {
    let claims = verified.claims();
    if !is_allowed(rules, claims) {
        return Ok(Provisioned::NotAllowed);
    }
    let role = role_by_group(rules, claims);
    let person = Person {
        issuer: verified.issuer().clone(),
        subject: verified.subject().clone(),
        discovery_url: discovery_url.to_owned(),
        profile: Profile {
            email: claims.email.clone(),
            // With a new address the old one's verification must not stay.
            email_verified: claims.email.as_ref().map(|_| claims.email_verified.unwrap_or(false)),
            full_name: claims.name.clone(),
        },
        role,
        now: system.now(),
    };
    for _ in 0..limits::RACE_ROUNDS {
        if let Some(user) = store.sign_in_user(&person).await? {
            return Ok(if user.active { Provisioned::User(user) } else { Provisioned::Disabled });
        }
        if !rules.auto_create {
            return Ok(Provisioned::Unknown);
        }
        let user = NewUser {
            usernames: usernames::proposals(claims, person.subject.as_str(), system),
            person: person.clone(),
            role: role.unwrap_or(rules.default_role),
        };
        match store.create_user(&user).await? {
            Created::New(user) => return Ok(Provisioned::User(user)),
            // Another sign-in at the same moment made this account, or took the name.
            Created::Exists | Created::UsernameTaken => {}
        }
    }
    Err(StoreError::Unreadable("no username is free, not even with random digits".into()))
}
