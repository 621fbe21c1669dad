//! Cross-site request forgery: only our own pages may change something.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header::ORIGIN},
    middleware::Next,
    response::Response,
};

use super::render::Renderer;
use crate::server::{application::Site, problem::Problem, state::App};

/// Refuses what another site's page, or no page at all, asks to change.
pub(crate) async fn same_origin_only(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    request: Request,
    next: Next,
) -> Response {
    let site = request.extensions().get::<Site>();
    let origin = site.map_or(app.public_url.origin(), |site| &site.origin);
    if is_same_origin(request.method(), request.headers(), origin) {
        next.run(request).await
    } else {
        renderer.problem(Problem::CrossSite)
    }
}

/// A safe method changes nothing; any other has to come from a page of our own origin. `Sec-Fetch-Site` decides where
/// the browser sends it, else `Origin`, byte for byte; with neither it is refused. No browser names another origin than its
/// own page's beside `same-origin` (`null` it may say, for a page that has no `Referer`).
pub(super) fn is_same_origin(method: &Method, headers: &HeaderMap, own: &str) -> bool {
    if method.is_safe() {
        return true;
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
    if sites.peek().is_some() {
        return sites.all(|site| site == "same-origin") && origins.all(|origin| origin == own || origin == "null");
    }
    origins.next().is_some_and(|origin| origin == own) && origins.next().is_none()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_our_own_pages_change_something() {
        let own = "https://rp.example";
        let post = |pairs: &[(&'static str, &str)]| is_same_origin(&Method::POST, &headers(pairs), own);
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("origin", "https://rp.example")]));
        assert!(post(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        for pairs in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://rp.example.evil")],
            &[("origin", "HTTPS://RP.EXAMPLE")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://rp.example")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"), ("origin", "https://rp.example")],
        ] {
            assert!(!post(pairs), "{pairs:?}");
        }
        assert!(is_same_origin(&Method::GET, &HeaderMap::new(), own));
    }
}
