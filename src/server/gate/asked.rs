//! What a proxy asks about, read from who asks and from four headers. Whatever is missing, doubled or doubtful is denied.

use std::{borrow::Cow, fmt, net::IpAddr};

use http::{HeaderMap, HeaderName, Method, header, request::Parts};
use ipnet::IpNet;

use super::path::{Readings, Unreadable};
use crate::server::{
    application::{Applications, Site},
    client_address::{is_trusted, named_client},
    problem::Problem,
};

// Ready to be looked for: from a text, each would be made anew for each request.
static METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// A request that a proxy holds back until we say whether it may pass.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The application, and which of its hosts.
    pub site: Site,
    /// In capitals.
    pub method: &'a str,
    /// Path and query as they were sent: the page to come back to.
    pub uri: &'a str,
    /// The path in each way in which it can be read.
    pub path: Result<Readings<'a>, Unreadable>,
    client: Client<'a>,
    /// Whether a header tells the application to take another method for the request's.
    pub overridden: bool,
    /// Whether a browser asks the application if it may send a request of another origin (CORS).
    pub preflight: bool,
}

/// Whose request it is.
#[derive(Clone, Copy, Debug)]
enum Client<'a> {
    Named(Option<IpAddr>),
    /// By what the proxies say, which is read where somebody wants to know.
    Behind {
        peer: IpAddr,
        headers: &'a HeaderMap,
        trusted: &'a [IpNet],
    },
}

/// Why a question is no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The one who asks is no proxy of ours.
    UntrustedProxy(IpAddr),
    /// Something that the proxy has to say was not said.
    Missing(Said),
    /// It was said more than once.
    Doubled(Said),
    /// It is not what it has to be.
    Malformed(Said),
    /// No application has this host.
    UnknownApplication(String),
}

/// What a proxy says about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// `X-Forwarded-Method`.
    Method,
    /// `X-Forwarded-Proto`.
    Proto,
    /// `X-Forwarded-Host`.
    Host,
    /// `X-Forwarded-Uri`.
    Uri,
    /// `Host`, where it is the request itself that is asked about.
    OwnHost,
    /// Its method, likewise.
    OwnMethod,
    /// Its path, likewise.
    OwnUri,
    /// A URL on the command line.
    Url,
}

impl Said {
    const fn name(self) -> &'static str {
        match self {
            Self::Method => "`X-Forwarded-Method`",
            Self::Proto => "`X-Forwarded-Proto`",
            Self::Host => "`X-Forwarded-Host`",
            Self::Uri => "`X-Forwarded-Uri`",
            Self::OwnHost => "the host",
            Self::OwnMethod => "the method",
            Self::OwnUri => "the path",
            Self::Url => "the URL",
        }
    }

    const fn has_to_be(self) -> &'static str {
        match self {
            Self::Method => "the proxy has to set it to the method of the request, in capitals",
            Self::Proto => "the proxy has to set it to `http`, `https`, `ws` or `wss`",
            Self::Host => {
                "the proxy has to set it to the host that was asked for: letters, digits, `-` and `.`, and maybe a port"
            }
            Self::Uri => "the proxy has to set it to path and query of the request, from the first slash on",
            Self::OwnHost => "it has to be there once, of letters, digits, `-` and `.`, maybe with a port",
            Self::OwnMethod => "it has to be in capitals",
            Self::OwnUri => "it has to begin with a slash, without white space",
            Self::Url => "it has to be `https://`, a host and a path",
        }
    }
}

impl Denied {
    /// What it is to the person, and who can mend it.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        match self {
            Self::UntrustedProxy(_) | Self::Missing(_) | Self::Doubled(_) => Problem::ProxyMisconfigured,
            // A client may send a strange host, method or path, and a proxy may pass it on.
            Self::Malformed(_) => Problem::BadRequest,
            Self::UnknownApplication(_) => Problem::UnknownApplication,
        }
    }
}

