//! A verified person's account, found or made.

use unicode_normalization::UnicodeNormalization as _;

use super::{allow_lists, roles::role_by_group, usernames};
use crate::{
    server::{
        clock::System,
        email_address::is_stand_in,
        limits,
        provider::VerifiedClaims,
        settings::UserRules,
        store::{Created, NewUser, Person, Profile, StoreError, User, UserStore},
    },
    visible::visible,
};

/// The account of a verified person.
#[derive(Debug)]
pub enum Provisioned {
    /// Found or made.
    User(User),
    /// None of the operator's allow lists names the person; what was asked, and what was there, without personal data.
    NotAllowed(String),
    /// The person is new, and new people are not taken.
    Unknown,
    /// The account is switched off.
    Disabled,
}

/// A name in one spelling (NFC), without what is not seen; none if nothing is.
fn full_name(name: &str) -> Option<String> {
    let name: String = name.nfc().collect();
    Some(visible(&name)).filter(|name| !name.is_empty())
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
    if let Err(why) = allow_lists::check(rules, claims) {
        return Ok(Provisioned::NotAllowed(why));
    }
    let role = role_by_group(rules, claims);
    // A claim that only looks like what we write for ClaudeLens must not become somebody's address.
    let email = claims.email.clone().filter(|email| !is_stand_in(email));
    let person = Person {
        issuer: verified.issuer().clone(),
        subject: verified.subject().clone(),
        discovery_url: discovery_url.to_owned(),
        profile: Profile {
            // With a new address the old one's verification must not stay.
            email_verified: email.as_ref().map(|_| claims.email_verified.unwrap_or(false)),
            email,
            full_name: claims.name.as_deref().and_then(full_name),
        },
        role,
        for_claudelens: rules.for_claudelens,
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
