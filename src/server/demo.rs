//! Under construction.

/// Stand-in until the real one is merged.
///
/// # Errors
/// Never.
#[expect(clippy::unused_async, reason = "stand-in")]
pub async fn demo() -> Result<(), String> {
    Ok(())
}
