//! Only a person's navigation begins or completes a sign-in: no prefetch, no sub-resource, no script. What a navigation is,
//! the gate asks here, too.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header::WWW_AUTHENTICATE},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::request::Parameters;
use crate::server::{
    sign_in::{return_to::ReturnTo, start::login_page},
    state::App,
};

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetch {
    /// A person's browser goes there.
    Navigation,
    /// A script asks. It cannot be sent to another site and needs to be told where to send the person.
    Script,
    /// A browser looks ahead. It must be told that this failed, or it may use the response for the click.
    Prefetch,
    /// A page embeds it, or it is a HEAD request: nothing may begin.
    Other,
}

/// Lets navigations through. Nothing else reaches the handler, so a link scanner or a prefetch cannot use up a
/// person's authorization code.
pub(crate) async fn navigations_only(
    State(app): State<Arc<App>>,
    parameters: Parameters,
    request: Request,
    next: Next,
) -> Response {
    match classify(request.method(), request.headers()) {
        Fetch::Navigation => next.run(request).await,
        Fetch::Script => login_required(&app, &app.sign_in.return_to(parameters.destination())),
        Fetch::Prefetch => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fetch::Other => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A script is told where to send the person (401, RFC 9110 15.5.2).
fn login_required(app: &App, return_to: &ReturnTo) -> Response {
    let login = app.public_url.join(&login_page(return_to));
    let body = Json(serde_json::json!({ "error": "login_required", "login_url": login }));
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Cookie")], body).into_response()
}

/// By the fetch metadata where the browser sends it, and by what older ones send.
fn classify(method: &Method, headers: &HeaderMap) -> Fetch {
    if prefetches(headers) {
        return Fetch::Prefetch;
    }
    let wants = |kind: &str| says(headers, "accept", kind);
    if says(headers, "x-requested-with", "XMLHttpRequest") || (wants("application/json") && !wants("text/html")) {
        return Fetch::Script;
    }
    match navigates(headers) {
        Some(true) if *method != Method::HEAD => Fetch::Navigation,
        None if *method == Method::GET => Fetch::Navigation,
        Some(false) if headers.get("sec-fetch-dest").is_some_and(|dest| dest == "empty") => Fetch::Script,
        _ => Fetch::Other,
    }
}

/// Whether the browser goes there, by its fetch metadata (W3C Fetch Metadata); `None` where it sends none.
pub(super) fn navigates(headers: &HeaderMap) -> Option<bool> {
    let mode = headers.get("sec-fetch-mode")?;
    // `empty`: a service worker passes a navigation on. No script can make a request of this mode itself, and nothing of
    // ours can be shown in a frame.
    let is_document = |dest: &HeaderValue| dest == "document" || dest == "empty";
    Some(mode == "navigate" && headers.get("sec-fetch-dest").is_none_or(is_document))
}

/// Whether the browser looks ahead. That is no navigation, whatever else it says of it.
pub(super) fn prefetches(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].into_iter().any(|name| says(headers, name, "prefetch"))
}

/// Whether a header of that name has the word in it.
pub(super) fn says(headers: &HeaderMap, name: &str, word: &str) -> bool {
    headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(word)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_navigation_begins_a_sign_in() {
        let get = |pairs: &[(&'static str, &str)]| classify(&Method::GET, &headers(pairs));
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
            assert_eq!(get(pairs), Fetch::Prefetch, "{pairs:?}");
        }
        for pairs in [
            &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")][..],
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        ] {
            assert_eq!(get(pairs), Fetch::Other, "{pairs:?}");
        }
        assert_eq!(classify(&Method::HEAD, &HeaderMap::new()), Fetch::Other);
    }
}