/// For the operator.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UntrustedProxy(peer) => write!(
                f,
                "{peer} asks, which is not in `trusted_proxies`: if it is a proxy of yours, add it there; if not, keep it away \
                 from `gate_listen`"
            ),
            Self::Missing(said) => write!(f, "{} is missing: {}", said.name(), said.has_to_be()),
            Self::Doubled(said) => write!(f, "{} is there more than once: {}", said.name(), said.has_to_be()),
            Self::Malformed(said) => write!(f, "{} is malformed: {}", said.name(), said.has_to_be()),
            Self::UnknownApplication(host) => {
                write!(f, "no `[[app]]` has the host `{host}`: add it there, or keep it away from the proxy's check")
            }
        }
    }
}

/// What `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri` say. Nothing else is read.
///
/// # Errors
/// One of them is missing, there twice or malformed; the peer is no proxy of ours; no application is there.
pub fn forwarded<'a>(
    peer: IpAddr,
    headers: &'a HeaderMap,
    trusted: &'a [IpNet],
    applications: &Applications,
) -> Result<Asked<'a>, Denied> {
    trust(peer, trusted)?;
    let method = said(headers, &METHOD, Said::Method)?;
    let proto = said(headers, &PROTO, Said::Proto)?;
    let host = said(headers, &HOST, Said::Host)?;
    let uri = said(headers, &URI, Said::Uri)?;
    check_proto(proto)?;
    let site = site(host, Said::Host, applications)?;
    let asked = Asked::of(site, method, uri, Client::Behind { peer, headers, trusted });
    let asked = asked.map_err(|wrong| if wrong == Said::OwnMethod { Said::Method } else { Said::Uri });
    Ok(asked.map_err(Denied::Malformed)?.with(headers))
}

/// What the request itself says: its method, its host, and its path after `prefix`, as Envoy asks.
///
/// # Errors
/// As [`forwarded`]; only the scheme may be missing.
pub fn itself<'a>(
    peer: IpAddr,
    request: &'a Parts,
    prefix: &str,
    trusted: &'a [IpNet],
    applications: &Applications,
) -> Result<Asked<'a>, Denied> {
    trust(peer, trusted)?;
    let headers = &request.headers;
    match said(headers, &PROTO, Said::Proto) {
        Err(Denied::Missing(_)) => {}
        proto => check_proto(proto?)?,
    }
    let authority = request.uri.authority().map(http::uri::Authority::as_str);
    let host = match said(headers, &header::HOST, Said::OwnHost) {
        Err(Denied::Missing(_)) => authority.ok_or(Denied::Missing(Said::OwnHost))?,
        host => host?,
    };
    if authority.is_some_and(|authority| authority != host) {
        return Err(Denied::Doubled(Said::OwnHost));
    }
    let uri = request.uri.path_and_query().and_then(|uri| uri.as_str().strip_prefix(prefix));
    let uri = uri.filter(|uri| !uri.is_empty()).ok_or(Denied::Missing(Said::OwnUri))?;
    let site = site(host, Said::OwnHost, applications)?;
    let asked = Asked::of(site, request.method.as_str(), uri, Client::Behind { peer, headers, trusted });
    Ok(asked.map_err(Denied::Malformed)?.with(headers))
}

impl<'a> Asked<'a> {
    /// A request of no proxy: of the command line, or one that has come to us.
    ///
    /// # Errors
    /// What of it is malformed: [`Said::OwnMethod`] or [`Said::OwnUri`].
    pub fn about(site: Site, method: &'a str, uri: &'a str, client: Option<IpAddr>) -> Result<Self, Said> {
        Self::of(site, method, uri, Client::Named(client))
    }

