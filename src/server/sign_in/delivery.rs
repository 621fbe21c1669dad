//! What is needed to create the session, sealed in the attempt's record until delivery is closed: the account, and what
//! the session stores.

use crate::server::{
    ids::UserId,
    provider::VerifiedClaims,
    seal::{Payload, Purpose, Sealed, take},
    session::Delivery,
    store::SessionFacts,
};

/// Versions: so far only unmarked, without and with the facts, as long as a process of 0.1.0 (November 2026) may have
/// to read it.
impl Sealed for Delivery {
    const PURPOSE: Purpose = Purpose::Delivery;

    fn write(&self) -> Payload {
        Payload::unmarked(&(&self.user, &self.facts))
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (user, appended) = take::<UserId>(payload)?;
        let facts = take::<SessionFacts>(appended).map(|(facts, _)| facts).unwrap_or_default();
        Some(Self { user, facts })
    }
}

/// The part of the verified claims that a session stores.
pub(super) fn facts(verified: &VerifiedClaims) -> SessionFacts {
    let authentication = verified.authentication().clone();
    SessionFacts {
        subject: Some(verified.subject().clone()),
        sid: authentication.sid,
        groups: verified.claims().groups.clone().unwrap_or_default(),
        auth_time: authentication.auth_time,
        acr: authentication.acr,
        amr: authentication.amr.unwrap_or_default(),
    }
}
