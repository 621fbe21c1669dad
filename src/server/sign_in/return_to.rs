//! Where a person lands after signing in: a page on our own origin or of a configured application, and nothing else.

use std::{borrow::Cow, fmt};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::{Position, Url};

use crate::{
    paths,
    server::{
        application::{Applications, Site},
        limits,
        log_text::clip,
        settings::PublicUrl,
    },
};

/// A path with query (and fragment) on our own origin, or an absolute URL of a configured application, as a browser would
/// follow it, percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReturnTo(String);

impl Default for ReturnTo {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

/// Why a person will not land where they were to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Neither a path nor an absolute URL, or one whose path or host is written as none should be.
    Unreadable,
    /// An absolute URL of this other origin.
    Elsewhere(String),
    /// One of our own pages for signing in, or for machines.
    Ours,
    /// Too long: only its path is left.
    Query,
    /// Too long, even without its query.
    TooLong,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("neither a path nor a URL of public_url or of an [[app]]"),
            Self::Elsewhere(origin) => {
                write!(f, "neither the origin of public_url nor that of an [[app]]: {}", clip(origin))
            }
            Self::Ours => f.write_str("a page of Vestibule's own that nobody should land on"),
            Self::Query => write!(f, "longer than {} bytes: its query was left out", limits::RETURN_TO),
            Self::TooLong => write!(f, "longer than {} bytes, even without its query", limits::RETURN_TO),
        }
    }
}

impl ReturnTo {
    /// Sanitizes the requested page (decoded once, as the query parser does, and never again). Anything but a path that
    /// a browser would resolve to our own origin, or an absolute URL of it or of an application, outside our sign-in and
    /// machine paths, becomes `/`. A target over [`limits::RETURN_TO`] bytes loses its query, and becomes its host's `/`
    /// if that does not help.
    #[must_use]
    pub fn sanitize(
        asked: Option<&str>,
        public_url: &PublicUrl,
        applications: &Applications,
    ) -> (Self, Option<Dropped>) {
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return (Self::default(), None) };
        let (target, site) = match configured(asked, public_url, applications) {
            Ok(target) => target,
            Err(dropped) => return (Self::default(), Some(dropped)),
        };
        let begins = if site.is_some() { Position::BeforeScheme } else { Position::BeforePath };
        let home = || site.as_ref().map_or_else(Self::default, Self::home_of);
        let prefix = site.as_ref().map_or(paths::ROOT, |site| &site.application.prefix);
        if is_ours(target.path(), prefix, site.is_none()) {
            return (home(), Some(Dropped::Ours));
        }
        let (whole, path) = (&target[begins..], &target[begins..Position::AfterPath]);
        let fits = |text: &str| text.len() <= limits::RETURN_TO && encoded(text).len() <= limits::RETURN_TO_PARAMETER;
        if fits(whole) {
            (Self(whole.to_owned()), None)
        } else if fits(path) {
            (Self(path.to_owned()), Some(Dropped::Query))
        } else {
            (home(), Some(Dropped::TooLong))
        }
    }

    /// The first page of an application.
    #[must_use]
    pub fn home_of(site: &Site) -> Self {
        Self(site.join("/"))
    }

    /// The application that the page belongs to, if it is not our own origin's and still is configured.
    #[must_use]
    pub fn site(&self, applications: &Applications) -> Option<Site> {
        let url = Url::parse(&self.0).ok()?;
        applications.at(url.host_str()?).filter(|site| *site.origin == *url.origin().ascii_serialization())
    }

    /// Whether it is on our own origin or of an application that there still is.
    #[must_use]
    pub fn is_configured(&self, applications: &Applications) -> bool {
        self.0.starts_with('/') || self.site(applications).is_some()
    }

    /// The page's path on its own host, whose origin that is.
    #[must_use]
    pub fn at(&self, origin: &str) -> &str {
        self.0.strip_prefix(origin).unwrap_or(&self.0)
    }

    /// The same, for a query parameter of ours.
    #[must_use]
    pub fn path_at(&self, origin: &str) -> String {
        encoded(self.at(origin))
    }

    /// The path on our own origin that leads to the page, for what must not name another one.
    #[must_use]
    pub fn own_path(&self) -> Cow<'_, str> {
        if self.0.starts_with('/') {
            Cow::Borrowed(&self.0)
        } else {
            Cow::Owned(format!("{}?page={}", paths::HANDOVER, self.encoded()))
        }
    }

    /// For a `Location` header, or an `href`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For a query parameter of ours.
    #[must_use]
    pub fn encoded(&self) -> String {
        encoded(&self.0)
    }

    /// Tells one target from another in the flow cookie.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 8] {
        let mut short = [0; 8];
        short.iter_mut().zip(Sha256::digest(self.0.as_bytes())).for_each(|(to, from)| *to = from);
        short
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn encoded(text: &str) -> String {
    /// What would end or confuse a query value; the rest is percent-encoded already. Without a `?` in it the value
    /// cannot be taken for one that a proxy has not encoded (`http/return_to_parameter.rs`).
    const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'=').add(b'?');
    utf8_percent_encode(text, VALUE).to_string()
}

