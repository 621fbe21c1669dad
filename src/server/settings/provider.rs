//! `[[provider]]`: where people sign in, and how we are registered there.

use std::path::PathBuf;

use url::Url;

use super::{
    authentication_request::AuthenticationRequestSettings,
    client_auth::ClientAuth,
    reader::{Reader, given_url},
    schema::{self, At, Index, Key, Table},
    small_file::read,
};
use crate::server::{
    ids::{Issuer, ProviderId},
    limits,
    public_url::{PublicUrl, is_loopback},
};

/// One `[[provider]]`.
#[derive(Debug)]
pub struct ProviderSettings {
    /// As in `provider=`: letters, digits, `-` and `_`.
    pub id: ProviderId,
    /// As on its button.
    pub name: String,
    /// Byte for byte as the provider writes it.
    pub issuer: Issuer,
    /// As registered there.
    pub client_id: String,
    /// How we authenticate, with what it needs.
    pub client_auth: ClientAuth,
    /// Authorization requests are pushed (RFC 9126), though the metadata do not require it.
    pub pushed_requests: bool,
    /// What ID tokens may be signed with, by the registered names; empty: what the provider lists.
    pub id_token_algorithms: Vec<String>,
    /// What userinfo has to be signed with; empty: it need not be signed.
    pub userinfo_algorithms: Vec<String>,
    /// Always with `openid`.
    pub scopes: Vec<String>,
    /// Whether signing out here signs out there, too.
    pub end_session: bool,
    /// Audiences that an ID token may name beside us.
    pub trusted_audiences: Vec<String>,
    /// What is asked of each authentication request.
    pub request: AuthenticationRequestSettings,
    /// PEM file of a root trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Reads every `[[provider]]`. There is at least one, and their ids differ, or a fault says so.
pub(super) fn read_all(reader: &mut Reader<'_>, public_url: Option<&PublicUrl>) -> Vec<ProviderSettings> {
    let before = reader.count();
    let indices = reader.tables(Table::Provider, Index::default());
    if indices.is_empty() && reader.count() == before {
        reader.fault(&"provider", "is missing", "add a [[provider]] with id, issuer, client_id and client_secret");
    }
    let mut providers: Vec<ProviderSettings> = Vec::new();
    for index in indices {
        let Some(provider) = ProviderSettings::read(reader, index, public_url) else { continue };
        if providers.iter().any(|other| other.id == provider.id) {
            let what = format!("is {:?} a second time", provider.id.as_str());
            reader.fault(&At { key: &schema::PROVIDER_ID, index }, what, "give each provider an id of its own");
        }
        providers.push(provider);
    }
    providers
}

impl ProviderSettings {
    fn read(reader: &mut Reader<'_>, index: Index, public_url: Option<&PublicUrl>) -> Option<Self> {
        let at = |key: &'static Key| At { key, index };
        let id = id(reader, at(&schema::PROVIDER_ID));
        let name = name(reader, at(&schema::PROVIDER_NAME));
        let issuer = read_issuer(reader, at(&schema::PROVIDER_ISSUER), public_url);
        let client_id = client_id(reader, at(&schema::PROVIDER_CLIENT_ID));
        let client_auth = ClientAuth::read(reader, index);
        let pushed_requests = reader.boolean(at(&schema::PROVIDER_PUSHED_REQUESTS));
        let id_token_algorithms = algorithms(reader, at(&schema::PROVIDER_ID_TOKEN_ALG));
        let userinfo_algorithms = algorithms(reader, at(&schema::PROVIDER_USERINFO_ALG));
        let scopes = scopes(reader, at(&schema::PROVIDER_SCOPES));
        let end_session = reader.boolean(at(&schema::PROVIDER_END_SESSION));
        let trusted_audiences = reader.texts(at(&schema::PROVIDER_TRUSTED_AUDIENCES));
        let request = AuthenticationRequestSettings::read(reader, index);
        let ca_file = ca_file(reader, at(&schema::PROVIDER_CA_FILE));
        let id = id?;
        Some(Self {
            name: name.unwrap_or_else(|| id.as_str().to_owned()),
            id,
            issuer: issuer?,
            client_id: client_id?,
            client_auth: client_auth?,
            pushed_requests: pushed_requests.unwrap_or_default(),
            id_token_algorithms,
            userinfo_algorithms,
            scopes,
            end_session: end_session.unwrap_or(true),
            trusted_audiences,
            request,
            ca_file,
        })
    }
}

fn id(reader: &mut Reader<'_>, at: At) -> Option<ProviderId> {
    let text = reader.text(at)?;
    let fits = text.len() <= limits::PROVIDER_ID_BYTES
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !fits {
        let fix = format!("use letters, digits, - and _, {} at most", limits::PROVIDER_ID_BYTES);
        reader.fault(&at, format!("is {text:?}, which cannot stand in a URL"), fix);
    }
    fits.then(|| ProviderId::new(text))
}

fn name(reader: &mut Reader<'_>, at: At) -> Option<String> {
    let name = reader.text(at)?;
    if name.chars().count() > limits::PROVIDER_NAME_CHARACTERS {
        reader.fault(
            &at,
            "is too long for a button",
            format!("use {} characters at most", limits::PROVIDER_NAME_CHARACTERS),
        );
    }
    Some(name)
}

fn read_issuer(reader: &mut Reader<'_>, at: At, public_url: Option<&PublicUrl>) -> Option<Issuer> {
    let text = reader.text(at)?;
    // If public_url is wrong itself, http is checked once that is right.
    let development = public_url.is_none_or(|url| !url.is_secure());
    issuer(&text, development).map_err(|(what, fix)| reader.fault(&at, format!("{what}{}", given_url(&text)), fix)).ok()
}

fn client_id(reader: &mut Reader<'_>, at: At) -> Option<String> {
    let text = reader.text(at)?;
    // RFC 6749 appendix A.1
    if !text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        reader.fault(
            &at,
            format!("has characters other than printable ASCII: {text:?}"),
            "copy it from the provider again",
        );
        return None;
    }
    Some(text)
}

