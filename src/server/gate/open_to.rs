//! The applications that a person may open: what the rules say about the first page of each host.

use std::net::IpAddr;

use http::Method;
use tokio::time::Instant;

use super::{asked::Asked, check::Gate, rules};
use crate::server::{
    application::{Access, Site},
    limits,
    session::SignedIn,
};

impl Gate {
    /// In the order of the settings, without the login host. Hosts that are only a pattern are nowhere to go to. While the store
    /// cannot tell whose a username is, it opens nothing.
    pub async fn open_to(&self, person: &SignedIn, client: Option<IpAddr>) -> Vec<&Site> {
        let email = person.verified_email();
        let is_shared =
            self.username_is_shared(person, None, Instant::now() + limits::SESSION_ASK_WAIT).await.unwrap_or(true);
        let person = rules::Person::of(person, email.as_ref(), is_shared);
        let is_open = |site: &&Site| {
            Asked::about((*site).clone(), Method::GET.as_str(), "/", client).is_ok_and(|asked| {
                let decision = rules::decide(&asked);
                decision.access == Access::Anyone || decision.admits(|| person).is_ok()
            })
        };
        let elsewhere = self.applications.sites().filter(|site| *site.origin != *self.public_url.origin());
        elsewhere.filter(is_open).collect()
    }
}
