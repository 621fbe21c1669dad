//! What both stores read in the same way.

use time::OffsetDateTime;

use super::error::StoreError;
use crate::server::clock;

pub(super) fn from_millis(millis: i64) -> Result<OffsetDateTime, StoreError> {
    clock::from_millis(millis).ok_or_else(|| StoreError::unreadable(format_args!("a time that is none: {millis} ms")))
}

/// A stored hash or id of a fixed length.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::unreadable(format_args!("{} bytes where {N} belong", bytes.len())))
}