/// `asked` as a URL of our own origin, or with its application.
fn configured(
    asked: &str,
    public_url: &PublicUrl,
    applications: &Applications,
) -> Result<(Url, Option<Site>), Dropped> {
    /// Behind the path these are data, which URL parsers would delete, trim or leave as no URL has them.
    const DATA: &AsciiSet = &CONTROLS.add(b' ').add(b'\\');
    let (path, data) = asked.split_at(asked.find(['?', '#']).unwrap_or(asked.len()));
    // URL parsers delete tabs and newlines and read a backslash as a slash: refuse all of these.
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(Dropped::Unreadable);
    }
    let asked = format!("{path}{}", utf8_percent_encode(data, DATA));
    let own = Url::parse(public_url.origin()).map_err(|_| Dropped::Unreadable)?;
    let target = if path.starts_with('/') {
        own.join(&asked)
    } else if is_absolute(path) {
        Url::parse(&asked)
    } else {
        return Err(Dropped::Unreadable);
    };
    let target = target.map_err(|_| Dropped::Unreadable)?;
    let site = if target.origin() == own.origin() {
        None
    } else {
        let origin = target.origin().ascii_serialization();
        let site = target.host_str().and_then(|host| applications.at(host)).filter(|site| *site.origin == *origin);
        Some(site.ok_or(Dropped::Elsewhere(origin))?)
    };
    // The parsed path has its dot segments resolved; if it began with two slashes, it would name a host.
    if !target.username().is_empty() || target.password().is_some() || site.is_none() && target.path().starts_with("//")
    {
        return Err(Dropped::Unreadable);
    }
    Ok((target, site))
}

/// Whether `text` begins with `https://` or `http://`, in letters of either case.
#[must_use]
pub fn is_absolute(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("https://") || begins("http://")
}

/// Whether `path` is one of our own sign-in or machine paths: landing there would sign out, loop or show nothing.
/// Slashes too many change nothing (`http/plain_path.rs`). `prefix` is where our paths begin; on our own host there are
/// some more.
fn is_ours(path: &str, prefix: &str, own_host: bool) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let parts: Vec<&str> = decoded.split('/').filter(|part| !part.is_empty()).collect();
    let plain = format!("/{}", parts.join("/"));
    if own_host && plain == paths::ACCOUNT {
        return false;
    }
    let below = plain.strip_prefix(&prefix.to_ascii_lowercase());
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        || own_host
            && ["/login", paths::HEALTHZ, paths::READYZ, "/favicon.ico", "/robots.txt"].contains(&plain.as_str())
}

#[cfg(test)]
mod tests;
