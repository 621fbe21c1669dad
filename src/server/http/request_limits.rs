//! How much a request may bring.

use axum::{extract::Request, http::HeaderMap, middleware::Next, response::Response};

use super::render::Renderer;
use crate::server::{limits, problem::Problem};

/// Refuses a request whose headers are larger than any of our pages needs, with a page that says what to do.
pub(crate) async fn limit_headers(renderer: Renderer, request: Request, next: Next) -> Response {
    if header_bytes(request.headers()) > limits::REQUEST_HEADERS {
        return renderer.problem(Problem::HeadersTooLarge);
    }
    next.run(request).await
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
