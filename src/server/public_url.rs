//! The origin that people see: the only source of the redirect URI and of every absolute link.

use std::net::SocketAddr;

use url::Url;

/// An origin: `https://host[:port]`, or `http://` on loopback for development. No path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    secure: bool,
}

impl PublicUrl {
    /// Takes an origin.
    ///
    /// # Errors
    /// What is wrong with it, in words for an operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
        let secure = match (url.scheme(), is_loopback(&url)) {
            ("https", _) => true,
            ("http", true) => false,
            ("http", false) => return Err("must be https (http is for loopback development only)".into()),
            _ => return Err("must begin with https://".into()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry a user name or password".into());
        }
        if url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some()
            || text.ends_with('?')
            || text.ends_with('#')
        {
            return Err("must be an origin, without path, query or fragment".into());
        }
        Ok(Self { origin: url.origin().ascii_serialization(), secure })
    }

    /// Where a program on loopback is found: for development.
    #[must_use]
    pub fn on_loopback(address: SocketAddr) -> Self {
        Self { origin: format!("http://{address}"), secure: false }
    }

    /// The origin, without a trailing slash.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The absolute URL of one of our paths.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Whether it is https: then cookies are `__Host-` and Secure.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

/// Whether `url`'s host is loopback, by name or by number.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
