//! Which provider it behaves like.

/// Which provider it behaves like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What the specifications lead one to expect: names in the ID token, `Bearer`, 401s with a challenge.
    Standard,
    /// Authelia 4.39 as measured, issuer path `/authelia`.
    Authelia,
}

/// Characters that `state` and `nonce` need at Authelia.
pub(crate) const AUTHELIA_ENTROPY: usize = 8;
