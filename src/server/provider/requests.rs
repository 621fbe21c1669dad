//! The input from the sign-in flow.

use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::time::Instant;

/// What an authentication request needs beyond the provider's settings.
pub struct AuthorizationRequest {
    /// The sealed state.
    pub state: String,
    /// Fresh for this attempt.
    pub nonce: String,
    /// The PKCE verifier; its S256 challenge is sent (RFC 7636).
    pub verifier: SecretString,
    /// `prompt=login`: the person wants another account.
    pub prompt_login: bool,
}

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
