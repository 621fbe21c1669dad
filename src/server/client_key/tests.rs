use jsonwebtoken::{Algorithm, DecodingKey, crypto, jwk::Jwk};

use super::*;

const RSA: &str = include_str!("../../../crates/test-provider/keys/rsa-2048.pem");
const P256: &str = include_str!("../../../crates/test-provider/keys/p256.pem");

/// Verified with a library that shares nothing with what signs but `ring`, by the published key alone.
fn verifies(key: &ClientKey, algorithm: Algorithm) -> bool {
    let jwk: Jwk = serde_json::from_value(serde_json::to_value(&key.public).unwrap()).unwrap();
    let signature = number(&key.sign(b"message").unwrap());
    crypto::verify(&signature, b"message", &DecodingKey::from_jwk(&jwk).unwrap(), algorithm).unwrap()
}

#[test]
fn every_kind_of_key_signs_what_its_published_half_verifies() {
    for (new, name, algorithm) in [
        (NewKey::Es256, "ES256", Algorithm::ES256),
        (NewKey::Es384, "ES384", Algorithm::ES384),
        (NewKey::EdDsa, "EdDSA", Algorithm::EdDSA),
    ] {
        let pem = ClientKey::new_pem(new).unwrap();
        let key = ClientKey::read(&pem).unwrap();
        assert_eq!(key.algorithm(), name);
        assert!(verifies(&key, algorithm), "{name}");
        assert_eq!(ClientKey::read(&pem).unwrap().id(), key.id(), "the name is the key's");
        assert_ne!(ClientKey::read(&ClientKey::new_pem(new).unwrap()).unwrap().id(), key.id());
    }
    let rsa = ClientKey::read(RSA).unwrap();
    assert_eq!(rsa.algorithm(), "RS256");
    assert!(verifies(&rsa, Algorithm::RS256));
    assert!(verifies(&ClientKey::read(P256).unwrap(), Algorithm::ES256), "as openssl writes it");
}

#[test]
fn nothing_private_is_published_or_printed() {
    let keys = ClientKeys::new(vec![ClientKey::read(RSA).unwrap(), ClientKey::read(P256).unwrap()]).unwrap();
    let set: serde_json::Value = serde_json::from_str(&published([keys.clone(), keys.clone()].iter())).unwrap();
    let all = set["keys"].as_array().unwrap();
    assert_eq!(all.len(), 2, "a key that two providers know is in it once");
    let names = |key: &serde_json::Value| key.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let mut members: Vec<_> = all.iter().map(names).collect();
    members.iter_mut().for_each(|one| {
        let mut names: Vec<_> = one.split(' ').collect();
        names.sort_unstable();
        *one = names.join(" ");
    });
    assert_eq!(members, ["alg e kid kty n use", "alg crv kid kty use x y"]);
    let (first, second) = (all[0]["kid"].as_str().unwrap(), all[1]["kid"].as_str().unwrap());
    assert_eq!(
        format!("{keys:?}"),
        format!(r#"ClientKeys {{ signing: ClientKey("{first}"), others: [ClientKey("{second}")] }}"#)
    );
}

#[test]
fn what_is_no_key_of_ours_is_named_with_the_mend() {
    let encrypted = RSA.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let sec1 = P256.replace("PRIVATE KEY", "EC PRIVATE KEY");
    let certificate = RSA.replace("PRIVATE KEY", "CERTIFICATE");
    let two = format!("{RSA}{P256}");
    let broken = RSA.replace("MII", "MIJ");
    for (pem, what, fix) in [
        ("", "holds no private key in PEM", "vestibule keys new"),
        ("-----BEGIN PRIVATE KEY-----\n", "holds no private key in PEM", "vestibule keys new"),
        (&certificate, "holds no private key in PEM", "vestibule keys new"),
        (&encrypted, "needs a password", "openssl pkcs8 -topk8 -nocrypt"),
        (&sec1, "another form than PKCS#8", "openssl pkcs8 -topk8 -nocrypt"),
        (&two, "more than one key", "a file of its own"),
        (&broken, "cannot be used: it must be on P-256, P-384 or Ed25519, or RSA with 2048", "vestibule keys new"),
        (
            include_str!("rsa-1024.pem"),
            "cannot be used: it must be on P-256, P-384 or Ed25519, or RSA",
            "vestibule keys new",
        ),
    ] {
        let (found, mend) = ClientKey::read(pem).unwrap_err();
        assert!(found.contains(what) && mend.contains(fix), "{found}; {mend}");
    }
}
