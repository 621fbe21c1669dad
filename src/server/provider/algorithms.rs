//! Signature algorithms (RFC 7518 3.1, RFC 8037).

use openidconnect::core::CoreJwsSigningAlgorithm;

/// Signature algorithms of ID tokens that we accept, where the provider lists them (docs/decisions/id-token.md).
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The algorithm with this registered name.
pub(super) fn named(name: &str) -> Option<CoreJwsSigningAlgorithm> {
    serde_json::from_value(name.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::{ALGORITHMS, named};
    use crate::server::settings;

    #[test]
    fn an_operator_can_name_each_algorithm_and_no_other() {
        let named: Vec<_> = settings::ALGORITHMS.iter().map(|name| named(name).unwrap()).collect();
        assert_eq!(named, ALGORITHMS);
    }
}