/// A list that is given names at least one.
fn algorithms(reader: &mut Reader<'_>, at: At) -> Vec<String> {
    let before = reader.count();
    let all = reader.choices(at);
    if all.is_empty() && reader.is_given(at) && reader.count() == before {
        reader.fault(&at, "is empty", format!("write it as {}, or remove it", at.key.example));
    }
    all
}

fn scopes(reader: &mut Reader<'_>, at: At) -> Vec<String> {
    let before = reader.count();
    let scopes = reader.each(at, scope, "write each scope as a text of its own");
    if reader.count() == before {
        if !scopes.iter().any(|scope| scope == "openid") {
            reader.fault(&at, format!("lacks openid: {scopes:?}"), "write it as [\"openid\", \"profile\", \"email\"]");
        }
        let twice = scopes.iter().enumerate().find(|(i, scope)| scopes.iter().take(*i).any(|other| other == *scope));
        if let Some((_, scope)) = twice {
            reader.fault(&at, format!("has {scope:?} twice"), "keep one of them");
        }
    }
    scopes
}

fn ca_file(reader: &mut Reader<'_>, at: At) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text(at)?);
    match read(&path) {
        Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => {}
        Ok(_) => {
            reader.fault(&at, format!("{path:?} holds no certificate"), "name a PEM file with BEGIN CERTIFICATE in it")
        }
        Err(what) => reader.fault(&at, what, "name a PEM file that this process can read"),
    }
    Some(path)
}

/// OpenID Connect Core 2 and Discovery 3: https, no query, no fragment; taken byte for byte.
fn issuer(text: &str, development: bool) -> Result<Issuer, (&'static str, &'static str)> {
    const AS: &str = "copy it from the issuer member of the provider's discovery document, as https://id.example.com";
    let url = Url::parse(text).map_err(|_| ("is not a URL", AS))?;
    // The parser is lenient about white space, backslashes and missing slashes; the comparison later is not.
    let strict = text.starts_with("https://") || text.starts_with("http://");
    if !strict && matches!(url.scheme(), "https" | "http") || !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    {
        return Err(("is not a URL as a provider writes it", AS));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) && development => {}
        "http" if is_loopback(&url) => {
            return Err((
                "is http, while public_url is https",
                "use https (http is for development, both on loopback)",
            ));
        }
        _ => return Err(("is not https", AS)),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("carries a user name or password", "remove it"));
    }
    if text.contains(['?', '#']) {
        return Err(("has a query or fragment", AS));
    }
    if url.path().ends_with("/.well-known/openid-configuration") {
        return Err(("is the URL of the discovery document", "drop /.well-known/openid-configuration"));
    }
    Ok(Issuer::new(text))
}

/// RFC 6749 3.3: scope-token.
fn scope(text: &str) -> Result<String, String> {
    let fits = text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if fits { Ok(text.to_owned()) } else { Err(format!("is {text:?}, which is not one scope")) }
}
