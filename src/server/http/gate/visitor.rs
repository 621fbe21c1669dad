//! What kind of request it is that may not pass: decides whether it is answered by a redirect, a page, or JSON.

use axum::http::HeaderMap;

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
    /// By the fetch metadata where the browser sends it (W3C Fetch Metadata), else by what older ones send. A prefetch is no
    /// navigation: it must not begin a sign-in.
    pub(super) fn of(method: &str, headers: &HeaderMap) -> Self {
        let says = |name: &str, word: &str| {
            headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(word)))
        };
        let upgrades = headers.contains_key("upgrade") || headers.contains_key("sec-websocket-key");
        let prefetches = says("sec-purpose", "prefetch") || says("purpose", "prefetch") || says("x-moz", "prefetch");
        let navigates = match headers.get("sec-fetch-mode") {
            // `empty`: a service worker passes a navigation on. Nothing of ours can be shown in a frame.
            Some(mode) if mode == "navigate" => {
                headers.get("sec-fetch-dest").is_none_or(|dest| dest == "document" || dest == "empty")
            }
            Some(_) => false,
            None => !headers.contains_key("x-requested-with") && says("accept", "text/html"),
        };
        match method {
            _ if upgrades || prefetches || !navigates => Self::Machine,
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
