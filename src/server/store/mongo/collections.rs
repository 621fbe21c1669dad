//! The collections by name, and how values are written in them. (`sessions` belongs to ClaudeLens: never use that name.)

use bson::{Binary, DateTime, spec::BinarySubtype};
use mongodb::options::{Collation, CollationStrength};
use time::OffsetDateTime;

use crate::server::{
    clock::to_millis,
    store::{encoding::from_millis, error::StoreError},
};

pub(super) const ATTEMPTS: &str = "login_attempts";
pub(super) const SESSIONS: &str = "login_sessions";
/// What providers have logged out.
pub(super) const LOGOUTS: &str = "seen_logout_tokens";
/// What has signed out here.
pub(super) const BROWSERS: &str = "signed_out_browsers";
pub(super) const USERS: &str = "users";

/// Byte for byte, whatever the collection's default.
pub(super) fn exact() -> Collation {
    Collation::builder().locale("simple").build()
}

/// Without regard to case. A collation, not a regular expression: a name is never a pattern.
pub(super) fn caseless() -> Collation {
    Collation::builder().locale("en").strength(CollationStrength::Secondary).build()
}

pub(super) fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

pub(super) fn date(moment: OffsetDateTime) -> DateTime {
    DateTime::from_millis(to_millis(moment))
}

pub(super) fn moment(date: DateTime) -> Result<OffsetDateTime, StoreError> {
    from_millis(date.timestamp_millis())
}
