//! What is needed to create the session, sealed in the attempt's record until delivery is closed: the account, and what
//! the session stores.

use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::server::{
    ids::UserId,
    provider::{RawIdToken, VerifiedClaims},
    seal::{Payload, Purpose, Sealed, take},
    session::Delivery,
    store::SessionFacts,
};

/// Versions: so far only unmarked, without and with the facts and the ID token, as long as a process of 0.1.0 (November 2026) may have
/// to read it.
impl Sealed for Delivery {
    const PURPOSE: Purpose = Purpose::Delivery;

    fn write(&self) -> Payload {
        // Every fact by itself: where one is missing or new, the others are read all the same.
        let SessionFacts { subject, issued, sid, groups, auth_time, acr, amr } = &self.facts;
        let seconds = |at: &Option<OffsetDateTime>| at.map(OffsetDateTime::unix_timestamp);
        let facts = (subject, sid, groups, seconds(auth_time), acr, amr, seconds(issued));
        Payload::unmarked(&(&self.user, facts, self.id_token.as_ref().map(RawIdToken::expose)))
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (user, mut appended) = take::<UserId>(payload)?;
        let facts = SessionFacts {
            subject: next(&mut appended),
            sid: next(&mut appended),
            groups: next(&mut appended),
            auth_time: seconds(&mut appended),
            acr: next(&mut appended),
            amr: next(&mut appended),
            issued: seconds(&mut appended),
        };
        let id_token = next::<Option<String>>(&mut appended).map(RawIdToken::new);
        Some(Self { user, facts, id_token })
    }
}

fn seconds(rest: &mut &[u8]) -> Option<OffsetDateTime> {
    next::<Option<i64>>(rest).and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())
}

/// The next field; its default where a process that does not know it has written the payload.
fn next<T: DeserializeOwned + Default>(rest: &mut &[u8]) -> T {
    let Some((value, after)) = take(rest) else { return T::default() };
    *rest = after;
    value
}

/// What a session keeps of what the provider has said.
pub(super) fn facts(verified: &VerifiedClaims) -> SessionFacts {
    let authentication = verified.authentication().clone();
    SessionFacts {
        subject: Some(verified.subject().clone()),
        issued: authentication.issued,
        sid: authentication.sid,
        groups: verified.claims().groups.clone().unwrap_or_default(),
        auth_time: authentication.auth_time,
        acr: authentication.acr,
        amr: authentication.amr.unwrap_or_default(),
    }
}
