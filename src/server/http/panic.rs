//! A panic in a handler: the page says so, the log says where it happened under the page's reference, and the process
//! goes on.

use std::panic::AssertUnwindSafe;

use axum::{extract::Request, middleware::Next, response::Response};
use futures_util::FutureExt as _;

use super::render::Renderer;
use crate::server::{problem::Problem, telemetry};

/// Turns a panic into the problem page.
pub(crate) async fn catch(renderer: Renderer, request: Request, next: Next) -> Response {
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match telemetry::noting_panics(handled).await {
        (Ok(response), _) => response,
        (Err(_), location) => {
            let location = location.as_deref().unwrap_or("an unknown place");
            renderer.problem_with_detail(Problem::Internal, location)
        }
    }
}
