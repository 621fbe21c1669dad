use super::rules::Person;
use crate::server::{email_address::EmailAddress, session::SignedIn};

impl<'a> Person<'a> {
    /// A signed-in person. `email` is their address if it is verified: reading it costs, so it is kept with the session.
    #[must_use]
    pub fn of(signed_in: &'a SignedIn, email: Option<&'a EmailAddress>) -> Self {
        Self {
            username: &signed_in.user.username,
            role: signed_in.user.role,
            email,
            groups: &signed_in.facts.groups,
            provider: &signed_in.provider,
        }
    }
}
