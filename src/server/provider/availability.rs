//! Whether a provider can be used, as far as is known without a request.

use time::OffsetDateTime;

/// Whether a sign-in could begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// No failure is known.
    Available,
    /// It does not respond, or its responses cannot be used.
    Unavailable {
        /// When that began.
        since: OffsetDateTime,
        /// The stable code of the fault.
        code: &'static str,
        /// What is known about it, on one line.
        detail: String,
    },
}
