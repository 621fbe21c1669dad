//! Under construction.

use super::settings::Settings;

/// Stand-in until the real one is merged.
///
/// # Errors
/// Never.
#[expect(clippy::unused_async, clippy::needless_pass_by_value, reason = "stand-in")]
pub async fn serve(settings: Settings) -> Result<(), String> {
    tracing::info!(listen = %settings.listen, "stand-in");
    Ok(())
}
