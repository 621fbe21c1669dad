//! `[sign_in]`: how long sign-ins may take.

use std::time::Duration;

use super::{reader::Reader, schema};

/// `[sign_in]`.
#[derive(Debug, Clone, Copy)]
pub struct SignInRules {
    /// How long a request waits, over everything awaited, before the waiting page is shown instead.
    pub patience: Duration,
    /// How long an exchange may take in all.
    pub deadline: Duration,
    /// How long a person may take at the provider.
    pub attempt_ttl: Duration,
}

impl SignInRules {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            patience: reader.duration(&schema::SIGN_IN_PATIENCE).unwrap_or_default(),
            deadline: reader.duration(&schema::SIGN_IN_DEADLINE).unwrap_or_default(),
            attempt_ttl: reader.duration(&schema::SIGN_IN_ATTEMPT_TTL).unwrap_or_default(),
        }
    }
}

impl Default for SignInRules {
    fn default() -> Self {
        Reader::defaults(Self::read)
    }
}
