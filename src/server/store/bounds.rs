//! How long a method of a store may take.

use std::future::Future;

use super::{error::StoreError, outage};
use crate::server::limits;

/// Runs one method of a store, for [`limits::STORE_TIMEOUT`] at most.
pub(super) async fn bounded<T>(method: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    let ended = tokio::time::timeout(limits::STORE_TIMEOUT, method).await.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(format!("no answer within {} s", limits::STORE_TIMEOUT.as_secs())))
    });
    outage::note(&ended);
    ended
}
