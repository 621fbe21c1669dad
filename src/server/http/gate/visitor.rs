//! What kind of request it is that may not pass: decides whether it is answered by a redirect, a page, or JSON.

use axum::http::HeaderMap;

use crate::server::http::fetch_metadata::{navigates, prefetches, says};

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// A person's browser goes there.
    Navigation,
    /// A person's browser posts a form there.
    Form,
    /// A script, an image, a WebSocket, a program: it needs a status and JSON.
    Machine,
}

impl Visitor {
    /// By the fetch metadata where the browser sends it, else by what older ones send. A prefetch must not begin a sign-in.
    pub(super) fn of(method: &str, headers: &HeaderMap) -> Self {
        let upgrades = headers.contains_key("upgrade") || headers.contains_key("sec-websocket-key");
        let seems_to = || !headers.contains_key("x-requested-with") && says(headers, "accept", "text/html");
        let navigates = navigates(headers).unwrap_or_else(seems_to);
        match method {
            _ if upgrades || prefetches(headers) || !navigates => Self::Machine,
            "GET" => Self::Navigation,
            "POST" => Self::Form,
            _ => Self::Machine,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn of(method: &str, pairs: &[(&'static str, &str)]) -> Visitor {
        let headers = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Visitor::of(method, &headers.collect())
    }

    #[test]
    fn only_a_persons_browser_that_goes_somewhere_is_redirected() {
        let navigation = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let with = |name, value| [navigation[0], navigation[1], (name, value)];
        assert_eq!(of("GET", &navigation), Visitor::Navigation);
        assert_eq!(of("GET", &[("accept", "text/html,*/*;q=0.8")]), Visitor::Navigation);
        assert_eq!(of("POST", &navigation), Visitor::Form);
        assert_eq!(of("POST", &[("accept", "text/html")]), Visitor::Form);
        for (method, pairs) in [
            ("GET", &[][..]),
            ("GET", &[("accept", "*/*")]),
            ("GET", &[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]),
            ("GET", &[("accept", "text/html"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]),
            ("GET", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]),
            ("GET", &[("sec-fetch-mode", "websocket"), ("upgrade", "websocket")]),
            ("GET", &with("upgrade", "websocket")),
            ("GET", &with("sec-websocket-key", "x")),
            ("GET", &with("sec-purpose", "prefetch;prerender")),
            ("GET", &with("purpose", "prefetch")),
            ("HEAD", &navigation),
            ("OPTIONS", &navigation),
            ("DELETE", &navigation),
        ] {
            assert_eq!(of(method, pairs), Visitor::Machine, "{method} {pairs:?}");
        }
    }
}