    /// Whose request it is; `None` where the proxies do not say.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        match self.client {
            Client::Named(client) => client,
            Client::Behind { peer, headers, trusted } => named_client(peer, headers, trusted),
        }
    }

    fn of(site: Site, method: &'a str, uri: &'a str, client: Client<'a>) -> Result<Self, Said> {
        if !is_method(method) {
            return Err(Said::OwnMethod);
        }
        if !uri.starts_with('/') || has_a_gap(uri) {
            return Err(Said::OwnUri);
        }
        let path = Readings::of(uri);
        Ok(Self { site, method, uri, path, client, overridden: false, preflight: false })
    }

    /// A request for `url`, as typed: `https://wiki.example.com/page`.
    ///
    /// # Errors
    /// It is malformed, or no application is there.
    pub fn at(url: &'a str, method: &'a str, client: Option<IpAddr>, all: &Applications) -> Result<Self, Denied> {
        let (_, rest) =
            url.split_once("://").filter(|(proto, _)| is_proto(proto)).ok_or(Denied::Malformed(Said::Url))?;
        let (host, uri) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let site = site(host, Said::OwnHost, all)?;
        let uri = if uri.is_empty() { "/" } else { uri };
        Self::about(site, method, uri, client).map_err(Denied::Malformed)
    }

    /// With what else the headers say to the application.
    fn with(mut self, headers: &HeaderMap) -> Self {
        self.overridden = headers.keys().any(|name| is_override(name.as_str()));
        self.preflight = self.method == Method::OPTIONS
            && !self.overridden
            && headers.contains_key("origin")
            && headers.contains_key("access-control-request-method");
        self
    }
}

fn trust(peer: IpAddr, trusted: &[IpNet]) -> Result<(), Denied> {
    if is_trusted(peer, trusted) { Ok(()) } else { Err(Denied::UntrustedProxy(peer)) }
}

/// The one value of that header.
fn said<'a>(headers: &'a HeaderMap, name: &HeaderName, what: Said) -> Result<&'a str, Denied> {
    // There are few headers, and to look at each costs less than to look for one.
    let mut values = headers.iter().filter(|(one, _)| *one == name).map(|(_, value)| value);
    let value = values.next().filter(|value| !value.is_empty()).ok_or(Denied::Missing(what))?;
    if values.next().is_some() {
        return Err(Denied::Doubled(what));
    }
    std::str::from_utf8(value.as_bytes()).map_err(|_| Denied::Malformed(what))
}

fn is_proto(text: &str) -> bool {
    matches!(text, "http" | "https" | "ws" | "wss")
}

fn check_proto(proto: &str) -> Result<(), Denied> {
    if is_proto(proto) { Ok(()) } else { Err(Denied::Malformed(Said::Proto)) }
}

fn site(host: &str, what: Said, applications: &Applications) -> Result<Site, Denied> {
    let name = host_name(host).ok_or(Denied::Malformed(what))?;
    applications.at(&name).ok_or_else(|| Denied::UnknownApplication(name.into_owned()))
}

/// The name of a host in small letters, without its port and the dot at its end. No URL is parsed: what is not
/// `name[:digits]` of letters, digits, `-` and `.` names no host.
#[must_use]
pub fn host_name(host: &str) -> Option<Cow<'_, str>> {
    let (name, port) = match host.bytes().position(|byte| byte == b':') {
        Some(at) => (host.get(..at)?, host.get(at + 1..)),
        None => (host, None),
    };
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return None;
    }
    let mut is_small = true;
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => {}
            b'A'..=b'Z' => is_small = false,
            _ => return None,
        }
    }
    Some(if is_small { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) })
}

/// White space, which ends a path in a request's first line, or a control character.
fn has_a_gap(uri: &str) -> bool {
    let is_gap = |c: char| c.is_control() || c.is_whitespace();
    if uri.is_ascii() { uri.bytes().any(|byte| is_gap(byte.into())) } else { uri.contains(is_gap) }
}

/// Methods are compared by their letters, and applications take `get` for `GET`: so only capitals are methods.
#[must_use]
pub fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

/// Whether applications may take the method from a header of this name; some take `_` for `-`.
fn is_override(name: &str) -> bool {
    ["x-http-method-override", "x-http-method", "x-method-override"].iter().any(|known| {
        name.len() == known.len()
            && name.bytes().zip(known.bytes()).all(|(one, other)| one == other || (one, other) == (b'_', b'-'))
    })
}
