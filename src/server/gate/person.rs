use super::rules::Person;
use crate::server::{email_address::EmailAddress, session::SignedIn};

impl<'a> Person<'a> {
    /// A signed-in person. `email` is their address if it is verified: reading it costs, so whoever asks often keeps it. A
    /// username that two accounts share counts for nothing.
    #[must_use]
    pub fn of(signed_in: &'a SignedIn, email: Option<&'a EmailAddress>, username_is_shared: bool) -> Self {
        Self {
            username: if username_is_shared { "" } else { &signed_in.user.username },
            role: signed_in.user.role,
            email,
            groups: &signed_in.facts.groups,
            provider: &signed_in.provider,
        }
    }
}
