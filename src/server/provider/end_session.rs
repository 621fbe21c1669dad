//! Sign-out at the provider (OpenID Connect RP-Initiated Logout 1.0): where it is offered, and the request that the browser
//! brings there.

use std::fmt;

use openidconnect::url::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{client_registration::ClientRegistration, endpoint_url::endpoint, strict_json::Object};
use crate::server::{
    limits,
    seal::{Payload, Purpose, Sealed, take},
};

/// The member of the metadata. A provider that has none ends no session of its own for us.
const MEMBER: &str = "end_session_endpoint";

/// The parameters of the request: an endpoint that has one of them already would make it ambiguous. (`logout_hint` is not
/// sent, and would name another person.)
const RESERVED: [&str; 5] = ["id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state"];

/// An ID token as the provider issued it, which it wants back to know whom to sign out. Whoever has one could sign its person
/// out, and read who they are: it is kept sealed, and never printed.
#[derive(Clone)]
pub struct RawIdToken(SecretString);

impl RawIdToken {
    /// From the token endpoint, or as it was kept.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token.into())
    }

    /// To be sealed, or sent to the provider.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for RawIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawIdToken(…)")
    }
}

/// With a session, bound to its hash.
impl Sealed for RawIdToken {
    const PURPOSE: Purpose = Purpose::IdToken;

    fn write(&self) -> Payload {
        Payload::marked(1, &self.expose())
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (token, _appended) = take::<String>(payload)?;
        Some(Self::new(token))
    }
}

/// What the metadata say of sign-out. No fault in it keeps anybody from signing in.
pub(super) enum EndSession {
    /// Nothing.
    NotOffered,
    /// It is there.
    At(Url),
    /// Something that is not used, for this reason.
    Unusable(String),
}

impl EndSession {
    /// From the metadata; the same is asked of it as of every endpoint.
    pub(super) fn read(document: &Object, plain_http: bool) -> Self {
        if document.damaged.iter().any(|name| name == MEMBER) {
            return Self::Unusable(format!("{MEMBER} cannot be read"));
        }
        match document.members.get(MEMBER) {
            None | Some(Value::Null) => Self::NotOffered,
            Some(Value::String(text)) => match endpoint(MEMBER, text, plain_http).and_then(unambiguous) {
                Ok(url) => Self::At(url),
                Err(why) => Self::Unusable(why),
            },
            Some(_) => Self::Unusable(format!("{MEMBER} is not a string")),
        }
    }

    pub(super) const fn url(&self) -> Option<&Url> {
        match self {
            Self::At(url) => Some(url),
            Self::NotOffered | Self::Unusable(_) => None,
        }
    }

    /// The request that the browser brings there; `None` if sign-out is not offered.
    pub(super) fn request(
        &self,
        registration: &ClientRegistration,
        id_token: Option<&RawIdToken>,
        state: String,
    ) -> Option<EndSessionRequest> {
        let endpoint = self.url()?;
        let hint = id_token.map(|token| ("id_token_hint", token.expose().to_owned()));
        let fields: Vec<_> = hint
            .into_iter()
            .chain([
                ("client_id", registration.client_id.to_string()),
                ("post_logout_redirect_uri", registration.post_logout_redirect_uri.clone()),
                ("state", state),
            ])
            .collect();
        let mut url = endpoint.clone();
        url.query_pairs_mut().extend_pairs(&fields);
        let fits = url.as_str().len() <= limits::END_SESSION_URL;
        Some(if fits { EndSessionRequest::Get(url) } else { EndSessionRequest::Post { to: endpoint.clone(), fields } })
    }
}

fn unambiguous(endpoint: Url) -> Result<Url, String> {
    match endpoint.query_pairs().find(|(name, _)| RESERVED.contains(&name.as_ref())) {
        Some((name, _)) => Err(format!("{MEMBER} has a parameter `{name}` of its own")),
        None => Ok(endpoint),
    }
}

/// What the browser does to be signed out at the provider (RP-Initiated Logout 2). It holds the ID token.
pub enum EndSessionRequest {
    /// It opens this URL.
    Get(Url),
    /// It posts these to that URL, since as a URL they would be longer than some servers read.
    Post {
        /// The endpoint.
        to: Url,
        /// The parameters.
        fields: Vec<(&'static str, String)>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{
        clock::System,
        provider::strict_json::object,
        seal::Keyring,
        settings::{PublicUrl, SecretKey},
    };

    fn read(value: &str) -> EndSession {
        EndSession::read(&object(format!("{{\"{MEMBER}\":{value}}}").as_bytes()).unwrap(), false)
    }

    #[test]
    fn a_token_is_never_printed() {
        assert_eq!(format!("{:?}", RawIdToken::new("e30.e30.sig".into())), "RawIdToken(…)");
    }

    /// LO-03, LO-04.
    #[test]
    fn only_an_endpoint_like_any_other_is_used() {
        for good in ["https://op.example.com/end", "https://op.example.com/end?p=policy"] {
            assert_eq!(read(&format!("\"{good}\"")).url().map(Url::as_str), Some(good));
        }
        assert!(matches!(read("null"), EndSession::NotOffered));
        assert!(matches!(EndSession::read(&object(b"{}").unwrap(), false), EndSession::NotOffered));
        for bad in [
            "\"http://op.example.com/end\"",
            "\"http://127.0.0.1/end\"",
            "\"javascript:alert(1)\"",
            "\"data:text/html,x\"",
            "\"/end\"",
            "\"//op.example.com/end\"",
            "\"\"",
            "\"https://user@op.example.com/end\"",
            "\"https://op.example.com/end#x\"",
            "\"https://op.example.com/end?id_token_hint=another\"",
            "\"https://op.example.com/end?st%61te=fixed\"",
            "5",
            "[\"https://op.example.com/end\"]",
            "\"https://op.example.com/\\ud800\"",
        ] {
            assert!(matches!(read(bad), EndSession::Unusable(_)), "{bad}");
        }
    }

    #[test]
    fn a_sealed_token_opens_with_its_own_session_alone() {
        let system = System::real();
        let secret = SecretKey::new(Box::new(vec![1; 32]));
        let keys = Keyring::new(&secret, &[], &PublicUrl::parse("https://rp.test").unwrap());
        let sealed = keys.seal_bytes(&[1; 32], &RawIdToken::new("e30.e30.sig".into()), &system);
        let open = |session: [u8; 32]| keys.open_bytes::<RawIdToken>(&session, &sealed);
        assert_eq!(open([1; 32]).unwrap().value.expose(), "e30.e30.sig");
        assert!(open([2; 32]).is_none());
    }
}
