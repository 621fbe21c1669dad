//! Responses that several endpoints give.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};

/// JSON that is already text, not to be cached anywhere.
pub(crate) fn json_text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
