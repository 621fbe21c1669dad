//! Where a document of the provider comes from, and for how long it may be used.

use std::time::Duration;

use super::fault::ProviderFault;

/// Where a document comes from.
pub(super) trait Source: Send + Sync + 'static {
    /// The document once it has been checked.
    type Document: Send + Sync + 'static;
    /// Its name in the log.
    const NAME: &'static str;
    /// For how long it may be used.
    const SCHEDULE: Schedule;

    /// Fetches it from the provider, once.
    fn fetch(&self) -> impl Future<Output = Result<Self::Document, ProviderFault>> + Send;
}

/// For how long a document may be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// It is refreshed in the background after this time (give or take a fifth).
    pub(super) refresh: Duration,
    /// Older than this it is used only if a refresh fails.
    pub(super) max_age: Duration,
    /// Older than this it is not used.
    pub(super) stale: Duration,
}
