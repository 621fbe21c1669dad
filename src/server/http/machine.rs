//! What a machine is told instead of a page.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use crate::server::{limits, sign_in::Failure};

/// Why it gets nothing, and under which reference the log says more.
pub(super) fn explain(failure: &Failure) -> Response {
    let status = StatusCode::from_u16(failure.problem.status()).unwrap_or(StatusCode::FORBIDDEN);
    let body = Json(json!({ "error": failure.problem.code(), "reference": failure.reference }));
    let mut response = (status, body).into_response();
    if failure.problem.passes() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(limits::TRY_AGAIN_IN));
    }
    response
}
