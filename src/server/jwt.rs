//! JSON Web Tokens as we write them: header, claims and signature, each in base64url (RFC 7515 7.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

/// A token without its signature.
pub(crate) struct Unsigned(String);

impl Unsigned {
    pub(crate) fn new(header: &impl Serialize, claims: &impl Serialize) -> Self {
        Self(format!("{}.{}", encoded(header), encoded(claims)))
    }

    /// What is signed.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn signed(self, signature: &[u8]) -> String {
        format!("{}.{}", self.0, URL_SAFE_NO_PAD.encode(signature))
    }
}

#[expect(clippy::expect_used, reason = "plain structs of ours, written into memory")]
fn encoded(part: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("a part of a token can be written"))
}
