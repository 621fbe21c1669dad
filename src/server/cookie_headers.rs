//! Cookies, by their raw header: what other applications on the host have set (many, large, not ASCII, malformed) must
//! not disturb ours, so nothing but our own two names is looked at.

use std::{iter, time::Duration};

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use memchr::memchr_iter;

use crate::server::{limits, public_url::PublicUrl};

/// One of our two cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The session's id.
    Session,
    /// The browser key.
    Flow,
}

/// Reads and writes our cookies, by the names that the public URL's scheme allows.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    /// Over https with the `__Host-` prefix and `Secure`; on loopback http without.
    #[must_use]
    pub const fn new(public_url: &PublicUrl) -> Self {
        Self { secure: public_url.is_secure() }
    }

    const fn name(self, cookie: Cookie) -> &'static str {
        match (self.secure, cookie) {
            (true, Cookie::Session) => "__Host-vestibule",
            (true, Cookie::Flow) => "__Host-vestibule-flow",
            (false, Cookie::Session) => "vestibule",
            (false, Cookie::Flow) => "vestibule-flow",
        }
    }

    /// The value of `cookie`. `None` if it is missing, there more than once (one of them is foreign, and nobody can
    /// tell which), or nothing that we would have set.
    #[must_use]
    pub fn get(self, headers: &HeaderMap, cookie: Cookie) -> Option<&str> {
        let name = self.name(cookie).as_bytes();
        let mut values = headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|header| pairs(header.as_bytes()))
            .filter_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="));
        let value = values.next().filter(|value| !value.is_empty() && value.len() <= limits::COOKIE_VALUE)?;
        if values.next().is_some() {
            return None;
        }
        std::str::from_utf8(value).ok()
    }

    /// All cookies but our two, as one header; empty if there are none.
    #[must_use]
    pub fn others(self, headers: &HeaderMap) -> HeaderValue {
        let ours = [Cookie::Session, Cookie::Flow].map(|cookie| self.name(cookie).as_bytes());
        let pairs = headers.get_all(COOKIE).iter().flat_map(|header| pairs(header.as_bytes()));
        let mut others = Vec::new();
        for pair in pairs.map(<[u8]>::trim_ascii) {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            if pair.is_empty() || ours.contains(&name) {
                continue;
            }
            if !others.is_empty() {
                others.extend_from_slice(b"; ");
            }
            others.extend_from_slice(pair);
        }
        // They came in headers.
        HeaderValue::from_bytes(&others).unwrap_or(HeaderValue::from_static(""))
    }

    /// The `Set-Cookie` that sets `cookie`. Values of ours are base64url.
    #[must_use]
    pub fn set(self, cookie: Cookie, value: &str, life: Duration) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let seconds = life.as_secs();
        let name = self.name(cookie);
        HeaderValue::try_from(format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")).ok()
    }

    /// The `Set-Cookie` that removes `cookie`: name and attributes as when it was set.
    #[must_use]
    pub fn remove(self, cookie: Cookie) -> Option<HeaderValue> {
        self.set(cookie, "", Duration::ZERO)
    }
}

/// What stands between the semicolons.
fn pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    memchr_iter(b';', header).chain(iter::once(header.len())).filter_map(move |end| {
        let pair = header.get(begin..end);
        begin = end + 1;
        pair
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(raw: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in raw {
            headers.append(COOKIE, HeaderValue::from_bytes(value).unwrap());
        }
        let cookies = Cookies::new(&PublicUrl::parse("https://rp.test").unwrap());
        cookies.get(&headers, Cookie::Session).map(str::to_owned)
    }

    #[test]
    fn finds_ours_among_anything() {
        assert_eq!(get(&[b"__Host-vestibule=abc"]).as_deref(), Some("abc"));
        assert_eq!(get(&[b"a=\xff\xfe; ;;;=x; $Version=1; __Host-vestibule=abc; b"]).as_deref(), Some("abc"));
        assert_eq!(get(&[b"a=1", b"__Host-vestibule=abc"]).as_deref(), Some("abc"));
    }

    #[test]
    fn takes_nothing_else_for_ours() {
        let long = [b"__Host-vestibule=".as_slice(), &[b'x'; 1000]].concat();
        for raw in [
            b"__Host-vestibule=a; __Host-vestibule=b".as_slice(),
            b"__Host-vestibule=a; __Host-vestibule=a",
            b"__HOST-VESTIBULE=a",
            b"=__Host-vestibule=a",
            b"__Host-vestibule-flow=a",
            b"x__Host-vestibule=a",
            b"__Host-vestibule",
            b"__Host-vestibule=",
            b"__Host-vestibule=\xff",
            &long,
        ] {
            assert_eq!(get(&[raw]), None, "{}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn writes_every_attribute() {
        let secure = Cookies::new(&PublicUrl::parse("https://rp.test").unwrap());
        assert_eq!(
            secure.set(Cookie::Session, "v", Duration::from_secs(60)).unwrap(),
            "__Host-vestibule=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        let plain = Cookies::new(&PublicUrl::parse("http://127.0.0.1:3000").unwrap());
        assert_eq!(plain.remove(Cookie::Flow).unwrap(), "vestibule-flow=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
