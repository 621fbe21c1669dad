//! Time and randomness are passed in, so that tests control them.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;

use super::{limits, stderr};

/// Tells the time of day, UTC.
pub trait Clock: Send + Sync + 'static {
    /// Now, to the millisecond (no store keeps more).
    fn now(&self) -> OffsetDateTime;
}

/// Whether `at` is no longer ago than `within`. Not in the future either: a clock that far ahead would make it last longer.
#[must_use]
pub fn is_recent(at: OffsetDateTime, now: OffsetDateTime, within: Duration) -> bool {
    // Nothing is added to `at`, which may be anybody's: no time is later than the year 9999.
    now - within <= at && at <= now + limits::CLOCKS_APART
}

/// `moment` and `duration` more: for one that a store has kept, in which anything may stand. There is no time after the year 9999.
#[must_use]
pub fn later(moment: OffsetDateTime, duration: Duration) -> OffsetDateTime {
    moment.saturating_add(time::Duration::try_from(duration).unwrap_or(time::Duration::MAX))
}

/// Gives unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]);
}

/// Clock and randomness together, cheap to clone.
#[derive(Clone)]
pub struct System {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The source of unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
}

impl System {
    /// The operating system's clock and randomness.
    #[must_use]
    pub fn real() -> Self {
        Self { clock: Arc::new(RealClock), entropy: Arc::new(RealEntropy) }
    }

    /// Now, UTC, to the millisecond.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// `N` unpredictable bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// `duration`, give or take [`limits::SPREAD`], so that many processes do not act at the same moment.
    pub(crate) fn spread(&self, duration: Duration) -> Duration {
        let fraction = f64::from(u16::from_be_bytes(self.bytes())) / f64::from(u16::MAX);
        duration.mul_f64((2.0 * limits::SPREAD).mul_add(fraction, 1.0 - limits::SPREAD))
    }
}

/// The operating system's clock.
pub struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> OffsetDateTime {
        whole_milliseconds(OffsetDateTime::now_utc())
    }
}

/// The operating system's randomness.
pub struct RealEntropy;

impl Entropy for RealEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // Every key, state and session id would be a guess. A panic would end one request and let the next go on.
            tracing::error!(%error, "the operating system gives no randomness; the program ends");
            stderr::flush();
            std::process::abort();
        }
    }
}

/// Milliseconds since 1970, as stored and sealed.
#[must_use]
pub fn to_millis(moment: OffsetDateTime) -> i64 {
    // A year has at most four digits in `time`, so the quotient always fits.
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

/// Reads what [`to_millis`] wrote. `None` where it is no time.
#[must_use]
pub fn from_millis(millis: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()
}

/// `moment` without what is finer than a millisecond.
#[must_use]
pub fn whole_milliseconds(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_millisecond(moment.millisecond()).unwrap_or(moment)
}
