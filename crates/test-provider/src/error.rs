//! Why a provider does not start.

use std::{io, net::SocketAddr};

/// Why a provider did not start.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It serves loopback only: its keys and passwords are public.
    #[error("the test provider listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The issuer is not a URL.
    #[error("the issuer {0} is not an http or https URL")]
    Issuer(String),
    /// One of the keys in the source cannot be read.
    #[error("a key of the test provider cannot be read")]
    Key,
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
}
