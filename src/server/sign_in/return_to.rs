//! Where a person lands after signing in: a path on our own origin, and nothing else.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::{Position, Url};

use crate::{
    paths,
    server::{limits, log_text::clip, settings::PublicUrl},
};

/// A path with query (and fragment) on our own origin, as a browser would follow it, percent-encoded.
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
            Self::Unreadable => f.write_str("neither a path nor a URL of public_url"),
            Self::Elsewhere(origin) => write!(f, "another origin than public_url: {}", clip(origin)),
            Self::Ours => f.write_str("a page of Vestibule's own that nobody should land on"),
            Self::Query => write!(f, "longer than {} bytes: its query was left out", limits::RETURN_TO),
            Self::TooLong => write!(f, "longer than {} bytes, even without its query", limits::RETURN_TO),
        }
    }
}

impl ReturnTo {
    /// Sanitizes the requested page (decoded once, as the query parser does, and never again). Anything but a path that
    /// a browser would resolve to our own origin, or an absolute URL of it, outside our sign-in and machine paths,
    /// becomes `/`. A target over [`limits::RETURN_TO`] bytes loses its query, and becomes `/` if that does not help.
    #[must_use]
    pub fn sanitize(asked: Option<&str>, public_url: &PublicUrl) -> (Self, Option<Dropped>) {
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return (Self::default(), None) };
        let target = match own(asked, public_url) {
            Ok(target) => target,
            Err(dropped) => return (Self::default(), Some(dropped)),
        };
        let (whole, path) = (&target[Position::BeforePath..], target.path());
        let fits = |text: &str| text.len() <= limits::RETURN_TO && encoded(text).len() <= limits::RETURN_TO_PARAMETER;
        if fits(whole) {
            (Self(whole.to_owned()), None)
        } else if fits(path) {
            (Self(path.to_owned()), Some(Dropped::Query))
        } else {
            (Self::default(), Some(Dropped::TooLong))
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

/// `asked` as a URL of our own origin.
fn own(asked: &str, public_url: &PublicUrl) -> Result<Url, Dropped> {
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
    if target.origin() != own.origin() {
        return Err(Dropped::Elsewhere(target.origin().ascii_serialization()));
    }
    // The parsed path has its dot segments resolved; if it began with two slashes, it would name a host.
    if !target.username().is_empty() || target.password().is_some() || target.path().starts_with("//") {
        return Err(Dropped::Unreadable);
    }
    if is_ours(target.path()) { Err(Dropped::Ours) } else { Ok(target) }
}

/// Whether `text` begins with `https://` or `http://`, in letters of either case.
#[must_use]
pub fn is_absolute(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("https://") || begins("http://")
}

/// Whether `path` is one of our own sign-in or machine paths: landing there would sign out, loop or show nothing.
/// Slashes too many change nothing (`http/plain_path.rs`).
fn is_ours(path: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let parts: Vec<&str> = decoded.split('/').filter(|part| !part.is_empty()).collect();
    let plain = format!("/{}", parts.join("/"));
    if plain == paths::ACCOUNT {
        return false;
    }
    plain == paths::ROOT
        || plain.starts_with("/auth/")
        || ["/login", paths::HEALTHZ, paths::READYZ, "/favicon.ico", "/robots.txt"].contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(asked: &str) -> String {
        sanitize(asked).0.0
    }

    fn sanitize(asked: &str) -> (ReturnTo, Option<Dropped>) {
        ReturnTo::sanitize(Some(asked), &PublicUrl::parse("https://rp.example").unwrap())
    }

    #[test]
    fn keeps_good_targets() {
        for good in [
            "/",
            "/a?b=c#d",
            "/a%20b",
            "/a//b",
            "/a?next=//evil.example",
            "/auth/account",
            "/auth/account/",
            "/auth-docs",
            "/a?x=%2f%2fy",
        ] {
            assert_eq!(judge(good), good);
        }
        assert_eq!(judge("/ü"), "/%C3%BC");
        assert_eq!(judge("/a b"), "/a%20b");
    }

    #[track_caller]
    fn is_home(bad: &str) {
        let own = Url::parse("https://rp.example").unwrap();
        let judged = judge(bad);
        assert_eq!(own.join(&judged).unwrap().origin(), own.origin(), "{bad:?} left the origin");
        assert_eq!(judged, "/", "{bad:?}");
    }

    #[test]
    fn another_host_is_home() {
        for bad in [
            "",
            "a",
            "?a",
            "#a",
            "https://evil.example",
            "https://rp.exa\tmple.evil.example/",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "//0x7f.1",
            "/\\evil.example",
            "\\\\evil.example",
            "/\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            "/\r\nSet-Cookie:a=b",
            "/\0",
            " //evil.example",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "https:evil.example",
            "https:/evil.example",
            "http:\\\\evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "/%2E%2e//evil.example",
            "／／evil.example",
            "〱evil",
            "%2f%2fevil.example",
        ] {
            is_home(bad);
        }
    }

    #[test]
    fn what_only_looks_like_our_origin_is_home() {
        for bad in [
            "http://rp.example/",
            "http://rp.example/x",
            "https://rp.example:444/",
            "https://rp.example./x",
            "https://rp.example@evil",
            "https://rp.example\\@evil.example/",
            "https://user@rp.example/x",
            "https://user:pass@rp.example/x",
            "https://rp.example//evil.example",
            "https://rp.example/..//evil.example",
            "https://rp.example/\\evil.example",
            "https://rp.example/\t/evil.example",
            "https:\\\\rp.example/x",
            "https:/rp.example/x",
            "https:rp.example/x",
            "https://",
            "https://[",
            " https://rp.example/x",
            "https://rp.example/auth/logout",
            "https://rp.example.evil",
            "https://rp.example@evil.example",
        ] {
            is_home(bad);
        }
    }

    #[test]
    fn our_own_pages_are_home() {
        for bad in [
            "/auth/logout",
            "/auth/oidc/login",
            "/auth/oidc/callback?code=1",
            "/auth",
            "/auth/",
            "/AUTH/logout",
            "/auth%2flogout",
            "/a/../auth/logout",
            "/./auth/login",
            "//auth/login",
            "/auth//logout",
            "/auth///logout/",
            "/auth/account/../logout",
            "/auth/account/x",
            "/login/",
            "/healthz/",
            "/login",
            "/healthz",
            "/%61uth/logout",
        ] {
            is_home(bad);
        }
    }

    #[test]
    fn a_harmless_local_path_may_look_odd() {
        for (odd, kept) in [
            ("/%2f%2fevil.example", "/%2f%2fevil.example"),
            ("/%5cevil", "/%5cevil"),
            ("/%09/evil", "/%09/evil"),
            ("/%252f", "/%252f"),
        ] {
            assert_eq!(judge(odd), kept);
        }
    }

    #[test]
    fn an_absolute_url_of_our_own_origin_is_its_path() {
        for (asked, kept) in [
            ("https://rp.example", "/"),
            ("https://rp.example/x?y=1#z", "/x?y=1#z"),
            ("https://rp.example:443/x", "/x"),
            ("HTTPS://RP.EXAMPLE/x", "/x"),
            ("https://rp.example?x=1", "/?x=1"),
            ("https://rp.example/a/../b", "/b"),
            ("https://rp.example/auth/account", "/auth/account"),
        ] {
            assert_eq!(judge(asked), kept, "{asked}");
        }
        let port = PublicUrl::parse("http://127.0.0.1:3000").unwrap();
        let at = |asked| ReturnTo::sanitize(Some(asked), &port).0.0;
        assert_eq!((at("http://127.0.0.1:3000/x"), at("http://127.0.0.1/x")), ("/x".into(), "/".into()));
        assert_eq!(at("http://localhost:3000/x"), "/");
        let idn = PublicUrl::parse("https://bücher.example").unwrap();
        assert_eq!(ReturnTo::sanitize(Some("https://b%C3%BCcher.example/x"), &idn).0.0, "/x");
    }

    #[test]
    fn what_a_query_holds_is_data() {
        for (asked, kept) in [
            ("/a?b=\\", "/a?b=%5C"),
            ("/a?b=\\\\evil.example", "/a?b=%5C%5Cevil.example"),
            ("/a?b=c\td", "/a?b=c%09d"),
            ("/a?b=c\r\nd\n", "/a?b=c%0D%0Ad%0A"),
            ("/a?b=%0A%5C%09", "/a?b=%0A%5C%09"),
            ("/a?b=c ", "/a?b=c%20"),
            ("/a?b=\0\u{7f}\u{85}", "/a?b=%00%7F%C2%85"),
            ("/a?b=+%2B", "/a?b=+%2B"),
            ("/a?b=%zz", "/a?b=%zz"),
            ("/a?b=%", "/a?b=%"),
            ("/a;v=1?b;c", "/a;v=1?b;c"),
            ("/a#b\tc", "/a#b%09c"),
            ("/a?b=//evil.example/..//x", "/a?b=//evil.example/..//x"),
            ("/a?b=https://evil.example/", "/a?b=https://evil.example/"),
        ] {
            assert_eq!(judge(asked), kept, "{asked:?}");
        }
    }

    #[test]
    fn a_long_target_loses_its_query_and_then_everything() {
        const MOST: usize = limits::RETURN_TO;
        let query = |length: usize| format!("/reports?{}", "x".repeat(length - "/reports?".len()));
        assert_eq!(sanitize(&query(MOST)), (ReturnTo(query(MOST)), None));
        for long in [query(MOST + 1), query(64 * 1024)] {
            assert_eq!(sanitize(&long), (ReturnTo("/reports".into()), Some(Dropped::Query)));
        }
        assert_eq!(judge(&format!("/{}", "x".repeat(MOST - 1))).len(), MOST);
        let tripled = format!("/a?{}", "=".repeat(MOST - 3));
        assert_eq!(
            sanitize(&tripled),
            (ReturnTo("/a".into()), Some(Dropped::Query)),
            "too long as a parameter of ours"
        );
        for long in ["x".repeat(MOST), "ü".repeat(MOST / 6 + 1), "x".repeat(64 * 1024)] {
            let measured_as_encoded = sanitize(&format!("/{long}"));
            assert_eq!(measured_as_encoded, (ReturnTo::default(), Some(Dropped::TooLong)));
        }
    }

    #[test]
    fn what_is_dropped_has_a_reason_and_says_nothing_secret() {
        for (asked, reason) in [
            ("/a", None),
            ("", None),
            ("/auth/logout", Some("a page of Vestibule's own that nobody should land on")),
            ("/a\\b?secret", Some("neither a path nor a URL of public_url")),
            ("secret", Some("neither a path nor a URL of public_url")),
            (
                "https://u:secret@evil.example/secret?secret",
                Some("another origin than public_url: https://evil.example"),
            ),
            ("http://rp.example/x", Some("another origin than public_url: http://rp.example")),
            ("//evil.example/x", Some("another origin than public_url: https://evil.example")),
        ] {
            assert_eq!(sanitize(asked).1.map(|reason| reason.to_string()).as_deref(), reason, "{asked}");
        }
    }

    #[test]
    fn encodes_for_a_query_value() {
        let target = ReturnTo(String::from("/a?b=c&d=%2f+e#f"));
        assert!(!target.encoded().contains('?'));
        let query = format!("return_to={}", target.encoded());
        let decoded: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        assert_eq!(decoded, [("return_to".into(), "/a?b=c&d=%2f+e#f".into())]);
    }
}
