//! TLS in front of the provider, with the certificate in the source: for 127.0.0.1 and `op.test`.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

use crate::error::ProviderError;

/// The PEM file of the root that the certificate comes from.
pub const CA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/keys/tls-ca.pem");

pub(crate) fn acceptor() -> Result<TlsAcceptor, ProviderError> {
    let certificate =
        CertificateDer::from_pem_slice(include_bytes!("../keys/tls-cert.pem")).map_err(|_| ProviderError::Key)?;
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../keys/tls-key.pem")).map_err(|_| ProviderError::Key)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|_| ProviderError::Key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// The connection ends with a reset as soon as it is dropped.
    fn reset_on_drop(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn reset_on_drop(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Stream for TlsStream<TcpStream> {
    fn reset_on_drop(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}
