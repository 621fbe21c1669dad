//! How long a method of a store may take.

use std::{future::Future, time::Duration};

use super::error::StoreError;

/// No method of a store takes longer than this.
const BOUND: Duration = Duration::from_secs(5);
/// A race lost to another process is run again this often before the store counts as unavailable.
pub(super) const ROUNDS: usize = 4;

/// Runs one method of a store, for [`BOUND`] at most.
pub(super) async fn bounded<T>(method: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    tokio::time::timeout(BOUND, method)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no response within {} s", BOUND.as_secs()))))
}
