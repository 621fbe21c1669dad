//! How much a request may bring.

use std::time::Duration;

use axum::{extract::Request, http::HeaderMap, middleware::Next, response::Response};

use super::render::Renderer;
use crate::server::problem::Problem;

/// The largest body that any of our routes reads: a form post of the callback, or the panel's question.
pub(crate) const LARGEST_BODY: usize = 16 * 1024;
/// A peer that pauses this long within a body is not going to finish it.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The most header bytes a request may bring. Browsers hold far less for one site unless something went wrong there.
const LARGEST_HEADERS: usize = 32 * 1024;

/// Refuses a request whose headers are larger than any of our pages needs, with a page that says what to do.
pub(crate) async fn limit_headers(renderer: Renderer, request: Request, next: Next) -> Response {
    if header_bytes(request.headers()) > LARGEST_HEADERS {
        return renderer.problem(Problem::HeadersTooLarge);
    }
    next.run(request).await
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
