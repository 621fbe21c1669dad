//! Where a person lands after signing in: a path on our own origin, and nothing else.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{
    paths,
    server::{limits, settings::PublicUrl},
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

impl ReturnTo {
    /// Sanitizes the requested page (decoded once, as the query parser does, and never again). Anything but a path that
    /// a browser would resolve to our own origin, outside our sign-in and machine paths, becomes `/`. A target over
    /// [`limits::RETURN_TO`] bytes loses its query, and becomes `/` if that does not help.
    #[must_use]
    pub fn sanitize(asked: Option<&str>, public_url: &PublicUrl) -> Self {
        asked.and_then(|asked| Self::own(asked, public_url)).unwrap_or_default()
    }

    fn own(asked: &str, public_url: &PublicUrl) -> Option<Self> {
        // URL parsers delete tabs and newlines and read a backslash as a slash: refuse all of these.
        if asked.len() > limits::RETURN_TO_READ
            || !asked.starts_with('/')
            || asked.chars().any(|c| c.is_control() || c == '\\')
        {
            return None;
        }
        let origin = Url::parse(public_url.origin()).ok()?;
        let target = origin.join(asked).ok()?;
        if target.origin() != origin.origin() || !target.username().is_empty() || target.password().is_some() {
            return None;
        }
        // The parsed path has its dot segments resolved; if it began with two slashes, it would name a host.
        let path = target.path();
        if path.starts_with("//") || is_ours(path) {
            return None;
        }
        let whole = &target[url::Position::BeforePath..];
        if whole.len() <= limits::RETURN_TO {
            return Some(Self(whole.to_owned()));
        }
        (path.len() <= limits::RETURN_TO).then(|| Self(path.to_owned()))
    }

    /// For a `Location` header, or an `href`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For a query parameter of ours.
    #[must_use]
    pub fn encoded(&self) -> String {
        /// What would end or confuse a query value; the rest is percent-encoded already.
        const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'=');
        percent_encoding::utf8_percent_encode(&self.0, VALUE).to_string()
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

/// Whether `path` is one of our own sign-in or machine paths: landing there would sign out, loop or show nothing.
fn is_ours(path: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let plain = decoded.replace("//", "/");
    if plain.trim_end_matches('/') == paths::ACCOUNT {
        return false;
    }
    plain == "/auth"
        || plain.starts_with("/auth/")
        || ["/login", paths::HEALTHZ, paths::READYZ, "/favicon.ico", "/robots.txt"].contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(asked: &str) -> String {
        ReturnTo::sanitize(Some(asked), &PublicUrl::parse("https://rp.example").unwrap()).0
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
            "/auth-docs",
            "/a?x=%2f%2fy",
        ] {
            assert_eq!(judge(good), good);
        }
        assert_eq!(judge("/ü"), "/%C3%BC");
        assert_eq!(judge("/a b"), "/a%20b");
    }

    #[test]
    fn everything_else_is_home() {
        let own = Url::parse("https://rp.example").unwrap();
        for bad in [
            "",
            "a",
            "?a",
            "#a",
            "https://evil.example",
            "http://rp.example/",
            "https://rp.example:444/",
            "https://rp.example.evil",
            "https://rp.example@evil.example",
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
            "/login",
            "/healthz",
            "/%61uth/logout",
            "%2f%2fevil.example",
        ] {
            let judged = judge(bad);
            assert_eq!(own.join(&judged).unwrap().origin(), own.origin(), "{bad:?} left the origin");
            assert_eq!(judged, "/", "{bad:?}");
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
    fn a_long_target_loses_its_query_and_then_everything() {
        let query = format!("/reports?{}", "x".repeat(limits::RETURN_TO));
        assert_eq!(judge(&query), "/reports");
        assert_eq!(judge(&format!("/{}", "x".repeat(limits::RETURN_TO))), "/");
        assert_eq!(judge(&format!("/{}", "x".repeat(limits::RETURN_TO - 1))).len(), limits::RETURN_TO);
        assert_eq!(judge(&format!("/{}", "ü".repeat(limits::RETURN_TO / 2))), "/", "measured as encoded");
        assert_eq!(judge(&format!("/{}", "x".repeat(64 * 1024))), "/");
    }

    #[test]
    fn encodes_for_a_query_value() {
        let target = ReturnTo(String::from("/a?b=c&d=%2f+e#f"));
        let query = format!("return_to={}", target.encoded());
        let decoded: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        assert_eq!(decoded, [("return_to".into(), "/a?b=c&d=%2f+e#f".into())]);
    }
}
