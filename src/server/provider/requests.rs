//! The input from the sign-in flow.

use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::time::Instant;

/// What redeeming a code needs.
pub struct Redemption {
    /// The authorization code.
    pub code: SecretString,
    /// The verifier whose challenge was sent.
    pub verifier: SecretString,
    /// The nonce that was sent.
    pub nonce: String,
    /// When the attempt began: no ID token may be older (less the leeway).
    pub started: OffsetDateTime,
    /// The code is too old to be sent after this.
    pub send_until: Instant,
    /// All of it must be over by then.
    pub deadline: Instant,
}
