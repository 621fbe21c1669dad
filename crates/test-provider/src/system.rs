//! Time and randomness come in from outside, so that a test can set them.

use rsa::rand_core::{OsRng, RngCore as _};
use time::OffsetDateTime;

/// Where the provider takes the time of day and unpredictable bytes from. What a test does not set is the real one.
pub trait System: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime {
        RealSystem.now()
    }

    /// Fills `bytes` from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]) {
        RealSystem.fill(bytes);
    }
}

/// The operating system's clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealSystem;

impl System for RealSystem {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn fill(&self, bytes: &mut [u8]) {
        OsRng.fill_bytes(bytes);
    }
}
