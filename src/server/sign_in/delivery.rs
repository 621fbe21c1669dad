//! What delivery needs, sealed inside the attempt's record until it is over: the account, and what its session keeps.

use crate::server::{
    ids::UserId,
    provider::VerifiedClaims,
    seal::{Payload, Purpose, Sealed, take},
    session::Delivery,
    store::SessionFacts,
};

/// Versions: unmarked is all there is so far, without and with the facts. Written so until no process of 0.1.0 as of
/// November 2026 has to read it.
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

/// What a session keeps of what the provider has said.
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
