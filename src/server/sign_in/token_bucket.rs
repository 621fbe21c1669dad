//! A token bucket: so many at once, and then one more from time to time.

use std::time::Duration;

use time::OffsetDateTime;

/// A token bucket: tokens are added one by one.
pub(super) struct TokenBucket {
    /// As of the last [`refill`](Self::refill).
    pub(super) tokens: u32,
    most: u32,
    every: Duration,
    /// From when on the next token is counted.
    since: OffsetDateTime,
}

impl TokenBucket {
    /// A full one of `most` tokens, to which one is added after each `every`.
    pub(super) const fn new(most: u32, every: Duration, now: OffsetDateTime) -> Self {
        Self { tokens: most, most, every, since: now }
    }

    /// Whether none is missing.
    pub(super) const fn is_full(&self) -> bool {
        self.tokens == self.most
    }

    /// Adds what has become due.
    pub(super) fn refill(&mut self, now: OffsetDateTime) {
        // The clock was set back: nobody has to wait until it is where it was.
        self.since = self.since.min(now);
        while !self.is_full() && self.next() <= now {
            self.since += self.every;
            self.tokens += 1;
        }
        if self.is_full() {
            self.since = now;
        }
    }

    /// When the next token is added.
    pub(super) fn next(&self) -> OffsetDateTime {
        self.since + self.every
    }

    /// Takes a token. `false`: there was none.
    pub(super) fn take(&mut self, now: OffsetDateTime) -> bool {
        self.refill(now);
        let taken = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        taken
    }

    /// Takes a token. `true`: it was the last one.
    pub(super) fn take_last(&mut self, now: OffsetDateTime) -> bool {
        self.take(now) && self.tokens == 0
    }
}
