//! Whether a provider can be used, as far as is known without asking it.

use time::OffsetDateTime;

/// Whether a sign-in could begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Nothing is known against it.
    Available,
    /// It does not answer, or its answers cannot be used.
    Unavailable {
        /// When that began.
        since: OffsetDateTime,
        /// The stable code of the fault.
        code: &'static str,
    },
}
