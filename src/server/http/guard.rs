//! Only our own pages may change something, and only a person's navigation begins a sign-in.

use axum::http::{HeaderMap, Method, header::ORIGIN};

use crate::server::settings::PublicUrl;

/// Whether a request may change something: a safe method may not and so is fine; any other has to come from a page of
/// our own origin. `Sec-Fetch-Site` decides where the browser sends it, else `Origin`, byte for byte; neither: no.
#[must_use]
pub fn is_same_origin(method: &Method, headers: &HeaderMap, public_url: &PublicUrl) -> bool {
    if method.is_safe() {
        return true;
    }
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => headers.get(ORIGIN).is_some_and(|origin| origin == public_url.origin()),
    }
}

/// What kind of request asks to begin a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// A person's browser goes there.
    Navigation,
    /// A script asks; it cannot be sent to another site and wants to be told where to send the person.
    Script,
    /// A browser looks ahead. It has to hear that this failed, or it may take the answer for the click's.
    Ahead,
    /// A page embeds it, or somebody asks for its head: nothing may begin.
    Other,
}

/// Judges by the fetch metadata, where the browser sends it (W3C Fetch Metadata), and by what older ones send.
#[must_use]
pub fn fetch(method: &Method, headers: &HeaderMap) -> Fetch {
    let says = |name: &str, value: &str| {
        headers.get(name).and_then(|header| header.to_str().ok()).is_some_and(|header| header.contains(value))
    };
    if says("sec-purpose", "prefetch") || says("purpose", "prefetch") || says("x-moz", "prefetch") {
        return Fetch::Ahead;
    }
    let wants = |kind: &str| says("accept", kind);
    if says("x-requested-with", "XMLHttpRequest") || (wants("application/json") && !wants("text/html")) {
        return Fetch::Script;
    }
    match (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) {
        (Some(mode), dest) if mode == "navigate" => match dest {
            // `empty`: a service worker passes a navigation on. No script can make a request of this mode itself.
            Some(dest) if dest != "document" && dest != "empty" => Fetch::Other,
            _ if *method == Method::HEAD => Fetch::Other,
            _ => Fetch::Navigation,
        },
        (Some(_), Some(dest)) if dest == "empty" => Fetch::Script,
        (Some(_), _) => Fetch::Other,
        (None, _) if *method == Method::GET => Fetch::Navigation,
        (None, _) => Fetch::Other,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_our_own_pages_change_something() {
        let own = PublicUrl::parse("https://rp.example").unwrap();
        let post = |pairs: &[(&'static str, &str)]| is_same_origin(&Method::POST, &headers(pairs), &own);
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("origin", "https://rp.example")]));
        for pairs in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://rp.example.evil")],
            &[("origin", "HTTPS://RP.EXAMPLE")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://rp.example")],
        ] {
            assert!(!post(pairs), "{pairs:?}");
        }
        assert!(is_same_origin(&Method::GET, &HeaderMap::new(), &own));
    }

    #[test]
    fn only_a_navigation_begins_a_sign_in() {
        let get = |pairs: &[(&'static str, &str)]| fetch(&Method::GET, &headers(pairs));
        assert_eq!(get(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]), Fetch::Navigation);
        assert_eq!(get(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "empty")]), Fetch::Navigation);
        assert_eq!(get(&[("accept", "text/html")]), Fetch::Navigation);
        assert_eq!(get(&[]), Fetch::Navigation);
        assert_eq!(get(&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]), Fetch::Script);
        assert_eq!(get(&[("x-requested-with", "XMLHttpRequest")]), Fetch::Script);
        assert_eq!(get(&[("accept", "application/json")]), Fetch::Script);
        for pairs in [
            &[("sec-purpose", "prefetch;prerender"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")][..],
            &[("purpose", "prefetch")],
            &[("x-moz", "prefetch")],
        ] {
            assert_eq!(get(pairs), Fetch::Ahead, "{pairs:?}");
        }
        for pairs in [
            &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")][..],
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        ] {
            assert_eq!(get(pairs), Fetch::Other, "{pairs:?}");
        }
        assert_eq!(fetch(&Method::HEAD, &HeaderMap::new()), Fetch::Other);
    }
}
