//! The registered clients, and how they prove who they are (RFC 6749 2.3).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::{
    form::{self, Form, Repeated},
    keys::KeyName,
    profile::Profile,
};

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// The one method it may use at the token endpoint.
    pub authentication: Authentication,
    /// Compared character by character.
    pub redirect_uris: Vec<String>,
    /// Where people may go after sign-out here; compared character by character.
    pub post_logout_redirect_uris: Vec<String>,
    /// The scopes it may request.
    pub scopes: Vec<String>,
    /// `id_token_signed_response_alg`.
    pub id_token_alg: Algorithm,
    /// `require_pushed_authorization_requests`
    pub require_pushed: bool,
    /// Whether an authorization request without `code_challenge` is refused.
    pub require_pkce: bool,
    /// `userinfo_signed_response_alg: RS256`: userinfo is a JWT.
    pub userinfo_signed: bool,
}

/// How a client authenticates at the token endpoint (Core 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// `client_secret_basic`, with this secret.
    Basic(String),
    /// `client_secret_post`, with this secret.
    Post(String),
    /// `client_secret_jwt`, with this secret and HS256.
    SecretJwt(String),
    /// `private_key_jwt`, with one of the keys in this set and ES256.
    PrivateKeyJwt(Value),
    /// `none`: a public client.
    None,
}

/// How ID tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
}

impl Algorithm {
    /// The key that signs so.
    pub(crate) fn key(self) -> KeyName {
        match self {
            Self::Rs256 => KeyName::Rsa2048,
            Self::Es256 => KeyName::P256,
        }
    }
}

impl Client {
    /// A client with `client_secret_basic`, as the first adopter's is registered at Authelia, and the scope `groups`.
    #[must_use]
    pub fn basic(id: &str, secret: &str, redirect_uri: &str) -> Self {
        Self::new(id, Authentication::Basic(secret.to_owned()), redirect_uri)
    }

    /// A client with `client_secret_post`.
    #[must_use]
    pub fn post(id: &str, secret: &str, redirect_uri: &str) -> Self {
        Self::new(id, Authentication::Post(secret.to_owned()), redirect_uri)
    }

    /// A public client, which must use PKCE.
    #[must_use]
    pub fn public(id: &str, redirect_uri: &str) -> Self {
        Self { require_pkce: true, ..Self::new(id, Authentication::None, redirect_uri) }
    }

    fn new(id: &str, authentication: Authentication, redirect_uri: &str) -> Self {
        Self {
            id: id.to_owned(),
            authentication,
            redirect_uris: vec![redirect_uri.to_owned()],
            post_logout_redirect_uris: Vec::new(),
            scopes: ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec(),
            id_token_alg: Algorithm::Rs256,
            require_pushed: false,
            require_pkce: false,
            userinfo_signed: false,
        }
    }

    /// The same, and people may go there after sign-out.
    #[must_use]
    pub fn with_post_logout_redirect_uri(mut self, uri: &str) -> Self {
        self.post_logout_redirect_uris.push(uri.to_owned());
        self
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        match &self.authentication {
            Authentication::Basic(secret) | Authentication::Post(secret) | Authentication::SecretJwt(secret) => {
                Some(secret)
            }
            Authentication::PrivateKeyJwt(_) | Authentication::None => None,
        }
    }

    pub(crate) fn may_return_to(&self, uri: &str, profile: Profile) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == uri || (profile == Profile::Authelia && same_but_for_loopback_port(registered, uri))
        })
    }
}

/// Authelia lets a registered http loopback URI come with any port, for confidential clients too (RFC 8252 7.3).
fn same_but_for_loopback_port(registered: &str, uri: &str) -> bool {
    let (Ok(mut registered), Ok(mut uri)) = (Url::parse(registered), Url::parse(uri)) else { return false };
    let loopback = match registered.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    loopback
        && registered.scheme() == "http"
        && registered.set_port(None).is_ok()
        && uri.set_port(None).is_ok()
        && registered == uri
}

/// What a request to the token endpoint showed.
pub(crate) struct Presented {
    pub(crate) id: String,
    proof: Authentication,
}

impl Presented {
    /// Reads the `Authorization` header, else the body. Both at once, or repeated parameters, are an invalid request.
    pub(crate) fn read(headers: &HeaderMap, body: &Form) -> Result<Option<Self>, Repeated> {
        let (id, secret) = (body.one("client_id")?, body.one("client_secret")?);
        let Some(header) = headers.get(AUTHORIZATION) else {
            let proof = secret.map_or(Authentication::None, |secret| Authentication::Post(secret.to_owned()));
            return Ok(id.map(|id| Self { id: id.to_owned(), proof }));
        };
        if secret.is_some() {
            return Err(Repeated);
        }
        let Some((id, secret)) = header.to_str().ok().and_then(basic) else { return Ok(None) };
        Ok(Some(Self { id, proof: Authentication::Basic(secret) }))
    }

    /// `Ok` if this is `client`; else what is wrong, naming the method used.
    pub(crate) fn proves(&self, client: &Client) -> Result<(), String> {
        if std::mem::discriminant(&self.proof) != std::mem::discriminant(&client.authentication) {
            return Err(format!(
                "The OAuth 2.0 Client supports client authentication method '{}', but method '{}' was requested.",
                method(&client.authentication),
                method(&self.proof)
            ));
        }
        if self.proof == client.authentication {
            Ok(())
        } else {
            Err("The provided client secret did not match.".to_owned())
        }
    }
}

fn method(authentication: &Authentication) -> &'static str {
    match authentication {
        Authentication::Basic(_) => "client_secret_basic",
        Authentication::Post(_) => "client_secret_post",
        Authentication::SecretJwt(_) => "client_secret_jwt",
        Authentication::PrivateKeyJwt(_) => "private_key_jwt",
        Authentication::None => "none",
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = credentials.split_once(':')?;
    Some((form::decode(id), form::decode(secret)))
}
