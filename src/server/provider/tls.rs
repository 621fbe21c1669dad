//! The root certificates that are trusted for a provider: the system's, and those of the provider's `ca_file`.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::server::log_text::causes;

/// The TLS settings for one provider. `ca_file` is the content of a PEM file.
///
/// # Errors
/// Why the certificates in `ca_file` cannot be used.
pub(super) fn client_config(ca_file: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Unreadable certificates of the system are skipped: only the servers that need them are refused.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = ca_file {
        add(&mut roots, pem)?;
    }
    // The crypto provider is named here instead of installed for the whole process, where a library could do so first.
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| causes(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // The only protocol that we speak; reqwest sets it only in a configuration of its own.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), String> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| causes(&error))?;
        roots.add(certificate).map_err(|error| causes(&error))?;
        found = true;
    }
    if found { Ok(()) } else { Err("holds no certificate".into()) }
}
